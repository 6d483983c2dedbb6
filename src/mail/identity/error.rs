//! What can go wrong with identities.
use crate::access::policy::Malformed;
use crate::mail::message;
use crate::mail::own::system::SystemMailError;
use crate::store;

/// Why an identity was not made, found or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a domain nor an address.
    #[error("{0:?} is neither a domain nor an address")]
    Name(String),
    /// The account has it already.
    #[error("identity {0} exists already")]
    Exists(String),
    /// The account does not have it.
    #[error("identity {0} does not exist")]
    Missing(String),
    /// No domain identity that could sign for what was named.
    #[error("no identity signs for domain {0}")]
    NotSigned(String),
    /// Only a domain has keys of its own.
    #[error("identity {0} is no domain with keys of its own")]
    NotADomain(String),
    /// The configuration set that it should use by default does not exist.
    #[error("configuration set {0} does not exist")]
    ConfigurationSetMissing(String),
    /// The account has as many as it may.
    #[error("an account may have {0} identities")]
    TooMany(i64),
    /// An address or an account has had as many verification mails as it may for now.
    #[error("too many verification mails")]
    TooManyMails,
    /// The length of the key was changed less than a day ago.
    #[error("the length of the DKIM key was changed less than a day ago")]
    TooSoon,
    /// The owner's DKIM key cannot be used.
    #[error("the given DKIM key cannot be used: {0}")]
    GivenKey(&'static str),
    /// A MAIL FROM domain that is not under the identity's.
    #[error("{mail_from} is not a subdomain of the domain of {identity}")]
    MailFromDomain {
        /// The domain that was given.
        mail_from: String,
        /// The identity.
        identity: String,
    },
    /// A policy's name that is none.
    #[error("{0:?} is not a policy name")]
    PolicyName(String),
    /// The identity has a policy of this name.
    #[error("policy {0} exists already")]
    PolicyExists(String),
    /// The identity has no policy of this name.
    #[error("policy {0} does not exist")]
    PolicyMissing(String),
    /// The identity has as many policies as it may.
    #[error("an identity may have {0} policies")]
    TooManyPolicies(usize),
    /// Not a policy document.
    #[error(transparent)]
    Policy(#[from] Malformed),
    /// A template's name that is none.
    #[error("{0:?} is not a template name")]
    TemplateName(String),
    /// The account has a template of this name.
    #[error("verification template {0} exists already")]
    TemplateExists(String),
    /// The account has no template of this name.
    #[error("verification template {0} does not exist")]
    TemplateMissing(String),
    /// The account has as many templates as it may.
    #[error("an account may have {0} verification templates")]
    TooManyTemplates(i64),
    /// A template leads to no page after a success or a failure: `success`, `failure`.
    #[error("the {0} redirection URL is not an http:// or https:// URL")]
    Redirection(&'static str),
    /// What a template says cannot be sent.
    #[error("verification template: {0}")]
    TemplateContent(&'static str),
    /// A template's sender is not verified.
    #[error("{0} is not verified")]
    FromNotVerified(String),
    /// More tags than a resource may have.
    #[error("a resource may have {0} tags")]
    TooManyTags(usize),
    /// The verification mail could not be written.
    #[error("verification mail: {0}")]
    Mail(#[from] message::Error),
    /// A key could not be made.
    #[error("DKIM key: {0}")]
    Key(String),
    /// The verification mail could not be queued.
    #[error("verification mail: {0}")]
    SystemMail(#[from] SystemMailError),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}
