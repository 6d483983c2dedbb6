//! Opens the store: finds the engine, migrates, starts the writer lanes.
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::base::Clock;
use crate::store::Error;
use crate::store::engine::database::Database;
use crate::store::engine::dialect::Engine;
use crate::store::engine::handle::{PING_MAX, Store};
use crate::store::engine::hints::{Hints, open_ear};
use crate::store::engine::lanes::{Lanes, postgres_lanes};
use crate::store::engine::merged::Registered;
use crate::store::engine::ours;
use crate::store::engine::pool::{BUSY_MAX, PRAGMAS, Pool, SqliteFile};
use crate::store::engine::room::Room;
use crate::store::engine::server::{Server, Way};
use crate::store::engine::wake::Wakes;
use crate::store::engine::wal::Wal;
use crate::store::vault::Vault;

/// Where the log has what PostgreSQL tells beside its answers, such as that a table is there already. At the level info
/// it helps nobody.
pub const NOTICES: &str = "sqlx::postgres::notice";

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
/// Connections for reading. With SQLite each has a thread, and a copy of the schema.
const READERS_MAX: u32 = 8;
const SQLITE_READERS_PER_CORE: u32 = 2;
/// Pages that each of SQLite's readers keeps, in KiB: the machine has the file in its memory.
const READERS_CACHE: &str = "-2048";

/// What a store is opened with beside its database.
pub(in crate::store) struct Given {
    pub(in crate::store) clock: Clock,
    pub(in crate::store) vault: Vault,
    /// Whether it is a command's that changes something and ends: no node, though nodes hear what it changes.
    pub(in crate::store) guest: bool,
    pub(in crate::store) kinds: &'static [Registered],
}

impl Store {
    /// Opens the database, brings its schema up to date and starts the lanes, which take values of these kinds.
    pub(in crate::store) async fn start(database: &Database, given: Given) -> Result<Store, Error> {
        let Given { clock, vault, guest, kinds } = given;
        let vault = Arc::new(vault);
        let wakes = Arc::new(Wakes::default());
        let alive = CancellationToken::new();
        let room = Arc::new(Room::new(clock.clone()));
        let (writers, readers, pings, engine, hints) = match database {
            Database::Sqlite(path) => {
                let Opened { writers, readers, pings, others: () } = open_sqlite(path).await?;
                (writers, readers, pings, Engine::Sqlite, None)
            }
            Database::Postgres(url) => {
                let Opened { writers, readers, pings, others } = open_postgres(url, postgres_lanes(kinds)).await?;
                let hints = match guest {
                    true => Hints::of_guest(Pool::Postgres(others)),
                    false => start_hints(others, &wakes, &clock, &alive).await,
                };
                (writers, readers, pings, Engine::Postgres, Some(hints))
            }
        };
        let lanes = Lanes {
            kinds,
            pool: Arc::new(writers),
            clock: clock.clone(),
            vault: vault.clone(),
            wakes: wakes.clone(),
            floors: Arc::default(),
            room: room.clone(),
            hints: hints.clone(),
            alive: Arc::new(alive.drop_guard()),
        };
        let doors = match database {
            Database::Sqlite(path) => lanes.start_sqlite(Wal::of(SqliteFile(path.clone())))?,
            Database::Postgres(_) => lanes.start_postgres(),
        };
        Ok(Store {
            doors: Arc::new(doors),
            readers: Arc::new(readers),
            pings: Arc::new(pings),
            reading: Arc::new(Semaphore::new(readers_max(engine) as usize)),
            wakes,
            clock,
            vault,
            engine,
            room,
            hints,
        })
    }
}

/// Makes the database's file where there is none, for this user only: it holds mail and the secrets of access keys.
/// SQLite gives the files beside it the same mode.
fn make_private(path: &Path) -> Result<(), Error> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(sqlx::Error::Io(error).into()),
        _ => Ok(()),
    }
}

/// Waits until no other process opens this database, and keeps others from it until this is dropped: SQLite's
/// migrations know of no others. PostgreSQL's hold a lock in the database.
async fn alone(path: &Path) -> Result<File, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push("-opening");
    let held = tokio::task::spawn_blocking(move || {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(name)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    });
    let held = held.await.map_err(|_| Error::Panicked)?;
    Ok(held.map_err(sqlx::Error::Io)?)
}

/// How many connections for reading there are at the most.
fn readers_max(engine: Engine) -> u32 {
    let cores = std::thread::available_parallelism()
        .map_or(READERS_MAX, |cores| u32::try_from(cores.get()).unwrap_or(READERS_MAX));
    match engine {
        Engine::Sqlite => cores.saturating_mul(SQLITE_READERS_PER_CORE).min(READERS_MAX),
        Engine::Postgres => READERS_MAX,
    }
}

/// How long a start waits for PostgreSQL: it may have been started at the same time.
const START_MAX: Duration = Duration::from_secs(10);
/// A database that is open.
pub(in crate::store) struct Opened<O> {
    pub(in crate::store) writers: Pool,
    pub(in crate::store) readers: Pool,
    /// One connection, for who asks whether it answers.
    pings: Pool,
    others: O,
}

pub(in crate::store) async fn open_sqlite(path: &Path) -> Result<Opened<()>, Error> {
    // Before anything of it is changed: its mode on the disk, its journal, files beside it.
    if path.metadata().is_ok_and(|file| file.len() > 0) {
        let looking = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_MAX);
        let mut looking = SqliteConnection::connect_with(&looking).await?;
        ours::check_sqlite(&mut looking, &SQLITE).await?;
        looking.close().await?;
    }
    make_private(path)?;
    let _alone = alone(path).await?;
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_MAX);
    let options = PRAGMAS.iter().fold(options, |options, (name, value)| options.pragma(*name, *value));
    let mut migrating = SqliteConnection::connect_with(&options).await?;
    ours::check_sqlite(&mut migrating, &SQLITE).await?;
    SQLITE.run(&mut migrating).await?;
    migrating.close().await?;
    let options = options
        // Rows on their way from the connection's thread: it does not stop within a page of them.
        .row_buffer_size(256)
        .statement_cache_capacity(256)
        .pragma("query_only", "1")
        .pragma("cache_size", READERS_CACHE);
    let pool = |max| SqlitePoolOptions::new().max_connections(max).test_before_acquire(false);
    let readers = Pool::Sqlite(pool(readers_max(Engine::Sqlite)).connect_with(options.clone()).await?);
    let pings = Pool::Sqlite(pool(1).acquire_timeout(PING_MAX).connect_lazy_with(options));
    Ok(Opened { writers: Pool::Writer(SqliteFile(path.to_owned())), readers, pings, others: () })
}

/// Starts to tell other nodes of messages and to hear of theirs, as long as the lanes run. Where that does not work, it
/// is tried again by and by: it is not needed to be right.
async fn start_hints(others: Server, wakes: &Arc<Wakes>, clock: &Clock, alive: &CancellationToken) -> Arc<Hints> {
    let ear = open_ear(others.pool()).await.inspect_err(|error| {
        tracing::warn!(%error, "does not hear of other nodes' messages; looks for them every few seconds");
    });
    let hints = Hints::new();
    let (speaker, mouth, time, end) = (hints.clone(), Pool::Postgres(others.clone()), clock.clone(), alive.clone());
    tokio::spawn(async move { end.run_until_cancelled(speaker.speak(&mouth, &time)).await });
    let (asker, asks, mouth, time, end) =
        (hints.clone(), wakes.clone(), Pool::Postgres(others.clone()), clock.clone(), alive.clone());
    tokio::spawn(async move { end.run_until_cancelled(asker.confirm(&mouth, &asks.settings, &time)).await });
    let (listener, wakes, clock, end) = (hints.clone(), wakes.clone(), clock.clone(), alive.clone());
    tokio::spawn(
        async move { end.run_until_cancelled(listener.listen(ear.ok(), others.pool(), &wakes, &clock)).await },
    );
    hints
}

async fn open_postgres(url: &str, lanes: usize) -> Result<Opened<Server>, Error> {
    let way = Way::to(url)?;
    let mut first = way.first(START_MAX).await?;
    ours::check_postgres(&mut first, &POSTGRES).await?;
    POSTGRES.run(&mut first).await?;
    ours::let_go(&mut first).await?;
    first.close().await?;
    // One connection hears, one speaks.
    let others = way.connections(2);
    let (readers, pings) = (way.connections(READERS_MAX), way.one_kept());
    // The writers open one by themselves. Without its own, each would have to wait where the server gives no more.
    tokio::join!(readers.open_one(), pings.open_one());
    let (readers, pings) = (Pool::Postgres(readers), Pool::Postgres(pings));
    Ok(Opened {
        writers: Pool::Postgres(way.connections(u32::try_from(lanes).unwrap_or(u32::MAX))),
        readers,
        pings,
        others,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn nobody_else_can_read_the_database() {
        let dir = tempfile::tempdir().expect("a folder");
        // The folder may be the operator's own, open to all.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("its mode");
        let database = Database::Sqlite(dir.path().join("test.db"));
        let store = Store::open(&database, Clock::system()).await.expect("a store");
        for file in ["test.db", "test.db-wal", "test.db-shm"] {
            let mode = std::fs::metadata(dir.path().join(file)).expect(file).permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        drop(store);
    }
}
