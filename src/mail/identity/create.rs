//! Making identities: a domain with its keys, an address with the link that is mailed to it.
use crate::base::{AccountId, Region};
use crate::mail::identity::identities::insert;
use crate::mail::identity::{Error, Found, Identities, IdentityName, NewIdentity, links};

impl Identities {
    /// Makes an identity. A domain gets its keys; an address gets a mail with a link, unless all are verified at once.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::TooMany`], [`Error::TooManyMails`], [`Error::ConfigurationSetMissing`].
    pub async fn create(
        &self,
        account: &AccountId,
        region: &Region,
        name: IdentityName,
        new: NewIdentity,
    ) -> Result<Found, Error> {
        let found = self.prepared(account, region, &name, new).await?;
        let settings = self.settings.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    insert(tx, &found).await?;
                    if let (IdentityName::Address(address), false) = (&name, settings.at_once) {
                        links::mail(tx, &settings, &found.identity, address).await?;
                    }
                    Ok(found)
                })
            })
            .await
    }
}
