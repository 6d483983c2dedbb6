//! Files that hold secrets: whether others than this user can read them.
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What others may do with a file of ours.
const OTHERS: u32 = 0o007;
const GROUP: u32 = 0o070;

/// Whether others can read or change a file. Its group may where the file is not ours: then that is how we got it.
pub(super) fn is_open_to_others(path: &Path) -> io::Result<bool> {
    let file = fs::metadata(path)?;
    let ours = file.uid() == nix::unistd::geteuid().as_raw();
    Ok(file.mode() & OTHERS != 0 || (ours && file.mode() & GROUP != 0))
}

/// Warns of a file with `what` that others can read. One that is not there is no matter.
pub fn warn_if_open(what: &str, path: &Path) {
    if let Ok(true) = is_open_to_others(path) {
        tracing::warn!(file = %path.display(), "others can read this file with {what}: chmod 600 helps");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_of_ours_is_for_us_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key");
        fs::write(&path, "secret").expect("written");
        for (mode, open) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o602, true)] {
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("its mode");
            assert_eq!(is_open_to_others(&path).expect("read"), open, "{mode:o}");
        }
        assert!(is_open_to_others(&dir.path().join("none")).is_err());
    }
}
