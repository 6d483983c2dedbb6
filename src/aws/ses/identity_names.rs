//! The names of identities that an operation of the first API is asked about.
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::mail::identity::{self, Found, IdentityName};

/// How many names one operation may be asked about (SES model).
const ASKED_MAX: usize = 100;

/// The names to look at: GetIdentityVerificationAttributes, GetIdentityDkimAttributes and the like.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IdentitiesRequest {
    #[serde(default)]
    identities: Vec<String>,
}

/// What `tell` says of each name, but for those that are no identities.
///
/// # Errors
/// More than 100 names.
pub(super) async fn each<T>(
    services: &Services,
    caller: &Caller,
    input: IdentitiesRequest,
    tell: impl Fn(&Found) -> T,
) -> Result<BTreeMap<String, T>, SesError> {
    if input.identities.len() > ASKED_MAX {
        let text = format!("The number of identities exceeds {ASKED_MAX}.");
        return Err(SesError::InvalidParameterValue(text));
    }
    let mut told = BTreeMap::new();
    for name in input.identities {
        match services.identities.get(&caller.account, &caller.region, &name).await {
            Ok(found) => drop(told.insert(name, tell(&found))),
            Err(identity::Error::Missing(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(told)
}

/// The domain of this name.
///
/// # Errors
/// A name that is none.
pub(super) fn domain(text: &str) -> Result<IdentityName, SesError> {
    match IdentityName::parse(text) {
        Ok(name @ IdentityName::Domain(_)) => Ok(name),
        _ => Err(SesError::InvalidParameterValue(format!(
            "Invalid domain name <{}>.",
            text.chars().take(320).collect::<String>()
        ))),
    }
}
