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

    /// Joins a table in the order of the text: first what stands before, then the row that it names. SQLite's planner knows nothing
    /// of how many rows a batch has, and may go through the whole table and look into the batch for each of its rows; a CROSS JOIN
    /// it leaves as it stands. PostgreSQL knows better by itself, and its CROSS JOIN takes no condition.
    pub(crate) fn join_in_order(self) -> &'static str {
        match self {
            Self::Sqlite => "CROSS JOIN",
            Self::Postgres => "JOIN",
        }
    }

    /// What ends a select of the rows of `table` that a batch names and a later part of the statement changes: they are locked in
    /// the order of ids, as by everybody, so that two who take the same rows do not wait for each other.
    pub(crate) fn lock_by_id(self, table: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" ORDER BY {table}.id FOR UPDATE OF {table}"),
        }
    }

    /// Deletes the rows of `table` whose ids the part `held` of the statement has selected as `held_id`. PostgreSQL finds them by a join, which it
    /// begins with those few; an IN would have to be made unique first. SQLite's DELETE joins nothing.
    pub(crate) fn delete_held(self, table: &str) -> String {
        match self {
            Self::Sqlite => format!("DELETE FROM {table} WHERE id IN (SELECT held_id FROM held)"),
            Self::Postgres => format!("DELETE FROM {table} USING held WHERE id = held_id"),
        }
    }

    /// How many rows a statement has at the most that is made for any number of them. SQLite keeps a prepared one for each number;
    /// PostgreSQL's is the same for all.
    pub(crate) fn rows_at_once(self) -> usize {
        match self {
            Self::Sqlite => 48,
            Self::Postgres => 512,
        }
    }

    /// Whether the parts of a WITH may change rows. Then what a batch of jobs comes to is one round trip.
    pub(crate) fn changes_in_with(self) -> bool {
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
