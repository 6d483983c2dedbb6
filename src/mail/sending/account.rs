//! What an account sets for its sending, and its request for production access.
use crate::base::{AccountId, Region};
use crate::mail::sending::{SendError, Sending};
use crate::store::account_settings::{self, AccountSettings};

impl Sending {
    /// What the account has set.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn settings(&self, account: &AccountId, region: &Region) -> Result<AccountSettings, SendError> {
        let (account, region) = (account.clone(), region.clone());
        self.store
            .read(move |tx| {
                Box::pin(async move { Ok(account_settings::get(tx, account.as_str(), region.as_str()).await?) })
            })
            .await
    }
}
