//! What must differ between SQLite and PostgreSQL, and nothing else.

/// The two engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded; one process; one writer.
    Sqlite,
    /// A server, shared by several nodes.
    Postgres,
}

impl Engine {
    /// What ends a sub-select of rows to claim: other claimers pass over rows that one claimer has locked.
    /// SQLite has one writer, so nobody is there to pass over.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// What ends a select of a row that this transaction will decide on: others wait until it is done.
    pub fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE",
        }
    }

    /// What ends a select of groups whose turn has come. It does not wait for others, nor for those who only keep
    /// a group from being taken away ([`Engine::keep_row`]).
    pub fn skip_locked_for_turn(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR NO KEY UPDATE SKIP LOCKED",
        }
    }

    /// What ends a select of rows that must not be taken away until this transaction ends, though they may change.
    pub fn keep_row(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR KEY SHARE",
        }
    }

    /// What names a row of a table that has no key.
    pub fn row_id(self) -> &'static str {
        match self {
            Self::Sqlite => "rowid",
            Self::Postgres => "ctid",
        }
    }

    /// The time by the database's own clock, in microseconds. `None`: it has none but this process's.
    pub fn database_now(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("postrider_now()"),
        }
    }

    /// Whether others change rows while a transaction runs. Where nobody does, locks need no statement of their own.
    pub fn has_other_writers(self) -> bool {
        self == Self::Postgres
    }

    /// Starts a transaction that will write. SQLite takes the write lock at once, so that it cannot fail half way.
    pub(in crate::store) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }
}
