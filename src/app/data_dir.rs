//! The data directory: made private, locked for one process, and the place of this node's name.
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::base::ids;

/// A data directory that this process holds. It is free again when this is dropped, also by a crash.
pub(super) struct DataDir {
    /// Names this node in its claims, so that a restart finds what the last run held.
    pub node: String,
    _lock: File,
}

impl DataDir {
    /// Opens `path`; makes it (mode 0700) when it is not there.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(path.join("lock"))?;
        if lock.try_lock().is_err() {
            return Err(io::Error::new(ErrorKind::ResourceBusy, "another postrider uses it"));
        }
        Ok(Self { node: node(&path.join("node"))?, _lock: lock })
    }
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
        let first = DataDir::open(&path).expect("opened");
        assert!(DataDir::open(&path).is_err());
        let name = first.node.clone();
        drop(first);
        assert_eq!(DataDir::open(&path).expect("opened again").node, name);
    }
}
