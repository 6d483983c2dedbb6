//! The lanes of a store, and the doors to them.
use std::any::TypeId;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::DropGuard;

use crate::base::Clock;
use crate::store::Error;
use crate::store::engine::floors::Floors;
use crate::store::engine::hints::Hints;
use crate::store::engine::jobs::Job;
use crate::store::engine::lane::{Lane, Queue};
use crate::store::engine::merged::{Kind, One, Registered};
use crate::store::engine::pool::Pool;
use crate::store::engine::room::Room;
use crate::store::engine::waiting::Waiting;
use crate::store::engine::wake::Wakes;
use crate::store::engine::wal::Wal;
use crate::store::vault::Vault;

/// How many changes may wait at a door before the next caller has to wait for room.
const WAITING_MAX: usize = 4_096;
/// How many changes one commit may carry: enough to hide the sync, few enough to keep answers quick.
const JOBS_PER_COMMIT_MAX: usize = 256;
/// PostgreSQL: lanes for closures, one in each transaction.
const CHANGE_LANES: usize = 8;
/// PostgreSQL: lanes for each kind of values. While the commit of one is on its way, the other gathers the next.
const VALUE_LANES: usize = 2;

/// All lanes to PostgreSQL, and so all connections that write.
pub(in crate::store) const fn postgres_lanes(kinds: &[Registered]) -> usize {
    CHANGE_LANES + kinds.len() * VALUE_LANES
}

/// Where changes wait for a lane, and values, each kind at its door. Several doors may lead to one lane.
pub(in crate::store) struct Doors {
    changes: mpsc::Sender<Waiting>,
    behind: mpsc::Sender<Waiting>,
    /// In the order of the kinds.
    values: Vec<(TypeId, mpsc::Sender<Waiting>)>,
}

impl Doors {
    /// Hands a change in. Waits for room, no more.
    pub(in crate::store) async fn change(&self, change: Box<dyn Job>) -> Result<(), Error> {
        self.changes.send(Waiting::Change(change)).await.map_err(|_| Error::Closed)
    }

    /// The same for a change for which no caller waits.
    pub(in crate::store) async fn change_behind(&self, change: Box<dyn Job>) -> Result<(), Error> {
        self.behind.send(Waiting::Change(change)).await.map_err(|_| Error::Closed)
    }

    /// The same for a caller's value. A kind that is not among those that the store was opened with has no door.
    pub(in crate::store) async fn value<K: Kind>(&self, one: One<K>) -> Result<(), Error> {
        let place = self.values.iter().position(|(kind, _)| *kind == TypeId::of::<K>());
        let (place, (_, door)) = place.and_then(|n| Some((n, self.values.get(n)?))).ok_or(Error::Closed)?;
        door.send(Waiting::Value(place, Box::new(one))).await.map_err(|_| Error::Closed)
    }
}

/// What all lanes share.
pub(in crate::store) struct Lanes {
    /// The kinds of values that there are.
    pub(in crate::store) kinds: &'static [Registered],
    pub(in crate::store) pool: Arc<Pool>,
    pub(in crate::store) clock: Clock,
    pub(in crate::store) vault: Arc<Vault>,
    pub(in crate::store) wakes: Arc<Wakes>,
    pub(in crate::store) floors: Arc<Floors>,
    pub(in crate::store) room: Arc<Room>,
    pub(in crate::store) hints: Option<Arc<Hints>>,
    pub(in crate::store) alive: Arc<DropGuard>,
}

fn door() -> (mpsc::Sender<Waiting>, Queue) {
    let (door, queue) = mpsc::channel(WAITING_MAX);
    (door, Arc::new(Mutex::new(queue)))
}

impl Lanes {
    /// Starts the one lane that writes to SQLite, and its log. It has a thread, on which the statements run: so a commit
    /// costs two switches between threads, however many statements it has.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub(in crate::store) fn start_sqlite(&self, log: Wal) -> Result<Doors, Error> {
        let ((door, queue), (behind, later)) = (door(), door());
        // A lane ends by itself when the last clone of the store is dropped.
        let lane = Lane { behind: Some(later), ..self.lane(&queue, JOBS_PER_COMMIT_MAX, 1) }.run(Some(log));
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("sqlite-writer".to_owned());
        thread.spawn(move || runtime.block_on(lane)).map_err(sqlx::Error::Io)?;
        let values = self.kinds.iter().map(|kind| ((kind.id)(), door.clone())).collect();
        Ok(Doors { changes: door, behind, values })
    }

    /// Starts the lanes to PostgreSQL.
    pub(in crate::store) fn start_postgres(&self) -> Doors {
        let start = |count, jobs_per_commit_max| {
            let (door, queue) = door();
            for _ in 0..count {
                tokio::spawn(self.lane(&queue, jobs_per_commit_max, postgres_lanes(self.kinds) + 1).run(None));
            }
            door
        };
        // Values have lanes of their own, so a change for which nobody waits can share those of the others.
        let changes = start(CHANGE_LANES, 1);
        let values = self.kinds.iter().map(|kind| ((kind.id)(), start(VALUE_LANES, JOBS_PER_COMMIT_MAX))).collect();
        Doors { behind: changes.clone(), changes, values }
    }

    fn lane(&self, queue: &Queue, jobs_per_commit_max: usize, begins_max: usize) -> Lane {
        Lane {
            kinds: self.kinds,
            queue: queue.clone(),
            behind: None,
            pool: self.pool.clone(),
            clock: self.clock.clone(),
            vault: self.vault.clone(),
            wakes: self.wakes.clone(),
            floors: self.floors.clone(),
            room: self.room.clone(),
            hints: self.hints.clone(),
            _alive: self.alive.clone(),
            jobs_per_commit_max,
            begins_max,
        }
    }
}
