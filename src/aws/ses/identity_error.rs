//! What the first API says when something is wrong with an identity.
use crate::aws::ses::error::SesError;
use crate::aws::ses::texts::{TOO_MANY_MAILS, identity_missing, identity_text};
use crate::mail::identity;
use crate::store::identities::Standing;

impl From<identity::Error> for SesError {
    fn from(error: identity::Error) -> Self {
        use identity::Error as E;
        let bad = Self::InvalidParameterValue;
        let text = identity_text(&error);
        match error {
            E::Name(name) if name.contains('@') => bad(format!("Invalid email address<{name}>.")),
            E::Name(name) => bad(format!("Invalid domain name <{name}>.")),
            E::Exists(name) => bad(format!("Identity <{name}> already exists.")),
            E::Missing(name) => bad(identity_missing(&name)),
            E::NotADomain(name) => bad(format!("Identity <{name}> is not a domain.")),
            E::ConfigurationSetMissing(name) => Self::ConfigurationSetDoesNotExist(name),
            E::TooManyMails => Self::Throttling(TOO_MANY_MAILS),
            E::TooMany(_) | E::TooManyPolicies(_) | E::TooManyTemplates(_) => Self::LimitExceeded(text),
            E::Policy(_) => Self::Coded("InvalidPolicy", text),
            E::TemplateExists(_) => Self::Coded("CustomVerificationEmailTemplateAlreadyExists", text),
            E::TemplateMissing(_) => Self::Coded("CustomVerificationEmailTemplateDoesNotExist", text),
            E::TemplateContent(why) => Self::Coded("CustomVerificationEmailInvalidContent", format!("{why}.")),
            E::FromNotVerified(_) => Self::Coded("FromEmailAddressNotVerified", text),
            E::NotSigned(_)
            | E::MailFromDomain { .. }
            | E::PolicyName(_)
            | E::PolicyExists(_)
            | E::PolicyMissing(_)
            | E::TemplateName(_)
            | E::Redirection(_)
            | E::GivenKey(_)
            | E::TooSoon
            | E::TooManyTags(_)
            | E::Mail(_) => bad(text),
            E::SystemMail(_) | E::Key(_) => Self::Unexpected(text),
            E::Internal(error) => Self::Internal(error),
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
