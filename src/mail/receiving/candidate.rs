//! Who may receive mail for a domain.
use crate::base::Scope;
use crate::mail::receiving::rules::Rule;
use crate::store;

/// An account and region that a domain is verified in, with the rules of its active rule set and its IP filters.
#[derive(Debug)]
pub(in crate::mail::receiving) struct Candidate {
    pub owner: Scope,
    pub(super) rules: Result<Vec<Rule>, store::Error>,
    pub filters: Vec<Filter>,
    /// Whether the account is suspended.
    pub suspended: bool,
    /// Octets of the rules as JSON.
    pub octets: usize,
}

/// What happens to a client that a filter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Its mail is refused.
    Block,
    /// Its mail is taken, although a wider filter blocks it.
    Allow,
}

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its name, unique in the account and region.
    pub name: String,
    /// What happens.
    pub policy: Policy,
    /// An address or a range of addresses (CIDR), as it was given; bits behind the prefix may be set.
    pub cidr: String,
}

impl Policy {
    /// As the column and the API have it.
    pub(in crate::mail::receiving) const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "Block",
            Self::Allow => "Allow",
        }
    }
}

impl Candidate {
    /// Its rules. Only who comes to them fails where they cannot be read: those who were first keep their mail.
    pub(super) fn rules(&self) -> Result<&[Rule], store::Error> {
        self.rules.as_deref().map_err(Clone::clone)
    }
}
