//! A transaction, or a plain connection for reading: what every function in `store` takes.
use std::sync::Arc;

use futures::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Either, Executor as _, Postgres, SqlSafeStr, SqlStr, Sqlite};

use crate::base::{Clock, Timestamp};
use crate::store::dialect::Engine;
use crate::store::rows::Statement;
use crate::store::sql::{bind_postgres, bind_sqlite};
use crate::store::vault::Vault;
use crate::store::wake::SETTINGS_CHANGED;
use crate::store::{Error, Row, Value};

/// Tables whose rows nodes keep for a moment.
const SETTINGS: [&str; 7] = [
    "identities",
    "identity_policies",
    "receipt_rule_sets",
    "receipt_active_rule_sets",
    "receipt_filters",
    "configuration_sets",
    "sending_accounts",
];

const SAVEPOINT: &str = "SAVEPOINT job;";
const RELEASE: &str = "RELEASE SAVEPOINT job;";

/// The connection that a closure given to [`Store::write`](crate::store::Store::write) or
/// [`Store::read`](crate::store::Store::read) works on.
pub struct Tx {
    connection: Connection,
    clock: Clock,
    vault: Arc<Vault>,
    pub(super) rings: Vec<(i64, usize)>,
    in_transaction: bool,
    failed: Option<Error>,
    /// SQLite: statements that run before the next one, and go to the connection's thread together with it.
    first: String,
    end: End,
}

/// What commits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// A statement of its own.
    Alone,
    /// SQLite: the next statement, in the same way.
    WithNext,
    /// A statement that has run.
    Over,
}

pub(super) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Tx {
    pub(super) fn new(connection: Connection, clock: Clock, vault: Arc<Vault>) -> Self {
        Self {
            connection,
            clock,
            vault,
            rings: Vec::new(),
            in_transaction: false,
            failed: None,
            first: String::new(),
            end: End::Alone,
        }
    }

    /// A connection that the lane runs a transaction on.
    pub(super) fn of_lane(connection: Connection, clock: Clock, vault: Arc<Vault>) -> Self {
        Self { in_transaction: true, ..Self::new(connection, clock, vault) }
    }

    /// A statement of the lane's own: it runs also after one has failed.
    pub(super) async fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        self.execute(sql, vec![]).await.map(drop)
    }

    /// Begins a transaction. With SQLite this costs nothing: the statement goes with the next one, as do those below.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        let sql = self.engine().begin();
        self.at_last(sql).await
    }

    /// Begins a part of the transaction that can be undone.
    pub(super) async fn savepoint(&mut self) -> Result<(), Error> {
        self.at_last(SAVEPOINT).await
    }

    /// Undoes the part that began last.
    pub(super) async fn undo(&mut self) -> Result<(), Error> {
        if self.first.ends_with(SAVEPOINT) {
            return Ok(());
        }
        self.control("ROLLBACK TO SAVEPOINT job").await
    }

    /// Ends the part that began last.
    pub(super) async fn release(&mut self) -> Result<(), Error> {
        if let Some(rest) = self.first.strip_suffix(SAVEPOINT) {
            self.first.truncate(rest.len());
            return Ok(());
        }
        self.at_last(RELEASE).await
    }

    /// Has the next statement, the last one, commit too, where that saves a way.
    pub(super) fn commit_with_next(&mut self) {
        if self.engine() == Engine::Sqlite {
            self.end = End::WithNext;
        }
    }

    /// Returns once the transaction is durable.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        if self.end == End::Over { Ok(()) } else { self.finish("COMMIT").await }
    }

    /// Undoes the transaction.
    pub(super) async fn rollback(&mut self) -> Result<(), Error> {
        self.finish("ROLLBACK").await
    }

    async fn finish(&mut self, sql: &'static str) -> Result<(), Error> {
        self.end = End::Alone;
        if self.first.starts_with(Engine::Sqlite.begin()) {
            // It did not even begin.
            self.first.clear();
            return Ok(());
        }
        self.control(sql).await
    }

    /// Runs a statement, or has it wait for the next one, where that saves the way to another thread and back.
    async fn at_last(&mut self, sql: &'static str) -> Result<(), Error> {
        match self.engine() {
            Engine::Sqlite => {
                self.first.push_str(sql);
                Ok(())
            }
            Engine::Postgres => self.control(sql).await,
        }
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

    /// What gives the time by which quotas are counted: the database's clock where it has one, since those of the nodes may
    /// differ. `None`: this server's. A clock that tests move counts by itself.
    pub(super) fn counting_clock(&self) -> Option<&'static str> {
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
            Connection::Sqlite(_) => Engine::Sqlite,
            Connection::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement and says how many rows it changed.
    pub async fn run(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        self.check_whole()?;
        let sql = sql.into_sql_str();
        self.note_settings(sql.as_str());
        let result = self.execute(sql, args).await;
        self.note(result)
    }

    /// Runs statements, in their order. With SQLite all of them go to the connection's thread together.
    pub(super) async fn run_all(&mut self, statements: Vec<Statement>) -> Result<(), Error> {
        if self.engine() == Engine::Postgres {
            for (sql, values) in statements {
                self.run(AssertSqlSafe(sql), values).await?;
            }
            return Ok(());
        }
        let (sql, values): (Vec<String>, Vec<Vec<Value>>) = statements.into_iter().unzip();
        self.run(AssertSqlSafe(sql.join(";")), values.into_iter().flatten().collect()).await.map(drop)
    }

    /// Runs a query and gives all rows. The query itself must bound how many there can be.
    pub async fn all(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.check_whole()?;
        let sql = sql.into_sql_str();
        self.note_settings(sql.as_str());
        let result = self.fetch(sql, args).await;
        self.note(result)
    }

    fn note_settings(&mut self, sql: &str) {
        if changes_settings(sql) {
            self.settings_changed();
        }
    }

    /// A change one of whose statements failed cannot go on: PostgreSQL refuses every statement until the rollback, and
    /// answers a COMMIT with a rollback that looks like success. SQLite would go on, in part even outside of the
    /// transaction; so that both do the same, the change ends here.
    fn check_whole(&self) -> Result<(), Error> {
        if self.end == End::Over {
            return Err(Error::corrupt("a statement after the commit"));
        }
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
            Connection::Sqlite(c) => {
                // First the parameters: where they cannot be bound, nothing was taken from what has to run first.
                let args = bind_sqlite(args)?;
                let mut steps =
                    (&mut **c).fetch_many(sqlx::query_with(together(&mut self.first, sql, &mut self.end), args));
                let mut rows = 0;
                // Of several statements, the last one is meant.
                while let Some(step) = steps.try_next().await? {
                    if let Either::Left(done) = step {
                        rows = done.rows_affected();
                    }
                }
                rows
            }
            Connection::Postgres(c) => {
                sqlx::query_with(sql, bind_postgres(args)?).execute(&mut **c).await?.rows_affected()
            }
        })
    }

    async fn fetch(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        Ok(match &mut self.connection {
            Connection::Sqlite(c) => {
                let args = bind_sqlite(args)?;
                let query = sqlx::query_with(together(&mut self.first, sql, &mut self.end), args);
                query.fetch(&mut **c).map_ok(Row::Sqlite).try_collect().await?
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

    /// Makes every node-local copy of settings stale, once this transaction is durable. Changes of [`SETTINGS`] do so
    /// by themselves.
    pub(super) fn settings_changed(&mut self) {
        self.rings.push((SETTINGS_CHANGED, 0));
    }

    /// Wakes up to `messages` of those who wait on a queue, once this transaction is durable.
    pub fn ring(&mut self, queue_id: i64, messages: usize) {
        self.rings.push((queue_id, messages));
    }
}

/// Whether a statement changes rows that nodes keep. What begins with WITH never does.
fn changes_settings(sql: &str) -> bool {
    let after = ["UPDATE ", "INSERT INTO ", "DELETE FROM "].iter().find_map(|verb| sql.strip_prefix(verb));
    let table = after.and_then(|rest| rest.split([' ', '(']).next());
    table.is_some_and(|table| SETTINGS.contains(&table))
}

/// The statement with those that have to run before and after it.
fn together(first: &mut String, sql: impl SqlSafeStr, end: &mut End) -> SqlStr {
    let sql = sql.into_sql_str();
    if first.is_empty() && *end != End::WithNext {
        return sql;
    }
    first.push_str(sql.as_str());
    if *end == End::WithNext {
        first.push_str(";COMMIT");
        *end = End::Over;
    }
    // Each part was safe.
    AssertSqlSafe(std::mem::take(first)).into_sql_str()
}
