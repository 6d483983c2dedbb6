//! The schema as each engine keeps it, in words that both share: columns, keys, indexes. One engine is compared with the other,
//! and a database that was brought up to date with a new one.
use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Executor, PgConnection, Row, SqliteConnection};

use crate::engine::{Engine, TestDatabase};
use crate::schema::Raw;

/// What each table has, a line for each column, key, index and condition; functions stand under an empty name.
pub(crate) type Shape = BTreeMap<String, BTreeSet<String>>;

/// Lines that one engine has and the other not, with the table.
const SQLITE_ALONE: &[(&str, &str)] = &[
    ("captured", "column 01 seq BIGINT needed, a number of its own"),
    ("mails", "column 17 counted_at BIGINT needed, 0"),
];
/// PostgreSQL refuses a number for a captured mail, and counts mails by its own clock (see `tests/architecture/migrations.rs`).
const POSTGRES_ALONE: &[(&str, &str)] = &[
    ("", "function postrider_now"),
    ("captured", "column 01 seq BIGINT needed, always a number of its own"),
    ("mails", "column 17 counted_at BIGINT needed, postrider_now"),
];

/// Tables, but for what the migrations and SQLite keep of themselves.
const SQLITE_TABLES: &str = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                             AND name NOT LIKE '\\_%' ESCAPE '\\'";
const SQLITE_COLUMNS: &str = "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info($1) ORDER BY cid";
const SQLITE_REFERENCES: &str = "SELECT \"from\", \"table\", \"to\", on_delete FROM pragma_foreign_key_list($1)";
const SQLITE_INDEXES: &str = "SELECT l.name, l.\"unique\", l.origin, m.sql, (SELECT group_concat(i.name, ', ') FROM \
                              pragma_index_info(l.name) i) FROM pragma_index_list($1) l LEFT JOIN sqlite_master m ON m.name = l.name";

const POSTGRES_COLUMNS: &str = "SELECT c.relname::text, a.attname::text, UPPER(format_type(a.atttypid, NULL)), a.attnotnull, \
     a.attidentity::text, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped \
     AND c.relname NOT LIKE '\\_%' ORDER BY c.relname, a.attnum";
const POSTGRES_CONSTRAINTS: &str = "SELECT c.relname::text, pg_get_constraintdef(k.oid) FROM pg_constraint k \
     JOIN pg_class c ON c.oid = k.conrelid WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('p', 'u', 'f', 'c') \
     AND c.relname NOT LIKE '\\_%'";
const POSTGRES_INDEXES: &str = "SELECT c.relname::text, i.relname::text, x.indisunique, pg_get_indexdef(i.oid) FROM pg_index x \
     JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE '\\_%' \
     AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u'))";
const POSTGRES_FUNCTIONS: &str = "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace";

/// The schema of a database.
pub(crate) async fn shape(database: &TestDatabase) -> Shape {
    match Raw::open(database).await {
        Raw::Sqlite(mut connection) => of_sqlite(&mut connection).await,
        Raw::Postgres(mut connection) => of_postgres(&mut connection).await,
    }
}

/// An expression in the words of both engines: without brackets, and without the types that PostgreSQL adds.
fn plain(expression: &str) -> String {
    let text = expression.replace("::text", "").replace("::bigint", "").replace(['(', ')'], " ").replace('"', "");
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ,", ",")
}

fn column(n: usize, name: &str, kind: &str, needed: bool, default: Option<&str>) -> String {
    let needed = if needed { " needed" } else { "" };
    let default = default.map(|value| format!(", {value}")).unwrap_or_default();
    format!("column {:02} {name} {kind}{needed}{default}", n + 1)
}

fn index(name: &str, unique: bool, definition: &str) -> String {
    let unique = if unique { " unique" } else { "" };
    format!("index {name}{unique}: {}", plain(definition))
}

async fn of_sqlite(connection: &mut SqliteConnection) -> Shape {
    let mut shape = Shape::new();
    for row in connection.fetch_all(SQLITE_TABLES).await.expect("the tables") {
        let (table, sql): (String, String) = (row.get(0), row.get(1));
        let mut lines = BTreeSet::new();
        let mut keys: Vec<(i64, String)> = vec![];
        let columns = sqlx::query(SQLITE_COLUMNS).bind(&table).fetch_all(&mut *connection).await.expect("the columns");
        for (n, row) in columns.iter().enumerate() {
            let (name, kind, needed): (String, String, i64) = (row.get(0), row.get(1), row.get(2));
            let (default, key): (Option<String>, i64) = (row.get(3), row.get(4));
            let own = key == 1 && sql.contains("AUTOINCREMENT");
            let default = if own { Some("a number of its own".to_owned()) } else { default.as_deref().map(plain) };
            let kind = kind.to_uppercase().replace("INTEGER", "BIGINT").replace("BLOB", "BYTEA");
            // A key may be NULL in SQLite where nothing forbids it. No row of ours has that.
            lines.insert(column(n, &name, &kind, needed == 1 || key > 0, default.as_deref()));
            keys.extend((key > 0).then_some((key, name)));
        }
        keys.sort();
        let keys: Vec<String> = keys.into_iter().map(|(_, name)| name).collect();
        if !keys.is_empty() {
            lines.insert(format!("PRIMARY KEY {}", keys.join(", ")));
        }
        let checks = sql.split("CHECK (").skip(1).filter_map(|rest| rest.split_once(')'));
        lines.extend(checks.map(|(condition, _)| format!("CHECK {}", plain(condition))));
        let references = sqlx::query(SQLITE_REFERENCES).bind(&table).fetch_all(&mut *connection).await;
        for row in references.expect("the references") {
            let (from, to, key, on_delete): (String, String, String, String) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            let then = if on_delete == "NO ACTION" { String::new() } else { format!(" ON DELETE {on_delete}") };
            lines.insert(format!("FOREIGN KEY {from} REFERENCES {to} {key}{then}"));
        }
        let indexes = sqlx::query(SQLITE_INDEXES).bind(&table).fetch_all(&mut *connection).await;
        for row in indexes.expect("the indexes") {
            let (name, unique, origin): (String, i64, String) = (row.get(0), row.get(1), row.get(2));
            let (sql, columns): (Option<String>, Option<String>) = (row.get(3), row.get(4));
            match (origin.as_str(), sql) {
                ("c", Some(sql)) => {
                    let (_, definition) = sql.split_once('(').expect("its columns");
                    lines.insert(index(&name, unique == 1, definition));
                }
                ("u", _) => drop(lines.insert(format!("UNIQUE {}", columns.unwrap_or_default()))),
                _ => {}
            }
        }
        shape.insert(table, lines);
    }
    shape
}

async fn of_postgres(connection: &mut PgConnection) -> Shape {
    let mut shape = Shape::new();
    let mut n = 0;
    for row in connection.fetch_all(POSTGRES_COLUMNS).await.expect("the columns") {
        let (table, name, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (needed, own, default): (bool, String, Option<String>) = (row.get(3), row.get(4), row.get(5));
        let default = match own.as_str() {
            "a" => Some("always a number of its own".to_owned()),
            "d" => Some("a number of its own".to_owned()),
            _ => default.as_deref().map(plain),
        };
        n = if shape.contains_key(&table) { n + 1 } else { 0 };
        shape.entry(table).or_default().insert(column(n, &name, &kind, needed, default.as_deref()));
    }
    for row in connection.fetch_all(POSTGRES_CONSTRAINTS).await.expect("the constraints") {
        shape.entry(row.get(0)).or_default().insert(plain(row.get(1)));
    }
    for row in connection.fetch_all(POSTGRES_INDEXES).await.expect("the indexes") {
        let (name, unique, sql): (String, bool, String) = (row.get(1), row.get(2), row.get(3));
        let (_, definition) = sql.split_once('(').expect("its columns");
        shape.entry(row.get(0)).or_default().insert(index(&name, unique, definition));
    }
    for row in connection.fetch_all(POSTGRES_FUNCTIONS).await.expect("the functions") {
        let name: String = row.get(0);
        shape.entry(String::new()).or_default().insert(format!("function {name}"));
    }
    shape
}

/// Lines of `one` that `other` has not.
pub(crate) fn lacking<'s>(one: &'s Shape, other: &Shape) -> Vec<(&'s str, &'s str)> {
    let has = |table: &str, line: &str| other.get(table).is_some_and(|lines| lines.contains(line));
    let all = one.iter().flat_map(|(table, lines)| lines.iter().map(move |line| (table.as_str(), line.as_str())));
    all.filter(|(table, line)| !has(table, line)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_have_the_same_tables_columns_keys_and_indexes() {
    let (sqlite, postgres) = (TestDatabase::new(Engine::Sqlite).await, TestDatabase::new(Engine::Postgres).await);
    let (sqlite, postgres) = (shape(&sqlite).await, shape(&postgres).await);
    assert!(sqlite.len() > 50 && sqlite.values().all(|lines| lines.len() > 1), "{sqlite:?}");
    assert_eq!(lacking(&sqlite, &postgres), SQLITE_ALONE, "only SQLite has these");
    assert_eq!(lacking(&postgres, &sqlite), POSTGRES_ALONE, "only PostgreSQL has these");
}
