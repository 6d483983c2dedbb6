//! What a sender's settings say about its mail on the way out, kept for a moment: many mails have the same sender.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::error;

use crate::base::{AccountId, EmailAddress, Instant, Region};
use crate::mail::content;
use crate::mail::content::headers_record::source_of;
use crate::mail::identity::authorization::identity_named;
use crate::mail::identity::dkim::signing_keys;
use crate::mail::identity::{ReversePath, reverse_path};
use crate::mail::message::Mailbox;
use crate::mail::message::dkim::{Signer, SigningKey};
use crate::store;
use crate::store::Tx;
use crate::store::accounts::{self, State};
use crate::store::configuration_sets::{self, SetTlsPolicy};
use crate::store::mails::{Kind, Mail};

/// How long what was read is good for that another node may have changed. What this node changes counts at once.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Enough for all senders in use; when there are more, all are read anew.
const ENTRIES_MAX: usize = 1_000;

/// What the settings say.
#[derive(Default)]
pub(super) struct Terms {
    /// The keys that sign, read.
    pub signers: Vec<Signer>,
    /// The MAIL FROM domain.
    pub reverse: Option<String>,
    /// Over TLS or not at all.
    pub require_tls: bool,
    /// Whether somebody is told of a delivery.
    pub tells_delivery: bool,
    /// Whether the mail stays: its account is suspended or being deleted.
    pub stays: bool,
}

/// All that the terms depend on, but for settings.
#[derive(PartialEq, Eq, Hash)]
struct Asked {
    account: AccountId,
    region: Region,
    identity: Option<String>,
    source: String,
    author: Option<String>,
    set: Option<String>,
    is_user: bool,
}

struct Entry {
    terms: Arc<Terms>,
    generation: u64,
    until: Instant,
}

/// The terms that were read lately. Keys of senders that send no more stay until others come.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<Asked, Entry>>);

impl Known {
    /// The terms of a mail, as they stood at most a second ago. `generation` is the settings' before `tx` read anything:
    /// a change in between makes the entry stale, not wrong.
    pub(super) async fn of(&self, tx: &mut Tx, mail: &Mail, generation: u64) -> Result<Arc<Terms>, store::Error> {
        let now = tx.instant();
        let asked = asked(mail)?;
        if let Some(entry) = self.entries().get(&asked)
            && entry.generation == generation
            && entry.until > now
        {
            return Ok(entry.terms.clone());
        }
        let terms = Arc::new(read(tx, mail, asked.author.as_deref()).await?);
        let mut entries = self.entries();
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(asked, Entry { terms: terms.clone(), generation, until: now + GOOD_FOR });
        Ok(terms)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Asked, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn asked(mail: &Mail) -> Result<Asked, store::Error> {
    Ok(Asked {
        account: mail.account.clone(),
        region: mail.region.clone(),
        identity: mail.identity.clone(),
        source: mail.source.clone(),
        author: source_of(&mail.headers)?,
        set: mail.configuration_set.clone(),
        is_user: mail.kind == Kind::User,
    })
}

async fn read(tx: &mut Tx, mail: &Mail, author: Option<&str>) -> Result<Terms, store::Error> {
    let mut terms = Terms { tells_delivery: content::tells_delivery(tx, mail).await?, ..Terms::default() };
    let (account, region) = (&mail.account, &mail.region);
    terms.stays = accounts::state(tx, account).await? != State::Active;
    // Another account's identity is named by its ARN.
    let foreign = mail.identity.as_deref().and_then(|arn| identity_named(arn, region));
    let owner = foreign.map_or_else(|| account.clone(), |(owner, _)| owner);
    if let Ok(source) = EmailAddress::lenient(&mail.source) {
        // The address in From: its domain is what receivers compare the signature's with (RFC 7489, 3.1.1).
        let author = author.and_then(|from| Mailbox::parse(from).ok()).map_or_else(|| source.clone(), |m| m.address);
        terms.signers = signers(mail, &signing_keys(tx, &owner, region, &author).await?);
        // A mail that was accepted goes out, even if its identity would refuse it by now.
        if let ReversePath::Domain(domain) = reverse_path(tx, &owner, region, &source).await? {
            terms.reverse = Some(domain);
        }
    }
    if let Some(name) = &mail.configuration_set {
        let set = configuration_sets::find(tx, account, region, name).await?;
        // What was REQUIRE at the accept stays, though the set may be gone (`Parcel`).
        terms.require_tls = set.is_some_and(|set| set.tls_policy == Some(SetTlsPolicy::Require));
    }
    Ok(terms)
}

fn signers(mail: &Mail, keys: &[SigningKey]) -> Vec<Signer> {
    let read = |key: &SigningKey| match Signer::new(key) {
        Ok(signer) => Some(signer),
        // A mail without its signature may still arrive; one that waits for a broken key never does.
        Err(error) => {
            error!(message.id = %mail.id, %error, "sending without a dkim signature");
            None
        }
    };
    keys.iter().filter_map(read).collect()
}
