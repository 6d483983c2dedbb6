//! Verification: an address by a link that is mailed to it, a domain by its DKIM key in the DNS.
use std::time::Duration;

use handlebars::Handlebars;
use sha2::{Digest, Sha256};
use tracing::info;

use crate::base::{EmailAddress, ids};
use crate::mail::identity::{Error, Identities, LookupFailed, Settings, dkim};
use crate::mail::message::{Draft, Mailbox, compose};
use crate::mail::sending::notices::may_ask;
use crate::mail::sending::system::{SystemMail, send_in};
use crate::store::identities::{self, DkimKey, Identity};
use crate::store::{self, Tx};

/// SES: the link works for 24 hours.
const LINK_LIFE: Duration = Duration::from_secs(24 * 3600);
/// SES: a domain's records are looked for during 72 hours.
const SEARCH_LIFE: Duration = Duration::from_secs(72 * 3600);
/// How often a young domain is looked up, who waits at the screen; and later.
const CHECK_SOON: Duration = Duration::from_secs(60);
const CHECK_LATER: Duration = Duration::from_secs(15 * 60);
/// Domains that one round looks up.
const ROUND: i64 = 50;
/// Letters and digits of a link's token: more than 256 bits.
const TOKEN_LENGTH: usize = 48;
const TEXT: &str = include_str!("../../../templates/verification.txt.hbs");

/// A DNS record that the owner of a domain has to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// The full name.
    pub name: String,
    /// `TXT`.
    pub kind: &'static str,
    /// The value.
    pub value: String,
}

/// The record that proves that a domain is the account's, and that receivers check its signatures with.
pub fn dns_records(domain: &str, keys: &[DkimKey]) -> Vec<DnsRecord> {
    let record = |key: &DkimKey| DnsRecord {
        name: format!("{}._domainkey.{domain}", key.selector),
        kind: "TXT",
        value: dkim::record_value(&key.public_key),
    };
    keys.first().map(record).into_iter().collect()
}

/// Makes a link for an address and mails it there, in the caller's transaction.
pub(super) async fn mail_link(
    tx: &mut Tx,
    settings: &Settings,
    identity: Identity,
    address: &EmailAddress,
) -> Result<Identity, Error> {
    if !may_ask(tx, address).await? {
        return Err(Error::AskedTooOften(address.to_string()));
    }
    let token = ids::token(TOKEN_LENGTH);
    let expires_at = tx.now() + LINK_LIFE;
    let link = format!("{}/_postrider/verify?token={token}", settings.link_base.trim_end_matches('/'));
    let hash = token_hash(&token);
    identities::set_link(tx, &identity, &hash, expires_at).await?;
    let text = Handlebars::new()
        .render_template(
            TEXT,
            &serde_json::json!({
                "address": address.as_str(),
                "account": identity.account.as_str(),
                "region": identity.region.as_str(),
                "link": link,
            }),
        )
        .map_err(store::Error::corrupt)?;
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
    Ok(Identity { status: "PENDING".to_owned(), link_token: Some(hash), link_expires_at: Some(expires_at), ..identity })
}

/// What is kept of a link's token: who reads the store cannot open the link.
fn token_hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// What a look at the DNS says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Published,
    NotPublished,
    NoAnswer,
}

impl Identities {
    /// Opens the link with this token: the address is verified, and its name comes back. `None` for a token that is
    /// unknown, used or too old.
    pub async fn confirm(&self, token: &str) -> Result<Option<String>, Error> {
        if token.len() != TOKEN_LENGTH {
            return Ok(None);
        }
        let hash = token_hash(token);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let now = tx.now();
                    let Some(identity) = identities::find_by_link(tx, &hash).await? else { return Ok(None) };
                    if identity.link_expires_at.is_none_or(|until| until < now) {
                        return Ok(None);
                    }
                    identities::set_status(tx, &identity, "SUCCESS", None).await?;
                    info!(account = %identity.account, identity.name = %identity.name, "address verified");
                    Ok(Some(identity.name))
                })
            })
            .await
    }

    /// One round: looks up the domains whose check is due. The number that was looked up; call again when it is not 0.
    pub async fn check_pending(&self) -> Result<usize, Error> {
        let again_at = self.clock.now() + CHECK_SOON;
        let due = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let mut due = Vec::new();
                    for identity in identities::take_due(tx, again_at, ROUND).await? {
                        let keys = identities::keys(tx, &identity.account, &identity.region, &identity.name).await?;
                        due.push((identity, keys));
                    }
                    Ok::<_, Error>(due)
                })
            })
            .await?;
        let count = due.len();
        let looks = due.into_iter().map(|(identity, keys)| async move {
            let finding = self.look_up(&identity.name, &keys).await;
            self.settle(identity, finding).await
        });
        for settled in futures::future::join_all(looks).await {
            settled?;
        }
        Ok(count)
    }

    async fn look_up(&self, domain: &str, keys: &[DkimKey]) -> Finding {
        let Some(key) = keys.first() else { return Finding::NotPublished };
        match self.lookup.txt(&format!("{}._domainkey.{domain}.", key.selector)).await {
            Ok(records) if records.iter().any(|r| dkim::publishes(r, &key.public_key)) => Finding::Published,
            Ok(_) | Err(LookupFailed::NotFound) => Finding::NotPublished,
            Err(LookupFailed::Unavailable(_)) => Finding::NoAnswer,
        }
    }

    async fn settle(&self, identity: Identity, finding: Finding) -> Result<(), Error> {
        let now = self.clock.now();
        let age = now.since(identity.created_at);
        let next = now + if age < Duration::from_secs(3600) { CHECK_SOON } else { CHECK_LATER };
        let (status, next) = match finding {
            Finding::Published => ("SUCCESS", None),
            Finding::NotPublished if age > SEARCH_LIFE => ("FAILED", None),
            Finding::NotPublished | Finding::NoAnswer => ("PENDING", Some(next)),
        };
        if status != "PENDING" {
            info!(account = %identity.account, identity.name = %identity.name, status, "domain checked");
        }
        self.store
            .write(move |tx| Box::pin(async move { Ok(identities::set_status(tx, &identity, status, next).await?) }))
            .await
    }
}
