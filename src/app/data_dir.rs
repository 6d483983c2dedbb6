//! The data directory: made private, locked for one process, and the place of this node's name.
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::app::server_file;
use crate::base::ids;
use crate::config::Settings;

/// A data directory that this process holds. It is free again when this is dropped, also by a crash.
pub(super) struct DataDir {
    /// Names this node in its claims, so that a restart finds what the last run held.
    pub node: String,
    _lock: File,
    /// Held too: a database that is elsewhere may be named by two.
    _database: Option<File>,
    /// Held too: who looks at it sees that a server runs.
    told: Option<File>,
}

impl DataDir {
    /// Opens `path`; makes it (mode 0700) when it is not there. `database` is where SQLite's is: one server has it.
    pub(super) fn open(path: &Path, database: Option<&Path>) -> io::Result<Self> {
        make(path)?;
        let lock = hold(&path.join("lock"), "another postrider uses it")?;
        let busy = |path: &Path| format!("another postrider uses the database {}", path.display());
        let database = database.map(|path| hold(&beside(path, "-lock"), &busy(path))).transpose()?;
        Ok(Self { node: node(&path.join("node"))?, _lock: lock, _database: database, told: None })
    }

    /// Leaves the settings there for `postrider admin`. A full disk is no reason not to start.
    pub(super) fn tell(&mut self, settings: &Settings) {
        match server_file::write(settings) {
            Ok(held) => self.told = Some(held),
            Err(error) => tracing::warn!(%error, "the settings for admin cannot be written into the data directory"),
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn lock_file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).mode(0o600).open(path)
}

fn hold(path: &Path, busy: &str) -> io::Result<File> {
    let file = lock_file(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(ErrorKind::ResourceBusy, busy)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Waits until no other process makes what a first start makes in the directory, a server or `admin`, and keeps others from
/// it until this is dropped.
pub(super) async fn opening(path: &Path) -> io::Result<File> {
    let path = path.to_owned();
    let held = tokio::task::spawn_blocking(move || {
        make(&path)?;
        let file = lock_file(&path.join("opening"))?;
        file.lock()?;
        Ok(file)
    });
    held.await.map_err(io::Error::other)?
}

fn node(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(name) if !name.trim().is_empty() => return Ok(name.trim().to_owned()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let name = ids::uuid();
    let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{name}")?;
    file.sync_all()?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_by_one_and_keeps_its_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("deep/data");
        let first = DataDir::open(&path, None).expect("opened");
        assert!(DataDir::open(&path, None).is_err());
        let name = first.node.clone();
        drop(first);
        assert_eq!(DataDir::open(&path, None).expect("opened again").node, name);
    }

    #[test]
    fn a_database_is_held_by_one_whatever_its_directory() {
        let dir = tempfile::tempdir().expect("a folder");
        let (a, b, database) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("db"));
        let _first = DataDir::open(&a, Some(&database)).expect("opened");
        let error = DataDir::open(&b, Some(&database)).err().expect("busy");
        assert!(error.to_string().contains("another postrider uses the database"), "{error}");
        DataDir::open(&b, None).expect("the directory is free again");
    }
}
