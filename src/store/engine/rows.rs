//! Many rows of a table in one statement.
use crate::store::engine::batch::Statement;
use crate::store::engine::dialect::Engine;
use crate::store::{Error, Value};

/// A table, and the columns that a row is given in. What is not among them has its default.
pub(in crate::store) struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
}

/// The statement that adds rows to a table. PostgreSQL's is the same for any number of them.
///
/// # Errors
/// When there is no row, or one does not fit the columns.
pub(in crate::store) fn insert<R>(
    engine: Engine,
    table: &Table,
    rows: impl IntoIterator<Item = R>,
) -> Result<Statement, Error>
where
    R: IntoIterator<Item = Value>,
{
    let mut statement = Statement::empty(engine);
    statement.text(&format!("INSERT INTO {} ({}) ", table.name, table.columns.join(", ")));
    statement.rows(table.columns.len(), rows.into_iter().flatten().collect())?;
    Ok(statement)
}

/// `$from, $from+1, …`: `count` parameters.
pub(in crate::store) fn placeholders(from: usize, count: usize) -> String {
    let placeholders: Vec<String> = (from..from + count).map(|n| format!("${n}")).collect();
    placeholders.join(", ")
}

/// The values that stand before, and names after them.
pub(in crate::store) fn with_names(mut first: Vec<Value>, names: &[String]) -> Vec<Value> {
    first.extend(names.iter().map(Value::from));
    first
}
