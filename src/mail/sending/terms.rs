//! What a sender's settings say about its mail on the way out, kept for a moment: many mails have the same sender.
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tracing::error;

use crate::base::{AccountId, EmailAddress, Kept, Region};
use crate::mail::content;
use crate::mail::identity::authorization::identity_named;
use crate::mail::identity::dkim::signing_keys;
use crate::mail::identity::{ReversePath, reverse_path};
use crate::mail::message::Mailbox;
use crate::mail::message::dkim::{DkimError, Signer, SigningKey};
use crate::mail::message::headers_record::source_of;
use crate::store;
use crate::store::accounts::{self, State};
use crate::store::configuration_sets::{self, SetTlsPolicy};
use crate::store::mails::{Kind, Mail};
use crate::store::{Store, Tx};

/// Senders that are known: those whose mails were loaded last.
const SENDERS_KEPT: usize = 20_000;
/// Keys that are kept read, of as many senders as use them. An RSA key has some kilobytes.
const SIGNERS_KEPT: usize = 10_000;

/// What the settings say.
#[derive(Default)]
pub(super) struct Terms {
    /// The keys that sign, read.
    pub signers: Vec<Arc<Signer>>,
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
#[derive(Clone, PartialEq, Eq, Hash)]
struct Asked {
    account: AccountId,
    region: Region,
    identity: Option<String>,
    source: String,
    /// The address in From: what is written before it changes nothing.
    author: Option<EmailAddress>,
    set: Option<String>,
    is_user: bool,
}

/// The terms that were read lately.
pub(super) struct Known {
    terms: Kept<Asked, Arc<Terms>>,
    /// Keys that were read, by selector, domain and the digest of the key: to read one costs nearly as much as a signature, and
    /// all senders of a domain share its keys.
    signers: Kept<(String, String, [u8; 32]), Arc<Signer>>,
}

impl Known {
    /// Keeps what is read. Terms are read of kept tables and of nothing else, so that they are good until one of them
    /// changes.
    pub(super) fn new(store: &Store) -> Self {
        Self { terms: store.kept(SENDERS_KEPT).while_confirmed(), signers: Kept::new(SIGNERS_KEPT) }
    }

    /// The terms of a mail.
    pub(super) async fn of(&self, tx: &mut Tx, mail: &Mail) -> Result<Arc<Terms>, store::Error> {
        let asked = asked(mail)?;
        let author = asked.author.as_ref();
        self.terms.get_or_load(&asked, || async { self.read(tx, mail, author).await.map(Arc::new) }).await
    }

    async fn read(&self, tx: &mut Tx, mail: &Mail, author: Option<&EmailAddress>) -> Result<Terms, store::Error> {
        let mut terms = Terms { tells_delivery: content::tells_delivery(tx, mail).await?, ..Terms::default() };
        let (account, region) = (&mail.account, &mail.region);
        terms.stays = accounts::state(tx, account).await? != State::Active;
        // Another account's identity is named by its ARN.
        let foreign = mail.identity.as_deref().and_then(|arn| identity_named(arn, region));
        let owner = foreign.map_or_else(|| account.clone(), |(owner, _)| owner);
        if let Ok(source) = EmailAddress::lenient(&mail.source) {
            // The address in From: its domain is what receivers compare the signature's with (RFC 7489, 3.1.1).
            let author = author.unwrap_or(&source);
            terms.signers = self.signers(mail, &signing_keys(tx, &owner, region, author).await?);
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

    fn signers(&self, mail: &Mail, keys: &[SigningKey]) -> Vec<Arc<Signer>> {
        let read = |key: &SigningKey| match self.signer(key) {
            Ok(signer) => Some(signer),
            // A mail without its signature may still arrive; one that waits for a broken key never does.
            Err(error) => {
                error!(message.id = %mail.id, %error, "sending without a dkim signature");
                None
            }
        };
        keys.iter().filter_map(read).collect()
    }

    fn signer(&self, key: &SigningKey) -> Result<Arc<Signer>, DkimError> {
        let digest: [u8; 32] = Sha256::digest(&key.private_key).into();
        let place = (key.selector.clone(), key.domain.clone(), digest);
        self.signers.get_or_make(&place, || Signer::new(key).map(Arc::new))
    }
}

fn asked(mail: &Mail) -> Result<Asked, store::Error> {
    Ok(Asked {
        account: mail.account.clone(),
        region: mail.region.clone(),
        identity: mail.identity.clone(),
        source: mail.source.clone(),
        author: source_of(&mail.headers)?.and_then(|from| Some(Mailbox::parse(&from).ok()?.address)),
        set: mail.configuration_set.clone(),
        is_user: mail.kind == Kind::User,
    })
}
