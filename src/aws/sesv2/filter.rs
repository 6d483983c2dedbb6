//! The filters of lists: a map of what to look for. All of them must fit.
use std::collections::BTreeMap;

use crate::aws::sesv2::error::SesV2Error;
use crate::store::identities::{Identity, IdentityKind, Standing};

/// Which identities.
#[derive(Debug, Default)]
pub(super) struct IdentityFilter {
    contains: Option<String>,
    kind: Option<IdentityKind>,
    status: Option<Standing>,
}

impl IdentityFilter {
    /// Reads it.
    ///
    /// # Errors
    /// A key, a type or a status that SES does not have.
    pub(super) fn read(given: BTreeMap<String, String>) -> Result<Self, SesV2Error> {
        let mut filter = Self::default();
        for (key, value) in given {
            match key.as_str() {
                "IDENTITY_NAME_CONTAINS" if !value.is_empty() => filter.contains = Some(value.to_lowercase()),
                "IDENTITY_TYPE" => filter.kind = Some(value.parse().map_err(|_| wrong(&key, &value))?),
                "VERIFICATION_STATUS" => filter.status = Some(value.parse().map_err(|_| wrong(&key, &value))?),
                _ => return Err(wrong(&key, &value)),
            }
        }
        Ok(filter)
    }

    /// The kind that the store looks for.
    pub(super) fn kind(&self) -> Option<IdentityKind> {
        self.kind
    }

    /// Whether it asks for nothing but the kind.
    pub(super) fn is_open(&self) -> bool {
        self.contains.is_none() && self.status.is_none()
    }

    /// Whether an identity fits.
    pub(super) fn fits(&self, identity: &Identity) -> bool {
        self.contains.as_ref().is_none_or(|part| identity.name.contains(part.as_str()))
            && self.status.is_none_or(|status| identity.status == status)
    }
}

/// The part of a configuration set's name to look for, in small letters: SES passes over the case.
///
/// # Errors
/// A key that SES does not have.
pub(super) fn set_name_part(given: BTreeMap<String, String>) -> Result<Option<String>, SesV2Error> {
    let mut part = None;
    for (key, value) in given {
        match key.as_str() {
            "CONFIGURATION_SET_NAME_CONTAINS" if !(3..=64).contains(&value.chars().count()) => {
                let text = format!("{key} must be between 3 and 64 characters");
                return Err(SesV2Error::BadRequest(text));
            }
            "CONFIGURATION_SET_NAME_CONTAINS" => part = Some(value.to_ascii_lowercase()),
            _ => return Err(wrong(&key, &value)),
        }
    }
    Ok(part)
}

fn wrong(key: &str, value: &str) -> SesV2Error {
    let short = |text: &str| text.chars().take(64).collect::<String>();
    SesV2Error::BadRequest(format!("Invalid filter <{}: {}>.", short(key), short(value)))
}
