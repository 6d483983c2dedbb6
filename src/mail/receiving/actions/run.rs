//! What the actions of one mail share while it passes through the rules.
use bytes::Bytes;

use crate::base::{AccountId, Arn, Clock, EmailAddress};
use crate::mail::receiving::accept::RuleName;
use crate::mail::receiving::actions::effect::{Effect, Failure};
use crate::mail::receiving::endpoints::Endpoints;
use crate::mail::receiving::handed::Task;
use crate::mail::receiving::notification::{ActionTaken, Facts, write};
use crate::outlets::Functions;
use crate::outlets::object::{Metadata, ObjectError};
use crate::outlets::objects::Objects;
use crate::store::vault::Vault;
use crate::workers::{Compute, Reason};

/// What the actions of one mail share.
pub struct Run<'a> {
    /// What is told of the mail.
    pub facts: &'a Facts,
    /// The message as it was accepted.
    pub raw: &'a Bytes,
    /// Header fields on top of it: ours, then those of AddHeader actions.
    pub fields: String,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Whose rules these are.
    pub account: &'a AccountId,
    /// The rule set.
    pub set: &'a str,
    /// The name of the rule whose actions run.
    pub rule: String,
    /// What encrypts.
    pub vault: &'a Vault,
    /// This server's name.
    pub hostname: &'a str,
    /// Where objects go.
    pub objects: &'a Objects,
    /// What can be called.
    pub functions: &'a Functions,
    /// What is known of those who are waited for.
    pub endpoints: &'a Endpoints,
    /// Where large messages are read.
    pub compute: &'a Compute,
    /// Whether no other attempt follows, so that what failed for now has failed.
    pub last_attempt: bool,
    /// Whether the mail may wait for those who rest without an attempt that counts.
    pub may_wait: bool,
    /// The time.
    pub clock: &'a Clock,
    /// What commits with the end of the job.
    pub effects: Vec<Effect>,
    /// What did not work. The actions after it run all the same.
    pub failures: Vec<Failure>,
    /// How many of these were not tried, since who would have been asked rests.
    pub rested: usize,
    /// How many rules were for this mail.
    pub matched: usize,
}

/// Whether a mail comes again after a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It has been through its rules.
    No,
    /// Something failed for now: that was an attempt.
    Tried(Reason),
    /// Who was needed rests and was not asked: no attempt counts.
    Waits,
}

impl Run<'_> {
    /// Leaves a piece of work to a later job.
    pub fn hand(&mut self, task: Task) {
        let rule = RuleName { set: self.set.to_owned(), rule: self.rule.clone() };
        self.effects.push(Effect::Hand(task, rule));
    }

    /// Whether the mail comes again. Where something else failed for now that is an attempt, but not the last one: who rests
    /// was not asked yet.
    pub fn again(&self) -> Again {
        let failed = || self.failures.iter().filter(|failure| failure.temporary);
        match failed().next() {
            None => Again::No,
            Some(_) if self.may_wait && self.rested > 0 && (self.last_attempt || self.rested >= failed().count()) => {
                Again::Waits
            }
            Some(_) if self.last_attempt => Again::No,
            Some(first) => Again::Tried(first.reason),
        }
    }

    /// Whether an action that another's answer decides upon may still hear it, so that the mail waits with the rest.
    pub(super) fn goes_on_later(&self, rests: bool) -> bool {
        !self.last_attempt || rests && self.may_wait
    }

    /// The whole message as the actions pass it on.
    pub fn message(&self) -> Bytes {
        let mut message = Vec::with_capacity(self.fields.len() + self.raw.len());
        message.extend_from_slice(self.fields.as_bytes());
        message.extend_from_slice(self.raw);
        message.into()
    }

    /// Stores an object, unless its bucket let somebody wait in vain lately: then the failure says so, for now.
    pub async fn put(
        &mut self,
        bucket: &str,
        key: &str,
        data: Bytes,
        metadata: &Metadata,
    ) -> Result<(), (String, bool)> {
        let put = self.objects.put_with(bucket, key, data, metadata);
        match self.endpoints.ask(Some(self.account), &format!("bucket {bucket}"), put).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let temporary = !matches!(error, ObjectError::Bucket | ObjectError::Key | ObjectError::Container);
                Err((error.to_string(), temporary))
            }
            Err(rests) => {
                self.rested += 1;
                Err((rests.to_string(), true))
            }
        }
    }

    /// Tells the topic what was done, without the mail itself.
    pub fn tell(&mut self, topic: &Arn, recipients: &[&EmailAddress], action: &ActionTaken) {
        match write(self.facts, recipients, action, self.clock.now(), None) {
            Ok(message) => self.effects.push(Effect::Publish { topic: topic.clone(), message }),
            Err(error) => self.fail(Reason::Internal, format!("cannot write the notification: {error}"), false),
        }
    }

    /// Keeps a failure.
    pub fn fail(&mut self, reason: Reason, text: String, temporary: bool) {
        self.failures.push(Failure { reason, text, temporary });
    }
}
