//! Whether a database is one of ours, asked without making anything in it.
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::store::Error;
use crate::store::open::Database;
use crate::store::server::Way;

const MIGRATED: &str = "SELECT COUNT(*) FROM _sqlx_migrations WHERE version = 1";

impl Database {
    /// Whether a server of ours has made its tables in it. Makes nothing, also no file.
    ///
    /// # Errors
    /// When the database cannot be asked.
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
                let mut looking = Way::to(url)?.first().await?;
                let table = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
                let table: bool = sqlx::query(table).fetch_one(&mut looking).await?.get(0);
                let made: i64 = match table {
                    false => 0,
                    true => sqlx::query(MIGRATED).fetch_one(&mut looking).await?.get(0),
                };
                looking.close().await?;
                Ok(made > 0)
            }
        }
    }
}

fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}
