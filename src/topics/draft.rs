//! A publication on its way: checked, with its id and time, and the signatures that were made before any transaction.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{Arn, Timestamp, ids};
use crate::store;
use crate::store::subscriptions::Subscription;
use crate::topics::endpoint::Protocol;
use crate::topics::envelope::Notification;
use crate::topics::message::Wordings;
use crate::topics::protection::audit::AuditRecord;
use crate::topics::signing::{Key, Version};
use crate::topics::{Error, Publication};

/// What is the same for all subscribers. This is what is stored of a message that waits, or stands in an archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::topics) struct Parts {
    /// The MessageId.
    pub id: String,
    /// When it was published, microseconds.
    pub at: i64,
    /// What was published.
    pub publication: Publication,
    /// `scheme://host` of the links.
    pub base: String,
    /// Its number in a FIFO topic.
    pub sequence: Option<String>,
    /// Whether the topic's data protection policy is still to be asked what may stand in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unscreened: bool,
}

/// A publication on its way.
#[derive(Clone, Debug)]
pub(in crate::topics) struct Draft {
    pub parts: Parts,
    /// Whether it comes from the archive.
    pub replayed: bool,
    /// Whether a data protection policy was asked.
    pub screened: bool,
    /// What such a policy tells of it.
    pub audits: Vec<AuditRecord>,
    wordings: Wordings,
    signatures: BTreeMap<Protocol, (Version, String)>,
}

impl Draft {
    /// Checks what is published to a topic that takes so many bytes, and gives it its id and time.
    pub(super) fn new(publication: Publication, base: String, at: Timestamp, max_bytes: usize) -> Result<Self, Error> {
        let wordings = publication.wordings_within(max_bytes)?;
        let (id, at) = (ids::uuid(), at.micros());
        Ok(Self::of(Parts { id, at, publication, base, sequence: None, unscreened: false }, wordings))
    }

    /// Reads what [`Draft::content`] wrote.
    pub(super) fn read(content: &str) -> Result<Self, store::Error> {
        let parts: Parts = serde_json::from_str(content).map_err(store::Error::corrupt)?;
        // It was measured when it was taken.
        let wordings = parts.publication.wordings_within(usize::MAX).map_err(store::Error::corrupt)?;
        Ok(Self::of(parts, wordings))
    }

    fn of(parts: Parts, wordings: Wordings) -> Self {
        Self { parts, replayed: false, screened: false, audits: vec![], wordings, signatures: BTreeMap::new() }
    }

    /// Its texts: that for protocols in general first, then those of protocols.
    pub(super) fn texts(&self) -> impl Iterator<Item = (Option<Protocol>, &str)> {
        self.wordings.all()
    }

    /// Puts other texts in the place of some. Signatures that were made are no longer good.
    pub(super) fn reword(&mut self, texts: BTreeMap<Option<Protocol>, String>) {
        if texts.is_empty() {
            return;
        }
        texts.into_iter().for_each(|(protocol, text)| self.wordings.set(protocol, text));
        self.parts.publication.message = self.wordings.message(self.parts.publication.structure_json);
        self.signatures.clear();
    }

    /// What is stored of it.
    pub(super) fn content(&self) -> Result<String, store::Error> {
        serde_json::to_string(&self.parts).map_err(store::Error::corrupt)
    }

    /// Signs it for these protocols. Takes 2 ms of CPU for each different wording, so not for a transaction.
    pub(super) fn sign(
        &mut self,
        topic: &Arn,
        key: &Key,
        version: Version,
        protocols: &[Protocol],
    ) -> Result<(), Error> {
        let mut made: BTreeMap<String, String> = BTreeMap::new();
        for protocol in protocols {
            let mut notification = self.notification(*protocol, topic, version);
            if notification.signature.is_none() {
                notification.signature = made.get(&notification.message).cloned();
                notification.sign(key)?;
                let signature = notification.signature.unwrap_or_default();
                made.insert(notification.message, signature.clone());
                self.signatures.insert(*protocol, (version, signature));
            }
        }
        Ok(())
    }

    /// Whether one of these queues wants an envelope that is not signed yet. HTTP deliveries sign when they go out.
    pub(super) fn lacks_signature(&self, subscriptions: &[Subscription], version: Version) -> bool {
        let signed = self.signatures.get(&Protocol::Sqs).is_some_and(|(of, _)| *of == version);
        !signed && subscriptions.iter().any(|s| !s.raw && s.protocol == Protocol::Sqs.as_str())
    }

    /// The text that subscribers of `protocol` get.
    pub(super) fn wording(&self, protocol: Protocol) -> &str {
        self.wordings.of(protocol)
    }

    /// The message as one protocol's subscribers get it.
    pub(super) fn notification(&self, protocol: Protocol, topic: &Arn, version: Version) -> Notification {
        let signature = self.signatures.get(&protocol).filter(|(of, _)| *of == version);
        Notification {
            id: self.parts.id.clone(),
            topic: topic.to_string(),
            subject: self.parts.publication.subject.clone(),
            signature: signature.map(|(_, signature)| signature.clone()),
            message: self.wordings.of(protocol).to_owned(),
            at: self.parts.at,
            attributes: self.parts.publication.attributes.clone(),
            base: self.parts.base.clone(),
            version,
            sequence: self.parts.sequence.clone(),
            replayed: self.replayed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_read_again_however_long() {
        let publication = Publication { message: "x".repeat(300_000), ..Publication::default() };
        let new = |max| Draft::new(publication.clone(), String::new(), Timestamp::from_secs(1), max);
        assert!(matches!(new(262_144), Err(Error::MessageTooLong)));
        let content = new(1_048_576).expect("taken").content().expect("written");
        assert_eq!(Draft::read(&content).expect("read").wording(Protocol::Sqs).len(), 300_000);
    }
}
