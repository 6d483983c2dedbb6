//! What an operator does with accounts: `postrider admin …`. Each function gives the lines to print.
mod account_removal;
mod accounts;
mod classify;
mod decrypt;
mod deliveries;
mod dns_records;
mod jobs;
mod place;
mod production;
mod receipt_rule;
mod release;
mod suppression;
mod transcript;

use std::sync::Arc;
use std::time::Duration;

use crate::access;
use crate::app::master_key::{OpenError, lines, open_made};
use crate::base::{AccountId, Clock, Region, Scope};
use crate::config::Settings;
use crate::mail::identity::{self, Identities};
use crate::mail::published::Server;
use crate::mail::receiving;
use crate::mail::resolver::Dns;
use crate::store::{self, Store};

pub(in crate::app) use classify::classifier;
pub use classify::{Asked, classify};
pub use decrypt::decrypt_object;
pub use dns_records::{Form, server_dns_records};
pub use jobs::{Deed, Which};
pub use place::{Place, Whose};
pub use receipt_rule::Kept;

/// How long a server may still believe what it has read of an account or a key, and a moment for what it has let in.
const STRAGGLERS: Duration = Duration::from_secs(3);

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The store cannot be opened or failed.
    #[error("store: {0}")]
    Store(#[from] store::Error),
    /// Accounts and keys refused.
    #[error("{0}")]
    Access(#[from] access::Error),
    /// An account is deleted only when its own number is confirmed.
    #[error("nothing was deleted: --account is {0}, --confirm is {1}")]
    NotConfirmed(AccountId, AccountId),
    /// Queues cannot be swept.
    #[error("{0}")]
    Queues(String),
    /// Topics cannot be read.
    #[error("{0}")]
    Topics(String),
    /// The database URL is not one.
    #[error("{0}")]
    Settings(String),
    /// Nothing of ours is where the settings say.
    #[error(
        "there is no Postrider data in {0}: --data-dir or POSTRIDER_DATA_DIR names the server's directory, --config or \
         POSTRIDER_CONFIG its file of settings, --database-url or POSTRIDER_DATABASE_URL its database"
    )]
    NoData(String),
    /// The database does not answer, or gives no connection.
    #[error("{0} cannot be used now: {1}")]
    Unreachable(String, store::Error),
    /// No such account.
    #[error("there is no account {0}; `postrider admin account list` names those that there are")]
    NoAccount(AccountId),
    /// No such region.
    #[error("there is no region {0}; the setting regions adds some")]
    NoRegion(Region),
    /// No active key of this id.
    #[error("there is no active access key {0}")]
    NoKey(String),
    /// No request that waits.
    #[error("no request of account {} for production access waits in {}", .0.account, .0.region)]
    NoRequest(Scope),
    /// Nothing that messages are delivered to, and no attempt on record.
    #[error(
        "there is no subscription, phone number, device endpoint or event bus {0}, and no attempt to deliver to it is on record"
    )]
    NoSubscriber(String),
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
    /// Records were looked up, and some that mail needs are not there, or the DNS did not say.
    #[error("{}", lack(*lacking, *unknown))]
    Lacking {
        /// What is printed nevertheless.
        lines: Vec<String>,
        /// How many are not there as they should be.
        lacking: usize,
        /// How many could not be looked up.
        unknown: usize,
    },
    /// Some of what was named was left as it is.
    #[error("{why}")]
    Stay {
        /// What is printed nevertheless.
        lines: Vec<String>,
        /// What stays, or how many.
        why: String,
    },
}

/// How many of the required records are in the way.
fn lack(lacking: usize, unknown: usize) -> String {
    let lacking = (lacking > 0).then(|| format!("{lacking} of the records that are required are not there"));
    let unknown = (unknown > 0).then(|| format!("{unknown} of the records that are required could not be looked up"));
    lacking.into_iter().chain(unknown).collect::<Vec<_>>().join(", ")
}

impl AdminError {
    /// What is printed on standard output although the command did not succeed.
    pub fn lines(&self) -> &[String] {
        match self {
            Self::Lacking { lines, .. } | Self::Stay { lines, .. } => lines,
            _ => &[],
        }
    }
}

/// The operator's view of the store.
pub struct Admin {
    pub(super) store: Store,
    clock: Clock,
    identities: Identities,
    dns: Dns,
    server: Server,
}

impl Admin {
    /// Opens the store of this place, and makes nothing there; a server may be running on it. Whose things a command is about has to
    /// be known.
    ///
    /// # Errors
    /// When there is none, when it cannot be opened, and when there is no such account or region.
    pub async fn open(place: &Place, whose: &Whose) -> Result<Self, AdminError> {
        let (settings, clock) = (&place.settings, Clock::system());
        if let Some(region) = whose.region.as_ref().filter(|region| !settings.regions.know(region.as_str())) {
            return Err(AdminError::NoRegion(region.clone()));
        }
        place.check()?;
        let store = open_made(settings, clock.clone()).await.map_err(|error| match error {
            OpenError::Settings(line) => AdminError::Settings(line),
            OpenError::Nothing => place.nothing(),
            OpenError::Store(error) if error.is_of_connection() => place.unreachable(error),
            OpenError::Store(error) => AdminError::Store(error),
        })?;
        if let Some(account) = &whose.account
            && !access::is_account(&store, account).await?
        {
            return Err(AdminError::NoAccount(account.clone()));
        }
        let how = identity::Settings {
            // What is made here has to be proved; in `dev` an identity needs no proof to begin with.
            at_once: false,
            link_base: String::new(),
            hostname: settings.hostname.to_string(),
            dkim_zone: settings.dkim_zone.as_ref().map(ToString::to_string),
        };
        // Only a check looks anything up, so a machine without name servers must not be in the way.
        let nowhere = |_| Dns::new(&[([127, 0, 0, 1], 53).into()]);
        let dns = Dns::new(&settings.dns).or_else(nowhere).map_err(|e| AdminError::Settings(e.to_string()))?;
        let identities = Identities::new(store.clone(), clock.clone(), how, Arc::new(dns.clone()));
        Ok(Self { store, clock, identities, dns, server: Server::from_settings(settings) })
    }

    /// The master keys, a line each: id, what it is, and how many stored texts it seals. Objects in buckets are not counted.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn master_keys(&self, settings: &Settings) -> Result<Vec<String>, AdminError> {
        lines(settings, &self.store).await.map_err(|error| match error {
            OpenError::Store(error) => AdminError::Store(error),
            other => AdminError::Settings(other.to_string()),
        })
    }
}
