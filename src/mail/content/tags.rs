//! Tags of configuration sets and of templates.
use crate::base::{AccountId, Region};
use crate::mail::content::configuration_set::Error;
use crate::mail::content::templates;
use crate::mail::content::{ConfigurationSets, Templates};
use crate::store::templates as rows;
use crate::store::{Json, Pairs, configuration_sets};

impl ConfigurationSets {
    /// Changes the tags of a set, each a name and a value, and gives them as they are then.
    ///
    /// # Errors
    /// [`Error::Missing`], and what `change` says.
    pub async fn change_tags<E>(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        change: impl FnOnce(Pairs) -> Result<Pairs, E> + Send + 'static,
    ) -> Result<Pairs, E>
    where
        E: From<Error> + From<crate::store::Error> + Send + 'static,
    {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    configuration_sets::hold(tx, &account, &region, &name).await?;
                    let set = configuration_sets::find(tx, &account, &region, &name).await?;
                    let set = set.ok_or(Error::Missing(name))?;
                    let mut options = set.options.read()?;
                    options.tags = change(options.tags)?;
                    configuration_sets::set_options(tx, &account, &region, &set.name, &Json::of(&options)?).await?;
                    Ok(options.tags)
                })
            })
            .await
    }
}

impl Templates {
    /// Changes the tags of a template, each a name and a value.
    ///
    /// # Errors
    /// [`templates::Error::Missing`], and what `change` says.
    pub async fn change_tags<E>(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        change: impl FnOnce(Pairs) -> Result<Pairs, E> + Send + 'static,
    ) -> Result<(), E>
    where
        E: From<templates::Error> + From<crate::store::Error> + Send + 'static,
    {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let stored = rows::hold_tags(tx, &account, &region, &name).await?;
                    let stored = stored.ok_or_else(|| templates::Error::Missing(name.clone()))?;
                    let tags = change(stored.read()?)?;
                    Ok(rows::set_tags(tx, &account, &region, &name, &Json::of(&tags)?).await?)
                })
            })
            .await
    }
}
