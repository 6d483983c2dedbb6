//! The root key: given by the operator, or made at the first start and written to a file.
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::access::Error;
use crate::base::{AccountId, Secret, ids};
use crate::store::accounts;
use crate::store::{Store, Tx};

/// How the root account got its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootKey {
    /// The operator gave it.
    Given,
    /// It was made now and is in this file.
    Written(PathBuf),
    /// There is one since an earlier start.
    Kept,
}

/// Makes sure that the root account, 000000000000, exists and has a key: the `given` one, or else any that it has, or
/// else a new one, written to `credentials` in `data_dir` (mode 0600, AWS's shared-credentials format).
///
/// # Errors
/// [`Error::NotUsable`] and [`Error::KeyOfAnother`] for a given key that cannot be root's, [`Error::File`],
/// [`Error::Internal`].
pub async fn ensure_root(store: &Store, data_dir: &Path, given: Option<(String, Secret)>) -> Result<RootKey, Error> {
    if let Some((id, secret)) = given {
        check(&id, &secret)?;
        store.write(move |tx| Box::pin(async move { set_root(tx, &id, &secret).await })).await?;
        return Ok(RootKey::Given);
    }
    let has_key: Result<_, Error> = store.read(|tx| Box::pin(async move { has_root(tx).await })).await;
    if has_key? {
        return Ok(RootKey::Kept);
    }
    let (id, secret) = ids::access_key();
    let path = data_dir.join("credentials");
    // The file first: a key that nobody knows would lock the operator out, a file that is not true yet is rewritten.
    write_credentials(&path, &id, &secret).map_err(|e| Error::File(path.display().to_string(), e))?;
    let secret = Secret::new(secret);
    let added: Result<_, Error> = store
        .write(move |tx| {
            Box::pin(async move {
                // Another node may have been quicker: the account's row is the lock.
                accounts::insert_account(tx, &AccountId::development(), "root").await?;
                accounts::lock_account(tx, &AccountId::development()).await?;
                if has_root(tx).await? {
                    return Ok(false);
                }
                Ok(accounts::insert_key(tx, &id, &AccountId::development(), &secret).await?)
            })
        })
        .await;
    if added? {
        return Ok(RootKey::Written(path));
    }
    fs::remove_file(&path).map_err(|e| Error::File(path.display().to_string(), e))?;
    Ok(RootKey::Kept)
}

/// A key's id goes into signatures' scopes, so it must not hold their separators.
fn check(id: &str, secret: &Secret) -> Result<(), Error> {
    if !(3..=128).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(Error::NotUsable("the root access key id must have 3 to 128 letters, digits, - or _"));
    }
    if !(8..=256).contains(&secret.reveal().len()) {
        return Err(Error::NotUsable("the root secret access key must have 8 to 256 characters"));
    }
    Ok(())
}

async fn has_root(tx: &mut Tx) -> Result<bool, Error> {
    Ok(accounts::list_keys(tx, &AccountId::development()).await?.iter().any(|key| key.active))
}

async fn set_root(tx: &mut Tx, id: &str, secret: &Secret) -> Result<(), Error> {
    let root = AccountId::development();
    accounts::insert_account(tx, &root, "root").await?;
    if accounts::insert_key(tx, id, &root, secret).await? {
        return Ok(());
    }
    match accounts::find_key(tx, id).await? {
        Some(key) if key.account != root => Err(Error::KeyOfAnother(id.to_owned(), key.account)),
        _ => {
            accounts::update_key(tx, id, secret, true).await?;
            Ok(())
        }
    }
}

fn write_credentials(path: &Path, id: &str, secret: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Made with its mode, so that no moment shows it to others.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    write!(file, "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}
