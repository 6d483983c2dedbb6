//! The two store engines: a new database for each test.
use std::str::FromStr;

use postrider::store::Database;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::migrated;

/// Runs each test on SQLite and on PostgreSQL: `both_engines! { async fn name(engine: Engine) { … } }`.
#[macro_export]
macro_rules! both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($engine:ident: Engine) $body:block)*) => { $(
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            use $crate::engine::Engine;

            async fn on($engine: Engine) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                on(Engine::Sqlite).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                on(Engine::Postgres).await;
            }
        }
    )* };
}

/// A store engine to test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A database of one test. Its folder and the PostgreSQL database go when it is dropped.
pub(crate) struct TestDatabase {
    pub url: String,
    pub dir: TempDir,
    name: Option<String>,
}

impl TestDatabase {
    /// One whose migrations have run, as good as new: see [`migrated`].
    pub(crate) async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let database = Self::empty(engine).await;
                migrated::write_sqlite(&database.dir.path().join("postrider.db")).await;
                database
            }
            Engine::Postgres => Self::create(migrated::postgres_options(&server_url()).await).await,
        }
    }

    /// One in which there is nothing, for tests of what opens and migrates it.
    pub(crate) async fn empty(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let dir = tempfile::tempdir().expect("a folder for the test");
                let url = format!("sqlite:{}", dir.path().join("postrider.db").display());
                Self { url, dir, name: None }
            }
            Engine::Postgres => Self::create("").await,
        }
    }

    /// One on the tests' PostgreSQL.
    async fn create(options: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let server = server_url();
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut admin = PgConnection::connect(&server).await.expect("the PostgreSQL server of the tests answers");
        let create = format!("CREATE DATABASE {name} {options}");
        admin.execute(AssertSqlSafe(create)).await.expect("a database for the test");
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        Self { url: format!("{base}/{name}"), dir, name: Some(name) }
    }

    /// The same database, with a folder of its own; it does not go when this is dropped.
    pub(crate) fn alike(&self) -> Self {
        Self { url: self.url.clone(), dir: tempfile::tempdir().expect("a folder for the test"), name: None }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn database(&self) -> Database {
        Database::from_str(&self.url).expect("a good URL")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let drop_it = async move {
            let mut admin = PgConnection::connect(&server_url()).await?;
            admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await
        };
        // The test's own runtime cannot be blocked in a drop.
        let dropping = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(drop_it)
        });
        let _ = dropping.join();
    }
}

/// The tests' PostgreSQL.
pub(crate) fn server_url() -> String {
    std::env::var("POSTRIDER_TEST_DATABASE_URL").expect(
        "the tests need PostgreSQL: start them with ./tests/run, or set POSTRIDER_TEST_DATABASE_URL to a server whose \
         user may create databases",
    )
}
