//! The connection that writes to SQLite. It has no thread of its own: a statement runs on the lane's, to its end. A
//! trip to another thread and back, for each statement, would cost more than a row.
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, Value as Held, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};

use crate::store::engine::value::without_nul;
use crate::store::{Error, Value};

/// Statements that stay prepared: some there are for each number of rows.
const STATEMENTS_KEPT: usize = 768;

thread_local! {
    /// Pages in the log after the last commit on this thread.
    static LOG_PAGES: Cell<u32> = const { Cell::new(0) };
}

/// How many pages the log had after the last commit on this thread.
pub(in crate::store) fn log_pages() -> u32 {
    LOG_PAGES.get()
}

/// A connection that may write.
pub(in crate::store) struct Writer {
    connection: Connection,
    /// What SQLite last gave as the version of the data.
    version: i64,
}

fn data_version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}

impl Writer {
    /// Opens a database that is there, and brings the connection to `pragmas`.
    pub(in crate::store) fn open(path: &Path, busy: Duration, pragmas: &[(&str, &str)]) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(busy)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        // Plans do not depend on parameters. Else statements would be prepared anew each time they get some.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        for (name, value) in pragmas {
            connection.pragma_update(None, name, value)?;
        }
        // In place of SQLite's own, which would move the log into the database within a commit.
        connection.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(u32::try_from(pages).unwrap_or(0));
            Ok(())
        }));
        let version = data_version(&connection)?;
        Ok(Self { connection, version })
    }

    /// Moves pages of the log into the database, but for those that somebody who reads does not see yet. Gives how many
    /// of the log are there now.
    pub(in crate::store) fn checkpoint(&mut self) -> Result<u32, Error> {
        self.checkpoint_by("PRAGMA wal_checkpoint(PASSIVE)")
    }

    /// Empties the log. Waits for those who read, and lets no new ones begin meanwhile.
    pub(in crate::store) fn empty_log(&mut self) -> Result<u32, Error> {
        self.checkpoint_by("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    fn checkpoint_by(&mut self, pragma: &str) -> Result<u32, Error> {
        self.fetch(pragma, vec![])?.first().map_or(Ok(0), |row| row.get("checkpointed"))
    }

    /// Whether another connection, of this process or another, has changed the database since this was asked last, or since
    /// this one was opened. SQLite's `data_version` does not change by what this connection writes.
    pub(in crate::store) fn others_wrote(&mut self) -> Result<bool, Error> {
        let version = data_version(&self.connection)?;
        Ok(std::mem::replace(&mut self.version, version) != version)
    }

    /// Runs a statement and says how many rows it changed.
    pub(in crate::store) fn execute(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        bind(&mut statement, values)?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        drop(rows);
        drop(statement);
        Ok(self.connection.changes())
    }

    /// Runs a statement and gives its rows.
    pub(in crate::store) fn fetch(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<WriterRow>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        bind(&mut statement, values)?;
        let names: Arc<[String]> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.raw_query();
        let mut read = vec![];
        while let Some(row) = rows.next()? {
            let values = (0..names.len()).map(|n| row.get::<_, Held>(n)).collect::<Result<_, _>>()?;
            read.push(WriterRow { names: names.clone(), values });
        }
        Ok(read)
    }
}

/// A parameter has its number in its name, `$2`, or is the next one, `?`.
fn bind(statement: &mut Statement<'_>, values: Vec<Value>) -> Result<(), Error> {
    for at in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(at) {
            None => at,
            Some(name) => name.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or(0),
        };
        let value = number.checked_sub(1).and_then(|n| values.get(n));
        let value = value.ok_or_else(|| Error::corrupt(format_args!("a statement without its parameter {number}")))?;
        match value {
            Value::Int(value) => statement.raw_bind_parameter(at, value)?,
            Value::Text(Some(text)) => statement.raw_bind_parameter(at, without_nul(text))?,
            Value::Blob(Some(bytes)) => statement.raw_bind_parameter(at, bytes)?,
            Value::Text(None) | Value::Blob(None) => statement.raw_bind_parameter(at, None::<i64>)?,
            Value::Ints(_) | Value::Texts(_) | Value::Blobs(_) => return Err(Error::corrupt("SQLite has no arrays")),
        }
    }
    Ok(())
}

/// A row that the writer has read.
pub struct WriterRow {
    names: Arc<[String]>,
    values: Vec<Held>,
}

impl WriterRow {
    /// The value of a column.
    pub(in crate::store) fn get<T: FromSql>(&self, column: &str) -> Result<T, Error> {
        let at = self.names.iter().position(|name| name == column);
        let value = at.and_then(|at| self.values.get(at));
        let value = value.ok_or_else(|| Error::corrupt(format_args!("there is no column {column}")))?;
        T::column_result(ValueRef::from(value)).map_err(|e| Error::corrupt(format_args!("{column}: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::store::args;

    fn writer() -> (Writer, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("db");
        drop(Connection::open(&path).expect("a database"));
        let mut writer = Writer::open(&path, Duration::from_secs(1), &[("synchronous", "FULL")]).expect("opened");
        writer.execute("CREATE TABLE t (a BIGINT PRIMARY KEY, b TEXT, c BLOB)", vec![]).expect("a table");
        (writer, dir)
    }

    #[test]
    fn parameters_have_numbers_or_places_and_columns_are_read_by_name() {
        let (mut writer, _dir) = writer();
        let row = args!["x\0", 7_i64, vec![1_u8]];
        assert_eq!(writer.execute("INSERT INTO t VALUES ($2, $1, $3), ($2 + 1, $1, NULL)", row).expect("added"), 2);
        let rows = writer.fetch("SELECT a, b, c FROM t WHERE b = ? AND a >= ? ORDER BY a", args!["x\u{FFFD}", 7_i64]);
        let rows = rows.expect("read");
        let read = |row: &WriterRow| (row.get::<i64>("a").expect("a"), row.get::<Option<Vec<u8>>>("c").expect("c"));
        assert_eq!(rows.iter().map(read).collect::<Vec<_>>(), [(7, Some(vec![1])), (8, None)]);
        assert!(
            rows[0].get::<i64>("b").is_err() && rows[0].get::<i64>("d").is_err() && rows[1].get::<String>("c").is_err()
        );
        assert!(writer.execute("DELETE FROM t WHERE a = $1 AND b = $2", args![7_i64]).is_err(), "one is missing");
    }

    #[test]
    fn what_breaks_a_rule_changes_nothing_and_says_so() {
        let (mut writer, _dir) = writer();
        let error =
            writer.execute("INSERT INTO t VALUES ($1, '', NULL), ($1, '', NULL)", args![1_i64]).expect_err("two");
        assert!(error.is_unique_violation() && error.is_of_values(), "{error}");
        assert!(writer.fetch("SELECT a FROM t", vec![]).expect("read").is_empty());
        let error = writer.execute("INSERT INTO nowhere VALUES (1)", vec![]).expect_err("no table");
        assert!(!error.is_unique_violation() && !error.is_of_values(), "{error}");
    }

    #[test]
    fn a_statement_is_prepared_once() {
        let (mut writer, _dir) = writer();
        writer.execute("CREATE INDEX t_by_b ON t (b) WHERE c IS NULL AND a > 3", vec![]).expect("an index");
        let sql = "UPDATE t SET c = $1 WHERE a IN (SELECT a FROM t WHERE b = $2 AND c IS NULL AND a > $3) RETURNING a";
        for n in 0..3_i64 {
            writer.fetch(sql, args![vec![0_u8], "b", n]).expect("run");
        }
        let statement = writer.connection.prepare_cached(sql).expect("prepared");
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
