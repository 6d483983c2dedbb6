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
const MAX_ALL: usize = 1_000;

#[derive(Debug)]
pub(super) struct Pool {
    clock: Clock,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    hosts: HashMap<String, Vec<Session>>,
    all: usize,
}

impl Pool {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, waiting: Mutex::default() }
    }

    /// A connection to `host` (name and port) that waits, the one used last first.
    pub(super) fn take(&self, host: &str) -> Option<Session> {
        let now = self.clock.instant();
        let mut waiting = self.locked();
        let list = waiting.hosts.get_mut(host)?;
        let session = list.pop();
        let fresh = session.filter(|session| now.since(session.idle_since) < MAX_IDLE);
        // The others have waited longer.
        let gone = if fresh.is_none() { std::mem::take(list) } else { vec![] };
        if list.is_empty() {
            waiting.hosts.remove(host);
        }
        waiting.all = waiting.all.saturating_sub(gone.len() + 1);
        fresh
    }

    /// Keeps a connection for the next mail; over the limits it is dropped.
    pub(super) fn put(&self, host: &str, mut session: Session) {
        session.idle_since = self.clock.instant();
        let mut waiting = self.locked();
        if waiting.all >= MAX_ALL {
            return;
        }
        let list = waiting.hosts.entry(host.to_owned()).or_default();
        if list.len() < MAX_PER_HOST {
            list.push(session);
            waiting.all += 1;
        }
    }

    /// Drops what has waited too long.
    pub(super) fn close_idle(&self) {
        let now = self.clock.instant();
        let mut waiting = self.locked();
        waiting.hosts.retain(|_, list| {
            list.retain(|session| now.since(session.idle_since) < MAX_IDLE);
            !list.is_empty()
        });
        waiting.all = waiting.hosts.values().map(Vec::len).sum();
    }

    fn locked(&self) -> MutexGuard<'_, Waiting> {
        // Each change leaves it whole, so a panic elsewhere does not spoil it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
