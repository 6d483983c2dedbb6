//! What the second API says when something is wrong with an identity. No answers of SES are on record for templates' content and
//! for DKIM keys: those words are ours.
use crate::aws::ses::texts::{TOO_MANY_MAILS, identity_text};
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::tags::TOO_MANY_TAGS_WITH;
use crate::mail::identity;

impl From<identity::Error> for SesV2Error {
    fn from(error: identity::Error) -> Self {
        use identity::Error as E;
        let bad = Self::BadRequest;
        let text = identity_text(&error);
        match error {
            E::Name(name) => bad(format!("Invalid email identity <{name}>.")),
            E::Exists(name) => Self::AlreadyExists(format!("Email identity {name} already exist.")),
            E::Missing(name) => Self::NotFound(format!("Email identity {name} does not exist.")),
            E::NotADomain(_) => bad("The EmailIdentity value must be a valid domain.".to_owned()),
            E::TooManyMails => Self::TooManyRequests(TOO_MANY_MAILS),
            E::TooSoon => bad("The signing key length can only be changed once in 24 hours.".to_owned()),
            E::GivenKey(why) => bad(format!("The private key is not valid: {why}.")),
            E::TemplateContent(why) => bad(format!("Invalid custom verification email template: {why}.")),
            E::TooManyTags(_) => bad(TOO_MANY_TAGS_WITH.to_owned()),
            E::TooMany(_) | E::TooManyPolicies(_) | E::TooManyTemplates(_) => Self::LimitExceeded(text),
            E::PolicyExists(_) | E::TemplateExists(_) => Self::AlreadyExists(text),
            E::ConfigurationSetMissing(_) | E::PolicyMissing(_) | E::TemplateMissing(_) | E::FromNotVerified(_) => {
                Self::NotFound(text)
            }
            E::NotSigned(_)
            | E::MailFromDomain { .. }
            | E::PolicyName(_)
            | E::Policy(_)
            | E::TemplateName(_)
            | E::Redirection(_)
            | E::Mail(_) => bad(text),
            E::SystemMail(_) | E::Key(_) => Self::Unexpected(text),
            E::Internal(error) => Self::Internal(error),
        }
    }
}
