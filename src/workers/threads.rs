//! Threads for work of the processor that is short and comes often: meanwhile the threads that answer everybody go on.
//!
//! Unlike [`Compute`](crate::workers::Compute), which shares places fairly for work whose size a caller decides, this is a
//! plain queue: each piece must be short, and bounded.
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tracing::warn;

use crate::workers::NotDone;

/// How many pieces wait in the queue at the most; who brings another one waits for room.
const WAITING_MAX: usize = 256;

type Piece = Box<dyn FnOnce() + Send>;

/// Threads with one queue, as many as the machine has cores. They start with the first piece, and end when nobody can bring one
/// any more. Cheap to clone; clones share the threads.
#[derive(Clone)]
pub(crate) struct Threads(Arc<Shared>);

struct Shared {
    name: &'static str,
    queue: Mutex<Option<Sender<Piece>>>,
}

impl Threads {
    /// Threads that a debugger, or `top -H`, shows by this name and a number.
    pub(crate) fn new(name: &'static str) -> Self {
        Self(Arc::new(Shared { name, queue: Mutex::default() }))
    }

    /// Does `work` after what came before it. It is done also when nobody waits for it any more.
    ///
    /// # Errors
    /// [`NotDone::Broken`] when it panicked, or when the machine lets no thread start.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, NotDone>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let piece: Piece = Box::new(move || drop(answer.send(work())));
        self.queue().send(piece).await.map_err(|_| NotDone::Broken)?;
        answered.await.map_err(|_| NotDone::Broken)
    }

    /// The queue, with threads that work it. Where none could start the queue is closed, and the next piece tries again.
    fn queue(&self) -> Sender<Piece> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = queue.as_ref().filter(|queue| !queue.is_closed()) {
            return open.clone();
        }
        let (sender, receiver) = channel(WAITING_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for n in 0..std::thread::available_parallelism().map_or(2, std::num::NonZero::get) {
            let receiver = receiver.clone();
            let named = std::thread::Builder::new().name(format!("{}-{n}", self.0.name));
            if let Err(error) = named.spawn(move || work_off(&receiver)) {
                warn!(%error, name = self.0.name, "cannot start a thread");
            }
        }
        queue.insert(sender).clone()
    }
}

fn work_off(queue: &Mutex<Receiver<Piece>>) {
    loop {
        // One thread waits in the queue, the others for it to have taken a piece.
        let piece = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(piece) = piece else { return };
        // Who brought a piece that panics sees that there is no answer.
        drop(std::panic::catch_unwind(AssertUnwindSafe(piece)));
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_one_that_breaks_costs_no_thread() {
        let threads = Threads::new("test");
        let here = std::thread::current().id();
        for _ in 0..64 {
            assert_eq!(threads.run(|| panic!("broken")).await, Err::<(), _>(NotDone::Broken));
        }
        let elsewhere = threads.run(move || std::thread::current().id() != here).await;
        assert_eq!(elsewhere, Ok(true));
    }

    #[tokio::test]
    async fn more_than_fits_into_the_queue_waits_and_is_done() {
        let threads = Threads::new("test");
        let all = join_all((0..WAITING_MAX * 3).map(|n| threads.run(move || n))).await;
        assert!(all.into_iter().enumerate().all(|(n, done)| done == Ok(n)));
    }

    #[tokio::test]
    async fn the_threads_end_when_nobody_can_bring_work() {
        let threads = Threads::new("test");
        let (alive, ended) = std::sync::mpsc::channel::<()>();
        thread_local! {
            static HELD: std::cell::RefCell<Option<std::sync::mpsc::Sender<()>>> = const { std::cell::RefCell::new(None) };
        }
        threads.run(move || HELD.set(Some(alive))).await.expect("done");
        drop(threads);
        // The thread that holds the sender is gone, and the sender with it.
        assert!(ended.recv().is_err());
    }
}
