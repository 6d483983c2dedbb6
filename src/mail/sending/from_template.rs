//! Calls that send mails by a template: which template, and one mail after the other by it.
use std::collections::HashSet;
use std::sync::Arc;

use crate::base::{Arn, EmailAddress, Scope};
use crate::mail::content::templates::{self, Parts, Templates};
use crate::mail::content::{self, ConfigurationSets, Data, Prepared};
use crate::mail::message::{Attachment, Draft, Mailbox, Recipients};
use crate::mail::sending::templated::{FromTemplateError, compose_from};
use crate::mail::sending::{Grants, SendError, Sender, Sending, Submission, Terms};

/// SES: mails of one bulk send.
pub const BULK_MAX: usize = 50;
/// How many mails of a bulk send are accepted at once: they share commits, and not too many messages are held at once.
const IN_PARALLEL: usize = 8;
/// Characters of an ARN that an error shows.
const ARN_SHOWN_MAX: usize = 512;

/// A name and a value.
type Pair = (String, String);

/// How a call names its template.
#[derive(Clone, Debug, Default)]
pub struct TemplateChoice {
    /// The name of a template that is kept.
    pub name: Option<String>,
    /// The ARN of such a template, which counts before the name.
    pub arn: Option<String>,
    /// A template that comes with the call: only values may be put in.
    pub content: Option<Parts>,
}

impl TemplateChoice {
    /// Finds the template. Where it is missing, SES tells first that the configuration set `set` of the call is missing.
    ///
    /// # Errors
    /// None or two templates; one that does not exist, or that cannot be read; a configuration set that does not exist.
    pub async fn find(
        self,
        (templates, sets): (&Templates, &ConfigurationSets),
        scope: &Scope,
        set: Option<&str>,
    ) -> Result<Prepared, FromTemplateError> {
        let missing = |arn: &str| templates::Error::Missing(arn.chars().take(ARN_SHOWN_MAX).collect());
        let named = match &self.arn {
            Some(arn) => Some(name_of(scope, arn).ok_or_else(|| missing(arn))?),
            None => self.name,
        };
        match (named, self.content) {
            (Some(name), None) => match templates.prepared(&scope.account, &scope.region, &name).await {
                Err(missing @ templates::Error::Missing(_)) => {
                    check_set(sets, scope, set).await?;
                    Err(missing.into())
                }
                found => Ok(found?),
            },
            (None, Some(content)) => Ok(templates.prepared_plain(&scope.account, content).await?),
            _ => Err(FromTemplateError::NotOneTemplate),
        }
    }
}

/// The name in a template's ARN, where it is one of this account and region.
fn name_of(scope: &Scope, arn: &str) -> Option<String> {
    let arn: Arn = arn.parse().ok()?;
    let own = arn.service == "ses" && arn.account == scope.account && arn.region == scope.region;
    arn.resource.strip_prefix("template/").filter(|_| own).map(str::to_owned)
}

async fn check_set(sets: &ConfigurationSets, scope: &Scope, set: Option<&str>) -> Result<(), SendError> {
    let Some(set) = set else { return Ok(()) };
    match sets.get(&scope.account, &scope.region, set).await {
        Err(content::Error::Missing(name)) => Err(SendError::ConfigurationSetMissing(name)),
        Err(content::Error::Name(fault)) => Err(SendError::ConfigurationSetName(fault)),
        Err(content::Error::Internal(error)) => Err(SendError::Internal(error)),
        _ => Ok(()),
    }
}

/// What the mails of a call by one template have in common.
#[derive(Clone, Debug)]
pub struct TemplatedMail {
    /// The template.
    pub template: Prepared,
    /// The data of mails without data of their own: JSON.
    pub data: Option<Arc<str>>,
    /// The author, who is the sender of the envelope too.
    pub from: Mailbox,
    /// The Reply-To field.
    pub reply_to: Vec<Mailbox>,
    /// Where bounces go.
    pub return_path: Option<EmailAddress>,
    /// Header fields of mails without a field of the same name.
    pub headers: Vec<(String, String)>,
    /// The files that go with each mail.
    pub attachments: Vec<Attachment>,
    /// Tags of mails without a tag of the same name.
    pub tags: Vec<(String, String)>,
    /// The configuration set.
    pub configuration_set: Option<String>,
    /// By whose leave they are sent.
    pub grants: Grants,
    /// The octets that the API takes of a message, where it takes fewer than the door does.
    pub octets_max: Option<usize>,
}

/// What one mail has of its own.
#[derive(Clone, Debug, Default)]
pub struct OwnParts {
    /// Its recipients.
    pub recipients: Recipients,
    /// Its data: JSON.
    pub data: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Its header fields.
    pub headers: Vec<(String, String)>,
    /// Its place among the mails of a bulk send.
    pub nth: Option<usize>,
}

impl Sending {
    /// Writes a mail by a template and accepts it; gives its id. What cannot be rendered is accepted too, and told of in an event.
    ///
    /// # Errors
    /// Data that is none; what no message may have; those of [`Sending::accept`].
    pub async fn send_templated(
        &self,
        templates: &Templates,
        sender: &Sender,
        mail: &TemplatedMail,
        own: OwnParts,
    ) -> Result<String, FromTemplateError> {
        let draft = Draft {
            from: mail.from.clone(),
            to: own.recipients.to,
            cc: own.recipients.cc,
            reply_to: mail.reply_to.clone(),
            subject: String::new(),
            text: None,
            html: None,
            attachments: mail.attachments.clone(),
            headers: [not_in(&own.headers, &mail.headers, str::to_ascii_lowercase), own.headers].concat(),
        };
        let data = Data::own_or(own.data, mail.data.as_ref());
        let account = &sender.scope.account;
        let (raw, unrendered) = compose_from(templates, account, &mail.template, data, draft).await?;
        let common = not_in(&own.tags, &mail.tags, str::to_owned);
        let tags = [own.tags, common].concat();
        let submission = Submission {
            configuration_set: mail.configuration_set.clone(),
            tags,
            return_path: mail.return_path.clone(),
            grants: mail.grants.clone(),
            ..sender.submission(mail.from.address.clone(), own.recipients.all, raw)
        };
        let once = match own.nth {
            Some(n) => sender.once.as_ref().map(|once| once.nth(n)),
            None => sender.once.clone(),
        };
        let terms = Terms { once, unrendered, octets_max: mail.octets_max, ..Terms::default() };
        Ok(self.accept_on(submission, terms).await?)
    }
}

/// Sends the mails of a bulk send, a few at once; gives what became of each, in their order. `send` gets each entry with its place.
pub async fn in_lots<T, R, F: Future<Output = R>>(entries: Vec<T>, send: impl Fn(usize, T) -> F) -> Vec<R> {
    let mut results = Vec::with_capacity(entries.len());
    let mut entries = entries.into_iter().enumerate().peekable();
    while entries.peek().is_some() {
        let some: Vec<_> = entries.by_ref().take(IN_PARALLEL).collect();
        results.extend(futures::future::join_all(some.into_iter().map(|(n, entry)| send(n, entry))).await);
    }
    results
}

/// The pairs of `common` whose names `own` does not have. `folded` makes equal what counts as the same name.
fn not_in(own: &[Pair], common: &[Pair], folded: impl Fn(&str) -> String) -> Vec<Pair> {
    let names: HashSet<String> = own.iter().map(|(name, _)| folded(name)).collect();
    common.iter().filter(|(name, _)| !names.contains(&folded(name))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_a_mail_has_of_its_own_wins_over_what_is_common() {
        let pairs =
            |list: &[(&str, &str)]| list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        let (own, common) = (pairs(&[("a", "1")]), pairs(&[("A", "2"), ("b", "3"), ("b", "4")]));
        assert_eq!(not_in(&own, &common, str::to_ascii_lowercase), pairs(&[("b", "3"), ("b", "4")]));
        assert_eq!(not_in(&own, &common, str::to_owned), common);
    }

    #[test]
    fn a_template_is_named_by_an_arn_of_its_own_account_and_region_alone() {
        let scope = Scope::new(crate::base::AccountId::development(), crate::base::Region::default_region());
        let arn = |account: &str| format!("arn:aws:ses:{}:{account}:template/hello", scope.region);
        assert_eq!(name_of(&scope, &arn(scope.account.as_str())).as_deref(), Some("hello"));
        for bad in [arn("999999999999"), "hello".to_owned(), arn(scope.account.as_str()).replace("template/", "t/")] {
            assert_eq!(name_of(&scope, &bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_few_mails_are_sent_at_once_and_told_in_their_order() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let send = async |n: usize, entry: usize| {
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::Relaxed);
            (n, entry)
        };
        let results = in_lots((100..120).collect(), send).await;
        assert_eq!(results, (0..20).map(|n| (n, n + 100)).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), IN_PARALLEL);
    }
}
