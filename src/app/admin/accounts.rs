//! Accounts, access keys and what belongs to a key.
use crate::access::{self, Account, State};
use crate::app::admin::{Admin, AdminError, STRAGGLERS};
use crate::base::{AccountId, Region};
use crate::mail::sending;
use crate::smtp::auth;

impl Admin {
    /// Makes an account.
    ///
    /// # Errors
    /// When the number is taken.
    pub async fn create_account(&self, id: Option<AccountId>, name: &str) -> Result<Vec<String>, AdminError> {
        Ok(vec![access::create_account(&self.store, id, name).await?.to_string()])
    }

    /// Lists accounts: number and name, and what an account is that is not active.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_accounts(&self) -> Result<Vec<String>, AdminError> {
        let accounts = access::list_accounts(&self.store).await?;
        let line = |account: Account| match account.state {
            State::Active => format!("{} {}", account.id, account.name),
            state => format!("{} {} {}", account.id, account.name, state.as_str()),
        };
        Ok(accounts.into_iter().map(line).collect())
    }

    /// Suspends an account.
    ///
    /// # Errors
    /// When there is no such account, when it is the root account, or when it is being deleted.
    pub async fn suspend_account(&self, account: &AccountId) -> Result<Vec<String>, AdminError> {
        Ok(vec![match access::suspend_account(&self.store, account).await? {
            State::Suspended => format!("account {account} was suspended already"),
            _ => format!(
                "account {account} is suspended: within a second servers refuse its keys and SMTP passwords, hold its mail \
                 back, and put off mail for it"
            ),
        }])
    }

    /// Ends an account's suspension, and makes its mail leave that waited. Asked again, it does the latter again.
    ///
    /// # Errors
    /// When there is no such account, or it is being deleted.
    pub async fn resume_account(&self, account: &AccountId) -> Result<Vec<String>, AdminError> {
        let was = access::resume_account(&self.store, account).await?;
        sending::wake_mail(&self.store, account).await?;
        if was == State::Suspended {
            // A server may still put mail off for a moment.
            self.clock.sleep(STRAGGLERS).await;
            sending::wake_mail(&self.store, account).await?;
        }
        Ok(vec![match was {
            State::Suspended => format!("account {account} is active again; mail that waited leaves now"),
            _ => format!("account {account} was not suspended"),
        }])
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

    /// Switches an access key off. Servers may believe it for a second more.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn deactivate_key(&self, id: &str) -> Result<Vec<String>, AdminError> {
        let key = access::deactivate_key(&self.store, id).await?;
        Ok(vec![match key.active {
            true => format!("key {id} of account {} is inactive; servers refuse it within a second", key.account),
            false => format!("key {id} of account {} was inactive already", key.account),
        }])
    }

    /// Switches an access key on again.
    ///
    /// # Errors
    /// When there is no such key, or its account has too many active ones.
    pub async fn activate_key(&self, id: &str) -> Result<Vec<String>, AdminError> {
        let key = access::activate_key(&self.store, id).await?;
        Ok(vec![match key.active {
            true => format!("key {id} of account {} was active already", key.account),
            false => format!("key {id} of account {} is active", key.account),
        }])
    }

    /// Deletes an access key, active or not, for good.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn delete_key(&self, id: &str) -> Result<Vec<String>, AdminError> {
        let key = access::delete_key(&self.store, id).await?;
        let was = if key.active { "active key" } else { "inactive key" };
        Ok(vec![format!("{was} {id} of account {} is deleted; servers refuse it within a second", key.account)])
    }

    /// The SMTP user and password that belong to an access key, in one region.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn smtp_credentials(&self, key_id: &str, region: &Region) -> Result<Vec<String>, AdminError> {
        let key = access::find_key(&self.store, key_id).await?;
        if !key.active {
            return Err(AdminError::NoKey(key_id.to_owned()));
        }
        let password = auth::smtp_password(&key.secret, region.as_str());
        Ok(vec![format!("user = {}", key.id), format!("password = {}", password.reveal())])
    }
}
