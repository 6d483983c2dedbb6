//! Many rows of a table in one statement.
use crate::store::dialect::Engine;
use crate::store::{Error, Value};

/// A table, and the columns that a row is given in. What is not among them has its default.
pub(super) struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
}

/// A statement and its parameters, which have no numbers in SQLite's form: so statements can be put together.
pub(super) type Statement = (String, Vec<Value>);

/// `head`, and `row` so many times with commas between, and `tail`.
pub(super) fn repeated(head: &str, row: &str, count: usize, tail: &str) -> String {
    let mut sql = String::with_capacity(head.len() + count * (row.len() + 1) + tail.len());
    sql.push_str(head);
    for n in 0..count {
        if n > 0 {
            sql.push(',');
        }
        sql.push_str(row);
    }
    sql.push_str(tail);
    sql
}

/// The statement that adds rows to a table. PostgreSQL's is the same for any number of them.
pub(super) fn insert(engine: Engine, table: &Table, rows: Vec<Vec<Value>>) -> Result<Statement, Error> {
    let head = format!("INSERT INTO {} ({})", table.name, table.columns.join(", "));
    if engine == Engine::Postgres {
        let columns = columns(table, rows)?;
        let marks: Vec<String> = (1..).zip(&columns).map(|(n, (_, kind))| format!("${n}::{kind}[]")).collect();
        let sql = format!("{head} SELECT * FROM UNNEST({})", marks.join(", "));
        return Ok((sql, columns.into_iter().map(|(values, _)| values).collect()));
    }
    let row = repeated("(", "?", table.columns.len(), ")");
    let sql = repeated(&format!("{head} VALUES "), &row, rows.len(), "");
    Ok((sql, rows.into_iter().flatten().collect()))
}

/// The rows as columns, each with its type.
fn columns(table: &Table, rows: Vec<Vec<Value>>) -> Result<Vec<(Value, &'static str)>, Error> {
    let count = rows.len();
    let mut columns: Vec<Option<(Value, &'static str)>> = table.columns.iter().map(|_| None).collect();
    for value_row in rows {
        for (column, value) in columns.iter_mut().zip(value_row) {
            let (column, _) = column.get_or_insert_with(|| match &value {
                Value::Blob(_) => (Value::Blobs(Vec::with_capacity(count)), "bytea"),
                Value::Text(_) => (Value::Texts(Vec::with_capacity(count)), "text"),
                _ => (Value::Ints(Vec::with_capacity(count)), "bigint"),
            });
            match (column, value) {
                (Value::Ints(all), Value::Int(Some(one))) => all.push(one),
                (Value::Texts(all), Value::Text(one)) => all.push(one),
                (Value::Blobs(all), Value::Blob(one)) => all.push(one),
                _ => return Err(Error::corrupt(format_args!("a row of {} that does not fit its column", table.name))),
            }
        }
    }
    Ok(columns.into_iter().flatten().collect())
}
