//! Production access: who asks for it, who gets it.
use crate::app::admin::{Admin, AdminError};
use crate::base::Scope;
use crate::store::Json;
use crate::store::account_settings::{self, Review};
use crate::store::sending_accounts::{self, SendingAccount};

/// How many requests are shown at once.
const REQUESTS_SHOWN: i64 = 1000;

impl Admin {
    /// Takes an account out of the sandbox in a region, with limits of its own; -1 means none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn grant_production(
        &self,
        scope: &Scope,
        max_24_hour: i64,
        max_per_second: i64,
    ) -> Result<Vec<String>, AdminError> {
        let limits = SendingAccount { sending_enabled: true, production_access: true, max_24_hour, max_per_second };
        let Scope { account, region } = scope.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    account_settings::decide(tx, &account, &region, Review::Granted).await?;
                    sending_accounts::put(tx, &account, &region, limits).await
                })
            })
            .await?;
        Ok(vec![])
    }

    /// Lists the accounts that told of themselves and are in the sandbox, oldest first: account, region, whether it asked for
    /// production access (`asks`) or only told of itself (`tells`), and what it told.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn production_requests(&self) -> Result<Vec<String>, AdminError> {
        let tx = &mut self.store.reader().await?;
        let waiting = account_settings::waiting(tx, REQUESTS_SHOWN).await?;
        let line = |(account, region, settings): (String, String, account_settings::AccountSettings)| {
            let what = if settings.review.is_some() { "asks" } else { "tells" };
            format!("{account} {region} {what} {}", settings.details.as_ref().map_or("", Json::text))
        };
        Ok(waiting.into_iter().map(line).collect())
    }

    /// Says no to an account's request for production access.
    ///
    /// # Errors
    /// When the store fails, or no request of this account waits.
    pub async fn deny_production(&self, scope: &Scope) -> Result<Vec<String>, AdminError> {
        let Scope { account, region } = scope.clone();
        let denied = self
            .store
            .write(move |tx| {
                Box::pin(async move { account_settings::decide(tx, &account, &region, Review::Denied).await })
            })
            .await?;
        if denied { Ok(vec![]) } else { Err(AdminError::NoRequest(scope.clone())) }
    }
}
