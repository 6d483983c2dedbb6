//! Connections that wait for their next mail, by host and port. Bounded; an idle one is dropped after a while.
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::Clock;
use crate::mail::sending::transport::session::Session;

/// How long a connection may wait for the next mail; servers close theirs after minutes, busy ones sooner.
const MAX_IDLE: Duration = Duration::from_secs(10);
/// Waiting connections per host.
const MAX_PER_HOST: usize = 20;
/// Waiting connections altogether.
const MAX_ALL: usize = 200;

#[derive(Debug)]
pub(super) struct Pool {
    clock: Clock,
    waiting: Mutex<HashMap<String, Vec<Session>>>,
}

impl Pool {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, waiting: Mutex::default() }
    }

    /// A connection to `host` (name and port) that waits, the one used last first.
    pub(super) fn take(&self, host: &str) -> Option<Session> {
        let mut waiting = self.locked();
        self.drop_idle(&mut waiting);
        let list = waiting.get_mut(host)?;
        let session = list.pop();
        if list.is_empty() {
            waiting.remove(host);
        }
        session
    }

    /// Keeps a connection for the next mail; over the limits it is dropped.
    pub(super) fn put(&self, host: &str, mut session: Session) {
        session.idle_since = self.clock.now();
        let mut waiting = self.locked();
        self.drop_idle(&mut waiting);
        let all: usize = waiting.values().map(Vec::len).sum();
        let list = waiting.entry(host.to_owned()).or_default();
        if list.len() < MAX_PER_HOST && all < MAX_ALL {
            list.push(session);
        }
    }

    /// Drops what has waited too long. Called with every use, and by whoever wants it to happen without one.
    pub(super) fn close_idle(&self) {
        self.drop_idle(&mut self.locked());
    }

    fn drop_idle(&self, waiting: &mut HashMap<String, Vec<Session>>) {
        let now = self.clock.now();
        waiting.retain(|_, list| {
            list.retain(|session| now.since(session.idle_since) < MAX_IDLE);
            !list.is_empty()
        });
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Vec<Session>>> {
        // Each change leaves the map whole, so a panic elsewhere does not spoil it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
