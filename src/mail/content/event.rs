//! What happened to a mail, in the JSON that SES publishes (SES developer guide, "Event publishing: examples of the records").
//! Exact member names matter here: programs that read SES's events read these.
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::base::Timestamp;
use crate::mail::bounce::{BounceSubType, BounceType, ComplaintSubType, DelayType};
use crate::store::Error;
use crate::store::event_types::EventType;
use crate::store::mails::Mail;

/// One thing that happened to a mail.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The mail was accepted.
    Send,
    /// The mail was accepted and then not sent, since its content is not acceptable.
    Reject {
        /// SES knows one: `Bad content`.
        reason: String,
    },
    /// The other side took it.
    Delivery(Delivery),
    /// Given up for these recipients.
    Bounce(Bounce),
    /// Not yet; it will be tried again.
    DeliveryDelay(DeliveryDelay),
    /// A recipient marked it as unwanted.
    Complaint(Complaint),
    /// The mail was accepted and could not be made from its template.
    RenderingFailure {
        /// The template's name.
        template: String,
        /// Why.
        error: String,
    },
}

/// A delivery's facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// When the other side said yes.
    pub at: Timestamp,
    /// Who got it.
    pub recipients: Vec<String>,
    /// The other side's answer to the end of the data, such as `250 ok`.
    pub smtp_response: String,
    /// The name of the host of ours that delivered it.
    pub reporting_mta: String,
    /// The address that it went out from: the tag `ses:outgoing-ip`.
    pub outgoing_ip: Option<String>,
    /// The address that it went to. Only notifications tell it: `remoteMtaIp`.
    pub remote_ip: Option<String>,
}

/// A bounce's facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounce {
    /// When we gave up.
    pub at: Timestamp,
    /// How final it is.
    pub kind: BounceType,
    /// What kept the mail away.
    pub sub_type: BounceSubType,
    /// Who does not get it, and why.
    pub recipients: Vec<BouncedRecipient>,
    /// A new id for this bounce, in the form of a message id.
    pub feedback_id: String,
    /// `dns; HOST`: who reports it.
    pub reporting_mta: Option<String>,
    /// The address of the host that refused it. Only notifications tell it: `remoteMtaIp`.
    pub remote_ip: Option<String>,
}

/// One recipient of a bounce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BouncedRecipient {
    /// The address.
    pub email_address: String,
    /// `failed` (RFC 3464, 2.3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The enhanced status code, such as `5.1.1` (RFC 3463).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `smtp; 550 5.1.1 no such user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostic_code: Option<String>,
}

/// A delay's facts.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryDelay {
    /// When it was noticed.
    pub at: Timestamp,
    /// Why the mail waits.
    pub delay_type: DelayType,
    /// When we will give up.
    pub expires_at: Timestamp,
    /// Who waits, and why.
    pub recipients: Vec<DelayedRecipient>,
    /// The name of the host of ours that reports it.
    pub reporting_mta: Option<String>,
}

/// One recipient of a delay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DelayedRecipient {
    /// The address.
    pub email_address: String,
    /// The enhanced status code, such as `4.4.1`.
    pub status: String,
    /// `smtp; 421 4.4.1 unable to connect`.
    pub diagnostic_code: String,
}

/// A complaint's facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    /// When the complaint came in.
    pub at: Timestamp,
    /// Who may have complained: every recipient at that domain.
    pub recipients: Vec<String>,
    /// A new id for this complaint.
    pub feedback_id: String,
    /// What is special about it, if anything.
    pub sub_type: Option<ComplaintSubType>,
    /// The report's User-Agent (RFC 5965).
    pub user_agent: Option<String>,
    /// `abuse`, `auth-failure`, `fraud`, `not-spam`, `other`, `virus` (RFC 5965).
    pub feedback_type: Option<String>,
    /// The report's Arrival-Date.
    pub arrival: Option<Timestamp>,
}

impl Event {
    /// What type of event it is.
    pub fn kind(&self) -> EventType {
        match self {
            Event::Send => EventType::Send,
            Event::Reject { .. } => EventType::Reject,
            Event::Delivery(_) => EventType::Delivery,
            Event::Bounce(_) => EventType::Bounce,
            Event::DeliveryDelay(_) => EventType::DeliveryDelay,
            Event::Complaint(_) => EventType::Complaint,
            Event::RenderingFailure { .. } => EventType::RenderingFailure,
        }
    }

    /// The name and the content of the record's own object.
    fn body(&self, mail: &Mail) -> (&'static str, Value) {
        match self {
            Event::Send => ("send", json!({})),
            Event::Reject { reason } => ("reject", json!({ "reason": reason })),
            Event::Delivery(d) => ("delivery", delivery(d, mail)),
            Event::Bounce(b) => ("bounce", bounce(b)),
            Event::DeliveryDelay(d) => ("deliveryDelay", delay(d)),
            Event::Complaint(c) => ("complaint", complaint(c)),
            Event::RenderingFailure { template, error } => {
                ("failure", json!({ "errorMessage": error, "templateName": template }))
            }
        }
    }

    /// The record that is published: one line of JSON.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the mail's tags or headers cannot be read.
    pub fn record(&self, mail: &Mail) -> Result<String, Error> {
        let (name, body) = self.body(mail);
        let mut record = Map::new();
        record.insert("eventType".to_owned(), Value::from(self.kind().record_name()));
        record.insert("mail".to_owned(), self.mail_object(mail)?);
        record.insert(name.to_owned(), body);
        Ok(Value::Object(record).to_string())
    }

    /// The notification of an identity's topic: one line of JSON. It has no tags, and headers only where they are wanted
    /// (SES guide, "Notification contents").
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the mail's tags or headers cannot be read.
    pub fn notification(&self, mail: &Mail, with_headers: bool) -> Result<String, Error> {
        let (name, mut body) = self.body(mail);
        set(&mut body, "remoteMtaIp", self.remote_ip().map(str::to_owned));
        let mut object = self.mail_object(mail)?;
        if let Some(members) = object.as_object_mut() {
            members.remove("tags");
            if !with_headers {
                for name in ["headersTruncated", "headers", "commonHeaders"] {
                    members.remove(name);
                }
            }
            members.insert("callerIdentity".to_owned(), caller_name(&mail.caller).into());
            if let Some(address) = &mail.source_ip {
                members.insert("sourceIp".to_owned(), address.as_str().into());
            }
        }
        let mut record = Map::new();
        record.insert("notificationType".to_owned(), Value::from(self.kind().record_name()));
        record.insert("mail".to_owned(), object);
        record.insert(name.to_owned(), body);
        Ok(Value::Object(record).to_string())
    }

    fn remote_ip(&self) -> Option<&str> {
        match self {
            Event::Delivery(delivery) => delivery.remote_ip.as_deref(),
            Event::Bounce(bounce) => bounce.remote_ip.as_deref(),
            _ => None,
        }
    }

    fn mail_object(&self, mail: &Mail) -> Result<Value, Error> {
        let headers = mail.headers.read()?;
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put("timestamp", mail.accepted_at.iso_millis().into());
        put("source", headers.source.as_deref().unwrap_or(&mail.source).into());
        if let Some(identity) = &mail.identity {
            // Another account's is kept as an ARN.
            let foreign = identity.starts_with("arn:").then(|| identity.clone());
            let own = || format!("arn:aws:ses:{}:{}:identity/{identity}", mail.region, mail.account);
            put("sourceArn", foreign.unwrap_or_else(own).into());
        }
        put("sendingAccountId", mail.account.as_str().into());
        put("messageId", mail.id.as_str().into());
        put("destination", json!(headers.destination));
        put("headersTruncated", headers.truncated.into());
        // A mail that could not be made from its template has none; an empty message has an empty list.
        let bare = headers.headers.is_empty() && !matches!(self, Self::RenderingFailure { .. });
        if bare || !headers.headers.is_empty() {
            put("headers", json!(headers.headers));
            put("commonHeaders", headers.common_headers(&mail.id));
        }
        // SES tells the domain of the message's From.
        put("tags", json!(self.tags(mail, bare)?));
        Ok(Value::Object(object))
    }

    /// The caller's tags and SES's own; `bare` is a message without a header.
    fn tags(&self, mail: &Mail, bare: bool) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let given = mail.tags.read()?;
        let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in given {
            tags.entry(name).or_default().push(value);
        }
        let mut auto = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                tags.insert(name.to_owned(), vec![value]);
            }
        };
        auto("ses:configuration-set", mail.configuration_set.clone());
        auto("ses:source-ip", mail.source_ip.clone());
        let from = mail.source.rsplit_once('@').filter(|_| !bare);
        auto("ses:from-domain", from.map(|(_, domain)| domain.to_owned()));
        auto("ses:caller-identity", Some(caller_name(&mail.caller).to_owned()));
        if let Event::Delivery(delivery) = self {
            auto("ses:outgoing-ip", delivery.outgoing_ip.clone());
        }
        Ok(tags)
    }
}

/// Who called, by name. A key that is the account's own number, as programs in development use it, is the account's root.
fn caller_name(caller: &str) -> &str {
    let is_number = caller.len() == 12 && caller.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { "root" } else { caller }
}

fn delivery(d: &Delivery, mail: &Mail) -> Value {
    let took = d.at.since(mail.accepted_at).as_millis();
    json!({
        "timestamp": d.at.iso_millis(),
        "processingTimeMillis": u64::try_from(took).unwrap_or(u64::MAX),
        "recipients": d.recipients,
        "smtpResponse": d.smtp_response,
        "reportingMTA": d.reporting_mta,
    })
}

fn bounce(b: &Bounce) -> Value {
    let mut object = json!({
        "feedbackId": b.feedback_id,
        "bounceType": b.kind,
        "bounceSubType": b.sub_type,
        "bouncedRecipients": b.recipients,
        "timestamp": b.at.iso_millis(),
    });
    set(&mut object, "reportingMTA", b.reporting_mta.clone());
    object
}

fn delay(d: &DeliveryDelay) -> Value {
    let mut object = json!({
        "timestamp": d.at.iso_millis(),
        "delayType": d.delay_type,
        "expirationTime": d.expires_at.iso_millis(),
        "delayedRecipients": d.recipients,
    });
    set(&mut object, "reportingMTA", d.reporting_mta.clone());
    object
}

fn complaint(c: &Complaint) -> Value {
    let recipients: Vec<Value> = c.recipients.iter().map(|address| json!({ "emailAddress": address })).collect();
    let mut object = json!({
        "feedbackId": c.feedback_id,
        "complaintSubType": c.sub_type,
        "complainedRecipients": recipients,
        "timestamp": c.at.iso_millis(),
    });
    set(&mut object, "userAgent", c.user_agent.clone());
    set(&mut object, "complaintFeedbackType", c.feedback_type.clone());
    set(&mut object, "arrivalDate", c.arrival.map(Timestamp::iso_millis));
    object
}

fn set(object: &mut Value, name: &str, value: Option<String>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value.into());
    }
}
