//! SQLite's write-ahead log, and how it is kept from growing without end.
//!
//! SQLite moves the log into the database by itself, but writes it from the start again only when it finds nobody reading.
//! On a busy server somebody always reads.
use std::path::{Path, PathBuf};

use crate::store::Tx;

/// How large the log may become: four times what SQLite keeps it at when nobody is in the way.
const SIZE_MAX: u64 = 64 * 1024 * 1024;
/// Commits between two looks.
const LOOK_EVERY: u32 = 64;

/// The log of one database.
pub(super) struct Wal {
    path: PathBuf,
    size_max: u64,
    commits: u32,
}

impl Wal {
    /// The log beside a database.
    pub(super) fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), size_max: SIZE_MAX, commits: 0 }
    }

    /// Empties the log when it is too large. Called after each commit, on the connection that writes. New readers wait
    /// meanwhile for those that read now; reads here are short.
    pub(super) async fn tidy(&mut self, tx: &mut Tx) {
        self.commits += 1;
        if self.commits < LOOK_EVERY {
            return;
        }
        self.commits = 0;
        if std::fs::metadata(&self.path).is_ok_and(|log| log.len() > self.size_max)
            && let Err(error) = tx.control("PRAGMA wal_checkpoint(TRUNCATE)").await
        {
            tracing::warn!(%error, "the write-ahead log cannot be emptied");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::base::Clock;
    use crate::store::lane::Pool;
    use crate::store::open::open_sqlite;

    async fn connection(pool: &Pool) -> Tx {
        Tx::of_lane(pool.connection().await.expect("a connection"), Clock::system(), Arc::default(), Arc::default())
    }

    #[tokio::test]
    async fn a_log_that_readers_made_large_is_emptied() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("db");
        let (writers, readers) = open_sqlite(&path).await.expect("opened");
        let (mut writer, mut reader) = (connection(&writers).await, connection(&readers).await);
        let mut wal = Wal { size_max: 1024 * 1024, ..Wal::beside(&path) };
        let size = || std::fs::metadata(dir.path().join("db-wal")).expect("the log").len();

        // Somebody reads all the time: SQLite cannot begin the log anew.
        reader.control("BEGIN").await.expect("begun");
        reader.control("SELECT COUNT(*) FROM queues").await.expect("read");
        writer.control("CREATE TABLE large AS SELECT zeroblob(20000000) AS bytes").await.expect("written");
        reader.control("COMMIT").await.expect("done");
        assert!(size() > 20_000_000);

        for _ in 1..LOOK_EVERY {
            wal.tidy(&mut writer).await;
        }
        assert!(size() > 20_000_000, "not at every commit");
        wal.tidy(&mut writer).await;
        assert_eq!(size(), 0);
    }
}
