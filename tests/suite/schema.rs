//! The schema as the database has it, for tests that must notice a table that is added later.
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};

use crate::engine::TestDatabase;

/// A table and its columns.
#[derive(Debug)]
pub(crate) struct Table {
    pub name: String,
    pub columns: Vec<Column>,
}

/// A column; `kind` in capitals, as the database names it.
#[derive(Debug)]
pub(crate) struct Column {
    pub name: String,
    pub kind: String,
    pub needed: bool,
}

/// A connection of the test's own, past the store.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Raw {
    pub(crate) async fn open(database: &TestDatabase) -> Self {
        let url = database.url();
        if url.starts_with("sqlite:") {
            return Self::Sqlite(SqliteConnection::connect(url).await.expect("a connection"));
        }
        Self::Postgres(PgConnection::connect(url).await.expect("a connection"))
    }

    pub(crate) async fn run(&mut self, sql: String) {
        let shown = sql.clone();
        match self {
            Self::Sqlite(c) => drop(c.execute(AssertSqlSafe(sql)).await.unwrap_or_else(|e| panic!("{shown}: {e}"))),
            Self::Postgres(c) => drop(c.execute(AssertSqlSafe(sql)).await.unwrap_or_else(|e| panic!("{shown}: {e}"))),
        }
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&mut self, sql: String) -> i64 {
        match self {
            Self::Sqlite(c) => c.fetch_one(AssertSqlSafe(sql)).await.expect("a row").get(0),
            Self::Postgres(c) => c.fetch_one(AssertSqlSafe(sql)).await.expect("a row").get(0),
        }
    }

    /// The tables without a row.
    pub(crate) async fn empty_tables(&mut self) -> Vec<String> {
        let mut empty = vec![];
        for table in self.tables().await {
            if self.number(format!("SELECT COUNT(*) FROM {}", table.name)).await == 0 {
                empty.push(table.name);
            }
        }
        empty
    }

    /// All tables with their columns, but for what the migrations keep of themselves.
    pub(crate) async fn tables(&mut self) -> Vec<Table> {
        let sqlite = "SELECT m.name, p.name, UPPER(p.type), CASE WHEN (p.\"notnull\" = 1 OR p.pk > 0) AND p.dflt_value IS NULL \
                      AND NOT (p.pk = 1 AND p.type = 'INTEGER' AND m.sql LIKE '%AUTOINCREMENT%') THEN 1 ELSE 0 END \
                      FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' \
                      AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY m.name, p.cid";
        let postgres = "SELECT table_name::text, column_name::text, UPPER(data_type::text), \
                        CASE WHEN is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' THEN 1::bigint ELSE 0 END \
                        FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%' \
                        ORDER BY table_name, ordinal_position";
        let rows: Vec<(String, String, String, i64)> = match self {
            Self::Sqlite(c) => {
                let rows = c.fetch_all(sqlite).await.expect("the schema");
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
            }
            Self::Postgres(c) => {
                let rows = c.fetch_all(postgres).await.expect("the schema");
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
            }
        };
        let mut tables: Vec<Table> = vec![];
        for (table, name, kind, needed) in rows {
            if tables.last().is_none_or(|last| last.name != table) {
                tables.push(Table { name: table, columns: vec![] });
            }
            let column = Column { name, kind, needed: needed == 1 };
            tables.last_mut().expect("a table").columns.push(column);
        }
        tables
    }
}
