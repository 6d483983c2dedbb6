//! Settings of what comes back: where bounces and complaints arrive.
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use crate::base::{Domain, EmailAddress};
use crate::config::Problem;

/// As they were given.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FeedbackGiven {
    /// Domain of the return paths of mail whose identity has no MAIL FROM domain; its MX is this server. "none": bounces
    /// go to the sender [default: hostname, where it has a dot]
    #[arg(long, value_name = "NAME", env = "POSTRIDER_FEEDBACK_DOMAIN")]
    pub feedback_domain: Option<String>,

    /// Address that providers send complaints (ARF) to [default: complaints at the feedback domain]
    #[arg(long, value_name = "ADDRESS", env = "POSTRIDER_COMPLAINTS_ADDRESS")]
    pub complaints_address: Option<String>,

    /// TOML file with rules of your own for what refusals and bounces mean, asked before the built-in ones [default: none]
    #[arg(long, value_name = "FILE", env = "POSTRIDER_BOUNCE_RULES")]
    pub bounce_rules: Option<PathBuf>,
}

/// In force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// Domain of the return paths.
    pub domain: Option<Domain>,
    /// Where complaints arrive.
    pub complaints: Option<EmailAddress>,
    /// File with rules of the operator's for bounces.
    pub bounce_rules: Option<PathBuf>,
}

impl FeedbackGiven {
    /// Fills in the defaults.
    ///
    /// # Errors
    /// A [`Problem`] that names the setting.
    pub(in crate::config) fn resolve(self, hostname: &Domain) -> Result<Feedback, Problem> {
        let domain = match self.feedback_domain.as_deref() {
            Some("none") => None,
            Some(name) => Some(name.parse().map_err(|e| Problem::new(format!("feedback-domain {name:?}: {e}")))?),
            // A name without a dot is nobody's in the DNS: mail from it would be refused.
            None => Some(hostname.clone()).filter(|name| name.as_str().contains('.')),
        };
        let complaints = match self.complaints_address {
            Some(text) => Some(text.parse().map_err(|e| Problem::new(format!("complaints-address {text:?}: {e}")))?),
            None => domain.as_ref().and_then(|domain| format!("complaints@{domain}").parse().ok()),
        };
        Ok(Feedback { domain, complaints, bounce_rules: self.bounce_rules })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_the_hostname_if_it_can_be_found() {
        let host = |name: &str| name.parse::<Domain>().expect("a domain");
        let feedback = FeedbackGiven::default().resolve(&host("mx.here.example")).expect("good");
        assert_eq!(feedback.domain.as_ref().map(Domain::as_str), Some("mx.here.example"));
        assert_eq!(feedback.complaints.map(|a| a.to_string()).as_deref(), Some("complaints@mx.here.example"));
        assert_eq!(FeedbackGiven::default().resolve(&host("laptop")).expect("good"), Feedback::default());
        let none = FeedbackGiven { feedback_domain: Some("none".to_owned()), ..FeedbackGiven::default() };
        assert_eq!(none.resolve(&host("mx.here.example")).expect("good"), Feedback::default());
        let bad = FeedbackGiven { complaints_address: Some("x".to_owned()), ..FeedbackGiven::default() };
        assert!(bad.resolve(&host("mx.here.example")).is_err());
    }
}
