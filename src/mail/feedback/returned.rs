//! Works a mail that came back to us: finds whom it is about, and does what it asks for. A bounce or a complaint becomes an
//! event. An automatic answer, and whatever is nobody's report, goes on to the sender's own return path, as SES does; what
//! names no mail of ours stays in a bucket for the operator.
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Clock, EmailAddress, Timestamp};
use crate::mail::bounce::Classifier;
use crate::mail::feedback::letter::{self, Letter};
use crate::mail::feedback::record::{self, About};
use crate::mail::feedback::report::{Action, Fate, Read, Report, line};
use crate::mail::marks::{Mark, Purpose, ReturnPaths};
use crate::mail::own::system::{Onward, send_on_in};
use crate::mail::sending::tell_undelivered;
use crate::outlets::objects::{Objects, key};
use crate::store::inbound_mails::{self, InboundMail, State};
use crate::store::mails::{self, Kind, Mail, Status};
use crate::store::{Error, Store, Tx, forwards};
use crate::topics::Topics;
use crate::workers::{Compute, Finish, Outcome, Reason, backoff};

/// Where mail to the complaints address goes that names no mail of ours: the providers' own letters, among others.
const BUCKET: &str = "complaints";
/// Octets of a message that is read on the thread that answers others: a fraction of a millisecond.
const READ_HERE_MAX: usize = 128 * 1024;
/// How often a bounce waits for the end of the delivery that it is about: the other side may be faster than our commit.
const WAITS: u32 = 4;
/// How often a mail is tried that could not be kept in the bucket.
const TRIES: u32 = 25;

/// Works what came back. Cheap to clone.
#[derive(Clone)]
pub struct Returned {
    store: Store,
    clock: Clock,
    topics: Topics,
    objects: Objects,
    paths: ReturnPaths,
    classifier: Classifier,
    compute: Compute,
}

/// One thing to do.
enum Step {
    Bounced(Fate),
    Delayed(Fate),
    Complained(crate::mail::feedback::complaint::Complaint),
    /// To the sender's own return path, from this address of ours.
    Onward(EmailAddress),
    Nothing,
}

impl Returned {
    /// A worker that knows these return paths.
    pub fn new(store: Store, clock: Clock, topics: Topics, objects: Objects, paths: ReturnPaths) -> Self {
        let (classifier, compute) = (Classifier::default(), Compute::default());
        Self { store, clock, topics, objects, paths, classifier, compute }
    }

    /// The same worker, which judges bounces by this table.
    pub fn with_classifier(self, classifier: Classifier) -> Self {
        Self { classifier, ..self }
    }

    /// The same worker, where `compute` reads large messages.
    pub fn with_compute(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// Whether all these recipients are addresses of ours for what comes back. An inbound mail has either only such or
    /// none. `at`: when the mail was taken; what was a return path then is one still, however long the mail waited.
    pub fn takes(&self, recipients: &[EmailAddress], at: Timestamp) -> bool {
        let ours = |address| self.paths.purpose(address, at).is_some();
        !recipients.is_empty() && recipients.iter().all(ours)
    }

    /// Works one mail. `received`: the field that tells where it came from, for what goes on.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn work(
        &self,
        attempt: u32,
        mail: &InboundMail,
        recipients: &[EmailAddress],
        (raw, received): (&Bytes, String),
    ) -> Result<Finish, Error> {
        let (size, message, at, null) =
            ((raw.len(), READ_HERE_MAX), raw.clone(), mail.received_at, mail.source.is_none());
        let (paths, asked) = (self.paths.clone(), recipients.to_vec());
        let read = move || {
            let message = Read::new(&message, null);
            (letter::judge(&message), marks(&paths, &asked, &message, at))
        };
        let read = self.compute.linear(mail.account.as_str(), size, read).await;
        let (letter, marks) = read.map_err(Error::corrupt)?;
        let mut steps = Vec::new();
        for (address, mark) in marks {
            let Some((sent, to)) = self.find(mark).await? else { continue };
            let to_complaints = address.is_none();
            let step = step(&letter, &to.address, address);
            // What is written to the complaints address and is no report may still be worth a look.
            if to_complaints && matches!(step, Step::Nothing) {
                continue;
            }
            if matches!(step, Step::Bounced(_)) && to.status == Status::Pending && attempt <= WAITS {
                let at = self.clock.now() + Duration::from_secs(15) * attempt;
                return Ok(Finish::plain(Outcome::RetryAt(at, Reason::Deferred)));
            }
            let reporting_mta = match &letter {
                Letter::Status(Report { reporting_mta: Some(mta), .. }) => mta.clone(),
                _ => format!("dns; {}", line(&mail.helo)),
            };
            steps.push((About { mail: sent, to, at: mail.received_at, reporting_mta }, step));
        }
        if steps.is_empty() {
            return Ok(self.keep(attempt, mail, raw).await);
        }
        Ok(self.finish(mail.id.clone(), steps, [received.as_bytes(), raw].concat()))
    }

    async fn find(&self, mark: Mark) -> Result<Option<(mails::Mail, mails::Recipient)>, Error> {
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let Some(mail) = mails::find(tx, &mark.mail).await? else { return Ok(None) };
                    let to = mails::recipient(tx, &mark.mail, i64::from(mark.recipient)).await?;
                    Ok(to.map(|to| (mail, to)))
                })
            })
            .await
    }

    /// Nobody's: kept for the operator.
    async fn keep(&self, attempt: u32, mail: &InboundMail, raw: &Bytes) -> Finish {
        tracing::warn!(message.id = %mail.id, "what came back is no report of a mail of ours; it is kept in a bucket");
        if let Err(error) = self.objects.put(BUCKET, &key(None, &mail.id), raw.clone()).await {
            tracing::error!(message.id = %mail.id, %error, "it cannot be kept");
            let wait = backoff::doubling(attempt, Duration::from_secs(10), Duration::from_secs(1_800));
            let at = self.clock.now() + backoff::jitter(wait);
            let again = Outcome::RetryAt(at, Reason::Unreachable);
            if attempt < TRIES {
                return Finish::plain(again);
            }
            return Self::failed(mail, Reason::Unreachable, format!("what came back cannot be kept: {error}"));
        }
        let id = mail.id.clone();
        Finish::with(Outcome::Done, move |tx| {
            Box::pin(async move {
                inbound_mails::finish(tx, &id, State::Done, "kept in a bucket: it is no report of a mail of ours")
                    .await?;
                Ok(())
            })
        })
    }

    /// Given up. The state lets the sweep find it, and the operator.
    fn failed(mail: &InboundMail, reason: Reason, note: String) -> Finish {
        let id = mail.id.clone();
        Finish::with(Outcome::GiveUp(reason), move |tx| {
            Box::pin(async move { inbound_mails::finish(tx, &id, State::Failed, &note).await.map(drop) })
        })
    }

    fn finish(&self, id: String, steps: Vec<(About, Step)>, message: Vec<u8>) -> Finish {
        let (topics, classifier) = (self.topics.clone(), self.classifier.clone());
        Finish::with(Outcome::Done, move |tx| {
            Box::pin(async move {
                for (about, step) in steps {
                    take(tx, (&topics, &classifier), &id, about, step, &message).await?;
                }
                inbound_mails::finish(tx, &id, State::Done, "feedback").await?;
                Ok(())
            })
        })
    }
}

/// Whom it is about: what the addresses name, or for the complaints address what stands in the mail.
fn marks(
    paths: &ReturnPaths,
    recipients: &[EmailAddress],
    message: &Read<'_>,
    at: Timestamp,
) -> Vec<(Option<EmailAddress>, Mark)> {
    let mut marks: Vec<(Option<EmailAddress>, Mark)> = Vec::new();
    // Looked for once, however many recipients are the complaints address.
    let mut named: Option<Option<Mark>> = None;
    for address in recipients {
        let found = match paths.purpose(address, at) {
            Some(Purpose::Returned(mark)) => Some((Some(address.clone()), mark)),
            Some(Purpose::Complaints) => {
                let look = || message.pieces().find_map(|piece| paths.find(piece, at));
                named.get_or_insert_with(look).clone().map(|mark| (None, mark))
            }
            None => None,
        };
        if let Some((address, mark)) = found
            && !marks.iter().any(|(_, known)| *known == mark)
        {
            marks.push((address, mark));
        }
    }
    marks
}

/// What a letter means for a recipient. `to_us`: the return path that it came to; `None` for the complaints address.
fn step(letter: &Letter, recipient: &str, to_us: Option<EmailAddress>) -> Step {
    let onward = |address: Option<EmailAddress>| address.map_or(Step::Nothing, Step::Onward);
    match letter {
        Letter::Status(report) => match fate_of(report, recipient) {
            Some(fate) if fate.action == Action::Failed => Step::Bounced(fate.clone()),
            Some(fate) if fate.action == Action::Delayed => Step::Delayed(fate.clone()),
            _ => Step::Nothing,
        },
        Letter::Complaint(complaint) => Step::Complained(complaint.clone()),
        Letter::Automatic | Letter::Other => onward(to_us),
    }
}

/// What the report says of the recipient. It may name the address where the recipient's mail goes on to.
pub(super) fn fate_of<'a>(report: &'a Report, recipient: &str) -> Option<&'a Fate> {
    let fates = &report.recipients;
    let named = |fate: &&Fate| fate.addresses.iter().any(|address| address.eq_ignore_ascii_case(recipient));
    let acted = |action| fates.iter().find(|fate| fate.action == action);
    fates.iter().find(named).or_else(|| acted(Action::Failed)).or_else(|| acted(Action::Delayed))
}

async fn take(
    tx: &mut Tx,
    (topics, classifier): (&Topics, &Classifier),
    id: &str,
    about: About,
    step: Step,
    message: &[u8],
) -> Result<(), Error> {
    let (name, told) = match &step {
        step if about.mail.kind == Kind::Forward => ("forward", of_forward(tx, &about, step, message).await?),
        Step::Bounced(fate) => ("bounce", record::bounced(tx, topics, classifier, &about, fate).await?),
        Step::Delayed(fate) => ("delay", record::delayed(tx, topics, classifier, &about, fate).await?),
        Step::Complained(complaint) => ("complaint", record::complained(tx, topics, &about, complaint).await?),
        Step::Onward(from) => ("onward", onward(tx, &about.mail, &about.mail.return_path, from, message).await?),
        Step::Nothing => ("nothing", false),
    };
    metrics::counter!("postrider_feedback_total", "kind" => name).increment(1);
    let mail = about.mail.id.as_str();
    tracing::info!(message.id = id, mail.id = mail, recipient.n = about.to.n, kind = name, told, "mail came back");
    Ok(())
}

/// What came back for a received mail that had gone on: its sender is told, and gets automatic answers and letters; there
/// is no event, and nobody is put on a list.
async fn of_forward(tx: &mut Tx, about: &About, step: &Step, message: &[u8]) -> Result<bool, Error> {
    match step {
        Step::Bounced(fate) => {
            let reply = fate.diagnostic.clone().unwrap_or_default();
            mails::bounce_later(tx, &about.mail.id, about.to.n, &reply).await?;
            tell_undelivered(tx, &about.mail, &about.to, fate.status.as_deref()).await
        }
        Step::Onward(from) => {
            let Some(forwarded) = forwards::find(tx, &about.mail.id).await? else { return Ok(false) };
            onward(tx, &about.mail, &forwarded.reverse_path, from, message).await
        }
        Step::Delayed(_) | Step::Complained(_) | Step::Nothing => Ok(false),
    }
}

/// Sends it on with the null reverse path, so that nothing comes back for it.
async fn onward(tx: &mut Tx, mail: &Mail, to: &str, from: &EmailAddress, message: &[u8]) -> Result<bool, Error> {
    let Ok(to) = EmailAddress::lenient(to) else { return Ok(false) };
    let (account, region) = (mail.account.clone(), mail.region.clone());
    let (from, raw) = (from.clone(), message.to_vec());
    let onward = Onward { account, region, from, null: true, to: vec![to], raw, kind: Kind::System };
    send_on_in(tx, onward).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_about_several_says_of_each_its_own() {
        let fate = |address: &str, action| Fate {
            addresses: vec![address.to_owned()],
            action,
            status: None,
            diagnostic: None,
            host: None,
            words: String::new(),
            near: false,
        };
        let fates = vec![fate("a@x", Action::Delayed), fate("b@x", Action::Failed), fate("c@x", Action::Fine)];
        let report = Report { reporting_mta: None, recipients: fates };
        for (recipient, action) in
            [("A@x", Action::Delayed), ("b@x", Action::Failed), ("c@x", Action::Fine), ("d@x", Action::Failed)]
        {
            assert_eq!(fate_of(&report, recipient).map(|fate| fate.action), Some(action), "{recipient}");
        }
    }
}
