//! The events of mails in EventBridge's envelope. Source: SES guide, "Monitoring SES events using Amazon EventBridge";
//! EventBridge reference, "Amazon Simple Email Service events". What stands in `resources` is not shown there for these events;
//! the configuration set, since it is what the rules of others match on.
use serde_json::{Value, json};

use crate::base::{Timestamp, ids};
use crate::mail::content::event::Event;
use crate::store::Error;
use crate::store::mails::Mail;

/// EventBridge's names for the events.
fn detail_type(event: &Event) -> &'static str {
    match event {
        Event::Send => "Email Sent",
        Event::Reject { .. } => "Email Rejected",
        Event::Delivery(_) => "Email Delivered",
        Event::Bounce(_) => "Email Bounced",
        Event::DeliveryDelay(_) => "Email Delivery Delayed",
        Event::Complaint(_) => "Email Complaint Received",
        Event::RenderingFailure { .. } => "Email Rendering Failed",
    }
}

/// The id of a new event, and the event. `record` is what other destinations get of it.
pub(super) fn envelope(
    mail: &Mail,
    set: &str,
    event: &Event,
    record: &str,
    now: Timestamp,
) -> Result<(String, String), Error> {
    let id = ids::uuid();
    let detail: Value = serde_json::from_str(record).map_err(Error::corrupt)?;
    let second: String = now.iso_millis().chars().take(19).collect();
    let envelope = json!({
        "version": "0",
        "id": id,
        "detail-type": detail_type(event),
        "source": "aws.ses",
        "account": mail.account,
        "time": format!("{second}Z"),
        "region": mail.region,
        "resources": [format!("arn:aws:ses:{}:{}:configuration-set/{set}", mail.region, mail.account)],
        "detail": detail,
    });
    Ok((id, envelope.to_string()))
}
