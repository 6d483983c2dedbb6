//! What the second API says when something is wrong with an identity.
use crate::access::policy::Malformed;
use crate::aws::sesv2::error::{SesV2Error, set_missing};
use crate::mail::identity;

impl From<identity::Error> for SesV2Error {
    fn from(error: identity::Error) -> Self {
        use identity::Error as E;
        let bad = Self::BadRequest;
        match error {
            E::Name(name) => bad(format!("Invalid email identity <{name}>.")),
            E::Exists(name) => Self::AlreadyExists(format!("Email identity {name} already exist.")),
            E::Missing(name) => Self::NotFound(format!("Email identity {name} does not exist.")),
            E::NotADomain(name) => bad(format!("Identity {name} is not a domain with DKIM keys of its own.")),
            E::ConfigurationSetMissing(name) => Self::NotFound(set_missing(&name)),
            E::TooMany(max) => Self::LimitExceeded(format!("Number of identities exceeds {max}.")),
            E::TooManyMails => Self::TooManyRequests("Maximum rate of verification emails exceeded."),
            E::TooSoon => bad("The signing key length can only be changed once in 24 hours.".to_owned()),
            E::GivenKey(why) => bad(format!("The private key is not valid: {why}.")),
            E::MailFromDomain { mail_from, identity } => bad(not_a_subdomain(&mail_from, &identity)),
            E::PolicyName(name) => bad(format!("Invalid policy name <{name}>.")),
            E::PolicyExists(name) => Self::AlreadyExists(format!("Policy {name} already exists.")),
            E::PolicyMissing(name) => Self::NotFound(format!("Policy {name} does not exist.")),
            E::TooManyPolicies(max) => Self::LimitExceeded(format!("An identity has {max} policies at most.")),
            E::Policy(why) => bad(policy_text(&why)),
            E::TemplateName(name) => bad(format!(
                "Invalid template name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed, 64 at most."
            )),
            E::TemplateExists(name) => {
                Self::AlreadyExists(format!("Custom verification email template <{name}> already exists."))
            }
            E::TemplateMissing(name) => {
                Self::NotFound(format!("Custom verification email template <{name}> does not exist."))
            }
            E::TooManyTemplates(max) => {
                Self::LimitExceeded(format!("There may be no more than {max} custom verification email templates."))
            }
            E::TemplateContent(why) => bad(format!("Invalid custom verification email template: {why}.")),
            E::FromNotVerified(address) => bad(format!("From email address <{address}> is not verified.")),
            E::TooManyTags(max) => bad(format!("A resource has {max} tags at most.")),
            E::Mail(error) => error.into(),
            E::Internal(error) => Self::Internal(error),
            other @ (E::SystemMail(_) | E::Key(_)) => Self::Unexpected(other.to_string()),
        }
    }
}

/// The text for a MAIL FROM domain that is not under its identity's; both APIs have it.
pub fn not_a_subdomain(mail_from: &str, identity: &str) -> String {
    format!("Provided MAIL-FROM domain <{mail_from}> is not subdomain of the domain of the identity <{identity}>.")
}

/// The text for what is no policy; both APIs have it.
pub fn policy_text(why: &Malformed) -> String {
    let text = match why {
        Malformed::TooLong => "the policy is longer than 4096 bytes".to_owned(),
        other => other.to_string(),
    };
    format!("Invalid policy: {text}.")
}
