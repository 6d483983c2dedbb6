//! Accepting mail from SMTP: one transaction, and the id only after it is durable.
use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::{AccountId, EmailAddress, Region, Timestamp, ids};
use crate::mail::message::parse;
use crate::mail::receiving::handed::Task;
use crate::mail::receiving::places;
use crate::mail::receiving::{Error, Receiving, Route};
use crate::store::accepted::{Accepted, NewJob};
use crate::store::inbound_mails;
use crate::store::inbound_mails::State;
use crate::store::{self, Json};
use crate::workers::SystemQueue;

/// Through how many servers a mail can come, told by its `Received` fields: beyond it is a loop (RFC 5321, 6.3, which
/// asks for at least 100; our own field is one more).
pub const MAX_HOPS: usize = 100;

/// A mail as SMTP took it, with who receives it.
#[derive(Clone, Debug)]
pub struct InboundMail {
    /// The reverse path; `None` for the null reverse path.
    pub source: Option<EmailAddress>,
    /// The recipients, each with the route that [`Receiving::route`] gave at its RCPT.
    pub recipients: Vec<(EmailAddress, Route)>,
    /// What the client called itself.
    pub helo: String,
    /// The client's address.
    pub peer: IpAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The message as it was sent, dots unstuffed, without any field of ours.
    pub data: Bytes,
}

/// The body of an inbound job.
#[derive(Debug, Serialize, Deserialize)]
pub struct InboundJob {
    /// The mail's id.
    pub mail: String,
    /// What a rule has handed over; without one the rules are to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Whose rule handed it over; jobs of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// In which region; jobs of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The rule that handed it over, in the rule set; jobs of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
}

/// A rule by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleName {
    /// The rule set.
    pub set: String,
    /// The rule in it.
    pub rule: String,
}

impl Receiving {
    /// Accepts a mail: its raw message once, a row and an inbound job for each account and region among its recipients.
    /// Returns the message id, after the commit. Fails with [`Error::TooManyHops`] for a mail that runs in a loop and
    /// with [`Error::NoRecipients`].
    pub async fn accept(&self, mail: InboundMail) -> Result<String, Error> {
        self.store().check_room()?;
        if parse::received_count(&mail.data) > MAX_HOPS {
            return Err(Error::TooManyHops);
        }
        let now = self.clock().now();
        let rows = rows(&mail, now)?;
        let Some(first) = rows.first() else { return Err(Error::NoRecipients) };
        let (id, raw_id) = (first.id.clone(), first.raw_id.clone());
        let jobs = rows.iter().map(|row| job(row, &mail)).collect::<Result<_, _>>()?;
        self.store().accept(Accepted::inbound(raw_id, mail.data, now, rows, jobs)).await?;
        Ok(id)
    }
}

/// One row per account and region, in the order of the recipients. All share the first one's raw message.
fn rows(mail: &InboundMail, now: Timestamp) -> Result<Vec<inbound_mails::InboundMail>, Error> {
    let mut groups: Vec<(&Route, Vec<EmailAddress>)> = Vec::new();
    for (recipient, route) in &mail.recipients {
        match groups.iter_mut().find(|(known, _)| *known == route) {
            Some((_, list)) if list.contains(recipient) => {}
            Some((_, list)) => list.push(recipient.clone()),
            None => groups.push((route, vec![recipient.clone()])),
        }
    }
    let raw_id = ids::received_mail_id(now);
    let mut rows: Vec<inbound_mails::InboundMail> = Vec::with_capacity(groups.len());
    for (route, recipients) in groups {
        rows.push(inbound_mails::InboundMail {
            id: if rows.is_empty() { raw_id.clone() } else { ids::received_mail_id(now) },
            raw_id: raw_id.clone(),
            account: route.account.clone(),
            region: route.region.clone(),
            source: mail.source.as_ref().map(ToString::to_string),
            recipients: Json::of(&recipients)?,
            helo: mail.helo.clone(),
            peer: mail.peer.to_string(),
            tls: mail.tls,
            received_at: now,
            state: State::Waiting,
            note: None,
        });
    }
    Ok(rows)
}

fn job(row: &inbound_mails::InboundMail, mail: &InboundMail) -> Result<NewJob, Error> {
    let body = json(&InboundJob { mail: row.id.clone(), task: None, account: None, region: None, rule: None })?;
    let group = places::group(&row.account, mail.source.as_ref(), mail.peer);
    Ok(NewJob { queue_id: SystemQueue::Inbound.id(), group, body })
}

fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| store::Error::corrupt(error).into())
}
