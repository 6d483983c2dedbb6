//! Who may receive mail for a domain.
use crate::base::Scope;
use crate::mail::receiving::filters::Filter;
use crate::mail::receiving::rules::Rule;

/// An account and region that a domain is verified in, with the rules of its active rule set and its IP filters.
#[derive(Debug)]
pub(in crate::mail::receiving) struct Candidate {
    pub owner: Scope,
    pub rules: Vec<Rule>,
    pub filters: Vec<Filter>,
    /// Whether the account is suspended.
    pub suspended: bool,
    /// Octets of the rules as JSON.
    pub octets: usize,
}
