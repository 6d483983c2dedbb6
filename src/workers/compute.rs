//! Work that needs the processor and not the network, away from the threads that answer everybody: with a budget of steps,
//! a fair number of places for each account, and an end when its caller is gone.
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::base::{Budget, Shares};

/// How many pieces of work of one account may wait for a place.
const WAITING_MAX: usize = 1_000;
/// How many steps work may take on the thread that asks for it, which answers others too: a fraction of a millisecond.
const HERE: u64 = 4_000;

/// Threads for computing. Cheap to clone; clones share the threads.
#[derive(Clone)]
pub struct Compute {
    places: Shares<String>,
}

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// As much work of this account waits as may.
    #[error("too much work of this account waits already")]
    Crowded,
    /// It panicked.
    #[error("the work broke")]
    Broken,
}

impl Default for Compute {
    fn default() -> Self {
        Self::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
    }
}

impl Compute {
    /// At most `at_once` pieces of work at a time, two at the least; of one account half of them.
    pub fn new(at_once: usize) -> Self {
        let places = u64::try_from(at_once.max(2)).unwrap_or(2);
        Self { places: Shares::new(places, 1).with_waiting_max(WAITING_MAX) }
    }

    /// Does `work` at once where it is small, and else from its beginning as [`Compute::run`] does. So most work costs what
    /// it always did, and no work holds up the thread that answers others.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn soon<T, F>(&self, whose: &str, steps: u64, mut work: F) -> Result<T, NotDone>
    where
        T: Send + 'static,
        F: FnMut(&mut Budget) -> T + Send + 'static,
    {
        match Self::at_once(steps, &mut work) {
            Some(done) => Ok(done),
            None => self.run(whose, steps, work).await,
        }
    }

    /// Does `work` at once where it is small; `None` where it is not, or asks for more than `steps` before that shows.
    pub fn at_once<T>(steps: u64, work: impl FnOnce(&mut Budget) -> T) -> Option<T> {
        let mut budget = Budget::new(steps.min(HERE));
        let done = work(&mut budget);
        (!budget.is_spent()).then_some(done)
    }

    /// Does `work` whose time grows with `octets`, which have a limit: at once up to `here` of them, and else as
    /// [`Compute::run`] does.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn linear<T, F>(&self, whose: &str, (octets, here): (usize, usize), work: F) -> Result<T, NotDone>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if octets <= here { Ok(work()) } else { self.run(whose, 0, |_| work()).await }
    }

    /// Does `work` when the turn of `whose` comes: an account's id, or another name of who causes the work. `work` gets
    /// `steps` and must spend them; they end also when the future that this returns is dropped.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn run<T, F>(&self, whose: &str, steps: u64, work: F) -> Result<T, NotDone>
    where
        T: Send + 'static,
        F: FnOnce(&mut Budget) -> T + Send + 'static,
    {
        let place = self.places.wait(&whose.to_owned(), 1).await.ok_or(NotDone::Crowded)?;
        let (mut budget, caller) = Budget::with_caller(steps);
        let task = tokio::task::spawn_blocking(move || {
            // Kept until the work has ended, also where nobody waits for it any more.
            let _place = place;
            work(&mut budget)
        });
        let done = task.await.map_err(|_| NotDone::Broken);
        drop(caller);
        done
    }

    /// Does `work` on this thread when the turn of `whose` comes, for work that borrows: others leave the thread first. It
    /// must be bounded by the size of what it works on, since nothing ends it.
    ///
    /// # Errors
    /// [`NotDone::Crowded`].
    pub async fn in_place<T>(&self, whose: &str, work: impl FnOnce() -> T + Send) -> Result<T, NotDone> {
        let _place = self.places.wait(&whose.to_owned(), 1).await.ok_or(NotDone::Crowded)?;
        let alone = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
        Ok(if alone { work() } else { tokio::task::block_in_place(work) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Spent;
    use std::sync::mpsc;

    #[tokio::test]
    async fn small_work_is_done_at_once_and_other_work_once_more_elsewhere() {
        let compute = Compute::new(2);
        let threads = |steps: usize| {
            let mut threads = Vec::new();
            compute.soon("one", 1_000_000, move |budget| {
                threads.push(std::thread::current().id());
                budget.spend(steps).map(|()| threads.clone())
            })
        };
        let here = std::thread::current().id();
        assert_eq!(threads(4_000).await, Ok(Ok(vec![here])));
        let twice = threads(4_001).await.expect("a place").expect("steps enough");
        assert!(twice.len() == 2 && twice[0] == here && twice[1] != here, "{twice:?}");
        assert_eq!(threads(1_000_001).await, Ok(Err(Spent::Steps)));
    }

    #[tokio::test]
    async fn work_of_one_account_leaves_a_place_for_others_and_ends_with_its_caller() {
        let compute = Compute::new(2);
        let (began, begun) = mpsc::channel();
        let (ended, end) = mpsc::channel();
        let greedy = compute.clone();
        let endless = async move {
            let work = move |budget: &mut Budget| {
                let _ = began.send(());
                while budget.spend(0).is_ok() {
                    std::thread::yield_now();
                }
                let _ = ended.send(());
            };
            greedy.run("greedy", 10, work).await
        };
        let endless = tokio::spawn(endless);
        tokio::task::spawn_blocking(move || begun.recv()).await.expect("a thread").expect("it began");
        assert_eq!(compute.run("other", 10, |budget| budget.spend(10)).await, Ok(Ok(())));
        endless.abort();
        tokio::task::spawn_blocking(move || end.recv()).await.expect("a thread").expect("it ended");
        assert_eq!(compute.run("greedy", 1, |_| 7).await, Ok(7), "its place is free again");
        assert_eq!(compute.in_place("greedy", || 8).await, Ok(8));
        assert_eq!(compute.run("greedy", 1, |_| panic!("broken")).await, Err::<(), _>(NotDone::Broken));
    }
}
