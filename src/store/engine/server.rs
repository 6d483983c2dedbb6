//! Connections to PostgreSQL: opening them, and what happens while it does not answer, or gives no more of them. Where it does not
//! answer, one caller at a time tries, and all others are told at once. Where it gives no more, those that are open are shared.
use std::convert::Infallible;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, Postgres};
use tokio::sync::{Mutex as Line, Semaphore};

use crate::base::Clock;
use crate::store::Error;

/// How long a connection to PostgreSQL may wait and still be taken without a test.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);
/// How long such a test may take, and a question whether the server answers at all.
const ASK_MAX: Duration = Duration::from_secs(1);
/// How long a caller waits for a connection to a server that answered until now, and who tries whether it answers again.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How soon a start tries again after the first time, and at the most.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often who waits for a new connection looks whether another one was given back meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// When it looks for the first time.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// How long it waits for those that are open before it tries for a new one, where the server gave none lately.
const SHARE_FOR: Duration = Duration::from_secs(1);
/// Who tries so long for a new one asks why there is none.
const ASK_AFTER: Duration = Duration::from_millis(200);
/// How long it counts that the server gave no more connections.
const CROWDED_FOR: Duration = Duration::from_secs(10);
/// A server, or a database in it, may be set to answer commits before they are on the disk. We answer for them.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                       WHERE current_setting('synchronous_commit', true) = 'off'";

/// A number of connections to the server. Cheap to clone; clones share them.
#[derive(Clone)]
pub(in crate::store) struct Server {
    pool: sqlx::Pool<Postgres>,
    /// Where callers wait for one that is given back.
    line: Arc<Line<()>>,
    answers: Arc<Answers>,
}

/// Whether the server answers, as far as this process knows.
struct Answers {
    options: PgConnectOptions,
    lost: AtomicBool,
    trying: Semaphore,
    asking: Semaphore,
    /// Who asked last heard nothing.
    silent: AtomicBool,
    /// Until then, by the machine's monotonic clock in microseconds, it counts that the server gives no more connections.
    crowded_until: AtomicI64,
    /// All connections of this process.
    pools: Mutex<Vec<sqlx::Pool<Postgres>>>,
}

impl Answers {
    fn found(&self) {
        if self.lost.swap(false, Ordering::AcqRel) {
            tracing::info!("the database answers again");
        }
    }

    fn failed(&self, error: &Error) {
        if error.is_too_many() {
            self.found();
            let now = Clock::system().instant();
            let until = self.crowded_until.swap((now + CROWDED_FOR).micros(), Ordering::AcqRel);
            if until < now.micros() {
                tracing::warn!(%error, "the database gives no more connections: those that are open are shared");
            }
        } else if !error.is_silence() {
            // It answers, though not as we would like.
            self.found();
        } else if !self.lost.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, "the database does not answer: what needs it is refused until it does");
        }
    }

    fn is_crowded(&self) -> bool {
        let until = self.crowded_until.load(Ordering::Acquire);
        until > 0 && Clock::system().instant().micros() < until
    }

    /// Opens one more connection, to see why there was none: a pool tries on until its time is over, and does not say.
    /// `None`: somebody else asks now.
    async fn ask(&self) -> Option<Result<(), Error>> {
        let _asking = self.asking.try_acquire().ok()?;
        let asked = Box::pin(async { PgConnection::connect_with(&self.options).await?.close().await });
        let answer = Clock::system().timeout(ASK_MAX, asked).await;
        let answer = answer.unwrap_or_else(|| Err(silence())).map_err(connecting);
        self.silent.store(answer.as_ref().is_err_and(Error::is_silence), Ordering::Release);
        Some(answer)
    }

    /// Closes a connection of another pool that has more than one, so that one with none can have it.
    async fn make_way(&self) {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let more = pools.iter().filter(|pool| pool.size() > 1).find_map(sqlx::Pool::try_acquire);
        if let Some(connection) = more {
            Clock::system().timeout(ASK_MAX, connection.close()).await;
        }
    }
}

/// The server did not say anything in time.
fn silence() -> sqlx::Error {
    sqlx::Error::Io(ErrorKind::TimedOut.into())
}

/// The connection, where the server answers on it.
async fn good(mut connection: PoolConnection<Postgres>) -> Option<PoolConnection<Postgres>> {
    match Clock::system().timeout(ASK_MAX, connection.ping()).await {
        Some(Ok(())) => Some(connection),
        _ => {
            connection.close_on_drop();
            None
        }
    }
}

/// Why there is no connection. What does not speak as PostgreSQL does is not PostgreSQL, but what stands before it: a proxy that takes
/// connections and closes them. So the server was not heard.
fn connecting(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => {
            sqlx::Error::Io(io::Error::new(ErrorKind::ConnectionAborted, error.to_string())).into()
        }
        error => error.into(),
    }
}

/// Whether a start may find another answer in a moment. It does not where the server has no TLS and must have it, or a certificate
/// that is not trusted.
fn may_change(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != ErrorKind::InvalidData,
        sqlx::Error::Tls(_) => false,
        _ => true,
    }
}

/// How to reach the server, before there is any connection.
pub(in crate::store) struct Way {
    options: PgConnectOptions,
    answers: Arc<Answers>,
}

impl Way {
    pub(in crate::store) fn to(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)?.application_name("postrider").statement_cache_capacity(512);
        let answers = Answers {
            options: options.clone(),
            lost: AtomicBool::new(false),
            trying: Semaphore::new(1),
            asking: Semaphore::new(1),
            silent: AtomicBool::new(false),
            crowded_until: AtomicI64::new(0),
            pools: Mutex::default(),
        };
        Ok(Self { options, answers: Arc::new(answers) })
    }

    /// The first connection, once the server answers. Whoever does not within `patience` does not answer.
    pub(in crate::store) async fn first(&self, patience: Duration) -> Result<PgConnection, Error> {
        let (clock, mut pause) = (Clock::system(), FIRST_PAUSE);
        let (until, mut why) = (clock.instant() + patience, Error::Lost);
        loop {
            let left = until.since(clock.instant());
            let tried = clock.timeout(left, Box::pin(PgConnection::connect_with(&self.options))).await;
            let last = match tried {
                Some(Ok(connection)) => return Ok(connection),
                Some(Err(error)) => {
                    let last = !may_change(&error);
                    why = connecting(error);
                    last || !why.is_of_connection()
                }
                None => true,
            };
            if last || clock.instant() + pause >= until {
                return Err(why);
            }
            clock.sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Up to `max` connections, made when they are needed.
    pub(in crate::store) fn connections(&self, max: u32) -> Server {
        self.pool(max, PgPoolOptions::new())
    }

    /// One connection, which is kept while nobody uses it.
    pub(in crate::store) fn one_kept(&self) -> Server {
        self.pool(1, PgPoolOptions::new().idle_timeout(None).max_lifetime(None))
    }

    fn pool(&self, max: u32, options: PgPoolOptions) -> Server {
        let pool = options
            .max_connections(max)
            .test_before_acquire(false)
            // The server may have closed a connection while it waited. Under load none waits, and none is tested.
            .before_acquire(|connection, waited| {
                Box::pin(async move {
                    if waited.idle_for > IDLE_TRUSTED {
                        // Where its machine is gone, nothing comes back at all.
                        let answer = Clock::system().timeout(ASK_MAX, connection.ping()).await;
                        answer.unwrap_or_else(|| Err(silence()))?;
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
        self.answers.pools.lock().unwrap_or_else(PoisonError::into_inner).push(pool.clone());
        Server { pool, line: Arc::default(), answers: self.answers.clone() }
    }
}

impl Server {
    /// A connection. Where the server was found not to answer, one caller tries; the others fail at once meanwhile.
    pub(in crate::store) async fn connection(&self) -> Result<PoolConnection<Postgres>, Error> {
        let turn = match self.answers.lost.load(Ordering::Acquire) {
            true => Some(self.answers.trying.try_acquire().map_err(|_| Error::Lost)?),
            false => None,
        };
        // What may connect is large. Unboxed it would be a part of every request's future, and be moved along with it.
        match Box::pin(self.acquire()).await {
            Ok(connection) if turn.is_none() => Ok(connection),
            // One that waited was there before, and says nothing of the server.
            Ok(connection) => match Box::pin(good(connection)).await {
                Some(connection) => {
                    self.answers.found();
                    Ok(connection)
                }
                None => Err(Error::Lost),
            },
            Err(error) => Err(Box::pin(self.failed(connecting(error))).await),
        }
    }

    /// Whether the server gave no more connections lately: nobody should keep one that is not used.
    pub(in crate::store) fn is_crowded(&self) -> bool {
        self.answers.is_crowded()
    }

    /// Makes a connection now, so that it is there when the server gives no more. It need not be: then one is made later.
    pub(in crate::store) async fn open_one(&self) {
        if let Err(error) = self.connection().await {
            tracing::warn!(%error, "cannot open a connection ahead of its use");
        }
    }

    async fn failed(&self, error: Error) -> Error {
        match error {
            Error::Lost => match self.answers.ask().await {
                Some(Ok(())) => self.answers.found(),
                Some(Err(why)) => self.answers.failed(&why),
                None if self.answers.silent.load(Ordering::Acquire) => self.answers.failed(&error),
                None => {}
            },
            _ => self.answers.failed(&error),
        }
        error
    }

    /// One that waits, or a new one. While a new one is made others may come back, and the server may give no more: what comes
    /// first is taken. The time is the machine's, as it is within the pool.
    async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let shares = self.is_crowded() && self.pool.size() > 0;
        let patience = if shares { SHARE_FOR } else { Duration::ZERO };
        let made = async {
            if shares {
                Clock::system().sleep(patience).await;
            }
            self.pool.acquire().await
        };
        tokio::select! {
            biased;
            made = made => made,
            shared = self.in_turn(if shares { Duration::ZERO } else { FIRST_LOOK }) => Ok(shared),
            never = self.make_room(patience + ASK_AFTER) => match never {},
        }
    }

    /// The next one that is given back. All who wait for one have their turns.
    async fn in_turn(&self, after: Duration) -> PoolConnection<Postgres> {
        Clock::system().sleep(after).await;
        let _turn = self.line.lock().await;
        loop {
            if let Some(connection) = self.given_back().await {
                return connection;
            }
            Clock::system().sleep(LOOK_EVERY).await;
        }
    }

    /// Sees after a while whether the server gives no more connections, and then has another pool close one.
    async fn make_room(&self, after: Duration) -> Infallible {
        Clock::system().sleep(after).await;
        if let Some(Err(why)) = self.answers.ask().await
            && why.is_too_many()
        {
            self.answers.failed(&why);
            self.answers.make_way().await;
        }
        pending().await
    }

    /// One that waits, if it is good.
    async fn given_back(&self) -> Option<PoolConnection<Postgres>> {
        good(self.pool.try_acquire()?).await
    }

    /// The same connections, for who keeps one.
    pub(in crate::store) fn pool(&self) -> &sqlx::Pool<Postgres> {
        &self.pool
    }
}
