//! Tags of a queue: a few names and values that its owner keeps with it.
use std::collections::BTreeMap;

use crate::queues::manage::find;
use crate::queues::{Error, Queues, Scope};
use crate::store::{self, Tx, queues};

/// Tags by name.
pub type Tags = BTreeMap<String, String>;

/// A queue has at most so many (SQS developer guide, "Quotas").
const COUNT_MAX: usize = 50;
const NAME_MAX: usize = 128;
const VALUE_MAX: usize = 256;

impl Queues {
    /// A queue's tags.
    ///
    /// # Errors
    /// [`Error::QueueMissing`].
    pub async fn tags(&self, scope: &Scope, name: &str) -> Result<Tags, Error> {
        let tx = &mut self.store.reader().await?;
        let queue = find(tx, scope, name).await?;
        read(tx, queue.id).await
    }

    /// Adds tags, or gives them new values.
    ///
    /// # Errors
    /// [`Error::QueueMissing`]; [`Error::Parameter`] for a tag that is too long or one too many.
    pub async fn tag(&self, scope: &Scope, name: &str, tags: Tags) -> Result<(), Error> {
        self.change_tags(scope, name, move |now| {
            now.extend(tags);
            check(now)
        })
        .await
    }

    /// Takes tags away. One that is not there is no error.
    ///
    /// # Errors
    /// [`Error::QueueMissing`].
    pub async fn untag(&self, scope: &Scope, name: &str, names: Vec<String>) -> Result<(), Error> {
        self.change_tags(scope, name, move |now| {
            now.retain(|name, _| !names.contains(name));
            Ok(())
        })
        .await
    }

    async fn change_tags<F>(&self, scope: &Scope, name: &str, change: F) -> Result<(), Error>
    where
        F: FnOnce(&mut Tags) -> Result<(), Error> + Send + 'static,
    {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    queues::hold(tx, &scope.account, &scope.region, &name).await?;
                    let queue = find(tx, &scope, &name).await?;
                    let mut tags = read(tx, queue.id).await?;
                    change(&mut tags)?;
                    let json = serde_json::to_string(&tags).map_err(store::Error::corrupt)?;
                    queues::set_tags(tx, queue.id, &json).await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn read(tx: &mut Tx, id: i64) -> Result<Tags, Error> {
    let json = queues::tags(tx, id).await?;
    Ok(serde_json::from_str(&json).map_err(store::Error::corrupt)?)
}

/// Checks a whole set of tags.
pub(super) fn check(tags: &Tags) -> Result<(), Error> {
    let wrong = |value: String, reason| Err(Error::Parameter { name: "Tags", value, reason });
    if tags.len() > COUNT_MAX {
        return wrong(tags.len().to_string(), "A queue can have at most 50 tags.");
    }
    match tags.iter().find(|(n, v)| n.is_empty() || n.chars().count() > NAME_MAX || v.chars().count() > VALUE_MAX) {
        Some((name, _)) => {
            wrong(name.chars().take(NAME_MAX).collect(), "A tag's key has 1 to 128 characters, its value at most 256.")
        }
        None => Ok(()),
    }
}
