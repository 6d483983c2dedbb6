//! Making, listing and deleting identities.
use std::sync::Arc;

use crate::base::{AccountId, Clock, EmailAddress, Region, Timestamp};
use crate::mail::identity::{Error, IdentityName, TxtLookup, dkim, verification};
use crate::store::identities::{DkimKey, Identity};
use crate::store::{Store, Tx, configuration_sets, identities};

/// SES: identities of an account in a region.
const IDENTITIES_MAX: i64 = 10_000;

/// How identities are verified.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Every identity is verified when it is made: a developer's machine.
    pub at_once: bool,
    /// `scheme://host` of the links in verification mails.
    pub link_base: String,
    /// Our host name: verification mails come from it.
    pub hostname: String,
}

/// What a caller says of a new identity.
#[derive(Clone, Debug, Default)]
pub struct NewIdentity {
    /// The configuration set for mails that name none.
    pub configuration_set: Option<String>,
    /// Tags, each a name and a value.
    pub tags: Vec<(String, String)>,
    /// Use a key of 1024 bits.
    pub short_key: bool,
}

/// An identity with its keys.
#[derive(Clone)]
pub struct Found {
    /// The identity.
    pub identity: Identity,
    /// A domain's keys; an address has none.
    pub keys: Vec<DkimKey>,
}

impl Found {
    /// Whether mail may be sent from it.
    pub fn is_verified(&self) -> bool {
        self.identity.status == "SUCCESS"
    }
}

/// The identities of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct Identities {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) settings: Arc<Settings>,
    pub(super) lookup: Arc<dyn TxtLookup>,
}

impl Identities {
    /// The identities in `store`; domains are looked up with `lookup`.
    pub fn new(store: Store, clock: Clock, settings: Settings, lookup: Arc<dyn TxtLookup>) -> Self {
        Self { store, clock, settings: Arc::new(settings), lookup }
    }

    /// Makes an identity. A domain gets its keys; an address gets a mail with a link, unless all are verified at once.
    pub async fn create(
        &self,
        account: &AccountId,
        region: &Region,
        name: IdentityName,
        new: NewIdentity,
    ) -> Result<Found, Error> {
        let now = self.clock.now();
        let keys = match &name {
            IdentityName::Domain(_) => dkim::new_keys(if new.short_key { 1024 } else { 2048 }, now).await?,
            IdentityName::Address(_) => Vec::new(),
        };
        let identity = self.pending(account, region, &name, new, now);
        let settings = self.settings.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let found = Found { identity, keys };
                    insert(tx, &found).await?;
                    match &name {
                        IdentityName::Address(address) if !settings.at_once => {
                            let identity = verification::mail_link(tx, &settings, found.identity, address).await?;
                            Ok(Found { identity, keys: found.keys })
                        }
                        _ => Ok(found),
                    }
                })
            })
            .await
    }

    fn pending(
        &self,
        account: &AccountId,
        region: &Region,
        name: &IdentityName,
        new: NewIdentity,
        now: Timestamp,
    ) -> Identity {
        let at_once = self.settings.at_once;
        let looked_up = matches!(name, IdentityName::Domain(_)) && !at_once;
        Identity {
            account: account.clone(),
            region: region.clone(),
            name: name.as_str().to_owned(),
            kind: name.kind().to_owned(),
            status: if at_once { "SUCCESS" } else { "PENDING" }.to_owned(),
            created_at: now,
            verified_at: at_once.then_some(now),
            checked_at: None,
            next_check_at: looked_up.then_some(now),
            link_token: None,
            link_expires_at: None,
            configuration_set: new.configuration_set,
            feedback_forwarding: true,
            dkim_signing: true,
            tags: serde_json::to_string(&new.tags).unwrap_or_default(),
        }
    }

    /// Makes an address identity, or mails a new link to one that is not verified yet (v1 VerifyEmailIdentity).
    pub async fn verify_address(
        &self,
        account: &AccountId,
        region: &Region,
        address: EmailAddress,
    ) -> Result<(), Error> {
        let name = IdentityName::parse(address.as_str())?;
        match self.create(account, region, name.clone(), NewIdentity::default()).await {
            Ok(_) => return Ok(()),
            Err(Error::Exists(_)) => {}
            Err(other) => return Err(other),
        }
        let (account, region, settings) = (account.clone(), region.clone(), self.settings.clone());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if let Some(identity) = identities::find(tx, &account, &region, name.as_str()).await?
                        && identity.status != "SUCCESS"
                        && let IdentityName::Address(address) = &name
                    {
                        // To the name that is verified, and no other spelling of it.
                        verification::mail_link(tx, &settings, identity, address).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// The identity of this name.
    pub async fn get(&self, account: &AccountId, region: &Region, name: &str) -> Result<Found, Error> {
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(name));
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let identity = identities::find(tx, &account, &region, &name).await?;
                    let identity = identity.ok_or_else(|| Error::Missing(name.clone()))?;
                    let keys = identities::keys(tx, &account, &region, &name).await?;
                    Ok(Found { identity, keys })
                })
            })
            .await
    }

    /// Up to `limit` identities after the name `after`, in the order of names; of one kind (`EMAIL_ADDRESS`, `DOMAIN`)
    /// where one is given.
    pub async fn list(
        &self,
        account: &AccountId,
        region: &Region,
        kind: Option<&'static str>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Identity>, Error> {
        let (account, region, after) = (account.clone(), region.clone(), after.to_owned());
        self.store
            .read(move |tx| {
                Box::pin(async move { Ok(identities::page(tx, &account, &region, kind, &after, limit).await?) })
            })
            .await
    }

    /// Removes an identity with its keys; `Missing` when there was none.
    pub async fn delete(&self, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(name));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let gone = identities::delete(tx, &account, &region, &name).await?;
                    if gone { Ok(()) } else { Err(Error::Missing(name)) }
                })
            })
            .await
    }
}

async fn insert(tx: &mut Tx, found: &Found) -> Result<(), Error> {
    let identity = &found.identity;
    let (account, region) = (&identity.account, &identity.region);
    if identities::find(tx, account, region, &identity.name).await?.is_some() {
        return Err(Error::Exists(identity.name.clone()));
    }
    if identities::count(tx, account, region).await? >= IDENTITIES_MAX {
        return Err(Error::TooMany(IDENTITIES_MAX));
    }
    if let Some(set) = &identity.configuration_set
        && configuration_sets::find(tx, account, region, set).await?.is_none()
    {
        return Err(Error::ConfigurationSetMissing(set.clone()));
    }
    // Another node may have made it since the look above.
    identities::insert(tx, identity).await.map_err(|error| match error.is_unique_violation() {
        true => Error::Exists(identity.name.clone()),
        false => Error::Internal(error),
    })?;
    for key in &found.keys {
        identities::insert_key(tx, identity, key).await?;
    }
    Ok(())
}
