//! What the first API says when something is wrong with an identity. No answers of SES are on record for the names of
//! policies and templates, for templates' content, and for limits: those words are ours.
use crate::aws::ses::error::SesError;
use crate::aws::sesv2::identity_error::{
    from_not_verified, not_a_subdomain, not_signed, policy_text, redirection, template_exists, template_missing,
};
use crate::mail::identity;
use crate::store::identities::Standing;

impl From<identity::Error> for SesError {
    fn from(error: identity::Error) -> Self {
        use identity::Error as E;
        let bad = Self::InvalidParameterValue;
        match error {
            E::Name(name) if name.contains('@') => bad(format!("Invalid email address<{name}>.")),
            E::Name(name) => bad(format!("Invalid domain name <{name}>.")),
            E::Exists(name) => bad(format!("Identity <{name}> already exists.")),
            E::Missing(name) => bad(format!("Identity <{name}> does not exist.")),
            E::NotSigned(domain) => bad(not_signed(&domain)),
            E::NotADomain(name) => bad(format!("Identity <{name}> is not a domain.")),
            E::ConfigurationSetMissing(name) => Self::ConfigurationSetDoesNotExist(name),
            E::TooMany(max) => Self::LimitExceeded(format!("Number of identities exceeds {max}.")),
            E::TooManyMails => Self::Throttling("Maximum rate of verification emails exceeded."),
            E::MailFromDomain { mail_from, identity } => bad(not_a_subdomain(&mail_from, &identity)),
            E::PolicyName(name) => bad(format!("Invalid policy name <{name}>.")),
            E::PolicyExists(name) => bad(format!("Policy {name} already exists.")),
            E::PolicyMissing(name) => bad(format!("Policy {name} does not exist.")),
            E::TooManyPolicies(max) => Self::LimitExceeded(format!("An identity has {max} policies at most.")),
            E::Policy(why) => Self::Coded("InvalidPolicy", policy_text(&why)),
            E::TemplateName(name) => bad(format!(
                "Invalid template name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed, 64 at most."
            )),
            E::TemplateExists(name) => {
                Self::Coded("CustomVerificationEmailTemplateAlreadyExists", template_exists(&name))
            }
            E::TemplateMissing(name) => {
                Self::Coded("CustomVerificationEmailTemplateDoesNotExist", template_missing(&name))
            }
            E::TooManyTemplates(max) => {
                Self::LimitExceeded(format!("There may be no more than {max} custom verification email templates."))
            }
            E::Redirection(which) => bad(redirection(which)),
            E::TemplateContent(why) => Self::Coded("CustomVerificationEmailInvalidContent", format!("{why}.")),
            E::FromNotVerified(address) => Self::Coded("FromEmailAddressNotVerified", from_not_verified(&address)),
            E::Mail(error) => error.into(),
            E::Internal(error) => Self::Internal(error),
            other @ (E::GivenKey(_) | E::TooSoon | E::TooManyTags(_)) => bad(other.to_string()),
            other @ (E::SystemMail(_) | E::Key(_)) => Self::Unexpected(other.to_string()),
        }
    }
}

/// The first API's word for a status.
pub(super) fn status(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "Pending",
        Standing::Success => "Success",
        Standing::Failed => "Failed",
        Standing::TemporaryFailure => "TemporaryFailure",
        Standing::NotStarted => "NotStarted",
    }
}
