//! Whoever brings mail to a capture port: every recipient is ours, every password is right, and the mail is kept.
use std::net::IpAddr;

use crate::base::{AccountId, EmailAddress, Region};
use crate::mail::sending::capture::Caught;
use crate::smtp::auth::{Login, Principal};
use crate::smtp::reply;
use crate::smtp::upstream::{InboundMessage, Refusal, SubmittedMessage, Upstream};
use crate::store::{self, Store};

/// Keeps all mail for the inbox.
pub struct Catcher {
    store: Store,
    account: AccountId,
    region: Region,
}

impl Catcher {
    /// One that keeps in `store` what it gets, as this account's in this region.
    pub fn new(store: Store, account: AccountId, region: Region) -> Self {
        Self { store, account, region }
    }
}

impl Upstream for Catcher {
    type Route = ();

    async fn route(&self, _: &EmailAddress, _: IpAddr, _: bool) -> Result<(), Refusal> {
        Ok(())
    }

    async fn authenticate(&self, login: &Login) -> Result<Option<Principal>, Refusal> {
        let (account, region) = (self.account.clone(), self.region.clone());
        Ok(Some(Principal { account, region, caller: login.user.clone() }))
    }

    async fn receive(&self, mail: InboundMessage<()>) -> Result<String, Refusal> {
        let caught = Caught {
            account: self.account.clone(),
            region: self.region.clone(),
            source: mail.source,
            recipients: mail.recipients.into_iter().map(|(address, ())| address).collect(),
            raw: mail.data,
        };
        caught.keep(&self.store).await.map_err(|error| match error {
            store::Error::Full => Refusal::from(&reply::NO_ROOM),
            other => Refusal::Failed(Box::new(other)),
        })
    }

    async fn submit(&self, _: SubmittedMessage) -> Result<String, Refusal> {
        // Sessions of a capture port bring mail by `receive` alone.
        Err(Refusal::from(&reply::NOT_IMPLEMENTED))
    }
}
