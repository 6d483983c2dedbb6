//! Feedback forwarding: bounces and complaints as mails to who sent (SES guide, "Amazon SES notifications through email").
//! They go to the mail's address for bounces, with the null reverse path, so that nothing comes of one that bounces.
use tracing::warn;

use crate::base::{EmailAddress, HeaderLine};
use crate::mail::content::event::{Bounce, Complaint, Event};
use crate::mail::message::report::Report;
use crate::mail::own::system::{SystemMail, SystemMailError, send_in};
use crate::store::mails::Mail;
use crate::store::{Error, Tx};

/// Queues the mail that tells of a bounce or a complaint, in the caller's transaction.
pub(super) async fn forward(tx: &mut Tx, mail: &Mail, event: &Event) -> Result<(), Error> {
    let Some(system_mail) = write(mail, event)? else { return Ok(()) };
    match send_in(tx, system_mail).await {
        Ok(_) => Ok(()),
        Err(SystemMailError::Internal(error)) => Err(error),
        Err(error) => {
            warn!(mail.id = %mail.id, %error, "feedback not forwarded");
            Ok(())
        }
    }
}

/// The mail, if there is somebody to tell.
fn write(mail: &Mail, event: &Event) -> Result<Option<SystemMail>, Error> {
    let Ok(recipient) = EmailAddress::lenient(&mail.return_path) else { return Ok(None) };
    let headers = mail.headers.read()?.headers;
    Ok(written(mail, event, &recipient, headers))
}

fn written(mail: &Mail, event: &Event, recipient: &EmailAddress, headers: Vec<HeaderLine>) -> Option<SystemMail> {
    // Our own name stands in the Message-ID that we gave the mail.
    let own_id = headers.iter().rfind(|line| line.name.eq_ignore_ascii_case("Message-ID"));
    let hostname = own_id.and_then(|line| line.value.strip_suffix('>')?.rsplit_once('@')).map(|(_, host)| host);
    let hostname = hostname.or_else(|| mail.source.rsplit_once('@').map(|(_, domain)| domain))?.to_owned();
    let (name, local) = match event {
        Event::Bounce(_) => ("Mail Delivery Subsystem", "MAILER-DAEMON"),
        Event::Complaint(_) => ("Complaints", "complaints"),
        _ => return None,
    };
    let from: EmailAddress = format!("{local}@{hostname}").parse().ok()?;
    let returned = headers.into_iter().map(|line| (line.name, line.value)).collect();
    let base = Report {
        from: (name, &from),
        to: recipient,
        in_reply_to: None,
        subject: "Delivery Status Notification (Failure)",
        text: "",
        kind: "delivery-status",
        groups: Vec::new(),
        returned,
    };
    let raw = match event {
        Event::Bounce(bounce) => bounced(base, mail, bounce, &hostname),
        Event::Complaint(complaint) => complained(base, mail, complaint),
        _ => return None,
    };
    let (account, region) = (mail.account.clone(), mail.region.clone());
    Some(SystemMail { account, region, source: from.clone(), recipient: recipient.clone(), raw: raw?, hostname })
}

fn bounced(base: Report<'_>, mail: &Mail, bounce: &Bounce, hostname: &str) -> Option<Vec<u8>> {
    let mut text = "An error occurred while trying to deliver the mail to the following recipients:\r\n".to_owned();
    let reporter = bounce.reporting_mta.clone().unwrap_or_else(|| format!("dns; {hostname}"));
    let about = vec![("Reporting-MTA".to_owned(), reporter), ("Arrival-Date".to_owned(), mail.accepted_at.rfc2822())];
    let mut groups = vec![about];
    for recipient in &bounce.recipients {
        text.push_str(&format!("{}\r\n", recipient.email_address));
        let mut group = vec![
            ("Final-Recipient".to_owned(), format!("rfc822; {}", recipient.email_address)),
            ("Action".to_owned(), recipient.action.clone().unwrap_or_else(|| "failed".to_owned())),
            ("Status".to_owned(), recipient.status.clone().unwrap_or_else(|| "5.0.0".to_owned())),
        ];
        group.extend(recipient.diagnostic_code.clone().map(|code| ("Diagnostic-Code".to_owned(), code)));
        groups.push(group);
    }
    Report { text: &text, groups, ..base }.write().ok()
}

fn complained(base: Report<'_>, mail: &Mail, complaint: &Complaint) -> Option<Vec<u8>> {
    let who = complaint.recipients.join("\r\n");
    let text = format!("A recipient marked your mail as unwanted. It may be one of:\r\n{who}\r\n");
    let kind = complaint.feedback_type.clone().unwrap_or_else(|| "abuse".to_owned());
    let agent = complaint.user_agent.clone().unwrap_or_else(|| "Postrider".to_owned());
    let mut group = vec![
        ("Feedback-Type".to_owned(), kind),
        ("User-Agent".to_owned(), agent),
        ("Version".to_owned(), "1".to_owned()),
        ("Original-Mail-From".to_owned(), format!("<{}>", mail.return_path)),
    ];
    group.extend(complaint.recipients.iter().map(|to| ("Original-Rcpt-To".to_owned(), format!("<{to}>"))));
    let subject = "Complaint Notification";
    Report { subject, text: &text, kind: "feedback-report", groups: vec![group], ..base }.write().ok()
}
