//! What can go wrong in the store: one type, cheap to clone, because one failed commit fails everyone who shared it.
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE, SQLITE_IOERR_SHMSIZE};

/// A failure of the store. The floors above pass it on as their `Internal`; peers never see its text.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The database refused a statement, or could not be reached.
    #[error("database: {0}")]
    Sql(Arc<sqlx::Error>),
    /// The same, on the connection that writes to SQLite.
    #[error("database: {0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// The migrations could not be applied.
    #[error("migration: {0}")]
    Migrate(Arc<sqlx::migrate::MigrateError>),
    /// The disk is full; the change was not made.
    #[error("the disk is full, nothing new can be taken now")]
    Full,
    /// The database does not answer; whether the change was made is not known where it answered before.
    #[error("the database does not answer")]
    Lost,
    /// The database belongs to another program; nothing was changed.
    #[error("{0}")]
    Foreign(String),
    /// The store is shutting down; the change was not made.
    #[error("the store is closed")]
    Closed,
    /// The code that made the change has a fault; the change was not made.
    #[error("a change panicked")]
    Panicked,
    /// Others took what the change counted on; it was not made, and may be tried again.
    #[error("others were quicker")]
    Outrun,
    /// A stored value is not what its room wrote: another program changed it, or an older version did.
    #[error("stored value is not valid: {0}")]
    Corrupt(String),
}

impl Error {
    /// Whether the statement broke a UNIQUE or PRIMARY KEY rule: the row is there already.
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Sql(source) => {
                source.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
            }
            Self::Sqlite(source) => source
                .sqlite_error()
                .is_some_and(|e| matches!(e.extended_code, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY)),
            _ => false,
        }
    }

    /// Whether others held a lock for longer than this one waits for it.
    pub(in crate::store) fn is_of_a_lock(&self) -> bool {
        let Self::Sql(source) = self else { return false };
        source.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03")
    }

    /// Whether the same may work in a while: the disk is full, or the database does not answer.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Full | Self::Lost => true,
            Self::Sql(source) => match &**source {
                sqlx::Error::Io(_) => true,
                // SQLSTATE: class 08 (connection exception), 57P01 to 57P03 (the server stops, has crashed, starts), 57P05 (it
                // ended a connection that waited), and 53300 (too many connections).
                source => source.as_database_error().and_then(|e| e.code()).is_some_and(|code| {
                    code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03" | "57P05" | "53300")
                }),
            },
            _ => false,
        }
    }

    /// Whether nothing was heard of the database, or only that it stops or starts. A full one answers.
    pub(in crate::store) fn is_silence(&self) -> bool {
        self.is_of_connection() && !self.is_too_many()
    }

    /// Whether the database gives no more connections: SQLSTATE 53300.
    pub(in crate::store) fn is_too_many(&self) -> bool {
        match self {
            Self::Sql(source) => source.as_database_error().is_some_and(|e| e.code().as_deref() == Some("53300")),
            _ => false,
        }
    }

    /// Whether the database does not answer, or gives no connection: the same may work once it does.
    pub fn is_of_connection(&self) -> bool {
        self.is_passing() && !matches!(self, Self::Full)
    }

    /// Whether the database refused the values of a statement, which then changed nothing.
    pub(in crate::store) fn is_of_values(&self) -> bool {
        match self {
            // SQLSTATE, classes 22 (data exception) and 23 (integrity constraint violation).
            Self::Sql(source) => source
                .as_database_error()
                .and_then(|e| e.code())
                .is_some_and(|code| code.starts_with("22") || code.starts_with("23")),
            Self::Sqlite(source) => source.sqlite_error_code() == Some(ErrorCode::ConstraintViolation),
            _ => false,
        }
    }

    /// Whether this change or this row alone is the cause: others may go well at the same time.
    pub fn is_of_one(&self) -> bool {
        matches!(self, Self::Panicked | Self::Outrun | Self::Corrupt(_)) || self.is_of_values()
    }

    /// Whether a stored value cannot be read: it will not be better at the next attempt, and others' values are as good as before.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt(_))
    }

    /// Whether PostgreSQL will not run a statement that this connection prepared, since the schema has changed: a node of
    /// a newer version was started. Only a new connection helps.
    pub(in crate::store) fn is_stale_statement(&self) -> bool {
        match self {
            Self::Sql(source) => source
                .as_database_error()
                .is_some_and(|e| e.code().as_deref() == Some("0A000") && e.message().contains("cached plan")),
            _ => false,
        }
    }

    /// A stored value that cannot be read, with what is wrong about it.
    pub fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        // SQLSTATE's disk_full; SQLite's SQLITE_FULL and SQLITE_IOERR_SHMSIZE, which is what opening needs room for.
        let full = |code: &str, sqlite: bool| if sqlite { matches!(code, "13" | "4874") } else { code == "53100" };
        let is_full = source.as_database_error().is_some_and(|e| {
            let sqlite = e.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
            e.code().is_some_and(|code| full(&code, sqlite))
        });
        match source {
            _ if is_full => Self::Full,
            sqlx::Error::PoolTimedOut => Self::Lost,
            source => Self::Sql(Arc::new(source)),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        let no_room = source.sqlite_error().is_some_and(|e| e.extended_code == SQLITE_IOERR_SHMSIZE);
        if no_room || source.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            Self::Full
        } else {
            Self::Sqlite(Arc::new(source))
        }
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(source: sqlx::migrate::MigrateError) -> Self {
        Self::Migrate(Arc::new(source))
    }
}
