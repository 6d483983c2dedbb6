//! What an account sets for its sending, its request for production access, and its figures.
use std::time::Duration;

use crate::base::{AccountId, Region};
use crate::mail::sending::quota;
use crate::mail::sending::{SendError, Sending};
use crate::store::Json;
use crate::store::account_settings::{self, AccountDetails, AccountSettings, Review};
use crate::store::mail_figures::{self, Figures};
use crate::store::sending_accounts;

/// SES: figures of the last two weeks.
const FIGURES_OF: Duration = Duration::from_secs(14 * 24 * 3600);

impl Sending {
    /// What the account has set.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn settings(&self, account: &AccountId, region: &Region) -> Result<AccountSettings, SendError> {
        let (account, region) = (account.clone(), region.clone());
        self.store
            .read(move |tx| Box::pin(async move { Ok(account_settings::get(tx, &account, &region).await?) }))
            .await
    }

    /// Keeps what the account tells of itself. `asks`: it wants production access, and an operator is to decide. An
    /// account that has it already is granted at once.
    ///
    /// # Errors
    /// [`SendError::UnderReview`] while a request waits.
    pub async fn put_details(
        &self,
        account: &AccountId,
        region: &Region,
        details: AccountDetails,
        asks: bool,
    ) -> Result<(), SendError> {
        let (account, region, default) = (account.clone(), region.clone(), self.default_limits());
        let details = Json::of(&details)?;
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let has = quota::limits(tx, &account, &region, default).await?.production_access;
                    let before = account_settings::get(tx, &account, &region).await?;
                    if before.review == Some(Review::Pending) {
                        return Err(SendError::UnderReview);
                    }
                    let review = match asks {
                        true if has => Some(Review::Granted),
                        true => Some(Review::Pending),
                        false => before.review,
                    };
                    Ok(account_settings::set_details(tx, &account, &region, &details, review).await?)
                })
            })
            .await
    }

    /// Switches the account's sending on or off.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn set_enabled(&self, account: &AccountId, region: &Region, enabled: bool) -> Result<(), SendError> {
        let (account, region, default) = (account.clone(), region.clone(), self.default_limits());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut limits = sending_accounts::lock(tx, &account, &region, default.account()).await?;
                    limits.sending_enabled = enabled;
                    Ok(sending_accounts::put(tx, &account, &region, limits).await?)
                })
            })
            .await
    }

    /// What became of the account's mails in the last two weeks, in spans of 15 minutes, oldest first.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn figures(&self, account: &AccountId, region: &Region) -> Result<Vec<Figures>, SendError> {
        let (account, region) = (account.clone(), region.clone());
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let since = tx.now() - FIGURES_OF;
                    Ok(mail_figures::figures(tx, &account, &region, since).await?)
                })
            })
            .await
    }
}
