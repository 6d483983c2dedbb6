//! What must exist before a rule is kept: topics, queues, functions, and who may be written to or in whose name.
use crate::base::{Arn, EmailAddress, Scope};
use crate::mail::identity::IdentityName;
use crate::mail::receiving::rules::{Action, Rule};
use crate::mail::receiving::{Error, Receiving};
use crate::store::identities::Standing;
use crate::store::vault::{Managed, VaultError};
use crate::store::{self, Tx, identities, queues, sending_accounts, topics};

/// What a rule's actions need to exist.
#[derive(Debug, Default)]
pub(super) struct Needs {
    topics: Vec<Arn>,
    queues: Vec<Arn>,
    senders: Vec<EmailAddress>,
    /// Who gets mail that goes on, where the sandbox has a say in it.
    strangers: Vec<EmailAddress>,
}

impl Receiving {
    /// What `rule` needs of the store. Fails at once for a function or a KMS key that the settings do not know.
    pub(super) fn needs(&self, rule: &Rule) -> Result<Needs, Error> {
        let mut needs = Needs::default();
        for action in &rule.actions {
            needs.topics.extend(action.topic().cloned());
            match action {
                Action::S3 { bucket, kms: Some(kms), .. } => {
                    let bad = |why: VaultError| Error::InvalidBucket { bucket: bucket.clone(), why: why.to_string() };
                    self.store().vault().check_kms(kms, Managed::Ses).map_err(bad)?;
                }
                Action::Bounce { sender, .. } => needs.senders.push(sender.clone()),
                Action::Sqs { queue, .. } => needs.queues.push(queue.clone()),
                Action::Forward { to, .. } if self.sandboxed() => needs.strangers.extend(to.iter().cloned()),
                Action::Lambda { function, .. } if !self.knows(function) => {
                    return Err(Error::UnknownFunction(function.to_string()));
                }
                _ => {}
            }
        }
        Ok(needs)
    }
}

impl Needs {
    /// Topics and queues must exist and belong to the owner; who a bounce comes from must be verified by the owner; and in
    /// the sandbox so must be who mail is forwarded to, as for mail that is sent.
    pub(super) async fn check(&self, tx: &mut Tx, owner: &Scope) -> Result<(), Error> {
        let ours = |arn: &Arn, service: &str| {
            arn.service == service && arn.account == owner.account && arn.region == owner.region
        };
        for topic in &self.topics {
            let found = topics::find(tx, &topic.account, &topic.region, &topic.resource).await?;
            if !ours(topic, "sns") || found.is_none() {
                return Err(Error::InvalidTopic(topic.to_string()));
            }
        }
        for queue in &self.queues {
            let found = queues::find(tx, &queue.account, &queue.region, &queue.resource).await?;
            if !ours(queue, "sqs") || found.is_none() {
                return Err(Error::Invalid(format!("queue {queue} does not exist")));
            }
        }
        for sender in &self.senders {
            if !is_verified(tx, owner, sender).await? {
                return Err(Error::Invalid(format!("Identity is not verified: {sender}")));
            }
        }
        if self.strangers.is_empty() {
            return Ok(());
        }
        let limits = sending_accounts::find(tx, &owner.account, &owner.region).await?;
        if limits.is_some_and(|limits| limits.production_access) {
            return Ok(());
        }
        for stranger in &self.strangers {
            if !is_verified(tx, owner, stranger).await? {
                let text = format!("in the sandbox mail is forwarded to verified addresses only, not to {stranger}");
                return Err(Error::Invalid(text));
            }
        }
        Ok(())
    }
}

async fn is_verified(tx: &mut Tx, owner: &Scope, address: &EmailAddress) -> Result<bool, store::Error> {
    for name in IdentityName::covering(address) {
        let identity = identities::find(tx, &owner.account, &owner.region, &name).await?;
        if identity.is_some_and(|identity| identity.status == Standing::Success) {
            return Ok(true);
        }
    }
    Ok(false)
}
