//! Settings of the object store, where the S3 action of receipt rules puts mails.
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::base::Secret;

/// Who has the buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectStoreKind {
    /// This server: each bucket is a folder under `objects` in the data directory
    Folder,
    /// An S3 service: AWS, MinIO, R2, ...
    S3,
    /// Google Cloud Storage
    Gcs,
    /// Azure Blob Storage; containers are the buckets
    Azure,
}

/// Where buckets are.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Objects {
    /// Who has the buckets [default: s3 where s3-endpoint is given, else folder]
    #[arg(long, value_name = "KIND", env = "POSTRIDER_OBJECT_STORE")]
    pub object_store: Option<ObjectStoreKind>,

    /// Several nodes on one database share the folder `objects` of their data directories, so that each finds what another
    /// has stored [default: false]
    #[arg(long, env = "POSTRIDER_OBJECTS_SHARED", num_args = 0..=1, default_missing_value = "true")]
    pub objects_shared: Option<bool>,

    /// URL of an S3 service that holds the buckets, such as <https://s3.eu-west-1.amazonaws.com> [default: with
    /// object-store s3 that of AWS in s3-region]
    #[arg(long, value_name = "URL", env = "POSTRIDER_S3_ENDPOINT")]
    pub s3_endpoint: Option<String>,

    /// Region to sign for [default: us-east-1]
    #[arg(long, value_name = "NAME", env = "POSTRIDER_S3_REGION")]
    pub s3_region: Option<String>,

    /// Access key id for that service
    #[arg(long, value_name = "ID", env = "POSTRIDER_S3_ACCESS_KEY_ID")]
    pub s3_access_key_id: Option<String>,

    /// Its secret; give it in the environment, not as a flag
    #[arg(
        long,
        value_name = "SECRET",
        env = "POSTRIDER_S3_SECRET_ACCESS_KEY",
        hide_env_values = true,
        value_parser = |text: &str| Ok::<_, std::convert::Infallible>(Secret::new(text))
    )]
    pub s3_secret_access_key: Option<Secret>,

    /// JSON key file of a service account for Google Cloud Storage [default: the identity of the machine]
    #[arg(long, value_name = "FILE", env = "POSTRIDER_GCS_SERVICE_ACCOUNT")]
    pub gcs_service_account: Option<PathBuf>,

    /// Storage account at Azure
    #[arg(long, value_name = "NAME", env = "POSTRIDER_AZURE_ACCOUNT")]
    pub azure_account: Option<String>,

    /// Its key; give it in the environment, not as a flag [default: the managed identity of the machine]
    #[arg(
        long,
        value_name = "SECRET",
        env = "POSTRIDER_AZURE_ACCESS_KEY",
        hide_env_values = true,
        value_parser = |text: &str| Ok::<_, std::convert::Infallible>(Secret::new(text))
    )]
    pub azure_access_key: Option<Secret>,

    /// URL of that account's blobs [default: `https://ACCOUNT.blob.core.windows.net`]
    #[arg(long, value_name = "URL", env = "POSTRIDER_AZURE_ENDPOINT")]
    pub azure_endpoint: Option<String>,
}
