//! Where objects go and come from, such as mail of the S3 action and records of streams: a folder per bucket, or any S3 endpoint. An
//! object is durable when `put` returns.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore as _;
use object_store::aws::AmazonS3Builder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::base::{Region, Secret, ids};
use crate::config;

/// Why an object was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The bucket's name breaks S3's rules.
    #[error(
        "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, and starts and ends with a letter or digit"
    )]
    Bucket,
    /// The key is empty, too long, or could leave its bucket.
    #[error(
        "an object key has 1 to 1024 octets in segments of 1 to 255, none of them '.' or '..', and no backslash or control character"
    )]
    Key,
    /// There is none.
    #[error("there is no such object")]
    Missing,
    /// It is larger than the reader takes.
    #[error("the object is too large")]
    TooLarge,
    /// The folder could not be written or read.
    #[error("cannot write or read the object: {0}")]
    Folder(#[from] std::io::Error),
    /// The S3 endpoint refused or was not reached.
    #[error("the object store did not take or give the object: {0}")]
    Remote(#[from] object_store::Error),
}

/// How to reach an S3 endpoint (AWS, MinIO, R2, and others).
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

/// A store of objects in buckets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Objects(Arc<Backend>);

#[derive(Debug)]
enum Backend {
    Folder(PathBuf),
    S3(S3Endpoint),
}

impl Objects {
    /// Buckets are folders below `root`; they are made when first used.
    pub fn folder(root: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Backend::Folder(root.into())))
    }

    /// Buckets are those of an S3 endpoint; they must exist there.
    pub fn s3(endpoint: S3Endpoint) -> Self {
        Self(Arc::new(Backend::S3(endpoint)))
    }

    /// The store that the settings name: an S3 endpoint, or the folder `objects` in the data directory. Fails with a
    /// line for the operator when the endpoint's keys are missing.
    pub fn from_settings(settings: &config::Objects, data_dir: &Path) -> Result<Self, String> {
        let Some(url) = settings.s3_endpoint.clone() else { return Ok(Self::folder(data_dir.join("objects"))) };
        let (Some(access_key_id), Some(secret_access_key)) =
            (settings.s3_access_key_id.clone(), settings.s3_secret_access_key.clone())
        else {
            return Err("s3-endpoint needs s3-access-key-id and s3-secret-access-key".to_owned());
        };
        Ok(Self::s3(S3Endpoint {
            allow_http: url.starts_with("http://"),
            url: Some(url),
            region: settings.s3_region.clone().unwrap_or_else(|| Region::default_region().to_string()),
            access_key_id,
            secret_access_key,
            path_style: true,
        }))
    }

    /// Stores an object; one with the same key is replaced. Safe to repeat.
    pub async fn put(&self, bucket: &str, key: &str, data: Bytes) -> Result<(), ObjectError> {
        check_bucket(bucket)?;
        check_key(key)?;
        match self.0.as_ref() {
            Backend::Folder(root) => put_file(root, bucket, key, &data).await,
            Backend::S3(endpoint) => {
                let path = object_store::path::Path::parse(key).map_err(|_| ObjectError::Key)?;
                client(endpoint, bucket)?.put(&path, data.into()).await?;
                Ok(())
            }
        }
    }
}

impl Objects {
    /// Reads an object of up to `max` octets.
    ///
    /// # Errors
    /// An object that is not there or larger; a store that fails.
    pub async fn get(&self, bucket: &str, key: &str, max: usize) -> Result<Bytes, ObjectError> {
        check_bucket(bucket)?;
        check_key(key)?;
        match self.0.as_ref() {
            Backend::Folder(root) => read_file(&root.join(bucket).join(key), max).await,
            Backend::S3(endpoint) => {
                let path = object_store::path::Path::parse(key).map_err(|_| ObjectError::Key)?;
                let found = client(endpoint, bucket)?.get(&path).await.map_err(|error| match error {
                    object_store::Error::NotFound { .. } => ObjectError::Missing,
                    error => error.into(),
                })?;
                if usize::try_from(found.meta.size).map_or(true, |size| size > max) {
                    return Err(ObjectError::TooLarge);
                }
                Ok(found.bytes().await?)
            }
        }
    }
}

/// The key of a mail's object, as SES makes it: the prefix, then the message id.
pub fn key(prefix: Option<&str>, message_id: &str) -> String {
    format!("{}{message_id}", prefix.unwrap_or_default())
}

/// S3's rules for the names of buckets. They also make the name safe as a folder's name.
pub fn check_bucket(name: &str) -> Result<(), ObjectError> {
    let bytes = name.as_bytes();
    let edge = |c: Option<&u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let fine = (3..=63).contains(&bytes.len())
        && bytes.iter().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(c))
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if fine { Ok(()) } else { Err(ObjectError::Bucket) }
}

/// Rules for keys, stricter than S3's, so that each is also a path below its bucket's folder and nothing else.
pub fn check_key(key: &str) -> Result<(), ObjectError> {
    let segment_fine = |segment: &str| (1..=255).contains(&segment.len()) && segment != "." && segment != "..";
    let fine = (1..=1024).contains(&key.len())
        && key.split('/').all(segment_fine)
        && !key.chars().any(|c| c.is_control() || c == '\\');
    if fine { Ok(()) } else { Err(ObjectError::Key) }
}

/// Writes beside, makes it durable, then renames: a reader sees the whole object or none, also after a power cut.
async fn put_file(root: &Path, bucket: &str, key: &str, data: &[u8]) -> Result<(), ObjectError> {
    let target = root.join(bucket).join(key);
    let folder = target.parent().unwrap_or(root).to_path_buf();
    // No bucket's name begins with a dot, so no object can meet the files that are being written.
    let incoming = root.join(".incoming");
    tokio::fs::create_dir_all(&incoming).await?;
    let is_new = !tokio::fs::try_exists(&folder).await?;
    tokio::fs::create_dir_all(&folder).await?;
    let draft = incoming.join(ids::uuid());
    if let Err(error) = write_draft(&draft, data).await {
        let _ = tokio::fs::remove_file(&draft).await;
        return Err(error.into());
    }
    if let Err(error) = tokio::fs::rename(&draft, &target).await {
        let _ = tokio::fs::remove_file(&draft).await;
        return Err(error.into());
    }
    sync_folder(&folder).await?;
    if is_new {
        for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
            sync_folder(above).await?;
        }
    }
    Ok(())
}

async fn read_file(path: &Path, max: usize) -> Result<Bytes, ObjectError> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let missing = |error: std::io::Error| match error.kind() {
        NotFound | NotADirectory => ObjectError::Missing,
        _ => error.into(),
    };
    let file = tokio::fs::File::open(path).await.map_err(missing)?;
    if !file.metadata().await?.is_file() {
        return Err(ObjectError::Missing);
    }
    let mut data = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut data).await?;
    if data.len() > max { Err(ObjectError::TooLarge) } else { Ok(data.into()) }
}

async fn write_draft(draft: &Path, data: &[u8]) -> std::io::Result<()> {
    // Mail is nobody else's, also where the operator's folder is open to all.
    let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft).await?;
    file.write_all(data).await?;
    file.flush().await?;
    file.sync_all().await
}

/// Makes the names in a folder durable. Only Unix lets a folder be opened for that; elsewhere there is nothing to do.
async fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { tokio::fs::File::open(folder).await?.sync_all().await } else { Ok(()) }
}

fn client(endpoint: &S3Endpoint, bucket: &str) -> Result<impl object_store::ObjectStore, ObjectError> {
    // The inbound queue retries with its own backoff, so one attempt here stays short.
    let retry = object_store::RetryConfig {
        max_retries: 2,
        retry_timeout: Duration::from_secs(20),
        ..object_store::RetryConfig::default()
    };
    let options = object_store::ClientOptions::new()
        .with_timeout(Duration::from_secs(60))
        .with_connect_timeout(Duration::from_secs(10));
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
    Ok(builder.build()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bucket_names_follow_s3() {
        for good in ["abc", "my-mail", "a.b-c.9", &"a".repeat(63)] {
            check_bucket(good).expect(good);
        }
        for bad in ["", "ab", "Abc", "a_b", "-abc", "abc-", ".abc", "a..b", "10.0.0.1", "a/b", "..", &"a".repeat(64)] {
            assert!(check_bucket(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_cannot_climb_out() {
        for good in ["a", "in/a", "a b/ü", "...", "in/.hidden"] {
            check_key(good).expect(good);
        }
        let long = "a".repeat(256);
        let deep = "a/".repeat(512) + "a";
        for bad in
            ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\\b", "a\0b", "a\nb", &long, &deep]
        {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn an_object_is_written_whole_and_can_be_replaced() {
        let root = tempfile::tempdir().expect("a folder");
        let objects = Objects::folder(root.path());
        for text in ["first", "second"] {
            objects.put("my-mail", "in/new/id", Bytes::from(text)).await.expect("stored");
            let read = std::fs::read_to_string(root.path().join("my-mail/in/new/id")).expect("the object");
            assert_eq!(read, text);
            assert_eq!(objects.get("my-mail", "in/new/id", 6).await.expect("read"), text);
        }
        let mode = std::fs::metadata(root.path().join("my-mail/in/new/id")).expect("its mode").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "for its owner only");
        assert_eq!(std::fs::read_dir(root.path().join(".incoming")).expect("drafts").count(), 0);
        assert!(objects.put("my-mail", "../up", Bytes::new()).await.is_err());
        assert!(objects.put("my-mail", "in/new", Bytes::new()).await.is_err(), "a folder stands there");
        assert!(matches!(objects.get("my-mail", "in/new/id", 5).await, Err(ObjectError::TooLarge)));
        for missing in ["in/new", "in/new/id/x", "other"] {
            assert!(matches!(objects.get("my-mail", missing, 5).await, Err(ObjectError::Missing)), "{missing}");
        }
        assert!(matches!(objects.get("my-mail", "../my-mail/in/new/id", 9).await, Err(ObjectError::Key)));
        assert_eq!(std::fs::read_dir(root.path().join(".incoming")).expect("drafts").count(), 0);
    }

    proptest! {
        #[test]
        fn a_key_that_passes_is_a_path_below_its_bucket(key in "[./a\\\\ -]{0,12}") {
            if check_key(&key).is_ok() {
                let path = Path::new("/bucket").join(&key);
                prop_assert!(path.starts_with("/bucket") && path != Path::new("/bucket"));
                prop_assert!(path.components().all(|part| !matches!(part, std::path::Component::ParentDir)));
            }
        }
    }
}
