//! Which data a command of `postrider admin` works on, and with which settings: those given, and where they say nothing those that
//! the server of the data directory left there.
use std::path::{Path, PathBuf, absolute};

use crate::app::admin::AdminError;
use crate::app::greeting::without_secrets;
use crate::app::server_file::{self, Left};
use crate::base::{AccountId, Region};
use crate::config::{DatabaseFrom, Given, Mode, Problem, Settings};
use crate::store;

/// What a command works on.
#[derive(Clone, Debug)]
pub struct Place {
    /// The settings in force.
    pub settings: Settings,
    /// The data directory, from the root.
    dir: PathBuf,
    /// What named the database.
    from: Named,
    /// Whether a server left its settings in the directory.
    left: bool,
    /// The server's database, where its password is missing.
    without_password: Option<String>,
}

/// What named the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// A setting of this command.
    Here,
    /// The data directory, by what its server left there or by the file in it.
    Dir,
}

/// Whose things a command is about, and where, as its flags say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    /// The account.
    pub account: Option<AccountId>,
    /// The region.
    pub region: Option<Region>,
}

impl Place {
    /// Takes what was given, what the server of the data directory left there, and last of all what `DATABASE_URL` says. A server's
    /// own database goes before that variable, which many programs share.
    ///
    /// # Errors
    /// When a setting cannot be used, or what the server left cannot be read.
    pub fn of(given: Given, bare: Option<String>) -> Result<Self, Problem> {
        let given = given.for_admin();
        let dir = given.data_dir.clone().unwrap_or_default();
        let left = server_file::read(&dir).map_err(|error| {
            Problem::new(format!("cannot read what the server left in {}: {error}", whole(&dir).display()))
        })?;
        let here = given.database_url.is_some();
        let Some(Left { mode, given: of_server, without_password }) = left else {
            let (given, from) = given.or_bare_database(Mode::Serve, bare);
            let from = if from == DatabaseFrom::Default { Named::Dir } else { Named::Here };
            let settings = Settings::resolve(Mode::Serve, given)?;
            return Ok(Self { settings, dir: whole(&dir), from, left: false, without_password: None });
        };
        let mut given = given.or(of_server);
        let mut missing = without_password.filter(|_| !here);
        if let Some(url) = bare.filter(|url| missing.as_ref().is_some_and(|told| *told == without_secrets(url))) {
            (given.database_url, missing) = (Some(url), None);
        }
        let from = if here { Named::Here } else { Named::Dir };
        let mut settings = Settings::resolve(Mode::Serve, given)?;
        settings.mode = mode;
        Ok(Self { settings, dir: whole(&dir), from, left: true, without_password: missing })
    }

    /// What the operator has to know beside what a command prints: that no server runs on the data.
    pub fn note(&self) -> Option<String> {
        // A database that was named may have nothing to do with the directory.
        let about_it = self.left || self.from == Named::Dir;
        (about_it && !server_file::runs(&self.dir))
            .then(|| format!("the data in {}; no server runs there now", self.dir.display()))
    }

    /// Whether the database can be named.
    pub(super) fn check(&self) -> Result<(), AdminError> {
        match &self.without_password {
            None => Ok(()),
            Some(url) => Err(AdminError::Settings(format!(
                "the server of {} keeps its data in {url}: give that with its password, as --database-url or \
                 POSTRIDER_DATABASE_URL",
                self.dir.display()
            ))),
        }
    }

    /// That the database does not answer.
    pub(super) fn unreachable(&self, error: store::Error) -> AdminError {
        AdminError::Unreachable(without_secrets(&self.settings.database_url), error)
    }

    /// That no server has made what the settings name.
    pub(super) fn nothing(&self) -> AdminError {
        let place = match self.from {
            Named::Dir => self.dir.display().to_string(),
            Named::Here => without_secrets(&self.settings.database_url),
        };
        AdminError::NoData(place)
    }
}

/// The path from the root, where the machine says where that is.
fn whole(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.to_owned())
}
