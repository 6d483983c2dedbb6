//! Holding back what would leave this machine: its jobs wait in their queues, no attempt counts.
use tokio::sync::watch;

use crate::workers::{Pieces, Taken};

/// Whether what would leave is held, and why. Cheap to clone; clones say the same.
#[derive(Clone, Debug, Default)]
pub struct Hold(watch::Sender<Option<String>>);

impl Hold {
    /// Says why nothing leaves from now on; with `None` all may. `false` where that was so already.
    pub fn set(&self, why: Option<String>) -> bool {
        self.0.send_if_modified(|held| {
            let changed = *held != why;
            *held = why;
            changed
        })
    }

    /// Why nothing leaves, if so.
    pub fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Whether nothing leaves.
    pub fn is_held(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Somebody who waits for a change.
    pub(super) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }

    /// The same pieces, of which none is taken while this holds.
    pub fn over<P: Pieces>(&self, pieces: P) -> Held<P> {
        Held { pieces, hold: self.clone() }
    }
}

/// Pieces of work that wait while a [`Hold`] says so.
#[derive(Clone)]
pub struct Held<P> {
    pieces: P,
    hold: Hold,
}

impl<P: Pieces> Pieces for Held<P> {
    type Piece = P::Piece;
    type Error = P::Error;

    async fn take(&self, room: usize) -> Result<Taken<P::Piece>, P::Error> {
        if self.hold.is_held() {
            return Ok(Taken { pieces: vec![], more: false });
        }
        self.pieces.take(room).await
    }

    async fn work(&self, piece: P::Piece) -> Result<usize, P::Error> {
        self.pieces.work(piece).await
    }
}
