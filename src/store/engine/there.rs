//! Whether a database is one of ours, asked without making anything in it.
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::base::Clock;
use crate::store::Error;
use crate::store::engine::database::Database;
use crate::store::engine::server::Way;

/// How long PostgreSQL may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How much of that it may take to connect: then the reason can be told.
const CONNECT_MAX: Duration = Duration::from_secs(8);
const MIGRATED: &str = "SELECT COUNT(*) FROM _sqlx_migrations WHERE version = 1";

impl Database {
    /// Whether a server of ours has made its tables in it. Makes nothing, also no file.
    ///
    /// # Errors
    /// When the database cannot be asked, or PostgreSQL does not answer within ten seconds.
    pub async fn is_there(&self) -> Result<bool, Error> {
        match self {
            Self::Sqlite(path) => {
                match path.metadata() {
                    Ok(file) if file.len() > 0 => {}
                    Err(error) if !absent(&error) => return Err(sqlx::Error::Io(error).into()),
                    _ => return Ok(false),
                }
                let mut looking =
                    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path).read_only(true)).await?;
                let table = "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
                let table: i64 = sqlx::query(table).fetch_one(&mut looking).await?.get(0);
                let made: i64 = match table {
                    0 => 0,
                    _ => sqlx::query(MIGRATED).fetch_one(&mut looking).await?.get(0),
                };
                looking.close().await?;
                Ok(made > 0)
            }
            Self::Postgres(url) => {
                Clock::system().timeout(ANSWER_MAX, Box::pin(postgres(url))).await.unwrap_or(Err(Error::Lost))
            }
        }
    }
}

async fn postgres(url: &str) -> Result<bool, Error> {
    let mut looking = Way::to(url)?.first(CONNECT_MAX).await?;
    let table = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    let table: bool = sqlx::query(table).fetch_one(&mut looking).await?.get(0);
    let made: i64 = match table {
        false => 0,
        true => sqlx::query(MIGRATED).fetch_one(&mut looking).await?.get(0),
    };
    looking.close().await?;
    Ok(made > 0)
}

fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}
