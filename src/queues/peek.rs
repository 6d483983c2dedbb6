//! Looking at what waits in a queue without receiving it, for a developer's machine.
use crate::base::Scope;
use crate::queues::cache::find;
use crate::queues::received::{readable, received};
use crate::queues::{Error, Queues, Received};
use crate::store::messages;

impl Queues {
    /// Up to `limit` messages, oldest first, hidden ones too. Nothing changes, so there are no receipt handles: the
    /// ones in the answer take nothing away.
    ///
    /// # Errors
    /// [`Error::QueueMissing`].
    pub async fn peek(&self, scope: &Scope, name: &str, (limit, octets): (u32, u64)) -> Result<Vec<Received>, Error> {
        let tx = &mut self.store.reader().await?;
        let queue = find(tx, scope, name).await?;
        let messages = messages::peek(tx, queue.id, limit, octets).await?;
        readable(messages.into_iter().map(|message| received(self.store.vault(), queue.id, message)))
    }
}
