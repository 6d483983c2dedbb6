//! Small changes of identities: the default configuration set, tags.
use crate::base::{AccountId, Region, Timestamp};
use crate::mail::identity::{Error, Identities, IdentityName};
use crate::store::configuration_sets;
use crate::store::identities::{self, Identity};
use crate::store::{Json, Pairs};

/// SES: tags of one resource.
pub(super) const TAGS_MAX: usize = 50;

impl Identities {
    /// Changes an identity while nobody else does, and gives it as it is then.
    pub(super) async fn change(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        change: impl FnOnce(&mut Identity, Timestamp) -> Result<(), Error> + Send + 'static,
    ) -> Result<Identity, Error> {
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(name));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    identities::hold(tx, &account, &region, &name).await?;
                    let found = identities::find(tx, &account, &region, &name).await?;
                    let mut identity = found.ok_or(Error::Missing(name))?;
                    change(&mut identity, tx.now())?;
                    identities::update(tx, &identity).await?;
                    Ok(identity)
                })
            })
            .await
    }

    /// Sets the configuration set for mails that name none; `None` takes it away.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::ConfigurationSetMissing`].
    pub async fn set_configuration_set(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        set: Option<String>,
    ) -> Result<(), Error> {
        if let Some(wanted) = set.clone() {
            let (theirs, place) = (account.clone(), region.clone());
            let found: Result<_, Error> = self
                .store
                .read(move |tx| {
                    Box::pin(async move { Ok(configuration_sets::find(tx, &theirs, &place, &wanted).await?) })
                })
                .await;
            if found?.is_none() {
                // An identity that is missing is named first.
                self.get(account, region, name).await?;
                return Err(Error::ConfigurationSetMissing(set.unwrap_or_default()));
            }
        }
        self.change(account, region, name, move |identity, _| {
            identity.configuration_set = set;
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Adds tags to an identity, each in the place of one of the same name, and takes others away.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::TooManyTags`].
    pub async fn tag(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        add: Pairs,
        remove: Vec<String>,
    ) -> Result<(), Error> {
        self.change(account, region, name, move |identity, _| {
            identity.tags = tagged(&identity.tags, add, &remove)?;
            Ok(())
        })
        .await
        .map(drop)
    }
}

/// The stored tags with some more and without others.
///
/// # Errors
/// [`Error::TooManyTags`].
pub(super) fn tagged(stored: &Json<Pairs>, add: Pairs, remove: &[String]) -> Result<Json<Pairs>, Error> {
    let mut tags = stored.read()?;
    tags.retain(|(key, _)| !remove.contains(key) && !add.iter().any(|(own, _)| own == key));
    for (key, value) in add {
        match tags.iter_mut().find(|(own, _)| *own == key) {
            Some(tag) => tag.1 = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > TAGS_MAX {
        return Err(Error::TooManyTags(TAGS_MAX));
    }
    Ok(Json::of(&tags)?)
}
