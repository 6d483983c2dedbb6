//! What the second API says when something is wrong with an identity. No answers of SES are on record for the names of
//! policies and templates, for templates' content, for DKIM keys, and for limits: those words are ours.
use crate::access::policy::Malformed;
use crate::aws::sesv2::error::{SesV2Error, set_missing};
use crate::aws::sesv2::tags::TOO_MANY_TAGS_WITH;
use crate::mail::identity;

impl From<identity::Error> for SesV2Error {
    fn from(error: identity::Error) -> Self {
        use identity::Error as E;
        let bad = Self::BadRequest;
        match error {
            E::Name(name) => bad(format!("Invalid email identity <{name}>.")),
            E::Exists(name) => Self::AlreadyExists(format!("Email identity {name} already exist.")),
            E::Missing(name) => Self::NotFound(format!("Email identity {name} does not exist.")),
            E::NotSigned(domain) => bad(not_signed(&domain)),
            E::NotADomain(_) => bad("The EmailIdentity value must be a valid domain.".to_owned()),
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
            E::TemplateExists(name) => Self::AlreadyExists(template_exists(&name)),
            E::TemplateMissing(name) => Self::NotFound(template_missing(&name)),
            E::TooManyTemplates(max) => {
                Self::LimitExceeded(format!("There may be no more than {max} custom verification email templates."))
            }
            E::Redirection(which) => bad(redirection(which)),
            E::TemplateContent(why) => bad(format!("Invalid custom verification email template: {why}.")),
            E::FromNotVerified(address) => Self::NotFound(from_not_verified(&address)),
            E::TooManyTags(_) => bad(TOO_MANY_TAGS_WITH.to_owned()),
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

/// The text for a domain whose signing is switched and that is no identity; both APIs have it.
pub fn not_signed(domain: &str) -> String {
    format!("Domain {domain} is not verified for DKIM signing.")
}

/// The texts for custom verification templates; both APIs have them.
pub fn template_exists(name: &str) -> String {
    format!("Custom verification email template <{name}> already exists")
}

/// See [`template_exists`].
pub fn template_missing(name: &str) -> String {
    format!("Custom verification email template <{name}> does not exist")
}

/// See [`template_exists`]. `which` is `success` or `failure`.
pub fn redirection(which: &str) -> String {
    format!("The {which} redirection URL is invalid")
}

/// See [`template_exists`].
pub fn from_not_verified(address: &str) -> String {
    format!("The from email address <{address}> is not verified")
}

/// The text for what is no policy; both APIs have it.
pub fn policy_text(why: &Malformed) -> String {
    let text = match why {
        Malformed::TooLong => "the policy is longer than 4096 bytes".to_owned(),
        other => other.to_string(),
    };
    format!("Invalid policy: {text}.")
}
