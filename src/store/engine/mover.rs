//! Moves what SQLite's log holds into the database, on a thread of its own: who commits does not wait for it.
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use crate::store::Error;
use crate::store::engine::pool::SqliteFile;

/// What moves the log of one database.
pub(in crate::store) struct Mover {
    file: SqliteFile,
    thread: Option<Thread>,
    at_work: bool,
    /// What is under way is about a log that is there no more.
    outdated: bool,
    /// How many pages of the log were in the database when it was moved last.
    pub(in crate::store) moved: u32,
}

/// The thread ends when this is dropped.
struct Thread {
    orders: Sender<()>,
    answers: Receiver<u32>,
}

impl Mover {
    /// Has neither thread nor connection before it is needed.
    pub(in crate::store) fn new(file: SqliteFile) -> Self {
        Self { file, thread: None, at_work: false, outdated: false, moved: 0 }
    }

    /// Whether what was begun goes on.
    pub(in crate::store) fn is_at_work(&mut self) -> bool {
        if let (true, Some(thread)) = (self.at_work, &self.thread) {
            let answer = thread.answers.try_recv();
            self.hear(answer);
        }
        self.at_work
    }

    fn hear(&mut self, answer: Result<u32, TryRecvError>) {
        match answer {
            Ok(moved) => {
                self.moved = if self.outdated { 0 } else { moved };
                (self.at_work, self.outdated) = (false, false);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => (self.thread, self.at_work, self.outdated) = (None, false, false),
        }
    }

    /// Of the log that is there now nothing was moved: SQLite has begun it anew. That may be seen before the end of the move that
    /// made it possible is heard of.
    pub(in crate::store) fn forget(&mut self) {
        (self.moved, self.outdated) = (0, self.at_work);
    }

    /// Begins to move what the log holds now; `false` when it cannot.
    pub(in crate::store) fn begin(&mut self) -> bool {
        if self.thread.is_none() {
            let started = self.start();
            self.thread = started.inspect_err(|error| tracing::warn!(%error, "cannot start to move the log")).ok();
        }
        self.at_work = self.thread.as_ref().is_some_and(|thread| thread.orders.send(()).is_ok());
        self.at_work
    }

    fn start(&self) -> Result<Thread, Error> {
        let mut connection = self.file.writer()?;
        let (orders, ordered) = channel();
        let (answer, answers) = channel();
        let work = move || {
            while let Ok(()) = ordered.recv() {
                match connection.checkpoint() {
                    Ok(moved) if answer.send(moved).is_ok() => {}
                    Ok(_) => return,
                    Err(error) => {
                        return tracing::warn!(%error, "the write-ahead log cannot be moved into the database");
                    }
                }
            }
        };
        std::thread::Builder::new().name("sqlite-mover".to_owned()).spawn(work).map_err(sqlx::Error::Io)?;
        Ok(Thread { orders, answers })
    }

    /// Waits until what was begun is done.
    #[cfg(test)]
    pub(in crate::store) fn wait(&mut self) {
        if let (true, Some(thread)) = (self.at_work, &self.thread) {
            let answer = thread.answers.recv().map_err(|_| TryRecvError::Disconnected);
            self.hear(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::open::open_sqlite;

    #[tokio::test]
    async fn a_move_that_ended_before_the_log_was_begun_anew_counts_for_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.db");
        let pools = open_sqlite(&path).await.expect("opened");
        let mut writer = SqliteFile(path.clone()).writer().expect("a connection");
        let mut mover = Mover::new(SqliteFile(path));
        writer.execute("CREATE TABLE t (a BIGINT)", vec![]).expect("made");
        for (forgets, counts) in [(false, true), (true, false), (false, true)] {
            writer.execute("INSERT INTO t VALUES (1)", vec![]).expect("written");
            assert!(mover.begin());
            if forgets {
                mover.forget();
            }
            mover.wait();
            assert_eq!((mover.is_at_work(), mover.moved > 0), (false, counts));
        }
        drop(pools);
    }
}
