//! Mails that are made from a template.
use crate::base::{AccountId, Scope, Timestamp};
use crate::mail::content::templates::{self, Parts, Templates};
use crate::mail::content::{Data, Prepared};
use crate::mail::message::{Draft, Error, Mailbox, compose};
use crate::mail::sending::SendError;
use crate::mail::sending::unrendered::Unrendered;
use crate::workers::{Compute, NotDone};

/// Octets of texts and files of a mail that is composed at once: a fraction of a millisecond.
const COMPOSED_HERE_MAX: usize = 64 * 1024;

/// Why a mail by a template is not sent.
#[derive(Debug, thiserror::Error)]
pub enum FromTemplateError {
    /// Neither a template that is kept nor one that comes with the call, or both.
    #[error("exactly one template has to be named")]
    NotOneTemplate,
    /// The template, or its data.
    #[error(transparent)]
    Template(#[from] templates::Error),
    /// The mail.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl From<NotDone> for FromTemplateError {
    fn from(error: NotDone) -> Self {
        Self::Template(error.into())
    }
}

impl From<Error> for FromTemplateError {
    fn from(error: Error) -> Self {
        Self::Send(error.into())
    }
}

/// Composes `draft`, a mail of `account`, with the parts that `template` and `data` give. Where they give none, the message
/// is a stand-in for the accept door, which tells of the failure and sends nothing.
///
/// # Errors
/// Data that is none, work of the account that waits too long, and what [`compose()`] refuses.
pub(super) async fn compose_from(
    templates: &Templates,
    account: &AccountId,
    template: &Prepared,
    data: Data,
    draft: Draft,
) -> Result<(Vec<u8>, Option<Unrendered>), FromTemplateError> {
    let compute = templates.compute();
    match template.render(compute, account, data).await? {
        Ok(parts) => {
            let subject = parts.subject.unwrap_or_default();
            let draft = Draft { subject, text: parts.text, html: parts.html, ..draft };
            Ok((compose_soon(compute, account, draft).await??, None))
        }
        Err(error) => {
            let attribute = error.attribute();
            let failure = Unrendered { template: template.name().to_owned(), error: error.told(), attribute };
            let stand_in = Draft { text: Some(String::new()), attachments: Vec::new(), ..draft };
            Ok((compose(&stand_in)?, Some(failure)))
        }
    }
}

/// Composes a mail of `account`: a small one at once, a large one away from the threads that answer others.
///
/// # Errors
/// The outer: too much work of the account that waits. The inner: what [`compose()`] refuses.
pub async fn compose_soon(
    compute: &Compute,
    account: &AccountId,
    draft: Draft,
) -> Result<Result<Vec<u8>, Error>, NotDone> {
    let texts = [&draft.text, &draft.html].into_iter().flatten().map(String::len);
    let size: usize = texts.chain(draft.attachments.iter().map(|file| file.content.len())).sum();
    compute.linear(account.as_str(), (size, COMPOSED_HERE_MAX), move || compose(&draft)).await
}

/// Renders a template to a message without sender and recipients, as of the moment `now`: nothing is sent.
///
/// # Errors
/// A template that does not exist; data that is none or lacks something; a result that is no message.
pub async fn try_out(
    templates: &Templates,
    scope: &Scope,
    name: &str,
    data: &str,
    now: Timestamp,
) -> Result<String, FromTemplateError> {
    let (account, compute) = (&scope.account, templates.compute());
    let template = templates.prepared(account, &scope.region, name).await?;
    let parts = template.render(compute, account, Data::of(data)).await?.map_err(templates::Error::from)?;
    let raw = compose_soon(compute, account, draft_of(parts)?).await??;
    let raw = String::from_utf8_lossy(&raw);
    // From is the first line: nobody sends this.
    let rest = raw.split_once("\r\n").map_or("", |(_, rest)| rest);
    Ok(format!("Date: {}\r\n{rest}", now.rfc2822()))
}

fn draft_of(parts: Parts) -> Result<Draft, Error> {
    Ok(Draft {
        from: Mailbox::parse("nobody@localhost.localdomain")?,
        to: Vec::new(),
        cc: Vec::new(),
        reply_to: Vec::new(),
        subject: parts.subject.unwrap_or_default(),
        text: parts.text,
        html: parts.html,
        attachments: Vec::new(),
        headers: Vec::new(),
    })
}
