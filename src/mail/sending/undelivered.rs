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
use crate::mail::message::report::Report;
use crate::mail::sending::system::{SystemMail, SystemMailError, send_in};
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
    let addresses = (forwarded.reverse_path.parse::<EmailAddress>(), forwarded.received_by.parse::<EmailAddress>());
    let (Ok(sender), Ok(received_by)) = addresses else { return Ok(false) };
    let returned = returned(mails::raw(tx, id).await?.unwrap_or_default());
    let Some(raw) = write(&sender, &received_by, status.unwrap_or("5.0.0"), returned) else { return Ok(false) };
    let (Ok(account), Ok(region)) = (mail.account.parse(), mail.region.parse()) else { return Ok(false) };
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

/// What its sender knows it by.
fn returned(raw: Vec<u8>) -> Vec<(String, String)> {
    let shown = ["from", "to", "cc", "subject", "date", "message-id"];
    let fields = parse::header_fields(&raw).into_iter();
    let shown = fields.filter(|field| shown.iter().any(|name| field.name.eq_ignore_ascii_case(name)));
    shown.map(|field| (field.name, field.value)).collect()
}

fn write(
    sender: &EmailAddress,
    received_by: &EmailAddress,
    status: &str,
    returned: Vec<(String, String)>,
) -> Option<Vec<u8>> {
    let field = |name: &str, value: String| (name.to_owned(), value);
    let text = format!(
        "Your message was not delivered to:\r\n\r\n    {received_by}\r\n\r\nThe address passes its mail on, and that failed.\r\n"
    );
    let daemon = daemon(received_by)?;
    let report = Report {
        from: ("Mail Delivery System", &daemon),
        to: sender,
        subject: "Delivery Status Notification (Failure)",
        text: &text,
        kind: "delivery-status",
        groups: vec![
            vec![field("Reporting-MTA", format!("dns; {}", received_by.domain()))],
            vec![
                field("Final-Recipient", format!("rfc822; {received_by}")),
                field("Action", "failed".to_owned()),
                field("Status", status.to_owned()),
            ],
        ],
        returned,
    };
    report.write().ok()
}
