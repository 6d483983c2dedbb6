//! Tables whose rows nodes keep for a while, and what changes them.
use sqlx::SqlSafeStr;

use crate::store::{Error, Row, Tx, Value};

/// A table whose rows nodes keep ([`Kept`](crate::base::Kept)). It is declared once, in the room that writes it, and is
/// written by the functions below only: so each change makes what is kept stale. `tests/architecture` finds statements
/// that pass them by.
pub(in crate::store) struct KeptTable {
    name: &'static str,
}

impl KeptTable {
    pub(in crate::store) const fn new(name: &'static str) -> Self {
        Self { name }
    }
}

impl Tx {
    /// Runs a statement that changes a kept table, and says how many rows it changed.
    pub(in crate::store) async fn change(
        &mut self,
        table: &KeptTable,
        sql: impl SqlSafeStr,
        args: Vec<Value>,
    ) -> Result<u64, Error> {
        tracing::trace!(table = table.name, "a kept table is changed");
        self.settings_changed();
        self.run(sql, args).await
    }

    /// The same for a statement that gives rows back.
    pub(in crate::store) async fn change_returning(
        &mut self,
        table: &KeptTable,
        sql: impl SqlSafeStr,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        tracing::trace!(table = table.name, "a kept table is changed");
        self.settings_changed();
        self.all(sql, args).await
    }

    /// Runs a statement that writes to a kept table nothing that is kept: it holds a row until the end, adds one where
    /// nobody keeps that there is none, or notes what only the database is asked for.
    pub(in crate::store) async fn touch(
        &mut self,
        _: &KeptTable,
        sql: impl SqlSafeStr,
        args: Vec<Value>,
    ) -> Result<u64, Error> {
        self.run(sql, args).await
    }

    /// The same for a statement that gives rows back.
    pub(in crate::store) async fn touch_returning(
        &mut self,
        _: &KeptTable,
        sql: impl SqlSafeStr,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        self.all(sql, args).await
    }
}
