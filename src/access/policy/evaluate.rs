//! The decision of a policy.
use crate::access::policy::document::Statement;
use crate::access::policy::pattern::{fits, fits_arn};
use crate::access::policy::words::Effect;
use crate::access::policy::{Policy, Request};

/// What a policy says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it, and none denies it.
    Allow,
    /// A statement denies it, whatever others say.
    Deny,
    /// No statement applies: the owner may, others may not.
    Silent,
}

impl Policy {
    /// Decides: a prohibition wins over every permission (IAM user guide, "Determining whether a request is allowed or
    /// denied within an account").
    pub fn decide(&self, request: &Request) -> Decision {
        let applies = |effect: Effect| self.statements.iter().any(|s| s.effect == effect && s.applies(request));
        if applies(Effect::Deny) {
            Decision::Deny
        } else if applies(Effect::Allow) {
            Decision::Allow
        } else {
            Decision::Silent
        }
    }
}

impl Statement {
    fn applies(&self, request: &Request) -> bool {
        let action = request.action.to_ascii_lowercase();
        let actions = &self.actions;
        let resources = &self.resources;
        self.principals.what.include(&request.principal) != self.principals.not
            && actions.what.iter().any(|a| fits(&a.to_ascii_lowercase(), &action)) != actions.not
            && resources.what.iter().any(|r| r == "*" || fits_arn(r, &request.resource)) != resources.not
            && self.tests.iter().all(|test| test.passes(request, self.effect))
    }
}
