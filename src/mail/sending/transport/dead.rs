//! Addresses that did not take a connection: for some minutes the others are tried before them.
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::{Clock, Instant};

/// How long an address comes last.
const LAST_FOR: Duration = Duration::from_secs(5 * 60);
/// How many are remembered.
const MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Dead {
    clock: Clock,
    until: Mutex<HashMap<SocketAddr, Instant>>,
}

impl Dead {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, until: Mutex::default() }
    }

    /// Whether it comes last.
    pub(super) fn has(&self, address: SocketAddr) -> bool {
        let now = self.clock.instant();
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(&address).is_some_and(|until| *until > now)
    }

    /// It did not take a connection.
    pub(super) fn add(&self, address: SocketAddr) {
        let now = self.clock.instant();
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= MAX {
            until.retain(|_, until| *until > now);
        }
        if until.len() < MAX {
            until.insert(address, now + LAST_FOR);
        }
    }

    /// It did.
    pub(super) fn remove(&self, address: SocketAddr) {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }
}
