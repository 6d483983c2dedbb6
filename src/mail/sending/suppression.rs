//! Suppression: addresses that an account sends nothing to, since mails to them bounced or their owners complained.
//!
//! An entry counts for a mail when its reason is among those that suppress: the configuration set's where it names some,
//! else the account's. A suppressed mail is accepted, and ends here (SES guide, "Using the account-level suppression list").
use tracing::error;

use crate::base::{AccountId, EmailAddress, Region};
use crate::mail::sending::{SendError, Sending};
use crate::store::mails::Mail;
use crate::store::suppressed::{self, Reason, Suppressed, Wanted};
use crate::store::{Error, Tx};
use crate::store::{account_settings, configuration_sets};

/// The reasons that suppress for a mail: of its configuration set, or of its account.
pub async fn reasons(tx: &mut Tx, mail: &Mail) -> Result<Vec<Reason>, Error> {
    if let Some(name) = &mail.configuration_set {
        let set = configuration_sets::find(tx, &mail.account, &mail.region, name).await?;
        if let Some(set) = set
            && let Some(reasons) = set.options.read()?.suppressed_reasons
        {
            return Ok(reasons);
        }
    }
    Ok(account_settings::get(tx, &mail.account, &mail.region).await?.suppressed_reasons)
}

/// Puts a recipient of `mail` on its account's list, in the caller's transaction, when the account (or the configuration
/// set) wants that for this reason; tells whether it did. `feedback_id` names the bounce or complaint. What happened is written down
/// whatever else cannot be read: where that are the reasons, the address goes on the list.
pub async fn suppress(
    tx: &mut Tx,
    mail: &Mail,
    address: &str,
    reason: Reason,
    feedback_id: &str,
) -> Result<bool, Error> {
    match reasons(tx, mail).await {
        Ok(reasons) if !reasons.contains(&reason) => return Ok(false),
        Ok(_) => {}
        Err(error) if error.is_corrupt() => {
            error!(mail.id = %mail.id, %error, "the reasons that suppress cannot be read: the recipient is suppressed");
        }
        Err(error) => return Err(error),
    }
    let entry = Suppressed {
        address: folded(address),
        reason,
        feedback_id: Some(feedback_id.to_owned()),
        message_id: Some(mail.id.clone()),
        updated_at: tx.now(),
    };
    suppressed::put(tx, &mail.account, &mail.region, &entry).await?;
    Ok(true)
}

/// Why `address` gets nothing of `mail`, if it is suppressed.
pub async fn suppressing(tx: &mut Tx, mail: &Mail, address: &str) -> Result<Option<Reason>, Error> {
    // Most addresses are on no list: the one look-up that nearly every mail needs comes first.
    let Some(entry) = suppressed::find(tx, &mail.account, &mail.region, &folded(address)).await? else {
        return Ok(None);
    };
    Ok(reasons(tx, mail).await?.contains(&entry.reason).then_some(entry.reason))
}

impl Sending {
    /// Puts an address on the account's list.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn put_suppressed(
        &self,
        account: &AccountId,
        region: &Region,
        address: &EmailAddress,
        reason: Reason,
    ) -> Result<(), SendError> {
        let (account, region, address) = (account.clone(), region.clone(), address.folded());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let updated_at = tx.now();
                    let entry = Suppressed { address, reason, feedback_id: None, message_id: None, updated_at };
                    Ok(suppressed::put(tx, &account, &region, &entry).await?)
                })
            })
            .await
    }

    /// The entry of an address on the account's list.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn suppressed(
        &self,
        account: &AccountId,
        region: &Region,
        address: &str,
    ) -> Result<Option<Suppressed>, SendError> {
        let (account, region, address) = (account.clone(), region.clone(), folded(address));
        self.store
            .read(move |tx| Box::pin(async move { Ok(suppressed::find(tx, &account, &region, &address).await?) }))
            .await
    }

    /// Takes an address off the account's list; false when it was not there.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn delete_suppressed(
        &self,
        account: &AccountId,
        region: &Region,
        address: &str,
    ) -> Result<bool, SendError> {
        let (account, region, address) = (account.clone(), region.clone(), folded(address));
        self.store
            .write(move |tx| Box::pin(async move { Ok(suppressed::delete(tx, &account, &region, &address).await?) }))
            .await
    }

    /// A part of the account's list.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn list_suppressed(
        &self,
        account: &AccountId,
        region: &Region,
        wanted: Wanted,
    ) -> Result<Vec<Suppressed>, SendError> {
        let (account, region) = (account.clone(), region.clone());
        self.store
            .read(move |tx| Box::pin(async move { Ok(suppressed::list(tx, &account, &region, &wanted).await?) }))
            .await
    }

    /// Sets which reasons put addresses on the account's list and keep mails from them; none switches the list off.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn set_suppressed_reasons(
        &self,
        account: &AccountId,
        region: &Region,
        reasons: Vec<Reason>,
    ) -> Result<(), SendError> {
        let (account, region) = (account.clone(), region.clone());
        self.store
            .write(move |tx| {
                Box::pin(
                    async move { Ok(account_settings::set_suppressed_reasons(tx, &account, &region, &reasons).await?) },
                )
            })
            .await
    }
}

/// Lists compare addresses without regard to case, as identities do.
pub(super) fn folded(address: &str) -> String {
    EmailAddress::lenient(address).map_or_else(|_| address.to_ascii_lowercase(), |address| address.folded())
}
