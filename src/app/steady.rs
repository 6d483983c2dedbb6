//! What keeps a server steady beside its work: room on the disk, other nodes that would look for objects elsewhere, files that
//! others can read.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::app::private::warn_if_open;
use crate::base::Clock;
use crate::config::{Mode, Settings};
use crate::outlets::Objects;
use crate::store::{Database, Error, Store};
use crate::workers::{Stop, tick};

/// How often a full disk is looked at, where nobody writes.
const DISK_EVERY: Duration = Duration::from_secs(10);
/// How soon it is said that another node was heard.
const NODES_EVERY: Duration = Duration::from_secs(5);

/// Where SQLite's database is.
///
/// # Errors
/// When the URL is none.
pub(super) fn sqlite_file(settings: &Settings) -> Result<Option<PathBuf>, String> {
    Ok(match settings.database_url.parse()? {
        Database::Sqlite(path) => Some(path),
        Database::Postgres(_) => None,
    })
}

/// Lets go what was kept back, where the disk is so full that the database could not be opened.
pub(super) fn make_way(database: &Path) {
    match Store::make_way(database) {
        Ok(false) => {}
        Ok(true) => tracing::error!("the disk is full: what was kept back is let go (disk-reserve)"),
        Err(error) => tracing::warn!(%error, "cannot see how much room the disk has"),
    }
}

/// Keeps room back for the day when the disk is full.
pub(super) fn keep_room(settings: &Settings, store: &Store) {
    if let Ok(Some(path)) = sqlite_file(settings)
        && let Err(error) = store.keep_back(&path, settings.disk_reserve)
    {
        tracing::warn!(%error, octets = settings.disk_reserve, "the disk has no room for what is to be kept back (disk-reserve)");
    }
}

/// Warns of files with secrets that others can read. The master key's is looked at where it is read.
pub(super) fn check_files(settings: &Settings) {
    if settings.mode == Mode::Serve {
        warn_if_open("the root account's key", &settings.data_dir.join("credentials"));
    }
    if let Some((_, key)) = &settings.tls {
        warn_if_open("the key of the certificate", key);
    }
    if let Some(key) = &settings.objects.gcs_service_account {
        warn_if_open("the key of a service account", key);
    }
}

/// Whether buckets are folders that another node on the database would not find.
pub(super) fn buckets_are_apart(settings: &Settings, store: &Store, objects: &Objects) -> bool {
    store.is_shared() && objects.are_folders() && !settings.objects.objects_shared.unwrap_or(false)
}

/// Looks at a full disk again where nobody writes, and at who else uses the database.
pub(super) fn watch(stop: &Stop, clock: &Clock, settings: &Settings, store: &Store, objects: &Objects) {
    tick(stop, clock, "disk", DISK_EVERY, store.clone(), async |store| store.try_room().await);
    if !buckets_are_apart(settings, store, objects) {
        return;
    }
    const HELP: &str = "buckets are folders in this node's data directory, where other nodes on the database do not find them: \
                        use object-store, or share the folder and say objects-shared";
    let state = (store.clone(), Arc::new(AtomicBool::new(false)));
    tick(stop, clock, "other nodes", NODES_EVERY, state, async |(store, said)| {
        let hears = store.hears_others();
        match (said.swap(hears, Ordering::Relaxed), hears) {
            (false, true) => tracing::error!("another node uses the same database; {HELP}"),
            (true, false) => tracing::info!("no other node uses the database any more"),
            _ => {}
        }
        Ok::<_, Error>(())
    });
}
