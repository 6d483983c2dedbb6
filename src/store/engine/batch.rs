//! Statements that are written once for both engines, with a `?` for each parameter, for a list of values and for a batch of
//! rows. SQLite's parameters stay without numbers: it would look each number up in a list, one by one.
use sqlx::AssertSqlSafe;

use crate::store::engine::dialect::Engine;
use crate::store::{Error, Value};

/// Numbers of rows that a [`Batch::steady`] is filled up to.
const STEADY: [usize; 6] = [1, 8, 32, 128, 512, 2_048];

/// What stands for a `?` in a statement.
pub(in crate::store) enum Part {
    /// One parameter.
    One(Value),
    /// The values after `IN `, at least one, all of one type and none of them NULL: `= ANY($1::text[])` or `IN (?,?)`.
    List(Vec<Value>),
    /// Rows after `WITH `, to be read from under the name of the batch: `w (a, b) AS (…)`.
    Rows(Batch),
}

impl<T: Into<Value>> From<T> for Part {
    fn from(value: T) -> Self {
        Self::One(value.into())
    }
}

impl From<Batch> for Part {
    fn from(batch: Batch) -> Self {
        Self::Rows(batch)
    }
}

/// The parts of a statement, in the order of its text: `parts![id, in_list(names), batch]`.
macro_rules! parts {
    ($($part:expr),* $(,)?) => { vec![$($crate::store::engine::batch::Part::from($part)),*] };
}
pub(in crate::store) use parts;

/// The values after `IN `.
pub(in crate::store) fn in_list<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Part {
    Part::List(values.into_iter().map(Into::into).collect())
}

/// Rows that a statement reads from: PostgreSQL gets an array for each column, so that its text is the same for any number of
/// rows, SQLite gets them as VALUES.
pub(in crate::store) struct Batch {
    name: &'static str,
    columns: &'static [&'static str],
    /// Row after row.
    values: Vec<Value>,
}

impl Batch {
    /// Rows of `columns`, to be read from under `name`. A column is of the type of its first value: TEXT and BLOB may be NULL, a
    /// BIGINT may not.
    pub(in crate::store) fn of<R>(
        name: &'static str,
        columns: &'static [&'static str],
        rows: impl IntoIterator<Item = R>,
    ) -> Self
    where
        R: IntoIterator<Item = Value>,
    {
        Self { name, columns, values: rows.into_iter().flatten().collect() }
    }

    /// The same with its last row again and again, up to one of a few numbers of rows: SQLite keeps a prepared statement for each
    /// number. PostgreSQL gets the rows as they are. For a statement that does the same with a row that it meets twice.
    pub(in crate::store) fn steady(mut self, engine: Engine) -> Self {
        if engine == Engine::Postgres {
            return self;
        }
        let width = self.columns.len().max(1);
        let rows = self.values.len() / width;
        let wanted = STEADY.into_iter().find(|count| *count >= rows).unwrap_or(rows);
        let last = self.values.get(self.values.len().saturating_sub(width)..).unwrap_or_default().to_vec();
        for _ in rows..wanted {
            self.values.extend_from_slice(&last);
        }
        self
    }
}

/// A statement with its parameters.
#[derive(Debug)]
pub struct Statement {
    engine: Engine,
    text: String,
    /// Where in the text PostgreSQL's parameters stand. They get their numbers at the end, so that statements can be put together.
    places: Vec<usize>,
    values: Vec<Value>,
}

impl Statement {
    /// The statement that `text` says, with a part for each `?` in it.
    ///
    /// # Errors
    /// When there are more or fewer parts than marks, or a part cannot stand where it does.
    pub(in crate::store) fn of(engine: Engine, text: &str, parts: Vec<Part>) -> Result<Self, Error> {
        let mut whole = Self::empty(engine);
        let mut parts = parts.into_iter();
        for (n, text) in text.split('?').enumerate() {
            if n > 0 {
                whole.part(parts.next().ok_or_else(|| Error::corrupt("a statement lacks a parameter"))?)?;
            }
            whole.text.push_str(text);
        }
        match parts.next() {
            None => Ok(whole),
            Some(_) => Err(Error::corrupt("a statement has a parameter too many")),
        }
    }

    /// A statement that is still to be written.
    pub(in crate::store) fn empty(engine: Engine) -> Self {
        Self { engine, text: String::new(), places: vec![], values: vec![] }
    }

    /// Writes text without a parameter.
    pub(in crate::store) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes another statement.
    pub(in crate::store) fn append(&mut self, other: Self) {
        let before = self.text.len();
        self.places.extend(other.places.into_iter().map(|place| place + before));
        self.text.push_str(&other.text);
        self.values.extend(other.values);
    }

    /// Writes rows as a table that can be selected from or inserted: `VALUES (?,?),(?,?)`, or a SELECT from one array for each
    /// column.
    pub(in crate::store) fn rows(&mut self, width: usize, values: Vec<Value>) -> Result<(), Error> {
        if values.is_empty() || !values.len().is_multiple_of(width) {
            return Err(Error::corrupt("a batch without rows, or with a row that is not whole"));
        }
        match self.engine {
            Engine::Sqlite => {
                let row = repeated("(", "?", width, ")");
                self.text.push_str(&repeated("VALUES ", &row, values.len() / width, ""));
                self.values.extend(values);
            }
            Engine::Postgres => {
                self.text.push_str("SELECT * FROM UNNEST(");
                for (n, (array, kind)) in arrays(width, values)?.into_iter().enumerate() {
                    self.text.push_str(if n > 0 { ", " } else { "" });
                    self.one(array);
                    self.text.push_str(kind);
                }
                self.text.push(')');
            }
        }
        Ok(())
    }

    /// The text as the engine takes it, and the parameters.
    pub(in crate::store) fn ready(self) -> (AssertSqlSafe<String>, Vec<Value>) {
        if self.places.is_empty() {
            return (AssertSqlSafe(self.text), self.values);
        }
        let mut text = String::with_capacity(self.text.len() + 4 * self.places.len());
        let mut from = 0;
        for (number, place) in (1..).zip(&self.places) {
            text.push_str(self.text.get(from..*place).unwrap_or_default());
            text.push_str(&format!("${number}"));
            from = *place;
        }
        text.push_str(self.text.get(from..).unwrap_or_default());
        (AssertSqlSafe(text), self.values)
    }

    fn part(&mut self, part: Part) -> Result<(), Error> {
        match part {
            Part::One(value) => self.one(value),
            Part::List(values) => self.list(values)?,
            Part::Rows(batch) => {
                self.text.push_str(&format!("{} ({}) AS (", batch.name, batch.columns.join(", ")));
                self.rows(batch.columns.len(), batch.values)?;
                self.text.push(')');
            }
        }
        Ok(())
    }

    fn one(&mut self, value: Value) {
        match self.engine {
            Engine::Sqlite => self.text.push('?'),
            Engine::Postgres => self.places.push(self.text.len()),
        }
        self.values.push(value);
    }

    fn list(&mut self, values: Vec<Value>) -> Result<(), Error> {
        let Some(before) = self.text.strip_suffix("IN ").map(str::len).filter(|_| !values.is_empty()) else {
            return Err(Error::corrupt("a list without values, or not after IN"));
        };
        match self.engine {
            Engine::Sqlite => {
                self.text.push_str(&repeated("(", "?", values.len(), ")"));
                self.values.extend(values);
            }
            Engine::Postgres => {
                self.text.truncate(before);
                self.text.push_str("= ANY(");
                for (array, kind) in arrays(1, values)? {
                    self.one(array);
                    self.text.push_str(kind);
                }
                self.text.push(')');
            }
        }
        Ok(())
    }
}

/// Statements of PostgreSQL as one, so that they take one round trip. None of them sees what another has written, and the last one
/// runs first.
pub(in crate::store) fn together(mut statements: Vec<Statement>) -> Option<Statement> {
    let last = statements.pop()?;
    let mut whole = Statement::empty(last.engine);
    for (n, before) in statements.into_iter().rev().enumerate() {
        whole.text.push_str(&if n > 0 { format!(", s{n} AS (") } else { "WITH s0 AS (".to_owned() });
        whole.append(before);
        whole.text.push(')');
    }
    if !whole.text.is_empty() {
        whole.text.push(' ');
    }
    whole.append(last);
    Some(whole)
}

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

/// Rows as an array for each column, with the cast to its type.
fn arrays(width: usize, values: Vec<Value>) -> Result<Vec<(Value, &'static str)>, Error> {
    let count = values.len() / width;
    let mut columns: Vec<(Value, &'static str)> = Vec::with_capacity(width);
    for (n, value) in values.into_iter().enumerate() {
        if n < width {
            columns.push(match &value {
                Value::Blob(_) => (Value::Blobs(Vec::with_capacity(count)), "::bytea[]"),
                Value::Text(_) => (Value::Texts(Vec::with_capacity(count)), "::text[]"),
                _ => (Value::Ints(Vec::with_capacity(count)), "::bigint[]"),
            });
        }
        match (columns.get_mut(n % width).map(|(column, _)| column), value) {
            (Some(Value::Ints(all)), Value::Int(Some(one))) => all.push(one),
            (Some(Value::Texts(all)), Value::Text(one)) => all.push(one),
            (Some(Value::Blobs(all)), Value::Blob(one)) => all.push(one),
            _ => return Err(Error::corrupt("a row that does not fit its columns")),
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::args;

    fn ready(engine: Engine, text: &str, parts: Vec<Part>) -> (String, Vec<Value>) {
        let (text, values) = Statement::of(engine, text, parts).expect("a statement").ready();
        (text.0, values)
    }

    fn pair(a: i64, b: Option<&str>) -> Vec<Value> {
        args![a, b]
    }

    #[test]
    fn one_text_serves_both_engines() {
        let text = "WITH ? UPDATE t SET x = ?, price = '$1' FROM w WHERE t.id = w.id AND t.name IN ? AND y = ?";
        let parts = || {
            let rows = [pair(1, None), pair(2, Some("b"))];
            parts![Batch::of("w", &["id", "note"], rows), 5_i64, in_list(["p", "q"]), "end"]
        };
        let (sql, values) = ready(Engine::Sqlite, text, parts());
        assert_eq!(
            sql,
            "WITH w (id, note) AS (VALUES (?,?),(?,?)) UPDATE t SET x = ?, price = '$1' FROM w \
             WHERE t.id = w.id AND t.name IN (?,?) AND y = ?"
        );
        let expected = args![1_i64, None::<&str>, 2_i64, "b", 5_i64, "p", "q", "end"];
        assert_eq!(format!("{values:?}"), format!("{expected:?}"));
        let (sql, values) = ready(Engine::Postgres, text, parts());
        assert_eq!(
            sql,
            "WITH w (id, note) AS (SELECT * FROM UNNEST($1::bigint[], $2::text[])) UPDATE t SET x = $3, price = '$1' \
             FROM w WHERE t.id = w.id AND t.name = ANY($4::text[]) AND y = $5"
        );
        let texts = |texts: &[Option<&str>]| Value::Texts(texts.iter().map(|text| text.map(str::to_owned)).collect());
        let expected = [
            Value::Ints(vec![1, 2]),
            texts(&[None, Some("b")]),
            5_i64.into(),
            texts(&[Some("p"), Some("q")]),
            "end".into(),
        ];
        assert_eq!(format!("{values:?}"), format!("{expected:?}"));
    }

    #[test]
    fn a_statement_that_is_not_whole_is_none() {
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let rows = |rows: Vec<Vec<Value>>| parts![Batch::of("w", &["a", "b"], rows)];
            for (text, parts) in [
                ("SELECT ?, ?", parts![1_i64]),
                ("SELECT ?", parts![1_i64, 2_i64]),
                ("SELECT 1 WHERE a IN ?", parts![in_list(Vec::<i64>::new())]),
                ("SELECT 1 WHERE a = ?", parts![in_list([1_i64])]),
                ("WITH ? SELECT 1", rows(vec![])),
                ("WITH ? SELECT 1", rows(vec![args![1_i64]])),
            ] {
                assert!(Statement::of(engine, text, parts).is_err(), "{text}");
            }
        }
        let mixed = || parts![Batch::of("w", &["a"], [args![1_i64], args!["x"]])];
        assert!(Statement::of(Engine::Postgres, "WITH ? SELECT 1", mixed()).is_err());
    }

    #[test]
    fn a_steady_batch_has_one_of_a_few_sizes() {
        for (rows, filled) in [(1, 1), (2, 8), (8, 8), (9, 32), (600, 2_048), (2_048, 2_048), (3_000, 3_000)] {
            let batch = Batch::of("w", &["a", "b"], (0..rows).map(|n| args![n, n + 1])).steady(Engine::Sqlite);
            assert_eq!(batch.values.len(), 2 * filled);
            let last = format!("{:?}", args![rows - 1, rows]);
            assert_eq!(format!("{:?}", &batch.values[2 * filled - 2..]), last);
        }
    }

    #[test]
    fn statements_are_put_together_with_their_own_parameters() {
        let statement = |sql: &str, values: Vec<Value>| {
            Statement::of(Engine::Postgres, sql, values.into_iter().map(Part::One).collect()).expect("a statement")
        };
        assert!(together(vec![]).is_none());
        let alone = together(vec![statement("DELETE FROM a WHERE x = ?", args![1_i64])]).expect("a statement");
        assert_eq!(alone.ready().0.0, "DELETE FROM a WHERE x = $1");
        let (sql, values) = together(vec![
            statement("INSERT INTO a SELECT '$1', ?, ?", args![1_i64, 2_i64]),
            statement("INSERT INTO b VALUES (?)", args![3_i64]),
            statement("UPDATE c SET x = ? WHERE y = ?", args![4_i64, 5_i64]),
        ])
        .expect("a statement")
        .ready();
        assert_eq!(
            sql.0,
            "WITH s0 AS (INSERT INTO b VALUES ($1)), s1 AS (INSERT INTO a SELECT '$1', $2, $3) \
             UPDATE c SET x = $4 WHERE y = $5"
        );
        let expected: Vec<Value> = [3, 1, 2, 4, 5].map(|n: i64| Value::from(n)).to_vec();
        assert_eq!(format!("{values:?}"), format!("{expected:?}"));
    }
}
