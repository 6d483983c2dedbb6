//! Accounts, access keys and what belongs to a key.
use crate::access;
use crate::app::admin::{Admin, AdminError};
use crate::base::{AccountId, Region};
use crate::smtp::auth;

impl Admin {
    /// Makes an account.
    ///
    /// # Errors
    /// When the number is taken.
    pub async fn create_account(&self, id: Option<AccountId>, name: &str) -> Result<Vec<String>, AdminError> {
        Ok(vec![access::create_account(&self.store, id, name).await?.to_string()])
    }

    /// Lists accounts: number and name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_accounts(&self) -> Result<Vec<String>, AdminError> {
        let accounts = access::list_accounts(&self.store).await?;
        Ok(accounts.into_iter().map(|account| format!("{} {}", account.id, account.name)).collect())
    }

    /// Makes an access key and prints it in the form of AWS's shared credentials file. The secret is shown this once.
    ///
    /// # Errors
    /// When there is no such account, or it has too many keys.
    pub async fn create_key(&self, account: &AccountId) -> Result<Vec<String>, AdminError> {
        let (id, secret) = access::create_key(&self.store, account).await?;
        Ok(vec![format!("aws_access_key_id = {id}"), format!("aws_secret_access_key = {}", secret.reveal())])
    }

    /// Lists an account's access keys.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_keys(&self, account: &AccountId) -> Result<Vec<String>, AdminError> {
        let keys = access::list_keys(&self.store, account).await?;
        let state = |active| if active { "active" } else { "inactive" };
        Ok(keys.into_iter().map(|key| format!("{} {}", key.id, state(key.active))).collect())
    }

    /// Switches an access key off. Servers may believe it for some seconds more.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn deactivate_key(&self, id: &str) -> Result<Vec<String>, AdminError> {
        access::deactivate_key(&self.store, id).await?;
        Ok(vec![])
    }

    /// The SMTP user and password that belong to an access key, in one region.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn smtp_credentials(&self, key_id: &str, region: &Region) -> Result<Vec<String>, AdminError> {
        let access = access::Access::new(self.store.clone(), self.clock.clone(), access::Trust::KnownKeys);
        let key = access.key(key_id).await?.ok_or_else(|| AdminError::NoKey(key_id.to_owned()))?;
        let password = auth::smtp_password(&key.secret, region.as_str());
        Ok(vec![format!("user = {}", key.id), format!("password = {}", password.reveal())])
    }
}
