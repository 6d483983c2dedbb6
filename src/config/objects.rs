//! Settings of the object store, where the S3 action of receipt rules puts mails.
use clap::Args;
use serde::Deserialize;

use crate::base::Secret;

/// Where buckets are. Without an endpoint each bucket is a folder under `objects` in the data directory.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Objects {
    /// URL of an S3 service that holds the buckets, such as <https://s3.eu-west-1.amazonaws.com> [default: none; buckets
    /// are folders in the data directory]
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
}
