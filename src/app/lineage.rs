//! Whether the database stands where it stood, and has all that this node saw of it. What was copied or restored is held: its
//! original sends the same mail.
//!
//! Two things tell. The place: of a SQLite file when it was made on its disk, which a copy does not keep; of a PostgreSQL
//! database its numbers in its server. And the beat: each node notes once a minute, in the database and beside it in the data
//! directory, that it uses the database, so that a backup ends before what the directory knows. A node with an empty directory,
//! another machine, name or path of a directory tell nothing: containers come and go. So a copy of a whole disk is not noticed
//! where it stands alone.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tokio::sync::Mutex;

use crate::app::steady;
use crate::base::{Clock, Instant, Timestamp, ids};
use crate::config::{Mode, Settings};
use crate::store::lineage::{self, Lineage};
use crate::store::{Error, Store};
use crate::workers::{Hold, Stop, tick};

/// How soon a running server follows `postrider admin release`, or another node that holds.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const BEAT_EVERY: Duration = Duration::from_secs(60);
/// A database that lacks less than this was not restored: a server that takes over from another one may lack the last moments.
const LACKS_MAX: Duration = Duration::from_secs(120);
/// In the data directory: the name of the database, and the last beat.
const FILE: &str = "lineage";
const ASKED: &str = "hold-delivery was set at a start";

/// Looks after the lineage of a database. Cheap to clone; clones are the same.
#[derive(Clone)]
pub(super) struct Watch(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    hold: Hold,
    mode: Mode,
    /// Where a SQLite database is.
    database: Option<PathBuf>,
    /// The file of the data directory; `None` in `dev`, whose directories are copied at will.
    file: Option<PathBuf>,
    seen: Mutex<Seen>,
}

/// What this node knows without the database.
#[derive(Default)]
struct Seen {
    name: String,
    beat: Option<Timestamp>,
    place: Option<String>,
    beats_at: Option<Instant>,
    /// Holding was asked for, and is not noted yet.
    asked: bool,
}

impl Watch {
    /// Looks for the first time, before anything can leave.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn begin(settings: &Settings, store: &Store, clock: &Clock) -> Result<Self, Error> {
        let file = (settings.mode == Mode::Serve).then(|| settings.data_dir.join(FILE));
        let seen = Seen { asked: settings.hold_delivery, ..file.as_deref().map(known).unwrap_or_default() };
        let database = steady::sqlite_file(settings).ok().flatten();
        let (store, clock, hold, seen) = (store.clone(), clock.clone(), Hold::default(), Mutex::new(seen));
        let watch = Self(Arc::new(Inner { store, clock, hold, mode: settings.mode, database, file, seen }));
        watch.0.begin().await?;
        watch.look().await?;
        Ok(watch)
    }

    /// What this sets.
    pub(super) fn hold(&self) -> Hold {
        self.0.hold.clone()
    }

    /// Looks again and again.
    pub(super) fn go_on(&self, stop: &Stop, clock: &Clock) {
        tick(stop, clock, "lineage", LOOK_EVERY, self.clone(), async |watch| watch.look().await);
    }

    /// Holds back or lets go, as the database says or shows.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn look(&self) -> Result<(), Error> {
        let inner = &*self.0;
        let mut seen = inner.seen.lock().await;
        let asked = || ASKED.to_owned();
        let said = match lineage::read(&mut inner.store.reader().await?).await? {
            Some(said) => Some(said),
            // The disk was full at the first start.
            None => {
                inner.begin().await?;
                lineage::read(&mut inner.store.reader().await?).await?
            }
        };
        let Some(said) = said else {
            inner.say(seen.asked.then(asked));
            return Ok(());
        };
        if seen.name != said.name {
            // What is known is of another database.
            (seen.name, seen.beat) = (said.name.clone(), None);
        }
        let beats = inner.file.is_some() && seen.beats_at.is_none_or(|at| inner.clock.instant() >= at);
        if beats || (inner.file.is_some() && seen.place != said.place) {
            seen.place = place(&inner.store, inner.database.as_deref()).await?;
        }
        let why = judge(&said, &seen).filter(|_| inner.file.is_some());
        let why = why.or_else(|| (seen.asked && said.held.is_none()).then(asked));
        let noted = match &why {
            Some(why) if said.held.as_ref() != Some(why) => inner.note(why.clone()).await?,
            _ => true,
        };
        let why = why.or(said.held);
        if noted {
            // It is held by now; what was asked for once, or that the database lacks something, counts once.
            (seen.asked, seen.beat) = (seen.asked && why.is_none(), Some(said.beat));
        }
        inner.say(why);
        if beats && noted {
            inner.beat(&mut seen).await?;
        }
        Ok(())
    }
}

impl Inner {
    /// Gives the database its mark, if it has none. Nothing is done while the disk is full.
    async fn begin(&self) -> Result<(), Error> {
        let (first, mode) = (ids::uuid(), self.mode.name());
        let begun = self.store.write(move |tx| Box::pin(async move { lineage::begin(tx, &first, mode).await })).await;
        unless_full(begun).map(drop)
    }

    /// Notes in the database that nothing leaves. `false` where the disk is full.
    async fn note(&self, why: String) -> Result<bool, Error> {
        // What may leave meanwhile is in flight.
        self.say(Some(why.clone()));
        let noted = self.store.write(move |tx| Box::pin(async move { lineage::hold(tx, &why).await })).await;
        Ok(unless_full(noted)?.is_some())
    }

    fn say(&self, why: Option<String>) {
        let held = why.clone();
        if !self.hold.set(why) {
            return;
        }
        match held {
            Some(reason) => tracing::warn!(
                reason,
                "nothing leaves this server: no mail, notification, function or object; `postrider admin release` ends that"
            ),
            None => tracing::info!("what was held leaves from now on"),
        }
    }

    /// Notes that the database is in use: in it first, so that the file never knows more.
    async fn beat(&self, seen: &mut Seen) -> Result<(), Error> {
        let place = seen.place.clone();
        let noted =
            self.store.write(move |tx| Box::pin(async move { lineage::beat(tx, place.as_deref()).await })).await;
        let (Some(Some(beat)), Some(file)) = (unless_full(noted)?, &self.file) else { return Ok(()) };
        (seen.beat, seen.beats_at) = (Some(beat), Some(self.clock.instant() + BEAT_EVERY));
        if let Err(error) = write(file, &format!("{} {}\n", seen.name, beat.micros())) {
            let file = file.display();
            tracing::warn!(%error, %file, "cannot note that the database is in use: a restored one may not be noticed");
        }
        Ok(())
    }
}

/// What was written; `None` where the disk is full, which keeps no server from starting.
fn unless_full<T>(written: Result<T, Error>) -> Result<Option<T>, Error> {
    match written {
        Ok(written) => Ok(Some(written)),
        Err(Error::Full) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why the database is not the one that was in use, if so.
fn judge(said: &Lineage, seen: &Seen) -> Option<String> {
    if let (Some(was), Some(is)) = (&said.place, &seen.place)
        && was != is
    {
        return Some(format!("the database is a copy, or was restored or moved: it is {is}, and was {was}"));
    }
    let beat = seen.beat?;
    let lacks = beat > said.beat + LACKS_MAX;
    lacks.then(|| {
        let (ends, known) = (said.beat.iso_millis(), beat.iso_millis());
        format!("the database was restored from a backup: it ends at {ends}, and this node used it until {known}")
    })
}

/// What tells this database from a copy of it. `None` where nothing does.
pub(super) async fn place(store: &Store, file: Option<&Path>) -> Result<Option<String>, Error> {
    let Some(file) = file else {
        return match store.place().await {
            // A server that stands for PostgreSQL may not know these numbers.
            Err(error) if !error.is_of_connection() => {
                tracing::debug!(%error, "the database does not say where it stands");
                Ok(None)
            }
            place => place,
        };
    };
    // A copy is a file of its own, whatever its name, owner and times say. Not every file system keeps this.
    let born = fs::metadata(file).and_then(|file| file.created()).ok();
    let born = born.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).filter(|age| !age.is_zero());
    Ok(born.map(|age| {
        let at = Timestamp::from_micros(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        format!("a file made at {} ({} ns)", at.iso_millis(), age.subsec_nanos())
    }))
}

/// What the data directory knows: nothing, where there is no such file or it cannot be read.
fn known(file: &Path) -> Seen {
    let read = || {
        let text = fs::read_to_string(file).ok()?;
        let (name, beat) = text.trim_end().split_once(' ')?;
        Some(Seen { name: name.to_owned(), beat: Some(Timestamp::from_micros(beat.parse().ok()?)), ..Seen::default() })
    };
    read().unwrap_or_default()
}

/// Whole or not at all. What a crash loses here was only to notice something by.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let fresh = file.with_extension("new");
    fs::write(&fresh, text)?;
    fs::rename(fresh, file)
}
