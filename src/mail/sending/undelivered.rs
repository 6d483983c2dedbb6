//! A received mail that went on and does not arrive: who is told.
//!
//! The decision. This server had taken the mail, so it owes its sender a notification (RFC 5321, 6.1). It goes to the reverse
//! path that the mail came with, and not to the address that passed it on: that one's rule would only send it on again, to
//! where it does not arrive. It has the null reverse path and `Auto-Submitted`, so nothing answers it, and is sent once for a
//! mail, however many of the addresses fail. It tells the address that received the mail and not where it went on to, which
//! is nobody's business but the owner's (RFC 5321, 3.9; RFC 3464, 4.2). Nobody is told of mail with the null reverse path, of
//! mail that a program sent (RFC 3834, 2), and of mail whose reverse path is forged, as its domain says by SPF: that would
//! tell a stranger (`receiving/actions/forward.rs` decides that, when the mail goes on). The operator has a line in the log
//! and a counter in each case.
use crate::base::EmailAddress;
use crate::mail::message::parse;
use crate::mail::message::report::{StatusOf, StatusReport};
use crate::mail::own::system::{SystemMail, SystemMailError, send_in};
use crate::store::mails::{self, Kind, Mail, Recipient};
use crate::store::{Error, Tx, forwards};

/// Tells that `to` does not get a mail that went on; does nothing for any other mail. `status`: the enhanced status code
/// (RFC 3463), where the other side said one.
pub async fn tell(tx: &mut Tx, mail: &Mail, to: &Recipient, status: Option<&str>) -> Result<bool, Error> {
    if mail.kind != Kind::Forward {
        return Ok(false);
    }
    metrics::counter!("postrider_forwards_failed_total").increment(1);
    let Some(forwarded) = forwards::take(tx, &mail.id).await? else { return Ok(false) };
    let (id, recipient) = (mail.id.as_str(), to.address.as_str());
    tracing::error!(message.id = %forwarded.inbound_id, mail.id = id, recipient, status, "forwarded mail does not arrive");
    let addresses = (EmailAddress::lenient(&forwarded.reverse_path), EmailAddress::lenient(&forwarded.received_by));
    let (Ok(sender), Ok(received_by)) = addresses else { return Ok(false) };
    let original = known_by(&mails::raw(tx, id).await?.unwrap_or_default());
    let written = write(mail, &sender, &received_by, status.unwrap_or("5.0.0"), &original);
    let Some(raw) = written else { return Ok(false) };
    let (account, region) = (mail.account.clone(), mail.region.clone());
    let hostname = received_by.domain().to_string();
    let source = daemon(&received_by).unwrap_or(received_by);
    let told = SystemMail { account, region, source, recipient: sender, raw, hostname };
    match send_in(tx, told).await {
        Ok(_) => Ok(true),
        Err(SystemMailError::Internal(error)) => Err(error),
        Err(error) => {
            tracing::error!(mail.id = id, %error, "its sender was not told");
            Ok(false)
        }
    }
}

fn daemon(received_by: &EmailAddress) -> Option<EmailAddress> {
    format!("MAILER-DAEMON@{}", received_by.domain()).parse().ok()
}

/// The fields that its sender knows it by.
fn known_by(raw: &[u8]) -> Vec<u8> {
    let shown = ["from", "to", "cc", "subject", "date", "message-id"];
    let fields = parse::header_fields(raw).into_iter();
    let shown = fields.filter(|field| shown.iter().any(|name| field.name.eq_ignore_ascii_case(name)));
    let mut lines: String = shown.map(|field| format!("{}: {}\r\n", field.name, field.value)).collect();
    lines.push_str("\r\n");
    lines.into_bytes()
}

fn write(
    mail: &Mail,
    sender: &EmailAddress,
    received_by: &EmailAddress,
    status: &str,
    original: &[u8],
) -> Option<Vec<u8>> {
    let fields = parse::header_fields(original);
    let id = fields.iter().find(|field| field.name.eq_ignore_ascii_case("message-id"));
    let report = StatusReport {
        from: &daemon(received_by)?,
        to: sender,
        in_reply_to: id.map(|field| field.value.as_str()),
        explanation: Some("The address passes its mail on, and that failed."),
        reporting_mta: format!("dns; {}", received_by.domain()),
        arrival: mail.accepted_at,
        more: vec![],
        recipients: vec![StatusOf {
            address: received_by.clone(),
            action: "failed".to_owned(),
            status: status.to_owned(),
            remote_mta: None,
            diagnostic: None,
            more: vec![],
        }],
        original,
    };
    report.write().ok()
}
