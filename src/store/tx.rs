//! A transaction, or a plain connection for reading: what every function in `store` takes.
use std::sync::Arc;

use futures::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, SqlSafeStr, Sqlite};

use crate::base::{Clock, Timestamp};
use crate::store::dialect::Engine;
use crate::store::sql::{bind_postgres, bind_sqlite};
use crate::store::vault::Vault;
use crate::store::{Error, Row, Value};

/// The connection that a closure given to [`Store::write`](crate::store::Store::write) or
/// [`Store::read`](crate::store::Store::read) works on.
pub struct Tx {
    connection: Connection,
    clock: Clock,
    vault: Arc<Vault>,
    pub(super) rings: Vec<(i64, usize)>,
}

pub(super) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Tx {
    pub(super) fn new(connection: Connection, clock: Clock, vault: Arc<Vault>) -> Self {
        Self { connection, clock, vault, rings: Vec::new() }
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
        Ok(match &mut self.connection {
            Connection::Sqlite(c) => sqlx::query_with(sql, bind_sqlite(args)?).execute(&mut **c).await?.rows_affected(),
            Connection::Postgres(c) => {
                sqlx::query_with(sql, bind_postgres(args)?).execute(&mut **c).await?.rows_affected()
            }
        })
    }

    /// Runs a query and gives all rows. The query itself must bound how many there can be.
    pub async fn all(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
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

    /// Wakes up to `messages` of those who wait on a queue, once this transaction is durable.
    pub fn ring(&mut self, queue_id: i64, messages: usize) {
        self.rings.push((queue_id, messages));
    }
}
