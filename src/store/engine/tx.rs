//! A transaction, or a plain connection for reading: what every function in `store` takes.
use std::sync::Arc;

use futures::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr, Sqlite};
use tokio::sync::OwnedSemaphorePermit;

use crate::base::{Clock, Freshness, Instant, Timestamp};
use crate::store::engine::batch::Statement;
use crate::store::engine::dialect::Engine;
use crate::store::engine::floors::Floors;
use crate::store::engine::sql::{bind_postgres, bind_sqlite};
use crate::store::engine::wake::{CONFIRM_EVERY, SETTINGS_CHANGED};
use crate::store::engine::writer::Writer;
use crate::store::vault::Vault;
use crate::store::{Error, Row, Value};

/// The connection that a closure given to [`Store::write`](crate::store::Store::write) or
/// [`Store::read`](crate::store::Store::read) works on.
pub struct Tx {
    connection: Connection,
    clock: Clock,
    vault: Arc<Vault>,
    pub(in crate::store) floors: Arc<Floors>,
    pub(in crate::store) rings: Vec<(i64, usize)>,
    /// Whether something new was added.
    pub(in crate::store) grew: bool,
    in_transaction: bool,
    /// How many statements may run before there must be a transaction around them.
    statements_left: Option<u32>,
    failed: Option<Error>,
    broken: bool,
    /// Of those that are there for reading.
    _place: Option<OwnedSemaphorePermit>,
}

pub(in crate::store) enum Connection {
    /// SQLite, for the lane.
    Writer(Box<Writer>),
    /// SQLite, for reading.
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Tx {
    pub(in crate::store) fn new(connection: Connection, clock: Clock, vault: Arc<Vault>) -> Self {
        let rings = Vec::new();
        Self {
            connection,
            clock,
            vault,
            floors: Arc::default(),
            rings,
            grew: false,
            in_transaction: false,
            statements_left: None,
            failed: None,
            broken: false,
            _place: None,
        }
    }

    /// The same, at a place that is free again when this is dropped.
    pub(in crate::store) fn at(self, place: OwnedSemaphorePermit) -> Self {
        Self { _place: Some(place), ..self }
    }

    /// A connection that a lane runs transactions on, one after the other.
    pub(in crate::store) fn of_lane(
        connection: Connection,
        clock: Clock,
        vault: Arc<Vault>,
        floors: Arc<Floors>,
    ) -> Self {
        Self { in_transaction: true, floors, ..Self::new(connection, clock, vault) }
    }

    /// A statement of the lane's own: it runs also after one has failed.
    pub(in crate::store) async fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        self.send(sql, vec![]).await.map(drop)
    }

    /// The same with parameters.
    pub(in crate::store) async fn control_with(&mut self, sql: &'static str, args: Vec<Value>) -> Result<(), Error> {
        self.send(sql, args).await.map(drop)
    }

    /// Begins a transaction.
    pub(in crate::store) async fn begin(&mut self) -> Result<(), Error> {
        self.control(self.engine().begin()).await
    }

    /// Begins a part of the transaction that can be undone.
    pub(in crate::store) async fn savepoint(&mut self) -> Result<(), Error> {
        self.control("SAVEPOINT job").await
    }

    /// Undoes the part that began last.
    pub(in crate::store) async fn undo(&mut self) -> Result<(), Error> {
        self.control("ROLLBACK TO SAVEPOINT job").await
    }

    /// Ends the part that began last.
    pub(in crate::store) async fn release(&mut self) -> Result<(), Error> {
        self.control("RELEASE SAVEPOINT job").await
    }

    /// Returns once the transaction is durable.
    pub(in crate::store) async fn commit(&mut self) -> Result<(), Error> {
        self.control("COMMIT").await
    }

    /// Undoes the transaction.
    pub(in crate::store) async fn rollback(&mut self) -> Result<(), Error> {
        self.control("ROLLBACK").await
    }

    /// Lets one statement run without a transaction around it, and no second one, which would be kept or lost by
    /// itself.
    pub(in crate::store) fn one_statement(&mut self) {
        self.statements_left = Some(1);
    }

    /// Why the change that ran until now must be undone, if a statement of it failed. The next change starts afresh.
    pub(in crate::store) fn take_failure(&mut self) -> Option<Error> {
        self.statements_left = None;
        self.failed.take()
    }

    /// Closes the connection when this is dropped, instead of giving it back: what state it is in is not known.
    pub(in crate::store) fn close_on_drop(&mut self) {
        self.broken = true;
        match &mut self.connection {
            Connection::Writer(_) => {}
            Connection::Sqlite(c) => c.close_on_drop(),
            Connection::Postgres(c) => c.close_on_drop(),
        }
    }

    /// The connection, if it is the one that writes to SQLite.
    pub(in crate::store) fn writer(&mut self) -> Option<&mut Writer> {
        match &mut self.connection {
            Connection::Writer(writer) => Some(writer),
            Connection::Sqlite(_) | Connection::Postgres(_) => None,
        }
    }

    /// Asks SQLite's writer, now and then, whether another process has changed the database: `postrider admin` is one.
    /// PostgreSQL's nodes tell each other ([`Hints`](crate::store::engine::hints::Hints)).
    pub(in crate::store) fn look_for_others(&mut self, settings: &Freshness) {
        let now = self.instant();
        let Some(writer) = self.writer().filter(|_| now.since(settings.confirmed_at()) >= CONFIRM_EVERY) else {
            return;
        };
        match writer.others_wrote() {
            Ok(wrote) => {
                if wrote {
                    settings.changed();
                }
                settings.confirm(now);
            }
            Err(error) => tracing::debug!(%error, "it is not known whether another process has changed settings"),
        }
    }

    /// Whether it is to be dropped, since its connection is to be closed.
    pub(in crate::store) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The time now, by the server's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The monotonic clock now, for ages and deadlines within this process.
    pub fn instant(&self) -> Instant {
        self.clock.instant()
    }

    /// What gives the time by which quotas are counted: the database's clock where it has one, since those of the nodes
    /// may differ. `None`: this server's. A clock that tests move counts by itself.
    pub(in crate::store) fn counting_clock(&self) -> Option<&'static str> {
        self.engine().database_now().filter(|_| !self.clock.is_manual())
    }

    /// The time by which quotas are counted.
    pub async fn counting_now(&mut self) -> Result<Timestamp, Error> {
        let Some(now) = self.counting_clock() else { return Ok(self.now()) };
        let row = self.one(AssertSqlSafe(format!("SELECT {now} AS counting_now")), vec![]).await?;
        row.ok_or_else(|| Error::corrupt("the database tells no time"))?.time("counting_now")
    }

    /// What seals texts before they are written.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Which engine this is, for the dialect room.
    pub fn engine(&self) -> Engine {
        match self.connection {
            Connection::Writer(_) | Connection::Sqlite(_) => Engine::Sqlite,
            Connection::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement and says how many rows it changed.
    pub async fn run(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        self.check_whole()?;
        let result = self.send(sql, args).await;
        self.note(result)
    }

    /// Runs a statement that was put together, and says how many rows it changed.
    pub(in crate::store) async fn execute(&mut self, statement: Statement) -> Result<u64, Error> {
        let (sql, values) = statement.ready();
        self.run(sql, values).await
    }

    /// Runs statements, in their order.
    pub(in crate::store) async fn run_all(&mut self, statements: Vec<Statement>) -> Result<(), Error> {
        for statement in statements {
            self.execute(statement).await?;
        }
        Ok(())
    }

    /// Runs a statement that was put together, and gives its rows. The statement itself must bound how many there can be.
    pub(in crate::store) async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, Error> {
        let (sql, values) = statement.ready();
        self.all(sql, values).await
    }

    /// Runs a query that does nothing but lock rows until the transaction ends. Where there are no other writers nobody is kept out,
    /// and nothing is asked.
    pub(in crate::store) async fn lock(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<(), Error> {
        if self.engine().has_other_writers() { self.all(sql, args).await.map(drop) } else { Ok(()) }
    }

    /// Runs a query and gives all rows. The query itself must bound how many there can be.
    pub async fn all(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.check_whole()?;
        let result = self.fetch(sql, args).await;
        self.note(result)
    }

    /// A change one of whose statements failed cannot go on: PostgreSQL refuses every statement until the rollback, and
    /// answers a COMMIT with a rollback that looks like success. SQLite would go on, in part even outside of the
    /// transaction; so that both do the same, the change ends here.
    fn check_whole(&mut self) -> Result<(), Error> {
        match (&self.failed, &mut self.statements_left) {
            (Some(failed), _) => Err(failed.clone()),
            (None, Some(0)) => self.note(Err(Error::corrupt("a second statement where no transaction is"))),
            (None, Some(left)) => {
                *left -= 1;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    fn note<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            if error.is_stale_statement() {
                self.close_on_drop();
            }
            if self.in_transaction {
                self.failed = Some(error.clone());
            }
        }
        result
    }

    async fn send(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        Ok(match &mut self.connection {
            Connection::Writer(c) => c.execute(sql.into_sql_str().as_str(), args)?,
            Connection::Sqlite(c) => sqlx::query_with(sql, bind_sqlite(args)?).execute(&mut **c).await?.rows_affected(),
            Connection::Postgres(c) => {
                sqlx::query_with(sql, bind_postgres(args)?).execute(&mut **c).await?.rows_affected()
            }
        })
    }

    async fn fetch(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        Ok(match &mut self.connection {
            Connection::Writer(c) => c.fetch(sql.into_sql_str().as_str(), args)?.into_iter().map(Row::Writer).collect(),
            Connection::Sqlite(c) => {
                sqlx::query_with(sql, bind_sqlite(args)?).fetch(&mut **c).map_ok(Row::Sqlite).try_collect().await?
            }
            Connection::Postgres(c) => {
                sqlx::query_with(sql, bind_postgres(args)?).fetch(&mut **c).map_ok(Row::Postgres).try_collect().await?
            }
        })
    }

    /// Runs a query and gives its first row, if there is one.
    pub async fn one(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(self.all(sql, args).await?.into_iter().next())
    }

    /// Makes all that nodes keep of settings stale, once this transaction is durable. [`Tx::change`] does so by itself.
    pub(in crate::store) fn settings_changed(&mut self) {
        if !self.changes_settings() {
            self.rings.push((SETTINGS_CHANGED, 0));
        }
    }

    /// Whether a kept table was changed in this transaction.
    pub(in crate::store) fn changes_settings(&self) -> bool {
        self.rings.iter().any(|(id, _)| *id == SETTINGS_CHANGED)
    }

    /// Wakes who waits for the messages that were added to a queue, once this transaction is durable.
    pub(in crate::store) fn added(&mut self, queue_id: i64, messages: usize) {
        self.grew = true;
        self.ring(queue_id, messages);
    }

    /// Wakes up to `messages` of those who wait on a queue, once this transaction is durable.
    pub fn ring(&mut self, queue_id: i64, messages: usize) {
        self.rings.push((queue_id, messages));
    }
}
