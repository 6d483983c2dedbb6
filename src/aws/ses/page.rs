//! How the pages of the lists of SES's first API are asked for. In most of them a number out of range is no error.
use crate::aws::paging::{OutOfRange, PageRules};
use crate::aws::ses::error::SesError;
use crate::base::PageRequest;

/// Entries of a page of identities at most.
pub(super) const IDENTITIES_MAX: i32 = 1000;

/// ListIdentities.
pub(super) const IDENTITIES: PageRules = PageRules {
    usual: IDENTITIES_MAX,
    largest: IDENTITIES_MAX,
    out_of_range: OutOfRange::Refuse(|size| {
        format!("Value {size} for parameter MaxItems is invalid. MaxItems must be between 1 and {IDENTITIES_MAX}.")
    }),
    bad_token: |token| format!("Invalid NextToken <{token}>."),
};
/// ListConfigurationSets.
pub(super) const SETS: PageRules = of(50, 1000, 50);
/// ListTemplates.
pub(super) const TEMPLATES: PageRules = of(10, 100, 100);
/// ListCustomVerificationEmailTemplates.
pub(super) const VERIFICATION_TEMPLATES: PageRules = of(50, 50, 50);

/// A list of pages of `usual` entries, or of up to `largest`; of `otherwise` where the number is out of range.
const fn of(usual: i32, largest: i32, otherwise: i32) -> PageRules {
    let bad_token = |_: &str| "The specified token is invalid.".to_owned();
    PageRules { usual, largest, out_of_range: OutOfRange::Take(otherwise), bad_token }
}

/// Reads which page is asked for.
///
/// # Errors
/// A token or a number that cannot be.
pub(super) fn read(rules: &PageRules, token: Option<&str>, size: Option<i32>) -> Result<PageRequest, SesError> {
    rules.read(token, size).map_err(SesError::InvalidParameterValue)
}
