//! The state of one round and its outcome.
use std::net::IpAddr;

use crate::mail::resolver::LookupError;
use crate::mail::sending::ending::Ending;
use crate::mail::sending::transport::transcript::Transcript;

/// The most connections that one round tries.
pub(super) const MAX_CALLS: usize = 10;

/// How a round ended.
#[derive(Debug)]
pub struct Outcome {
    /// What decided.
    pub ending: Ending,
    /// Name and address of the host that decided.
    pub remote: Option<String>,
    /// Its address.
    pub peer: Option<IpAddr>,
    /// The address that it went out from.
    pub local: Option<IpAddr>,
    /// Protocol and cipher of the conversation that decided; `None` in the clear.
    pub tls: Option<String>,
    /// What was said in the whole round.
    pub transcript: String,
}

impl Outcome {
    /// The outcome of a round in which nobody was called.
    pub fn without_call(ending: Ending, transcript: &str) -> Self {
        Self { ending, remote: None, peer: None, local: None, tls: None, transcript: transcript.to_owned() }
    }
}

/// The state of a round.
#[derive(Default)]
pub(super) struct Round {
    pub(super) log: Transcript,
    pub(super) calls: usize,
    pub(super) remote: Option<String>,
    pub(super) peer: Option<IpAddr>,
    pub(super) local: Option<IpAddr>,
    pub(super) tls: Option<String>,
    ending: Option<Ending>,
}

impl Round {
    /// Keeps an ending. A host that could not even be found does not hide that another one was only down.
    pub(super) fn note(&mut self, ending: Ending) {
        let settled = |ending: &Ending| match ending {
            Ending::NoRoute(error) => !matches!(error, LookupError::Temporary(_)),
            ending => *ending == Ending::Forbidden,
        };
        if !settled(&ending) || self.ending.as_ref().is_none_or(settled) {
            self.ending = Some(ending);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.calls >= MAX_CALLS || self.ending.as_ref().is_some_and(|ending| !ending.tries_next_host())
    }

    pub(super) fn outcome(self) -> Outcome {
        Outcome {
            ending: self.ending.unwrap_or(Ending::NoRoute(LookupError::NoRecord)),
            remote: self.remote,
            peer: self.peer,
            local: self.local,
            tls: self.tls,
            transcript: self.log.into_text(),
        }
    }
}
