//! Whose a thing is: one account in one region.
use crate::base::{AccountId, Region};

/// The owner of a thing and the place where its name counts: an account in one region. SES, SNS and SQS keep what they have apart by
/// this pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl Scope {
    /// The account in the region.
    pub fn new(account: AccountId, region: Region) -> Self {
        Self { account, region }
    }
}
