//! Identities with what belongs to them: preparing, finding, listing and deleting them.
use std::sync::Arc;

use crate::base::{AccountId, Clock, Region, Timestamp, ids};
use crate::mail::identity::keys::Pair;
use crate::mail::identity::looks::Looks;
use crate::mail::identity::{Error, IdentityName};
use crate::mail::resolver::RecordLookup;
use crate::store::dkim_keys::{self, DkimKey, KeyAlgorithm, KeyState};
use crate::store::identities::{self, DkimStanding, Identity, IdentityKind, KeyOrigin, Standing};
use crate::store::identity_policies::{self, IdentityPolicy};
use crate::store::{Json, Pairs, Store, Tx, configuration_sets, identity_notifications};

/// SES: identities of an account in a region.
const IDENTITIES_MAX: i64 = 10_000;
/// Letters of the token that stands in `_amazonses.<domain>`, as of a DKIM token: enough that nobody guesses it.
const TXT_TOKEN_LENGTH: usize = 43;

/// How identities are verified.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Every identity is verified when it is made: a developer's machine.
    pub at_once: bool,
    /// `scheme://host` of the links in verification mails.
    pub link_base: String,
    /// Our host name: verification mails come from it, and the MX records of MAIL FROM domains lead to it.
    pub hostname: String,
    /// The operator's zone in which DKIM keys are published: owners set CNAMEs that lead there. `None`: owners publish the
    /// keys themselves.
    pub dkim_zone: Option<String>,
}

/// What signs the mails of a new domain.
#[derive(Clone, Default)]
pub enum KeyChoice {
    /// A key made here, with 2048 bits.
    #[default]
    Usual,
    /// A key made here, with so many bits.
    Bits(i64),
    /// The owner's, at this selector.
    Given(String, Pair),
    /// None yet: a TXT record proves the domain (v1 VerifyDomainIdentity).
    NoneYet,
}

/// What a caller says of a new identity.
#[derive(Clone, Default)]
pub struct NewIdentity {
    /// The configuration set for mails that name none.
    pub configuration_set: Option<String>,
    /// Tags, each a name and a value.
    pub tags: Pairs,
    /// What signs, if it is a domain.
    pub key: KeyChoice,
}

/// An identity with what belongs to it.
#[derive(Clone)]
pub struct Found {
    /// The identity.
    pub identity: Identity,
    /// A domain's keys; an address has none.
    pub keys: Vec<DkimKey>,
    /// Its policies.
    pub policies: Vec<IdentityPolicy>,
}

impl Found {
    /// Whether mail may be sent from it.
    pub fn is_verified(&self) -> bool {
        self.identity.is_verified()
    }

    /// The RSA keys, in the order of their selectors.
    pub fn rsa_keys(&self) -> impl Iterator<Item = &DkimKey> {
        self.keys.iter().filter(|key| key.algorithm == KeyAlgorithm::Rsa)
    }

    /// When the newest RSA key was made.
    pub fn key_made_at(&self) -> Option<Timestamp> {
        self.rsa_keys().map(|key| key.created_at).max()
    }
}

/// The identities of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct Identities {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) settings: Arc<Settings>,
    pub(super) lookup: Arc<dyn RecordLookup>,
    pub(super) looks: Arc<Looks>,
}

impl Identities {
    /// The identities in `store`; domains are looked up with `lookup`.
    pub fn new(store: Store, clock: Clock, settings: Settings, lookup: Arc<dyn RecordLookup>) -> Self {
        let looks = Arc::new(Looks::new(clock.clone()));
        Self { store, clock, settings: Arc::new(settings), lookup, looks }
    }

    /// The zone in which DKIM keys are published, where there is one.
    pub fn dkim_zone(&self) -> Option<&str> {
        self.settings.dkim_zone.as_deref()
    }

    /// A new identity with its keys, not stored yet.
    pub(super) async fn prepared(
        &self,
        account: &AccountId,
        region: &Region,
        name: &IdentityName,
        new: NewIdentity,
    ) -> Result<Found, Error> {
        let now = self.clock.now();
        let domain = matches!(name, IdentityName::Domain(_));
        let by_txt = domain && matches!(new.key, KeyChoice::NoneYet);
        let (keys, origin) = match new.key {
            KeyChoice::Given(selector, pair) if domain => {
                (vec![pair.at(selector, 0, KeyState::Current, now)], KeyOrigin::External)
            }
            KeyChoice::Usual if domain => (Pair::rsa(2048).await?.easy(now), KeyOrigin::AwsSes),
            KeyChoice::Bits(bits) if domain => (Pair::rsa(bits).await?.easy(now), KeyOrigin::AwsSes),
            _ => (Vec::new(), KeyOrigin::AwsSes),
        };
        let at_once = self.settings.at_once;
        let pending = if at_once { Standing::Success } else { Standing::Pending };
        let dkim = DkimStanding {
            status: if keys.is_empty() { Standing::NotStarted } else { pending },
            since: (!at_once && !keys.is_empty()).then_some(now),
            origin,
            next_bits: keys.first().map_or(2048, |key| key.bits),
        };
        let identity = Identity {
            account: account.clone(),
            region: region.clone(),
            name: name.as_str().to_owned(),
            kind: name.kind(),
            status: pending,
            since: (!at_once).then_some(now),
            error: None,
            created_at: now,
            verified_at: at_once.then_some(now),
            checked_at: None,
            next_check_at: (domain && !at_once).then_some(now),
            txt_token: by_txt.then(|| ids::token(TXT_TOKEN_LENGTH)),
            configuration_set: new.configuration_set,
            feedback_forwarding: true,
            dkim_signing: true,
            dkim,
            mail_from: None,
            tags: Json::of(&new.tags)?,
        };
        Ok(Found { identity, keys, policies: Vec::new() })
    }

    /// The token that the owner of a domain has to publish in `_amazonses.<domain>` (v1 VerifyDomainIdentity). Makes the
    /// identity where there is none, and begins to look again where that had been given up.
    ///
    /// # Errors
    /// As [`Identities::create`].
    pub async fn txt_token(&self, account: &AccountId, region: &Region, name: IdentityName) -> Result<String, Error> {
        let new = NewIdentity { key: KeyChoice::NoneYet, ..NewIdentity::default() };
        match self.create(account, region, name.clone(), new).await {
            Ok(found) => return Ok(found.identity.txt_token.unwrap_or_default()),
            Err(Error::Exists(_)) => {}
            Err(other) => return Err(other),
        }
        let at_once = self.settings.at_once;
        let changed = self.change(account, region, name.as_str(), move |identity, now| {
            identity.txt_token.get_or_insert_with(|| ids::token(TXT_TOKEN_LENGTH));
            if identity.status == Standing::Failed {
                identity.status = Standing::Pending;
                identity.since = Some(now);
            }
            if !at_once {
                identity.next_check_at = Some(now);
            }
            Ok(())
        });
        Ok(changed.await?.txt_token.unwrap_or_default())
    }

    /// The identity of this name.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn get(&self, account: &AccountId, region: &Region, name: &str) -> Result<Found, Error> {
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(name));
        self.store.read(move |tx| Box::pin(async move { found(tx, &account, &region, &name).await })).await
    }

    /// Up to `limit` identities after the name `after`, in the order of names; of one kind where one is given.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(
        &self,
        account: &AccountId,
        region: &Region,
        kind: Option<IdentityKind>,
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

    /// Removes an identity with its keys and policies.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn delete(&self, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(name));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let gone = identities::delete(tx, &account, &region, &name).await?;
                    identity_notifications::delete(tx, &account, &region, &name).await?;
                    if gone { Ok(()) } else { Err(Error::Missing(name)) }
                })
            })
            .await
    }
}

/// The identity of this name (as it stands in the store).
pub(super) async fn found(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<Found, Error> {
    let identity = identities::find(tx, account, region, name).await?;
    let identity = identity.ok_or_else(|| Error::Missing(name.to_owned()))?;
    let keys = dkim_keys::list(tx, account, region, name).await?;
    let policies = identity_policies::list(tx, account, region, name).await?;
    Ok(Found { identity, keys, policies })
}

/// Stores a new identity with its keys.
pub(super) async fn insert(tx: &mut Tx, found: &Found) -> Result<(), Error> {
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
        dkim_keys::put(tx, identity, key).await?;
    }
    Ok(())
}
