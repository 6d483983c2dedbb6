//! Buckets at a provider: an S3 service (AWS, MinIO, R2, and others), Google Cloud Storage, or Azure Blob Storage.
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{Attribute, Attributes, ClientOptions, ObjectStore, PutOptions, RetryConfig};

use crate::base::{Kept, Region, Secret};
use crate::config;
use crate::outlets::object::{Metadata, ObjectError};

/// How many buckets' clients are kept. Each has its connections, and its token where the provider gives tokens.
const CLIENTS_MAX: usize = 256;

/// How to reach an S3 endpoint.
#[derive(Clone, Debug)]
pub struct S3Endpoint {
    /// `https://host[:port]`; `None` for AWS in this region.
    pub url: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The access key's id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// Whether the bucket's name stands in the path (MinIO) and not in the host name.
    pub path_style: bool,
    /// Whether plain HTTP is fine.
    pub allow_http: bool,
}

/// How to reach Google Cloud Storage.
#[derive(Clone, Debug)]
pub struct GcsAccount {
    /// The JSON key file of a service account; `None` for the machine's own identity.
    pub key_file: Option<PathBuf>,
    /// Whether plain HTTP is fine: where the file names an emulator.
    pub allow_http: bool,
}

/// How to reach Azure Blob Storage.
#[derive(Clone, Debug)]
pub struct AzureAccount {
    /// The storage account.
    pub account: String,
    /// Its key; `None` for the machine's managed identity.
    pub access_key: Option<Secret>,
    /// `https://host[:port]`; `None` for the public cloud.
    pub url: Option<String>,
}

/// A provider of buckets. The buckets must exist there.
#[derive(Clone, Debug)]
pub enum Provider {
    /// An S3 service.
    S3(S3Endpoint),
    /// Google Cloud Storage.
    Gcs(GcsAccount),
    /// Azure Blob Storage, whose containers are the buckets.
    Azure(AzureAccount),
}

impl Provider {
    /// The provider that the settings name; `None` for folders. Fails with a line for the operator.
    pub fn from_settings(settings: &config::Objects) -> Result<Option<Self>, String> {
        let kind = settings.object_store.unwrap_or(match settings.s3_endpoint {
            Some(_) => config::ObjectStoreKind::S3,
            None => config::ObjectStoreKind::Folder,
        });
        Ok(match kind {
            config::ObjectStoreKind::Folder => None,
            config::ObjectStoreKind::S3 => Some(Self::S3(s3(settings)?)),
            config::ObjectStoreKind::Gcs => Some(Self::Gcs(gcs(settings)?)),
            config::ObjectStoreKind::Azure => Some(Self::Azure(azure(settings)?)),
        })
    }

    fn client(&self, bucket: &str) -> Result<Arc<dyn ObjectStore>, ObjectError> {
        // The inbound queue retries with its own backoff, so one attempt here stays short.
        let retry = RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(20), ..RetryConfig::default() };
        let options =
            ClientOptions::new().with_timeout(Duration::from_secs(60)).with_connect_timeout(Duration::from_secs(10));
        let client: Arc<dyn ObjectStore> = match self {
            Provider::S3(endpoint) => {
                let mut builder = AmazonS3Builder::new()
                    .with_client_options(options.with_allow_http(endpoint.allow_http))
                    .with_bucket_name(bucket)
                    .with_region(&endpoint.region)
                    .with_access_key_id(&endpoint.access_key_id)
                    .with_secret_access_key(endpoint.secret_access_key.reveal())
                    .with_virtual_hosted_style_request(!endpoint.path_style)
                    .with_retry(retry);
                if let Some(url) = &endpoint.url {
                    builder = builder.with_endpoint(url);
                }
                Arc::new(builder.build()?)
            }
            Provider::Gcs(account) => {
                let mut builder = GoogleCloudStorageBuilder::new()
                    .with_client_options(options.with_allow_http(account.allow_http))
                    .with_bucket_name(bucket)
                    .with_retry(retry);
                if let Some(file) = &account.key_file {
                    builder = builder.with_service_account_path(file.to_string_lossy());
                }
                Arc::new(builder.build()?)
            }
            Provider::Azure(account) => {
                // Stricter than S3 (Azure: "Naming and referencing containers").
                if bucket.contains('.') || bucket.contains("--") {
                    return Err(ObjectError::Container);
                }
                let plain = account.url.as_ref().is_some_and(|url| url.starts_with("http://"));
                let mut builder = MicrosoftAzureBuilder::new()
                    .with_client_options(options.with_allow_http(plain))
                    .with_account(&account.account)
                    .with_container_name(bucket)
                    .with_retry(retry);
                if let Some(url) = &account.url {
                    builder = builder.with_endpoint(url.clone());
                }
                if let Some(key) = &account.access_key {
                    builder = builder.with_access_key(key.reveal());
                }
                Arc::new(builder.build()?)
            }
        };
        Ok(client)
    }

    /// Azure takes names of metadata that are names in C# too.
    fn attribute(&self, name: &str) -> Attribute {
        let name = if matches!(self, Provider::Azure(_)) { name.replace('-', "_") } else { name.to_owned() };
        Attribute::Metadata(name.into())
    }
}

/// The buckets of a provider, each with its client.
pub(super) struct Remote {
    provider: Provider,
    clients: Kept<String, Arc<dyn ObjectStore>>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.provider.fmt(f)
    }
}

impl Remote {
    pub(super) fn new(provider: Provider) -> Self {
        Self { provider, clients: Kept::new(CLIENTS_MAX) }
    }

    pub(super) async fn put(
        &self,
        bucket: &str,
        key: &str,
        data: Bytes,
        metadata: &Metadata,
    ) -> Result<(), ObjectError> {
        let path = object_store::path::Path::parse(key).map_err(|_| ObjectError::Key)?;
        let attributes: Attributes =
            metadata.iter().map(|(name, value)| (self.provider.attribute(name), value.clone())).collect();
        let options = PutOptions { attributes, ..PutOptions::default() };
        self.client(bucket)?.put_opts(&path, data.into(), options).await?;
        Ok(())
    }

    pub(super) async fn get(&self, bucket: &str, key: &str, max: usize) -> Result<Bytes, ObjectError> {
        let path = object_store::path::Path::parse(key).map_err(|_| ObjectError::Key)?;
        let found = self.client(bucket)?.get(&path).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => ObjectError::Missing,
            error => error.into(),
        })?;
        if usize::try_from(found.meta.size).map_or(true, |size| size > max) {
            return Err(ObjectError::TooLarge);
        }
        Ok(found.bytes().await?)
    }

    fn client(&self, bucket: &str) -> Result<Arc<dyn ObjectStore>, ObjectError> {
        self.clients.get_or_make(bucket, || self.provider.client(bucket))
    }
}

fn s3(settings: &config::Objects) -> Result<S3Endpoint, String> {
    let (Some(access_key_id), Some(secret_access_key)) =
        (settings.s3_access_key_id.clone(), settings.s3_secret_access_key.clone())
    else {
        return Err("buckets of an S3 service need s3-access-key-id and s3-secret-access-key".to_owned());
    };
    let url = settings.s3_endpoint.clone();
    Ok(S3Endpoint {
        allow_http: url.as_ref().is_some_and(|url| url.starts_with("http://")),
        // AWS itself wants the bucket in the host name.
        path_style: url.is_some(),
        url,
        region: settings.s3_region.clone().unwrap_or_else(|| Region::default_region().to_string()),
        access_key_id,
        secret_access_key,
    })
}

fn gcs(settings: &config::Objects) -> Result<GcsAccount, String> {
    let Some(key_file) = settings.gcs_service_account.clone() else {
        return Ok(GcsAccount { key_file: None, allow_http: false });
    };
    let cannot = |why: String| format!("gcs-service-account {}: {why}", key_file.display());
    let text = std::fs::read_to_string(&key_file).map_err(|error| cannot(error.to_string()))?;
    let fields: serde_json::Value = serde_json::from_str(&text).map_err(|error| cannot(error.to_string()))?;
    if fields.get("private_key").is_none() || fields.get("client_email").is_none() {
        return Err(cannot("it is not the JSON key of a service account".to_owned()));
    }
    let plain = fields.get("gcs_base_url").and_then(|url| url.as_str()).is_some_and(|url| url.starts_with("http://"));
    Ok(GcsAccount { key_file: Some(key_file), allow_http: plain })
}

fn azure(settings: &config::Objects) -> Result<AzureAccount, String> {
    let account = settings.azure_account.clone().ok_or("buckets at Azure need azure-account")?;
    Ok(AzureAccount { account, access_key: settings.azure_access_key.clone(), url: settings.azure_endpoint.clone() })
}
