//! Policies of identities (sending authorization): keeping them. Who may send by them is decided in `authorization`.
use crate::access::policy::{Malformed, Policy};
use crate::base::{AccountId, Region};
use crate::mail::identity::{Error, Identities, IdentityName};
use crate::store::identities;
use crate::store::identity_policies::{self, IdentityPolicy};

/// SES: policies of one identity, and the octets of one.
const POLICIES_MAX: usize = 20;
const SIZE_MAX: usize = 4_096;
/// SES: the letters of a policy's name.
const NAME_MAX: usize = 64;

/// Whether there has to be a policy of this name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// There must be none.
    New,
    /// There must be one.
    Old,
    /// Either.
    Any,
}

impl Identities {
    /// Stores a policy of an identity.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::PolicyName`]; [`Error::Policy`]; [`Error::PolicyExists`], [`Error::PolicyMissing`] as
    /// `put` says; [`Error::TooManyPolicies`].
    pub async fn put_policy(
        &self,
        account: &AccountId,
        region: &Region,
        identity: &str,
        policy: IdentityPolicy,
        put: Put,
    ) -> Result<(), Error> {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !(1..=NAME_MAX).contains(&policy.name.len()) || !policy.name.chars().all(fine) {
            return Err(Error::PolicyName(policy.name.chars().take(NAME_MAX).collect()));
        }
        if policy.policy.len() > SIZE_MAX {
            return Err(Error::Policy(Malformed::TooLong));
        }
        Policy::read(&policy.policy)?;
        let (account, region, identity) = (account.clone(), region.clone(), IdentityName::folded(identity));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if !identities::hold(tx, &account, &region, &identity).await? {
                        return Err(Error::Missing(identity));
                    }
                    let there = identity_policies::list(tx, &account, &region, &identity).await?;
                    match (put, there.iter().any(|own| own.name == policy.name)) {
                        (Put::New, true) => return Err(Error::PolicyExists(policy.name)),
                        (Put::Old, false) => return Err(Error::PolicyMissing(policy.name)),
                        (_, false) if there.len() >= POLICIES_MAX => return Err(Error::TooManyPolicies(POLICIES_MAX)),
                        _ => {}
                    }
                    identity_policies::put(tx, &account, &region, &identity, &policy).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Removes a policy of an identity; whether there was one does not matter.
    ///
    /// # Errors
    /// [`Error::Missing`], when there is no such identity.
    pub async fn delete_policy(
        &self,
        account: &AccountId,
        region: &Region,
        identity: &str,
        name: &str,
    ) -> Result<(), Error> {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        let identity = IdentityName::folded(identity);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if !identities::hold(tx, &account, &region, &identity).await? {
                        return Err(Error::Missing(identity));
                    }
                    identity_policies::delete(tx, &account, &region, &identity, &name).await?;
                    Ok(())
                })
            })
            .await
    }
}
