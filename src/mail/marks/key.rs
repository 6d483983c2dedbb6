//! The key of the marks: made at the first start, the same for all nodes of a database.
use crate::base::{Secret, ids};
use crate::mail::marks::Marks;
use crate::store::{Error, Store, feedback};

/// Letters of a key: more than 256 bits.
const LENGTH: usize = 48;

impl Marks {
    /// The marks of this store; makes the key where there is none, and seals it under the master key in use.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn of(store: &Store) -> Result<Self, Error> {
        let made = Secret::new(ids::token(LENGTH));
        let key = store
            .write(move |tx| {
                Box::pin(async move {
                    feedback::seal_key(tx).await?;
                    if let Some(key) = feedback::key(tx).await? {
                        return Ok::<_, Error>(key);
                    }
                    if feedback::insert_key(tx, &made).await? {
                        return Ok(made);
                    }
                    let missing = || Error::corrupt("the feedback key is neither there nor new");
                    feedback::key(tx).await?.ok_or_else(missing)
                })
            })
            .await?;
        Ok(Self::new(key))
    }
}
