//! Links that are mailed to addresses, what they ask when they are opened, and what happens when that is confirmed. How many
//! are mailed is bounded: to one address by all accounts together, since it cannot help it, and by one account.
use std::time::Duration;

use handlebars::Handlebars;
use sha2::{Digest, Sha256};
use tracing::info;

use crate::base::{AccountId, EmailAddress, Region, Timestamp, ids};
use crate::mail::identity::standing::next_look as next_look_at_dns;
use crate::mail::identity::{Error, Identities, IdentityName, NewIdentity, Settings};
use crate::mail::message::{Draft, Mailbox, compose};
use crate::mail::own::notices::may_ask;
use crate::mail::own::system::{SystemMail, send_in};
use crate::store::identities::{self, Identity, Standing};
use crate::store::verification_links::{self, Link};
use crate::store::{self, Tx};

/// SES: the link works for 24 hours.
const LINK_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long links are kept: longer than they work, so that an old one still knows where to send who opens it.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Letters and digits of a link's token: more than 256 bits.
const TOKEN_LENGTH: usize = 48;
/// In this time an address gets no more than so many mails, and an account causes no more than so many.
const WINDOW: Duration = Duration::from_secs(3600);
const PER_ADDRESS: i64 = 5;
const PER_ACCOUNT: i64 = 500;
const TEXT: &str = include_str!("../../../templates/verification.txt.hbs");

/// What a link asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The address that it verifies.
    pub address: String,
    /// For whom.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// Where the browser may go then, if the link says so.
    pub redirects: Vec<String>,
}

/// A link as it is opened: what it asks while it holds, and where who opens it goes when it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It holds.
    Holds(Asking),
    /// It does not, and says where to go.
    Leads(String),
    /// It does not.
    Void,
}

/// What pressing the button behind a link did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The address that is verified now; `None` for a link that is unknown, used or too old.
    pub verified: Option<String>,
    /// Where the browser goes, if the link says so.
    pub redirect: Option<String>,
}

/// Makes a link for an address in the caller's transaction, and gives its URL.
///
/// # Errors
/// [`Error::TooManyMails`].
pub(super) async fn make(
    tx: &mut Tx,
    settings: &Settings,
    identity: &Identity,
    redirects: Option<(String, String)>,
) -> Result<String, Error> {
    let now = tx.now();
    let since = now - WINDOW;
    if verification_links::count_to(tx, &identity.name, since).await? >= PER_ADDRESS
        || verification_links::count_of(tx, &identity.account, since).await? >= PER_ACCOUNT
    {
        return Err(Error::TooManyMails);
    }
    // Topics ask addresses too, and it is one mailbox.
    let address: EmailAddress = identity.name.parse().map_err(|_| Error::Name(identity.name.clone()))?;
    if !may_ask(tx, &address).await? {
        return Err(Error::TooManyMails);
    }
    let token = ids::token(TOKEN_LENGTH);
    let link = Link {
        token: token_hash(&token),
        account: identity.account.clone(),
        region: identity.region.clone(),
        name: identity.name.clone(),
        created_at: now,
        expires_at: now + LINK_LIFE,
        used_at: None,
        redirects,
    };
    verification_links::insert(tx, &link).await?;
    // One that is verified stays so.
    if !identity.is_verified() {
        let waiting = Identity {
            status: Standing::Pending,
            since: Some(now),
            next_check_at: Some(link.expires_at),
            ..identity.clone()
        };
        identities::update(tx, &waiting).await?;
    }
    Ok(format!("{}/_postrider/verify?token={token}", settings.link_base.trim_end_matches('/')))
}

/// Makes a link for an address and mails it there, in the caller's transaction.
///
/// # Errors
/// [`Error::TooManyMails`].
pub(super) async fn mail(
    tx: &mut Tx,
    settings: &Settings,
    identity: &Identity,
    address: &EmailAddress,
) -> Result<(), Error> {
    let link = make(tx, settings, identity, None).await?;
    let words = serde_json::json!({
        "address": address.as_str(),
        "account": identity.account.as_str(),
        "region": identity.region.as_str(),
        "link": link,
    });
    let text = Handlebars::new().render_template(TEXT, &words).map_err(store::Error::corrupt)?;
    let from = Mailbox::parse(&format!("no-reply@{}", settings.hostname))?;
    let draft = Draft {
        from: Mailbox { name: Some("Postrider".to_owned()), ..from.clone() },
        to: vec![Mailbox { name: None, address: address.clone() }],
        cc: Vec::new(),
        reply_to: Vec::new(),
        subject: format!("Email address verification request in region {}", identity.region),
        text: Some(text),
        html: None,
        attachments: Vec::new(),
        headers: vec![("Auto-Submitted".to_owned(), "auto-generated".to_owned())],
    };
    let mail = SystemMail {
        account: identity.account.clone(),
        region: identity.region.clone(),
        source: from.address,
        recipient: address.clone(),
        raw: compose(&draft)?,
        hostname: settings.hostname.clone(),
    };
    send_in(tx, mail).await?;
    Ok(())
}

/// What is kept of a link's token: who reads the store cannot open the link.
fn token_hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// When to look at an address next. One whose last link was never opened has failed; a new link begins anew.
pub(super) fn next_look(identity: &mut Identity, now: Timestamp) -> Option<Timestamp> {
    let until = identity.since.unwrap_or(identity.created_at) + LINK_LIFE;
    if identity.status == Standing::Pending && now >= until {
        (identity.status, identity.since) = (Standing::Failed, None);
    }
    let waiting = (identity.status == Standing::Pending).then_some(until);
    [waiting, next_look_at_dns(identity, None, now)].into_iter().flatten().min()
}

impl Identities {
    /// Makes an address identity, or mails a new link to one that is not verified yet (v1 VerifyEmailIdentity).
    ///
    /// # Errors
    /// As [`Identities::create`], but for one that exists.
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
                    identities::hold(tx, &account, &region, name.as_str()).await?;
                    if let Some(identity) = identities::find(tx, &account, &region, name.as_str()).await?
                        && !identity.is_verified()
                        && let IdentityName::Address(address) = &name
                    {
                        // To the name that is verified, and no other spelling of it.
                        mail(tx, &settings, &identity, address).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// What the link with this token asks. Changes nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(&self, token: &str) -> Result<Looked, Error> {
        if token.len() != TOKEN_LENGTH {
            return Ok(Looked::Void);
        }
        let hash = token_hash(token);
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let Some(link) = verification_links::find(tx, &hash).await? else { return Ok(Looked::Void) };
                    let found = identities::find(tx, &link.account, &link.region, &link.name).await?;
                    let holds = found.is_some_and(|identity| identity.created_at <= link.created_at)
                        && link.expires_at >= tx.now()
                        && link.used_at.is_none();
                    if holds {
                        let Link { account, region, name: address, redirects, .. } = link;
                        let redirects = redirects.map_or_else(Vec::new, |(success, failure)| vec![success, failure]);
                        return Ok(Looked::Holds(Asking { address, account, region, redirects }));
                    }
                    Ok(link.redirects.map_or(Looked::Void, |(_, failure)| Looked::Leads(failure)))
                })
            })
            .await
    }

    /// Verifies the address that the link with this token is for.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn confirm(&self, token: &str) -> Result<Opened, Error> {
        if token.len() != TOKEN_LENGTH {
            return Ok(Opened::default());
        }
        let hash = token_hash(token);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let now = tx.now();
                    let Some(link) = verification_links::find(tx, &hash).await? else { return Ok(Opened::default()) };
                    let (success, failure) = link.redirects.clone().unzip();
                    let refused = Opened { verified: None, redirect: failure };
                    identities::hold(tx, &link.account, &link.region, &link.name).await?;
                    let found = identities::find(tx, &link.account, &link.region, &link.name).await?;
                    // One that was deleted and made again is another identity.
                    let Some(identity) = found.filter(|identity| identity.created_at <= link.created_at) else {
                        return Ok(refused);
                    };
                    if link.expires_at < now || !verification_links::take(tx, &hash).await? {
                        return Ok(refused);
                    }
                    let next = next_look_at_dns(&identity, None, now);
                    identities::set_status(tx, &identity, Standing::Success, next).await?;
                    info!(account = %identity.account, identity.name = %identity.name, "address verified");
                    Ok(Opened { verified: Some(identity.name), redirect: success })
                })
            })
            .await
    }
}
