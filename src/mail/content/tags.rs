//! Tags of configuration sets and of templates.
use serde_json::{Map, Value, json};

use crate::base::{AccountId, Region};
use crate::mail::content::configuration_set::Error;
use crate::mail::content::templates;
use crate::mail::content::{ConfigurationSets, Templates};
use crate::store::configuration_sets;
use crate::store::templates as rows;

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
        change: impl FnOnce(Vec<(String, String)>) -> Result<Vec<(String, String)>, E> + Send + 'static,
    ) -> Result<Vec<(String, String)>, E>
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
                    let mut options: Map<String, Value> = serde_json::from_str(&set.options).unwrap_or_default();
                    let tags = options.remove("tags").and_then(|tags| serde_json::from_value(tags).ok());
                    let tags = change(tags.unwrap_or_default())?;
                    options.insert("tags".to_owned(), json!(tags));
                    let options = Value::Object(options).to_string();
                    configuration_sets::set_options(tx, &account, &region, &set.name, &options).await?;
                    Ok(tags)
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
        change: impl FnOnce(Vec<(String, String)>) -> Result<Vec<(String, String)>, E> + Send + 'static,
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
                    let tags = json!(change(serde_json::from_str(&stored).unwrap_or_default())?).to_string();
                    Ok(rows::set_tags(tx, &account, &region, &name, &tags).await?)
                })
            })
            .await
    }
}
