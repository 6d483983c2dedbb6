//! Connections to PostgreSQL: opening them, and what happens while it does not answer. Then one caller at a time tries, and all
//! others are told at once.
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, Postgres};
use tokio::sync::Semaphore;

use crate::store::Error;

/// How long a connection to PostgreSQL may wait and still be taken without a test.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);
/// How long a caller waits for a connection to a server that answered until now, and who tries whether it answers again.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long a start waits for it: it may have been started at the same time.
const START_MAX: Duration = Duration::from_secs(10);
/// A server, or a database in it, may be set to answer commits before they are on the disk. We answer for them.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                       WHERE current_setting('synchronous_commit', true) = 'off'";

/// A number of connections to the server. Cheap to clone; clones share them.
#[derive(Clone)]
pub(super) struct Server {
    pool: sqlx::Pool<Postgres>,
    answers: Arc<Answers>,
}

/// Whether the server answers, as far as this process knows.
struct Answers {
    lost: AtomicBool,
    trying: Semaphore,
}

impl Answers {
    fn note(&self, failure: Option<&sqlx::Error>) {
        match failure {
            None if self.lost.swap(false, Ordering::AcqRel) => tracing::info!("the database answers again"),
            Some(error) if !self.lost.swap(true, Ordering::AcqRel) => {
                tracing::error!(%error, "the database does not answer: what needs it is refused until it does");
            }
            _ => {}
        }
    }
}

/// How to reach the server, before there is any connection.
pub(super) struct Way {
    options: PgConnectOptions,
    answers: Arc<Answers>,
}

impl Way {
    pub(super) fn to(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)?.application_name("postrider").statement_cache_capacity(512);
        let answers = Answers { lost: AtomicBool::new(false), trying: Semaphore::new(1) };
        Ok(Self { options, answers: Arc::new(answers) })
    }

    /// The first connection, once the server answers.
    pub(super) async fn first(&self) -> Result<PgConnection, Error> {
        let first = PgPoolOptions::new().max_connections(1).acquire_timeout(START_MAX);
        match first.connect_with(self.options.clone()).await {
            Ok(opened) => Ok(opened.acquire().await?.detach()),
            // It tried until its time was over and does not say why; one more connection does.
            Err(sqlx::Error::PoolTimedOut) => Ok(PgConnection::connect_with(&self.options).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Up to `max` connections, made when they are needed.
    pub(super) fn connections(&self, max: u32) -> Server {
        let pool = PgPoolOptions::new()
            .max_connections(max)
            .test_before_acquire(false)
            // The server may have closed a connection while it waited. Under load none waits, and none is tested.
            .before_acquire(|connection, waited| {
                Box::pin(async move {
                    if waited.idle_for > IDLE_TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(DURABLE).await?;
                    Ok(())
                })
            })
            .acquire_timeout(CONNECT_MAX)
            .connect_lazy_with(self.options.clone());
        Server { pool, answers: self.answers.clone() }
    }
}

impl Server {
    /// A connection. Where the server was found not to answer, one caller tries; the others fail at once meanwhile.
    pub(super) async fn connection(&self) -> Result<PoolConnection<Postgres>, Error> {
        let _turn = match self.answers.lost.load(Ordering::Acquire) {
            true => Some(self.answers.trying.try_acquire().map_err(|_| Error::Lost)?),
            false => None,
        };
        // What may connect is large. Unboxed it would be a part of every request's future, and be moved along with it.
        let got = Box::pin(self.pool.acquire()).await;
        self.answers.note(got.as_ref().err());
        Ok(got?)
    }

    /// The same connections, for who keeps one.
    pub(super) fn pool(&self) -> &sqlx::Pool<Postgres> {
        &self.pool
    }
}
