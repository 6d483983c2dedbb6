//! What a server leaves in its data directory for `postrider admin`: the settings that count there, without secrets. The server
//! holds the file as long as it runs.
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf, absolute};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::greeting::without_secrets;
use crate::config::{Given, Mode, Settings};
use crate::store::Database;

const FILE: &str = "server.json";
/// SQLite's database, where no setting names another.
const SQLITE: &str = "postrider.db";

/// The file's form.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    dev: bool,
    /// The database, where its URL holds a password: the password is left out.
    database_without_password: Option<String>,
    /// In the form of the file of settings.
    settings: Value,
}

/// What the last server of a data directory left there.
pub(super) struct Left {
    /// How strict it was.
    pub mode: Mode,
    /// Its settings that count for `admin`.
    pub given: Given,
    /// Its database, where the URL held a password and is not among the settings.
    pub without_password: Option<String>,
}

/// Writes the settings into the data directory. The server runs as long as what this gives is held.
pub(super) fn write(settings: &Settings) -> io::Result<File> {
    let path = settings.data_dir.join(FILE);
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&fresh)?;
    // Before it has its name: who looks finds it held.
    file.lock_shared()?;
    file.write_all(written(settings)?.as_bytes())?;
    // After a power cut there is the whole text under the name, or the one before.
    file.sync_all()?;
    fs::rename(&fresh, &path)?;
    Ok(file)
}

fn written(settings: &Settings) -> io::Result<String> {
    let whole = |path: &PathBuf| absolute(path).map(|path| path.display().to_string());
    let database = &settings.database_url;
    let secret = holds_password(database);
    let feedback = &settings.feedback;
    // `admin` calls none of them.
    let functions: BTreeMap<&str, String> =
        settings.functions.0.iter().map(|(name, url)| (name.as_str(), without_secrets(url))).collect();
    let told = json!({
        "hostname": settings.hostname.as_str(),
        "dkim-zone": settings.dkim_zone.as_ref().map(|zone| zone.as_str()),
        "regions": settings.regions.own(),
        "dns": settings.dns,
        "functions": functions,
        "database-url": if secret { None } else { outside(settings)? },
        "encryption": {
            "master-key-file": settings.encryption.master_key_file.as_ref().map(whole).transpose()?,
            "kms-keys": settings.encryption.kms_keys,
        },
        "feedback": {
            "feedback-domain": feedback.domain.as_ref().map_or("none", |domain| domain.as_str()),
            "bounce-rules": feedback.bounce_rules.as_ref().map(whole).transpose()?,
        },
    });
    let written = Written {
        dev: settings.mode == Mode::Dev,
        database_without_password: secret.then(|| without_secrets(database)),
        settings: told,
    };
    Ok(serde_json::to_string_pretty(&written)? + "\n")
}

/// Whether a database's URL holds a password.
fn holds_password(url: &str) -> bool {
    let user = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
    user.is_some_and(|user| user.contains(':')) || url.contains("password=")
}

/// The database, where it is not the file in the data directory: that one moves with the directory.
fn outside(settings: &Settings) -> io::Result<Option<String>> {
    match settings.database_url.parse() {
        Ok(Database::Sqlite(path)) if path == settings.data_dir.join(SQLITE) => Ok(None),
        Ok(Database::Sqlite(path)) => Ok(Some(format!("sqlite:{}", absolute(path)?.display()))),
        _ => Ok(Some(settings.database_url.clone())),
    }
}

/// What the last server of this data directory left there; `None`: none did.
pub(super) fn read(dir: &Path) -> io::Result<Option<Left>> {
    let text = match fs::read_to_string(dir.join(FILE)) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error),
    };
    let written: Written = serde_json::from_str(&text)?;
    let mode = if written.dev { Mode::Dev } else { Mode::Serve };
    let given = serde_json::from_value(written.settings)?;
    Ok(Some(Left { mode, given, without_password: written.database_without_password }))
}

/// The mode of the last server of this data directory, where that can be read.
pub(super) fn mode(dir: &Path) -> Option<Mode> {
    read(dir).ok().flatten().map(|left| left.mode)
}

/// Whether a server runs on this data directory now.
pub(super) fn runs(dir: &Path) -> bool {
    let file = File::open(dir.join(FILE));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(dir: &Path, given: Given) -> Settings {
        let given = Given { data_dir: Some(dir.to_owned()), ..given };
        Settings::resolve(Mode::Serve, given).expect("good settings")
    }

    fn url(text: &str) -> Given {
        Given { database_url: Some(text.to_owned()), ..Given::default() }
    }

    #[test]
    fn what_a_server_leaves_is_what_counts_and_no_secret() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(read(dir.path()).expect("read").is_none() && !runs(dir.path()));
        let regions = Some(vec!["moon-1".parse().expect("a region")]);
        let hostname = Some("mx.shop.example".to_owned());
        let given = Given { regions, hostname, ..url("postgres://u:pa?ss@w@db/p?x=1") };
        let held = write(&settings(dir.path(), given)).expect("written");
        let text = fs::read_to_string(dir.path().join(FILE)).expect("text");
        assert!(!text.contains("pa?ss") && text.contains("postgres://u@db/p"), "{text}");
        let left = read(dir.path()).expect("read").expect("left");
        assert_eq!((left.mode, left.without_password.as_deref()), (Mode::Serve, Some("postgres://u@db/p")));
        let again = Settings::resolve(Mode::Serve, left.given).expect("good settings");
        assert_eq!((again.hostname.as_str(), again.regions.know("moon-1")), ("mx.shop.example", true));
        // Twice: who looks leaves no trace.
        assert!(runs(dir.path()) && runs(dir.path()));
        drop(held);
        assert!(!runs(dir.path()));
    }

    #[test]
    fn a_database_is_told_where_the_directory_does_not_say_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = format!("sqlite:{}", dir.path().join(SQLITE).display());
        for (given, told) in [
            (Given::default(), None),
            (url(&own), None),
            (url("sqlite:/elsewhere/a.db"), Some("sqlite:/elsewhere/a.db")),
            (url("postgres://u@db/p?options=-csearch_path%3Dx"), Some("postgres://u@db/p?options=-csearch_path%3Dx")),
            (url("postgres://db/p?user=u&password=x"), None),
        ] {
            write(&settings(dir.path(), given)).expect("written");
            assert_eq!(read(dir.path()).expect("read").expect("left").given.database_url.as_deref(), told);
        }
    }
}
