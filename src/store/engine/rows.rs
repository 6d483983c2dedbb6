//! Many rows of a table in one statement.
use crate::store::engine::dialect::Engine;
use crate::store::{Error, Value};

/// A table, and the columns that a row is given in. What is not among them has its default.
pub(in crate::store) struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
}

/// A statement and its parameters, which have no numbers in SQLite's form: so statements can be put together.
pub(in crate::store) type Statement = (String, Vec<Value>);

/// `head`, and `row` so many times with commas between, and `tail`.
pub(in crate::store) fn repeated(head: &str, row: &str, count: usize, tail: &str) -> String {
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
pub(in crate::store) fn insert(engine: Engine, table: &Table, rows: Vec<Vec<Value>>) -> Result<Statement, Error> {
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

/// Statements of PostgreSQL as one, so that they take one round trip. None of them sees what another has written.
pub(in crate::store) fn together(statements: Vec<Statement>) -> Option<Statement> {
    let mut statements = statements.into_iter().rev();
    let (mut sql, mut values) = statements.next()?;
    let mut parts = vec![];
    for (n, (before, more)) in statements.enumerate() {
        parts.push(format!("s{n} AS ({})", shifted(&before, values.len())));
        values.extend(more);
    }
    if !parts.is_empty() {
        sql = format!("WITH {} {sql}", parts.join(", "));
    }
    Some((sql, values))
}

/// The statement with its parameters counted from another number on.
fn shifted(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let mut shifted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        shifted.push('$');
        shifted.push_str(&number.parse().map_or_else(|_| number.to_owned(), |n: usize| (n + by).to_string()));
        shifted.push_str(rest);
    }
    shifted
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::args;

    #[test]
    fn statements_are_put_together_with_their_own_parameters() {
        let statement = |sql: &str, values: Vec<Value>| (sql.to_owned(), values);
        assert!(together(vec![]).is_none());
        let (alone, _) = together(vec![statement("DELETE FROM a WHERE x = $1", args![1_i64])]).expect("a statement");
        assert_eq!(alone, "DELETE FROM a WHERE x = $1");
        let (sql, values) = together(vec![
            statement("INSERT INTO a SELECT $2, $1", args![1_i64, 2_i64]),
            statement("INSERT INTO b VALUES ($1)", args![3_i64]),
            statement("UPDATE c SET x = $1 WHERE y = $10", (0..10_i64).map(Value::from).collect()),
        ])
        .expect("a statement");
        assert_eq!(
            sql,
            "WITH s0 AS (INSERT INTO b VALUES ($11)), s1 AS (INSERT INTO a SELECT $13, $12) UPDATE c SET x = $1 WHERE y = $10"
        );
        let expected: Vec<Value> = (0..10).chain([3, 1, 2]).map(|n: i64| Value::from(n)).collect();
        assert_eq!(format!("{values:?}"), format!("{expected:?}"));
    }
}
