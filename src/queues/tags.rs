//! Tags of a queue: a few names and values that its owner keeps with it.
use crate::base::Scope;
use std::collections::BTreeMap;

use crate::queues::cache::find;
use crate::queues::{Error, Queues};
use crate::store::{self, Tx, queues};

/// Tags by name.
pub(super) type Tags = BTreeMap<String, String>;

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
    /// [`Error::QueueMissing`]; [`Error::TagKeys`], [`Error::TagValues`], [`Error::TooManyTags`].
    pub async fn tag(&self, scope: &Scope, name: &str, tags: Tags) -> Result<(), Error> {
        let queue = name.to_owned();
        self.change_tags(scope, name, move |now| {
            now.extend(tags);
            check(&queue, now)
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

/// Checks a whole set of tags of the queue `name`.
pub(super) fn check(name: &str, tags: &Tags) -> Result<(), Error> {
    if tags.len() > COUNT_MAX {
        return Err(Error::TooManyTags(name.to_owned()));
    }
    if tags.keys().any(|key| key.is_empty() || key.chars().count() > NAME_MAX) {
        return Err(Error::TagKeys);
    }
    match tags.values().find(|value| value.chars().count() > VALUE_MAX) {
        Some(_) => Err(Error::TagValues),
        None => Ok(()),
    }
}
