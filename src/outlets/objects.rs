//! Where objects go and come from, such as mail of the S3 action and records of streams: a folder per bucket, or the
//! buckets of a provider. An object is durable when `put` returns.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::base::ids;
use crate::config;
use crate::outlets::object::{Metadata, ObjectError};
use crate::outlets::remote::{Provider, Remote};

/// What the name of the file with an object's metadata ends with: the Amazon S3 Encryption Client's name for it.
pub const INSTRUCTION: &str = ".instruction";

/// A store of objects in buckets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Objects(Arc<Backend>);

#[derive(Debug)]
enum Backend {
    Folder(PathBuf),
    Remote(Box<Remote>),
}

impl Objects {
    /// Whether buckets are folders on this machine.
    pub fn are_folders(&self) -> bool {
        matches!(*self.0, Backend::Folder(_))
    }

    /// Buckets are folders below `root`; they are made when first used.
    pub fn folder(root: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Backend::Folder(root.into())))
    }

    /// Buckets are those of a provider; they must exist there.
    pub fn remote(provider: Provider) -> Self {
        Self(Arc::new(Backend::Remote(Box::new(Remote::new(provider)))))
    }

    /// The store that the settings name: a provider, or the folder `objects` in the data directory. Fails with a line for
    /// the operator when something is missing.
    pub fn from_settings(settings: &config::Objects, data_dir: &Path) -> Result<Self, String> {
        let provider = Provider::from_settings(settings)?;
        Ok(provider.map_or_else(|| Self::folder(data_dir.join("objects")), Self::remote))
    }

    /// Stores an object; one with the same key is replaced. Safe to repeat.
    pub async fn put(&self, bucket: &str, key: &str, data: Bytes) -> Result<(), ObjectError> {
        self.put_with(bucket, key, data, &Metadata::new()).await
    }

    /// Stores an object with metadata. In a folder these are two files, which change one after the other: after a crash in
    /// between they fit again when the object is put again, as the job that did not end does.
    pub async fn put_with(&self, bucket: &str, key: &str, data: Bytes, metadata: &Metadata) -> Result<(), ObjectError> {
        check_bucket(bucket)?;
        check_key(key)?;
        match self.0.as_ref() {
            Backend::Folder(root) if metadata.is_empty() => put_files(root, bucket, &[(key, data.as_ref())]).await,
            Backend::Folder(root) => {
                let (beside, text) = (format!("{key}{INSTRUCTION}"), instruction(metadata));
                check_key(&beside)?;
                put_files(root, bucket, &[(beside.as_str(), text.as_bytes()), (key, data.as_ref())]).await
            }
            Backend::Remote(remote) => remote.put(bucket, key, data, metadata).await,
        }
    }

    /// Reads an object of up to `max` octets.
    ///
    /// # Errors
    /// An object that is not there or larger; a store that fails.
    pub async fn get(&self, bucket: &str, key: &str, max: usize) -> Result<Bytes, ObjectError> {
        check_bucket(bucket)?;
        check_key(key)?;
        match self.0.as_ref() {
            Backend::Folder(root) => read_file(&root.join(bucket).join(key), max).await,
            Backend::Remote(remote) => remote.get(bucket, key, max).await,
        }
    }
}

/// Metadata as a JSON object.
pub fn instruction(metadata: &Metadata) -> String {
    let fields = metadata.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into()));
    serde_json::Value::Object(fields.collect()).to_string()
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

/// Writes files of one folder beside, makes them durable, then renames them: a reader sees each whole or not at all, also
/// after a power cut.
async fn put_files(root: &Path, bucket: &str, files: &[(&str, &[u8])]) -> Result<(), ObjectError> {
    // No bucket's name begins with a dot, so no object can meet the files that are being written.
    let incoming = root.join(".incoming");
    tokio::fs::create_dir_all(&incoming).await?;
    let mut drafts = Vec::with_capacity(files.len());
    let mut written = Ok(());
    for (key, data) in files {
        let (draft, target) = (incoming.join(ids::uuid()), root.join(bucket).join(key));
        written = write_draft(&draft, data).await;
        drafts.push((draft, target));
        if written.is_err() {
            break;
        }
    }
    if written.is_ok() {
        written = put_in_place(root, &drafts).await;
    }
    if written.is_err() {
        for (draft, _) in &drafts {
            let _ = tokio::fs::remove_file(draft).await;
        }
    }
    Ok(written?)
}

/// Renames drafts, which all go to one folder.
async fn put_in_place(root: &Path, drafts: &[(PathBuf, PathBuf)]) -> std::io::Result<()> {
    let Some(folder) = drafts.first().and_then(|(_, target)| target.parent()) else { return Ok(()) };
    let is_new = !tokio::fs::try_exists(folder).await?;
    tokio::fs::create_dir_all(folder).await?;
    for (draft, target) in drafts {
        tokio::fs::rename(draft, target).await?;
    }
    sync_folder(folder).await?;
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
