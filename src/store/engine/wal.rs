//! SQLite's write-ahead log, and how it is kept from growing without end.
//!
//! SQLite would move the log into the database within a commit, for which all who commit then would wait. A thread of its own
//! moves it instead, and the lane only what came meanwhile; then SQLite writes the log from the start again, if it finds nobody
//! reading. On a busy server somebody always reads, so that sometimes the log is emptied.
use crate::store::engine::mover::Mover;
use crate::store::engine::pool::SqliteFile;
use crate::store::engine::writer::log_pages;
use crate::store::{Error, Tx};

/// Pages of the log, of 4 KiB, at which it is moved: 64 MiB. While it is moved each sync takes longer, and what is written
/// again before that is moved once.
const MOVE_AT: u32 = 16_000;
/// As many pages, and the lane moves them itself.
const REST_MAX: u32 = 600;
/// Pages that come before the next look.
const STEP: u32 = 100;
/// Pages that the log may have: four times what it has when nobody is in the way.
const PAGES_MAX: u32 = 64_000;

/// The log of one database.
pub(in crate::store) struct Wal {
    mover: Mover,
    move_at: u32,
    pages_max: u32,
    /// Pages at the last look, and those at which there is the next one.
    seen: u32,
    next: u32,
}

impl Wal {
    /// The log beside a database.
    pub(in crate::store) fn of(file: SqliteFile) -> Self {
        Self { mover: Mover::new(file), move_at: MOVE_AT, pages_max: PAGES_MAX, seen: 0, next: 0 }
    }

    /// Moves the log into the database when it is long. Called after each commit, on the connection that writes.
    ///
    /// # Errors
    /// When it cannot be moved: the disk may be full.
    pub(in crate::store) fn tidy(&mut self, tx: &mut Tx) -> Result<(), Error> {
        let pages = log_pages();
        if pages < self.seen {
            // SQLite writes it from the start again.
            self.next = 0;
            self.mover.forget();
        }
        self.seen = pages;
        if pages < self.next.max(self.move_at) || self.mover.is_at_work() {
            return Ok(());
        }
        self.next = pages + STEP;
        let Some(writer) = tx.writer() else { return Ok(()) };
        let moved = if pages > self.pages_max {
            writer.empty_log()
        } else if pages.saturating_sub(self.mover.moved) <= REST_MAX || !self.mover.begin() {
            writer.checkpoint()
        } else {
            return Ok(());
        };
        self.mover.moved = moved?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::sync::Arc;

    use crate::base::Clock;
    use crate::store::engine::open::open_sqlite;
    use crate::store::engine::pool::Pool;

    const MIB: u64 = 1024 * 1024;

    async fn opened(path: &Path) -> (Tx, Tx, Wal) {
        let connection = async |pool: &Pool| {
            Tx::of_lane(pool.connection().await.expect("a connection"), Clock::system(), Arc::default(), Arc::default())
        };
        let opened = open_sqlite(path).await.expect("opened");
        (connection(&opened.writers).await, connection(&opened.readers).await, Wal::of(SqliteFile(path.to_owned())))
    }

    fn size(path: &Path) -> u64 {
        std::fs::metadata(path.with_extension("db-wal")).expect("the log").len()
    }

    #[tokio::test]
    async fn a_log_that_readers_made_large_is_emptied() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.db");
        let (mut writer, mut reader, mut wal) = opened(&path).await;
        (wal.move_at, wal.pages_max) = (500, 1_000);

        // Somebody reads all the time: SQLite cannot begin the log anew.
        reader.control("BEGIN").await.expect("begun");
        reader.control("SELECT COUNT(*) FROM queues").await.expect("read");
        writer.control("CREATE TABLE large AS SELECT zeroblob(20000000) AS bytes").await.expect("written");
        reader.control("COMMIT").await.expect("done");
        assert!(size(&path) > 19 * MIB);

        wal.tidy(&mut writer).expect("tidy");
        assert_eq!(size(&path), 0);
    }

    #[tokio::test]
    async fn a_log_is_moved_beside_the_commits_and_begun_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.db");
        let (mut writer, mut reader, mut wal) = opened(&path).await;
        wal.move_at = 4_000;
        writer.control("CREATE TABLE large (bytes BLOB)").await.expect("made");
        for n in 0..300 {
            writer.control("INSERT INTO large VALUES (zeroblob(400000))").await.expect("written");
            wal.tidy(&mut writer).expect("tidy");
            if n % 3 == 0 {
                wal.mover.wait();
            }
        }
        assert!(size(&path) < 30 * MIB, "{}", size(&path));
        let rows =
            reader.one("SELECT COUNT(*) AS n, MIN(LENGTH(bytes)) AS least FROM large", vec![]).await.expect("read");
        let row = rows.expect("a row");
        assert_eq!((row.int("n").expect("n"), row.int("least").expect("least")), (300, 400_000));
    }
}
