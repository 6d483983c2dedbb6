//! Stopping in two steps: first nothing new begins, then, after a grace period, what still runs is cut off.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::Clock;

/// The two signals, and the list of who still works. Cheap to clone.
#[derive(Clone)]
pub struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
    busy: Arc<Mutex<BTreeMap<&'static str, Count>>>,
    clock: Clock,
}

/// The tasks of one name.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    begun: usize,
    ended: usize,
}

impl Stop {
    /// Nothing is stopping yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            tasks: TaskTracker::new(),
            busy: Arc::default(),
            clock,
        }
    }

    /// Cancelled when nothing new may begin: listeners close, no job is claimed.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when what still runs must end now.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Runs a task that [`Stop::finish`] waits for, under a name for the log.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let ends = Ends { busy: self.busy.clone(), name };
        locked(&self.busy).entry(name).or_default().begun += 1;
        self.tasks.spawn(async move {
            // Dropped also where the task panics.
            let _ends = ends;
            task.await;
        });
    }

    /// The names of tasks that have ended although nothing stops.
    pub fn ended(&self) -> Vec<&'static str> {
        if self.soft.is_cancelled() {
            return vec![];
        }
        locked(&self.busy).iter().filter(|(_, count)| count.ended > 0).map(|(name, _)| *name).collect()
    }

    /// The names of all tasks that were begun, and whether none of that name has ended.
    pub fn tasks(&self) -> Vec<(&'static str, bool)> {
        locked(&self.busy).iter().map(|(name, count)| (*name, count.ended == 0)).collect()
    }

    /// Stops: first softly, and after `grace` hard. Returns once every task has ended. Logs who still works every
    /// five seconds.
    pub async fn finish(&self, grace: Duration) {
        self.soft.cancel();
        self.tasks.close();
        let began = self.clock.instant();
        loop {
            if self.clock.timeout(Duration::from_secs(5), self.tasks.wait()).await.is_some() {
                return;
            }
            tracing::warn!(still_working = %self.still_working(), "waiting for work to end");
            if self.clock.instant().since(began) >= grace {
                self.hard.cancel();
            }
        }
    }

    fn still_working(&self) -> String {
        let busy = locked(&self.busy);
        let left = busy.iter().map(|(name, count)| (name, count.begun.saturating_sub(count.ended)));
        let names: Vec<String> = left.filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} ({n})")).collect();
        names.join(", ")
    }
}

/// Notes the end of a task.
struct Ends {
    busy: Arc<Mutex<BTreeMap<&'static str, Count>>>,
    name: &'static str,
}

impl Drop for Ends {
    fn drop(&mut self) {
        locked(&self.busy).entry(self.name).or_default().ended += 1;
    }
}

fn locked<'a>(busy: &'a Mutex<BTreeMap<&'static str, Count>>) -> MutexGuard<'a, BTreeMap<&'static str, Count>> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}
