//! Mails that are made from a template.
use crate::base::AccountId;
use crate::mail::content::templates::{self, Templates};
use crate::mail::content::{Data, Prepared};
use crate::mail::message::{Draft, Error, compose};
use crate::mail::sending::unrendered::Unrendered;
use crate::workers::{Compute, NotDone};

/// Octets of texts and files of a mail that is composed at once: a fraction of a millisecond.
const COMPOSED_HERE_MAX: usize = 64 * 1024;

/// Composes `draft`, a mail of `account`, with the parts that `template` and `data` give. Where they give none, the message
/// is a stand-in for the accept door, which tells of the failure and sends nothing.
///
/// # Errors
/// Data that is none, work of the account that waits too long, and what [`compose()`] refuses.
pub async fn compose_from<E>(
    templates: &Templates,
    account: &AccountId,
    template: &Prepared,
    data: Data,
    draft: Draft,
) -> Result<(Vec<u8>, Option<Unrendered>), E>
where
    E: From<templates::Error> + From<NotDone> + From<Error>,
{
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
