//! A transaction, or a plain connection for reading: what every function in `store` takes.
use std::sync::Arc;

use futures::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, SqlSafeStr, Sqlite};

use crate::base::{Clock, Timestamp};
use crate::store::dialect::Engine;
use crate::store::sql::{bind_postgres, bind_sqlite};
use crate::store::vault::Vault;
use crate::store::wake::QUEUE_CHANGED;
use crate::store::{Error, Row, Value};

/// The connection that a closure given to [`Store::write`](crate::store::Store::write) or
/// [`Store::read`](crate::store::Store::read) works on.
pub struct Tx {
    connection: Connection,
    clock: Clock,
    vault: Arc<Vault>,
    pub(super) rings: Vec<(i64, usize)>,
    in_transaction: bool,
    failed: Option<Error>,
}

pub(super) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Tx {
    pub(super) fn new(connection: Connection, clock: Clock, vault: Arc<Vault>) -> Self {
        Self { connection, clock, vault, rings: Vec::new(), in_transaction: false, failed: None }
    }

    /// A connection that the lane runs a transaction on.
    pub(super) fn of_lane(connection: Connection, clock: Clock, vault: Arc<Vault>) -> Self {
        Self { in_transaction: true, ..Self::new(connection, clock, vault) }
    }

    /// BEGIN, COMMIT and their like: they run also after a statement has failed.
    pub(super) async fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        self.execute(sql, vec![]).await.map(drop)
    }

    /// Why the change that ran until now must be undone, if a statement of it failed. The next change starts afresh.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failed.take()
    }

    /// Closes the connection instead of giving it back: what state it is in is not known.
    pub(super) fn close_on_drop(&mut self) {
        match &mut self.connection {
            Connection::Sqlite(c) => c.close_on_drop(),
            Connection::Postgres(c) => c.close_on_drop(),
        }
    }

    /// The time now, by the server's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What seals texts before they are written.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Which engine this is, for the dialect room.
    pub fn engine(&self) -> Engine {
        match self.connection {
            Connection::Sqlite(_) => Engine::Sqlite,
            Connection::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement and says how many rows it changed.
    pub async fn run(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        self.check_whole()?;
        let result = self.execute(sql, args).await;
        self.note(result)
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
    fn check_whole(&self) -> Result<(), Error> {
        self.failed.clone().map_or(Ok(()), Err)
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

    async fn execute(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        Ok(match &mut self.connection {
            Connection::Sqlite(c) => sqlx::query_with(sql, bind_sqlite(args)?).execute(&mut **c).await?.rows_affected(),
            Connection::Postgres(c) => {
                sqlx::query_with(sql, bind_postgres(args)?).execute(&mut **c).await?.rows_affected()
            }
        })
    }

    async fn fetch(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        Ok(match &mut self.connection {
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

    /// Makes every node-local copy of a queue's row stale, once this transaction is durable.
    pub(super) fn queue_changed(&mut self) {
        self.rings.push((QUEUE_CHANGED, 0));
    }

    /// Wakes up to `messages` of those who wait on a queue, once this transaction is durable.
    pub fn ring(&mut self, queue_id: i64, messages: usize) {
        self.rings.push((queue_id, messages));
    }
}
