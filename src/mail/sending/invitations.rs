//! Mails in an account's own words that ask an address to verify itself (SES guide, "custom verification email templates").
use crate::mail::identity::{self, Identities};
use crate::mail::message::Mailbox;
use crate::mail::sending::{Grants, SendError, Sender, Sending, Submission};

/// Why an address is not asked.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// No address is named.
    #[error("an address is needed")]
    NoAddress,
    /// What is named is no address.
    #[error("{0:?} is not an address")]
    Address(String),
    /// The account is in the sandbox.
    #[error("the account has no production access")]
    NotInProduction,
    /// The template, or the identity.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The mail.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl Sending {
    /// Makes `address` an identity of the caller's where it is none, and mails it a link by the account's template of this name.
    /// Gives the mail's id. SES guide: only for accounts out of the sandbox.
    ///
    /// # Errors
    /// What is no address; an account in the sandbox; those of [`Identities::invite`] and of [`Sending::accept`].
    pub async fn invite(
        &self,
        identities: &Identities,
        sender: &Sender,
        (address, template): (&str, &str),
        configuration_set: Option<String>,
    ) -> Result<String, InvitationError> {
        if address.trim().is_empty() {
            return Err(InvitationError::NoAddress);
        }
        let wrong = |_| InvitationError::Address(address.chars().take(320).collect());
        let address = Mailbox::parse(address).map_err(wrong)?.address;
        let (account, region) = (&sender.scope.account, &sender.scope.region);
        if !self.quota(account, region).await?.account.production_access {
            return Err(InvitationError::NotInProduction);
        }
        let invitation = identities.invite(account, region, &address, template).await?;
        let submission = Submission {
            configuration_set,
            grants: Grants { action: "ses:SendCustomVerificationEmail", ..Grants::default() },
            ..sender.submission(invitation.source, vec![address], invitation.raw)
        };
        Ok(self.accept(submission).await?)
    }
}
