//! Publishing: the fan-out of one message to all confirmed subscriptions, in the publisher's transaction.
use crate::base::Arn;
use crate::store::Tx;
use crate::topics::{Error, Publication, Topics};

impl Topics {
    /// Publishes to `topic` inside the caller's transaction and returns the MessageId. When the transaction commits, every
    /// confirmed queue subscription has its message and every HTTP subscription its delivery job. A subscription whose
    /// queue is gone is passed over. Errors: `TopicMissing`, and those of [`Publication`]'s limits.
    pub async fn publish_in(&self, tx: &mut Tx, topic: &Arn, publication: &Publication) -> Result<String, Error> {
        let draft = self.draft(publication)?;
        self.fan_out(tx, topic, &draft).await
    }
}
