//! How the pages of the lists of SES's second API are asked for.
use crate::aws::paging::{OutOfRange, PageRules};
use crate::aws::sesv2::error::SesV2Error;
use crate::base::PageRequest;

/// The lists of which no answer of SES is on record.
pub(super) const USUAL: PageRules = PageRules {
    usual: 100,
    largest: 1000,
    out_of_range: OutOfRange::Refuse(|_| "PageSize must be between 1 and 1000.".to_owned()),
    bad_token: |_| "The specified token is invalid.".to_owned(),
};
/// ListEmailIdentities.
pub(super) const IDENTITIES: PageRules = PageRules {
    out_of_range: OutOfRange::Refuse(|size| {
        format!("Value {size} for parameter PageSize is invalid. PageSize must be between 1 and 1000.")
    }),
    bad_token: |token| format!("Invalid NextToken <{token}>."),
    ..USUAL
};
/// ListConfigurationSets.
pub(super) const SETS: PageRules = PageRules {
    usual: 50,
    out_of_range: OutOfRange::Refuse(|_| "The page size must be between 1 and 1000".to_owned()),
    bad_token: |token| format!("invalid nextToken {token}"),
    ..USUAL
};
/// ListEmailTemplates.
pub(super) const TEMPLATES: PageRules = PageRules {
    usual: 10,
    largest: 100,
    out_of_range: OutOfRange::Refuse(|_| "The page size must be between 1 and 100".to_owned()),
    bad_token: |token| format!("Invalid PageToken <{token}>."),
};
/// ListCustomVerificationEmailTemplates.
pub(super) const VERIFICATION_TEMPLATES: PageRules = PageRules {
    usual: 50,
    largest: 50,
    out_of_range: OutOfRange::Refuse(|_| "The page size must be between 1 and 50".to_owned()),
    bad_token: |token| format!("Invalid nextToken <{token}>."),
};

/// Reads which page is asked for.
///
/// # Errors
/// A token or a page size that cannot be.
pub(super) fn read(rules: &PageRules, token: Option<&str>, size: Option<i32>) -> Result<PageRequest, SesV2Error> {
    rules.read(token, size).map_err(SesV2Error::BadRequest)
}
