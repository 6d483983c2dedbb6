//! Whether the disk has room. When it has none, nothing new is taken, and what was kept back for that day is let go: so what
//! is there can be received and deleted, which writes too.
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::statvfs;

use crate::base::{Clock, Instant, Quiet};
use crate::store::engine::writer::Writer;
use crate::store::{Error, Tx};

/// How often a full disk is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// So much more than the reserve must be free before anything new is taken, in octets, and as much again as the reserve:
/// else the disk would be full again at once.
const MARGIN: u64 = 8 * 1024 * 1024;
/// Pages of SQLite's log at which a full disk's is moved into the database, so that it is written from the start again.
const LOG_PAGES: u32 = 500;

/// The room that the database has.
pub(in crate::store) struct Room {
    clock: Clock,
    full: AtomicBool,
    state: Mutex<State>,
    refused: Quiet,
    failed: Quiet,
}

#[derive(Default)]
struct State {
    /// Where SQLite's database is; PostgreSQL's disk is not ours to look at.
    reserve: Option<Reserve>,
    looked: Instant,
    /// One is let through to try whether there is room again.
    trying: bool,
}

#[derive(Clone)]
pub(super) struct Reserve {
    file: PathBuf,
    octets: u64,
}

impl Room {
    pub(in crate::store) fn new(clock: Clock) -> Self {
        let (refused, failed) = (Quiet::new(), Quiet::new());
        Self { clock, full: AtomicBool::new(false), state: Mutex::default(), refused, failed }
    }

    /// Keeps so many octets back, in a file beside the database.
    pub(in crate::store) fn keep(&self, database: &Path, octets: u64) -> io::Result<()> {
        let reserve = Reserve::of(database, octets);
        self.state().reserve = Some(reserve.clone());
        let was_let_go = fs::metadata(&reserve.file).is_ok_and(|file| file.len() == 0);
        let made = reserve.make();
        if made.is_err() && was_let_go {
            // It was full when the last run ended, and is so still.
            self.failed(&Error::Full, "");
            return Ok(());
        }
        made
    }

    /// Whether something new can be taken.
    pub(in crate::store) fn is_left(&self) -> bool {
        !self.full.load(Ordering::Acquire)
    }

    /// Refuses something new where there is no room for it. On a disk that is not ours to look at one caller is let through now
    /// and then: what becomes of it ([`Room::grew`], [`Room::failed`]) shows whether there is room again.
    pub(in crate::store) fn check(&self) -> Result<(), Error> {
        if self.is_left() || self.may_try() {
            return Ok(());
        }
        self.refused.tell(&self.clock, |left_out| tracing::warn!(left_out, "the disk is full: nothing new is taken"));
        Err(Error::Full)
    }

    /// Whether the caller is the one that tries whether there is room again.
    pub(in crate::store) fn may_try(&self) -> bool {
        let (now, mut state) = (self.clock.instant(), self.state());
        let may = state.reserve.is_none() && now.since(state.looked) >= LOOK_EVERY;
        if may {
            (state.looked, state.trying) = (now, true);
        }
        may
    }

    /// Notes that something new is durable. Where it was tried whether there is room again, there is.
    pub(in crate::store) fn grew(&self) {
        if self.is_left() {
            return;
        }
        let mut state = self.state();
        // What was on its way when the disk was found full may have found a place all the same.
        if std::mem::take(&mut state.trying) {
            self.full.store(false, Ordering::Release);
            tracing::info!("the disk has room again: what is new is taken");
        }
    }

    /// Notes a failure of the database. What fails again and again is said once a minute.
    pub(in crate::store) fn failed(&self, error: &Error, what: &str) {
        if !matches!(error, Error::Full) {
            self.failed.tell(&self.clock, |left_out| tracing::error!(%error, left_out, "{what}"));
            return;
        }
        let mut state = self.state();
        (state.looked, state.trying) = (self.clock.instant(), false);
        if self.full.swap(true, Ordering::AcqRel) {
            return;
        }
        let let_go = state.reserve.as_ref().is_some_and(|reserve| reserve.let_go().is_ok());
        drop(state);
        tracing::error!(
            let_go,
            "the disk is full: nothing new is taken until there is room again; what is there can be received and deleted"
        );
    }

    /// Looks now and then whether a full disk has room again. Called after commits, on the connection that writes.
    pub(in crate::store) fn look(&self, tx: &mut Tx) {
        let Some(writer) = tx.writer() else { return };
        if super::writer::log_pages() >= LOG_PAGES {
            let _ = writer.checkpoint();
        }
        let mut state = self.state();
        if self.clock.instant().since(state.looked) < LOOK_EVERY {
            return;
        }
        state.looked = self.clock.instant();
        let Some(reserve) = state.reserve.clone() else {
            self.full.store(false, Ordering::Release);
            return;
        };
        drop(state);
        match reserve.fits(writer) {
            Ok(true) => {
                self.full.store(false, Ordering::Release);
                tracing::info!("the disk has room again: what is new is taken");
            }
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "cannot see how much room the disk has"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserve {
    pub(super) fn of(database: &Path, octets: u64) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-reserve");
        Self { file: name.into(), octets }
    }

    /// Lets the reserve of an earlier run go where the disk has nearly no room. Whether it was so.
    pub(super) fn make_way(&self) -> io::Result<bool> {
        let held = fs::metadata(&self.file).map_or(0, |file| file.len());
        let full = held > 0 && self.free()? < MARGIN;
        if full {
            self.let_go()?;
        }
        Ok(full)
    }

    fn make(&self) -> io::Result<()> {
        if self.octets == 0 {
            return match fs::remove_file(&self.file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let held = fs::metadata(&self.file).map_or(0, |file| file.len());
        if self.free()? < (self.octets + MARGIN).saturating_sub(held) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&self.file)?;
        file.set_len(self.octets)?;
        let made = posix_fallocate(&file, 0, i64::try_from(self.octets).unwrap_or(i64::MAX));
        if made.is_err() {
            // A part of it would only be in the way.
            file.set_len(0)?;
        }
        Ok(made?)
    }

    /// Gives the room back. The empty file says that it was so, until there is room again.
    fn let_go(&self) -> io::Result<()> {
        File::options().write(true).open(&self.file)?.set_len(0)
    }

    /// What is free on the disk, in octets.
    fn free(&self) -> io::Result<u64> {
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let disk = statvfs(folder)?;
        #[allow(clippy::useless_conversion, reason = "these are of other sizes elsewhere")]
        Ok(u64::from(disk.blocks_available()).saturating_mul(u64::from(disk.fragment_size())))
    }

    /// Keeps the reserve back again, if much more than that is free on the disk and in the database itself, where what was
    /// deleted has left room.
    fn fits(&self, writer: &mut Writer) -> Result<bool, Error> {
        writer.empty_log()?;
        let mut number = |pragma: &str, column: &str| -> Result<u64, Error> {
            let rows = writer.fetch(pragma, vec![])?;
            let value: i64 = rows.first().map_or(Ok(0), |row| row.get(column))?;
            Ok(u64::try_from(value).unwrap_or(0))
        };
        let inside = number("PRAGMA freelist_count", "freelist_count")? * number("PRAGMA page_size", "page_size")?;
        let outside = self.free().map_err(sqlx::Error::Io)?;
        if !self.is_worth(outside, inside) {
            return Ok(false);
        }
        Ok(self.make().is_ok())
    }

    fn is_worth(&self, outside: u64, inside: u64) -> bool {
        outside >= self.octets + MARGIN
            && outside.saturating_add(inside) >= self.octets.saturating_mul(2).saturating_add(MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn what_is_kept_back_is_let_go_when_the_disk_is_full() {
        let dir = tempfile::tempdir().expect("a folder");
        let room = Room::new(Clock::manual(Timestamp::from_secs(1)));
        room.keep(&dir.path().join("db"), MIB).expect("kept");
        let file = dir.path().join("db-reserve");
        assert_eq!(fs::metadata(&file).expect("the reserve").len(), MIB);
        room.failed(&Error::Closed, "something else");
        assert!(room.check().is_ok());
        room.failed(&Error::Full, "a commit");
        assert!(matches!(room.check(), Err(Error::Full)));
        assert_eq!(fs::metadata(&file).expect("a sign of it").len(), 0);
    }

    #[test]
    fn where_the_disk_cannot_be_seen_a_try_shows_whether_there_is_room() {
        let clock = Clock::manual(Timestamp::from_secs(1));
        let room = Room::new(clock.clone());
        room.failed(&Error::Full, "a commit");
        assert!(room.check().is_err());
        clock.advance(LOOK_EVERY);
        assert!(room.check().is_ok(), "one tries");
        assert!(room.check().is_err(), "and no other, until it is known");
        room.failed(&Error::Full, "a commit");
        clock.advance(LOOK_EVERY - Duration::from_secs(1));
        assert!(room.check().is_err() && !room.is_left());
        room.grew();
        assert!(!room.is_left(), "this was on its way before");
        clock.advance(Duration::from_secs(1));
        assert!(room.check().is_ok());
        room.grew();
        assert!(room.check().is_ok() && room.check().is_ok());
    }

    #[test]
    fn there_is_room_again_when_more_than_the_reserve_is_free_on_the_disk_and_in_the_database() {
        let reserve = Reserve { file: "db-reserve".into(), octets: 64 * MIB };
        for (outside, inside, worth) in
            [(71, 900, false), (72, 10, false), (72, 64, true), (136, 0, true), (135, 0, false)]
        {
            assert_eq!(reserve.is_worth(outside * MIB, inside * MIB), worth, "{outside} {inside}");
        }
    }
}
