//! Work that comes round by time and whose pieces wait for others: they are done side by side, and no round waits for its
//! slowest.
use std::fmt::Display;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::base::Clock;
use crate::workers::Stop;

/// Where pieces of work come from, and what is done with one.
pub trait Pieces: Clone + Send + Sync + 'static {
    /// One piece. It holds its share of the places.
    type Piece: Send + 'static;
    /// Why it was not done.
    type Error: Display + Send + 'static;

    /// Takes up to `room` pieces that are due and whose holders have a place.
    ///
    /// # Errors
    /// When the store fails.
    fn take(&self, room: usize) -> impl Future<Output = Result<Taken<Self::Piece>, Self::Error>> + Send;

    /// Does one piece, in a bounded time. Gives how much was done.
    ///
    /// # Errors
    /// When the store fails; what else fails is part of the work.
    fn work(&self, piece: Self::Piece) -> impl Future<Output = Result<usize, Self::Error>> + Send;
}

/// What was taken.
pub struct Taken<P> {
    /// The pieces.
    pub pieces: Vec<P>,
    /// Others were due, and had no place.
    pub more: bool,
}

/// Takes pieces once and does them, side by side. Gives how many were taken, and how much was done.
///
/// # Errors
/// When a piece fails; the others are done all the same.
pub async fn one_round<P: Pieces>(pieces: &P, at_once_max: usize) -> Result<(usize, usize), P::Error> {
    let taken = pieces.take(at_once_max).await?.pieces;
    let count = taken.len();
    let mut done = 0;
    for piece in futures::future::join_all(taken.into_iter().map(|piece| pieces.work(piece))).await {
        done += piece?;
    }
    Ok((count, done))
}

/// Takes pieces every `period`, the first time at once, and does at most `at_once_max` at a time, until the stop begins.
/// What fails is logged; the others go on.
pub fn tick_pieces<P: Pieces>(
    stop: &Stop,
    clock: &Clock,
    name: &'static str,
    period: Duration,
    at_once_max: usize,
    pieces: P,
) {
    let (clock, soft) = (clock.clone(), stop.soft().clone());
    let mut running = JoinSet::new();
    stop.spawn(name, async move {
        loop {
            let crowded = tokio::select! {
                biased;
                () = soft.cancelled() => return,
                crowded = begin(&mut running, at_once_max, name, &pieces) => crowded,
            };
            tokio::select! {
                biased;
                () = soft.cancelled() => return,
                // A place is free for what had none.
                Some(_) = running.join_next(), if crowded => {}
                () = clock.sleep(period) => {}
            }
            while running.try_join_next().is_some() {}
        }
    });
}

/// Begins what is due, as long as there is room. True when others wait for a place.
async fn begin<P: Pieces>(running: &mut JoinSet<()>, at_once_max: usize, name: &'static str, pieces: &P) -> bool {
    while running.len() < at_once_max {
        let taken = match pieces.take(at_once_max - running.len()).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(round = name, %error, "a round of regular work failed");
                return false;
            }
        };
        if taken.pieces.is_empty() {
            return taken.more;
        }
        for piece in taken.pieces {
            let pieces = pieces.clone();
            running.spawn(async move {
                if let Err(error) = pieces.work(piece).await {
                    tracing::error!(round = name, %error, "a piece of regular work failed");
                }
            });
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use tokio::sync::{Notify, mpsc};

    use super::*;
    use crate::base::Timestamp;

    /// Pieces that wait until they are let go, but for those that are quick.
    #[derive(Clone)]
    struct Waits {
        due: Arc<Mutex<Vec<&'static str>>>,
        go: Arc<Notify>,
        done: mpsc::UnboundedSender<&'static str>,
    }

    impl Pieces for Waits {
        type Piece = &'static str;
        type Error = Infallible;

        async fn take(&self, room: usize) -> Result<Taken<&'static str>, Infallible> {
            let mut due = self.due.lock().expect("not poisoned");
            let count = due.len().min(room);
            let pieces = due.drain(..count).collect();
            Ok(Taken { pieces, more: !due.is_empty() })
        }

        async fn work(&self, piece: &'static str) -> Result<usize, Infallible> {
            if piece.starts_with("slow") {
                self.go.notified().await;
            }
            let _ = self.done.send(piece);
            Ok(1)
        }
    }

    #[tokio::test]
    async fn a_piece_that_waits_keeps_nobody_from_beginning() {
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let (done, mut ended) = mpsc::unbounded_channel();
        let due = Arc::new(Mutex::new(vec!["slow one", "quick one"]));
        let waits = Waits { due: due.clone(), go: Arc::default(), done };
        let stop = Stop::new(clock.clone());
        tick_pieces(&stop, &clock, "test", Duration::from_secs(5), 2, waits.clone());
        assert_eq!(ended.recv().await, Some("quick one"));
        due.lock().expect("not poisoned").extend(["quick two", "slow two", "quick three"]);
        clock.advance(Duration::from_secs(5));
        assert_eq!(ended.recv().await, Some("quick two"), "the next round does not wait for the slow one");
        waits.go.notify_one();
        assert_eq!(ended.recv().await, Some("slow one"));
        assert_eq!(ended.recv().await, Some("quick three"), "what waits for a place gets the next one");
        waits.go.notify_one();
        assert_eq!(ended.recv().await, Some("slow two"));
        stop.finish(Duration::ZERO).await;
        due.lock().expect("not poisoned").extend(["quick four", "quick five"]);
        assert_eq!(one_round(&waits, 8).await, Ok((2, 2)));
    }
}
