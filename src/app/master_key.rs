//! Opens the store with its master key: given by the operator, or made at the first start and kept in a file.
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::app::data_dir::opening;
use crate::app::greeting::without_secrets;
use crate::app::private::{is_open_to_others, warn_if_open};
use crate::app::server_file;
use crate::base::{Clock, ids};
use crate::config::{Mode, Settings};
use crate::store::vault::{MasterKeys, Vault, master_key_of};
use crate::store::{self, Database, Store, lineage, master_key};

/// Why the store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting, or the key, cannot be used.
    #[error("{0}")]
    Settings(String),
    /// No server has made the store yet.
    #[error("there is no Postrider data")]
    Nothing,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The file of the key that the first start makes.
const FILE: &str = "master-key";

/// Who opens the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opener {
    Server,
    /// `postrider admin`, which is no node and works on the data of either mode.
    Admin,
}

/// Opens the store that the settings name, with its master key, for a server.
///
/// # Errors
/// When the store cannot be opened, is sealed under a key that was not given, or is the other mode's.
pub(super) async fn open_store(settings: &Settings, clock: Clock) -> Result<Store, OpenError> {
    if let Some(mode) = server_file::mode(&settings.data_dir).filter(|mode| *mode != settings.mode) {
        return Err(not_ours(settings, &format!("the data directory {}", settings.data_dir.display()), mode.name()));
    }
    let store = open_sealed(settings, clock).await?;
    let (name, mode) = (ids::uuid(), settings.mode.name());
    let begun = store.write(move |tx| Box::pin(async move { lineage::begin(tx, &name, mode).await })).await;
    match begun {
        // The mode is noted once there is room.
        Ok(_) | Err(store::Error::Full) => {}
        Err(error) => return Err(error.into()),
    }
    // Another node may have been quicker.
    check_mode(settings, &store).await?;
    Ok(store)
}

/// Refuses a database of the other mode.
async fn check_mode(settings: &Settings, store: &Store) -> Result<(), OpenError> {
    let said = lineage::read(&mut store.reader().await?).await?;
    match said.and_then(|said| said.mode) {
        Some(mode) if mode != settings.mode.name() => {
            let database = format!("the database {}", without_secrets(&settings.database_url));
            Err(not_ours(settings, &database, &mode))
        }
        _ => Ok(()),
    }
}

fn not_ours(settings: &Settings, what: &str, owner: &str) -> OpenError {
    OpenError::Settings(format!(
        "{what} belongs to `postrider {owner}`, so `postrider {}` leaves it alone: use another --data-dir (POSTRIDER_DATA_DIR) \
         or database (--database-url, POSTRIDER_DATABASE_URL)",
        settings.mode.name()
    ))
}

async fn open_sealed(settings: &Settings, clock: Clock) -> Result<Store, OpenError> {
    let database: Database = settings.database_url.parse().map_err(OpenError::Settings)?;
    let own_file = settings.encryption.master_key.is_none() && settings.encryption.master_key_file.is_none();
    let _alone = match own_file {
        true => Some(opening(&settings.data_dir).await.map_err(|e| cannot("write in", &settings.data_dir, &e))?),
        false => None,
    };
    let given = given(settings)?;
    let (keys, text) = match given {
        Some(keys) => (keys, None),
        None => {
            let made = MasterKeys::generate().map_err(|e| OpenError::Settings(e.to_string()))?;
            (made.0, Some(made.1))
        }
    };
    let (store, sealed) = open_under(settings, &database, &keys, clock, Opener::Server).await?;
    if sealed {
        return Ok(store);
    }
    // The file first: nothing may be sealed under a key that is nowhere.
    let path = settings.data_dir.join(FILE);
    let made = text.is_some();
    if let Some(text) = text {
        write_new(&settings.data_dir, &path, &text).map_err(|e| cannot("write", &path, &e))?;
    }
    let id = keys.id();
    store.write(move |tx| Box::pin(async move { master_key::insert(tx, &id).await })).await?;
    match master_key::current(&mut store.reader().await?).await? {
        Some(in_use) if !keys.contains(&in_use) => {
            // Another node was quicker, and nothing is sealed under ours.
            if made {
                let _ = fs::remove_file(&path);
            }
            Err(missing(&in_use))
        }
        _ => Ok(store),
    }
}

/// Opens the store that a server has made, and makes nothing: neither a database nor a key.
///
/// # Errors
/// [`OpenError::Nothing`] when no server has made it; as [`open_store`].
pub(super) async fn open_made(settings: &Settings, clock: Clock) -> Result<Store, OpenError> {
    let database: Database = settings.database_url.parse().map_err(OpenError::Settings)?;
    if !database.is_there().await? {
        return Err(OpenError::Nothing);
    }
    let keys = given(settings)?.ok_or_else(|| no_key(settings))?;
    match open_under(settings, &database, &keys, clock, Opener::Admin).await? {
        (store, true) => Ok(store),
        (_, false) => Err(OpenError::Nothing),
    }
}

/// Opens the store under these keys; whether it was sealed under one of them before.
async fn open_under(
    settings: &Settings,
    database: &Database,
    keys: &MasterKeys,
    clock: Clock,
    opener: Opener,
) -> Result<(Store, bool), OpenError> {
    let vault = Vault::new(keys.clone(), &settings.encryption.kms_keys);
    let store = match opener {
        Opener::Server => Store::open_with(database, clock, vault).await?,
        Opener::Admin => Store::open_as_guest(database, clock, vault).await?,
    };
    if opener == Opener::Server {
        // Before the key: that of the other mode's database does not help.
        check_mode(settings, &store).await?;
    }
    let Some(in_use) = master_key::current(&mut store.reader().await?).await? else { return Ok((store, false)) };
    if !keys.contains(&in_use) {
        return Err(missing(&in_use));
    }
    check_earlier(&store, keys).await?;
    if in_use != keys.id() {
        tracing::info!(before = in_use, now = keys.id(), "the master key is another one from now on");
        let id = keys.id();
        store.write(move |tx| Box::pin(async move { master_key::replace(tx, &id).await })).await?;
    }
    Ok((store, true))
}

/// Refuses to start without a master key that sealed before and is needed still, and forgets those that are not.
async fn check_earlier(store: &Store, keys: &MasterKeys) -> Result<(), OpenError> {
    let earlier = master_key::before(&mut store.reader().await?).await?;
    for id in earlier.into_iter().filter(|id| !keys.contains(id)) {
        let sealed = master_key::sealed_under(&mut store.reader().await?, &id).await?;
        if sealed.iter().any(|(_, count)| *count > 0) {
            return Err(OpenError::Settings(format!(
                "the earlier master key {id} was not given, and it still seals {}: give it behind the others; \
                 `postrider admin master-keys` counts what is left",
                counted(&sealed)
            )));
        }
        store.write(move |tx| Box::pin(async move { master_key::forget(tx, &id).await })).await?;
    }
    Ok(())
}

/// How many texts of each kind, but for those of which there are none.
fn counted(sealed: &[(&str, i64)]) -> String {
    let some: Vec<String> =
        sealed.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}")).collect();
    if some.is_empty() { "nothing".to_owned() } else { some.join(", ") }
}

/// A line for each master key that is given, was in use, or seals a message: its id, what it is, and what it seals.
pub(super) async fn lines(settings: &Settings, store: &Store) -> Result<Vec<String>, OpenError> {
    let given = given(settings)?.map_or_else(Vec::new, |keys| keys.ids());
    let tx = &mut store.reader().await?;
    let mut ids = given.clone();
    let beginnings = master_key::in_messages(tx).await?;
    let found = beginnings.iter().filter_map(|beginning| master_key_of(beginning));
    for id in master_key::current(tx).await?.into_iter().chain(master_key::before(tx).await?).chain(found) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let mut lines = Vec::new();
    for id in ids {
        let what = match given.iter().position(|one| *one == id) {
            Some(0) => "seals",
            Some(_) => "opens",
            None => "not given",
        };
        let sealed = master_key::sealed_under(tx, &id).await?;
        lines.push(format!("{id} {what}: {}", counted(&sealed)));
    }
    Ok(lines)
}

/// The vault alone, without a store, for what was sealed and is elsewhere now.
///
/// # Errors
/// When there is no master key, or it cannot be read.
pub(super) fn open_vault(settings: &Settings) -> Result<Vault, OpenError> {
    let keys = given(settings)?.ok_or_else(|| no_key(settings))?;
    Ok(Vault::new(keys, &settings.encryption.kms_keys))
}

/// The keys that the settings give, or the file that an earlier start made.
fn given(settings: &Settings) -> Result<Option<MasterKeys>, OpenError> {
    let (text, place) = match (&settings.encryption.master_key, &settings.encryption.master_key_file) {
        (Some(key), _) => (key.reveal().to_owned(), "master-key".to_owned()),
        (None, Some(path)) => {
            (secret(settings, path).map_err(|e| cannot("read", path, &e))?, path.display().to_string())
        }
        (None, None) => {
            let path = settings.data_dir.join(FILE);
            match secret(settings, &path) {
                Ok(text) => (text, path.display().to_string()),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(cannot("read", &path, &error)),
            }
        }
    };
    text.parse().map(Some).map_err(|wrong: &str| OpenError::Settings(format!("{place}: {wrong}")))
}

/// What stands in the file of the master key. Others must not be able to read it; on a developer's machine that is said only.
fn secret(settings: &Settings, path: &Path) -> io::Result<String> {
    if settings.mode == Mode::Dev {
        warn_if_open("the master key", path);
    } else if is_open_to_others(path)? {
        return Err(io::Error::other("others can read it, and all that is stored is sealed under it: chmod 600 helps"));
    }
    fs::read_to_string(path)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> OpenError {
    OpenError::Settings(format!("cannot {what} {}: {error}", path.display()))
}

fn no_key(settings: &Settings) -> OpenError {
    let path = settings.data_dir.join(FILE);
    OpenError::Settings(format!("there is no master key: {} is not there, and no other was given", path.display()))
}

fn missing(in_use: &str) -> OpenError {
    OpenError::Settings(format!(
        "the store is sealed under the master key {in_use}, which was not given: set master-key-file to the file of the \
         node that made it"
    ))
}

/// Writes the key so that it is whole, durable and readable for its owner only, or not there at all.
fn write_new(dir: &Path, path: &PathBuf, text: &str) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    // A link, not a rename: a key that another start wrote meanwhile must stay.
    fs::hard_link(&fresh, path)?;
    fs::remove_file(&fresh)?;
    fs::File::open(dir)?.sync_all()
}
