//! Finds the key that signs, or makes it the first time, and keeps it at hand.
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::base::{Clock, ids};
use crate::store::signing_keys::{self, SigningKey};
use crate::store::{self, Store, Tx};
use crate::topics::Error;
use crate::topics::signing::Key;

/// Signs with the store's active key. Cheap to clone; the key is read once.
#[derive(Clone)]
pub struct Signer {
    store: Store,
    clock: Clock,
    key: Arc<OnceCell<Arc<Key>>>,
    home: Option<Arc<str>>,
}

impl Signer {
    /// A signer that reads its key when it is first needed.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, key: Arc::new(OnceCell::new()), home: None }
    }

    /// The same signer, whose certificates are found under `home` (`scheme://host`).
    #[must_use]
    pub fn at_home(&self, home: Option<&str>) -> Self {
        Self { key: Arc::new(OnceCell::new()), home: home.map(Arc::from), ..self.clone() }
    }

    /// The key that signs. Made and stored when there is none yet, which takes a second or so.
    pub async fn key(&self) -> Result<Arc<Key>, Error> {
        self.key.get_or_try_init(|| self.read_or_make()).await.cloned()
    }

    /// The key that signs, for one who is in a transaction. A topic is not made before its key, so there is one.
    pub async fn key_in(&self, tx: &mut Tx) -> Result<Arc<Key>, Error> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        let kept = signing_keys::current(tx).await?;
        let kept = kept.ok_or_else(|| Error::Signing("there is no signing key".to_owned()))?;
        let key = Arc::new(self.read(&kept)?);
        // Another may have set it meanwhile; it is the same key.
        let _ = self.key.set(key.clone());
        Ok(key)
    }

    /// The certificate of the key with this id, in PEM, whether it still signs or not.
    pub async fn certificate(&self, id: &str) -> Result<Option<String>, Error> {
        let id = id.to_owned();
        self.store.read(|tx| Box::pin(async move { Ok(signing_keys::certificate(tx, &id).await?) })).await
    }

    async fn read_or_make(&self) -> Result<Arc<Key>, Error> {
        let current = || self.store.read(|tx| Box::pin(signing_keys::current(tx)));
        if let Some(kept) = current().await? {
            return Ok(Arc::new(self.read(&kept)?));
        }
        let now = self.clock.now();
        let made = tokio::task::spawn_blocking(move || Key::make(now));
        let made = made.await.map_err(|why| Error::Signing(why.to_string()))??;
        let id = ids::uuid().replace('-', "");
        let row = SigningKey { id, private_key: made.private_key, certificate: made.certificate };
        let added: Result<bool, store::Error> =
            self.store.write(move |tx| Box::pin(async move { signing_keys::insert_current(tx, &row).await })).await;
        added?;
        // Another node may have been faster; then its key is the one.
        let kept = current().await?.ok_or_else(|| Error::Signing("there is no signing key".to_owned()))?;
        Ok(Arc::new(self.read(&kept)?))
    }

    fn read(&self, kept: &SigningKey) -> Result<Key, Error> {
        Ok(Key::read(&kept.id, &kept.private_key, &kept.certificate)?.at_home(self.home.as_deref()))
    }
}
