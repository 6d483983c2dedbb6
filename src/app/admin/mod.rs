//! What an operator does with accounts: `postrider admin …`. Each function gives the lines to print.
mod accounts;
mod classify;
mod decrypt;
mod deliveries;
mod dns_records;
mod jobs;
mod production;
mod receipt_rule;
mod suppression;
mod transcript;

use std::sync::Arc;

use crate::access;
use crate::app::master_key::{OpenError, lines, open_store};
use crate::base::{Clock, Scope};
use crate::config::Settings;
use crate::mail::identity::{self, Identities};
use crate::mail::receiving;
use crate::mail::sending::resolver::Dns;
use crate::store::{self, Store};

pub(in crate::app) use classify::classifier;
pub use classify::{Asked, classify};
pub use decrypt::decrypt_object;
pub use jobs::{Deed, Which};
pub use receipt_rule::Kept;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The store cannot be opened or failed.
    #[error("store: {0}")]
    Store(#[from] store::Error),
    /// Accounts and keys refused.
    #[error("{0}")]
    Access(#[from] access::Error),
    /// Topics cannot be read.
    #[error("{0}")]
    Topics(String),
    /// The database URL is not one.
    #[error("{0}")]
    Settings(String),
    /// No active key of this id.
    #[error("there is no active access key {0}")]
    NoKey(String),
    /// No request that waits.
    #[error("no request of account {} for production access waits in {}", .0.account, .0.region)]
    NoRequest(Scope),
    /// No sent mail of this id.
    #[error("there is no sent mail {0}, or no more")]
    NoMail(String),
    /// Identities refused.
    #[error("{0}")]
    Identity(#[from] identity::Error),
    /// A receipt rule was refused.
    #[error("{0}")]
    Receiving(#[from] receiving::Error),
    /// A receipt rule cannot be read.
    #[error("receipt rule: {0}")]
    Rule(String),
    /// Jobs that were named stay where they are.
    #[error("{0}")]
    Jobs(String),
    /// A file of addresses cannot be read.
    #[error("{0}")]
    Addresses(String),
    /// An object was not decrypted.
    #[error("the object cannot be decrypted: {0}")]
    Object(String),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// No domain identity of this name.
    #[error("there is no domain identity {0} in this account and region")]
    NoIdentity(String),
}

/// The operator's view of the store.
pub struct Admin {
    pub(super) store: Store,
    clock: Clock,
    identities: Identities,
    dns: Dns,
    hostname: String,
}

impl Admin {
    /// Opens the store that the settings name; a server may be running on it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(settings: &Settings) -> Result<Self, AdminError> {
        let clock = Clock::system();
        let store = open_store(settings, clock.clone()).await.map_err(|error| match error {
            OpenError::Settings(line) => AdminError::Settings(line),
            OpenError::Store(error) => AdminError::Store(error),
        })?;
        let hostname = settings.hostname.to_string();
        let how = identity::Settings {
            // What is made here has to be proved; in `dev` an identity needs no proof to begin with.
            at_once: false,
            link_base: String::new(),
            hostname: hostname.clone(),
            dkim_zone: settings.dkim_zone.as_ref().map(ToString::to_string),
        };
        // Nothing is looked up here, so a machine without name servers must not be in the way.
        let nowhere = |_| Dns::new(&[([127, 0, 0, 1], 53).into()]);
        let dns = Dns::new(&settings.dns).or_else(nowhere).map_err(|e| AdminError::Settings(e.to_string()))?;
        let identities = Identities::new(store.clone(), clock.clone(), how, Arc::new(dns.clone()));
        Ok(Self { store, clock, identities, dns, hostname })
    }

    /// The master keys, a line each: id, what it is, and how many stored texts it seals. Objects in buckets are not counted.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn master_keys(&self, settings: &Settings) -> Result<Vec<String>, AdminError> {
        lines(settings, &self.store).await.map_err(|error| match error {
            OpenError::Settings(line) => AdminError::Settings(line),
            OpenError::Store(error) => AdminError::Store(error),
        })
    }
}
