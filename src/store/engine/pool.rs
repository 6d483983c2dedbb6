//! Where connections come from.
use std::path::PathBuf;
use std::time::Duration;

use sqlx::Sqlite;

use crate::store::Error;
use crate::store::engine::dialect::Engine;
use crate::store::engine::server::Server;
use crate::store::engine::tx::Connection;
use crate::store::engine::writer::Writer;

/// What every connection to SQLite is set to.
pub(super) const PRAGMAS: [(&str, &str); 4] = [
    ("foreign_keys", "ON"),
    ("journal_mode", "WAL"),
    // FULL: a commit is on the disk before it is answered. NORMAL would lose the last ones at a power cut.
    ("synchronous", "FULL"),
    ("cache_size", "-8192"),
];
/// How long a connection to SQLite waits for another one.
pub(super) const BUSY_MAX: Duration = Duration::from_secs(30);

/// A SQLite database whose schema is up to date.
pub(in crate::store) struct SqliteFile(pub(super) PathBuf);

impl SqliteFile {
    /// A connection that may write: one does, and one moves the log.
    pub(in crate::store) fn writer(&self) -> Result<Writer, Error> {
        Writer::open(&self.0, BUSY_MAX, &PRAGMAS)
    }
}

/// Where connections come from.
pub(in crate::store) enum Pool {
    /// SQLite: one that writes, made anew where the one before broke.
    Writer(SqliteFile),
    /// SQLite, for reading.
    Sqlite(sqlx::Pool<Sqlite>),
    Postgres(Server),
}

impl Pool {
    pub(super) fn engine(&self) -> Engine {
        match self {
            Self::Writer(_) | Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// Whether connections are so few that a lane should not keep one.
    pub(super) fn is_crowded(&self) -> bool {
        match self {
            Self::Writer(_) | Self::Sqlite(_) => false,
            Self::Postgres(server) => server.is_crowded(),
        }
    }

    pub(in crate::store) async fn connection(&self) -> Result<Connection, Error> {
        // What may connect is large. Unboxed it would be a part of every request's future, and be moved along with it.
        Ok(match self {
            Self::Writer(file) => Connection::Writer(Box::new(file.writer()?)),
            Self::Sqlite(pool) => Connection::Sqlite(Box::pin(pool.acquire()).await?),
            Self::Postgres(server) => Connection::Postgres(server.connection().await?),
        })
    }
}
