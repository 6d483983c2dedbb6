//! The texts of SES's errors that both APIs have. Which code stands beside a text is each API's own: see `error.rs` here and in
//! `sesv2`. No answers of SES are on record for the names of policies and templates, for templates' content, and for limits: those
//! words are ours.
use crate::access::policy::Malformed;
use crate::base::AccountId;
use crate::base::address::AddressError;
use crate::mail::content::{self, NameFault, templates};
use crate::mail::identity;
use crate::mail::message;
use crate::mail::sending::{InvitationError, SendError, TagFault};

/// The text for an account whose sending is off.
pub const SENDING_PAUSED: &str = "Email sending is disabled for this account.";
/// The texts of SES's guide for a call over the rate, and over the quota of the day.
pub const RATE_EXCEEDED: &str = "Maximum sending rate exceeded.";
/// See [`RATE_EXCEEDED`].
pub const QUOTA_EXCEEDED: &str = "Daily message quota exceeded.";

/// The text for a call whose work would wait behind too much other work of its account.
pub const TOO_MUCH_AT_ONCE: &str = "Rate exceeded";

/// The text for a mail of a bulk send that failed unexpectedly.
pub const BULK_FAILED: &str = "The service failed; try again.";
/// The text for a call that names no template, or two.
pub const NOT_ONE_TEMPLATE: &str = "Template has exactly one of TemplateName, TemplateArn and TemplateContent.";
/// Characters of an address that an error shows.
const ADDRESS_SHOWN_MAX: usize = 320;

/// The text for a mail that is not accepted; none for what is unexpected.
pub fn send_text(error: &SendError) -> String {
    use SendError as E;
    match error {
        E::NotVerified { identities, region } => not_verified(identities, region.as_str()),
        E::Denied { account, action, resource } => not_authorized(account, action, resource),
        E::MailFromNotVerified(domain) => format!("The MAIL FROM domain <{domain}> is not verified."),
        E::ConfigurationSetName(fault) => set_name(fault),
        E::ConfigurationSetMissing(name) => set_missing(name),
        E::ConfigurationSetPaused(name) => set_paused(name),
        E::AccountPaused => SENDING_PAUSED.to_owned(),
        E::RateExceeded => RATE_EXCEEDED.to_owned(),
        E::DailyQuotaExceeded => QUOTA_EXCEEDED.to_owned(),
        E::NoRecipients => "Missing required header 'To'.".to_owned(),
        E::TooManyRecipients(_) => "Recipient count exceeds 50.".to_owned(),
        E::TooLarge(max) => format!("Message length is more than {max} bytes long."),
        E::TooLargeForApi { max, length } => format!("Message length is more than {max} bytes long: '{length}'."),
        E::BadTag(fault) => bad_tag(fault),
        E::ContactListMissing(list) => list_missing(list),
        E::TenantMissing(tenant) => format!("Tenant {tenant} does not exist."),
        E::UnderReview => "There is already an ongoing account details update in progress.".to_owned(),
        E::KeyReused => "The Idempotency-Key was used for another request in the last 24 hours.".to_owned(),
        E::Message(error) => message_text(error),
        E::Internal(_) => String::new(),
    }
}

/// The text for an address that is not asked to verify itself. For what [`send_text`] and the identity's text say, none.
pub fn invitation_text(error: &InvitationError) -> String {
    match error {
        InvitationError::NoAddress => "Email address not specified.".to_owned(),
        InvitationError::Address(text) => invalid_address(text),
        InvitationError::NotInProduction => "Production access not granted.".to_owned(),
        // This operation names the template so.
        InvitationError::Identity(identity::Error::TemplateMissing(name)) => {
            format!("Template <{name}> does not exist")
        }
        InvitationError::Identity(_) | InvitationError::Send(_) => String::new(),
    }
}

/// The text for what is no address.
pub fn invalid_address(text: &str) -> String {
    format!("Invalid email address<{}>.", text.chars().take(ADDRESS_SHOWN_MAX).collect::<String>())
}

/// The text for a configuration set that does not exist.
pub fn set_missing(name: &str) -> String {
    format!("Configuration set <{name}> does not exist.")
}

/// The text for a configuration set whose sending is off.
pub fn set_paused(name: &str) -> String {
    format!("Email sending is disabled for configuration set <{name}>.")
}

/// The text for a template, or data for one, that is refused.
pub fn template_text(error: &templates::Error) -> String {
    use templates::Error as E;
    match error {
        E::Name(name) => template_name(name),
        E::Exists(name, account) => format!("Template {name} already exists for account id {account}"),
        E::Missing(name) => format!("Template {name} does not exist."),
        E::TooMany(max) => format!("There may be no more than {max} templates."),
        E::TooLarge(max) => format!("The template is larger than {max} bytes."),
        E::Empty => "The subject must be specified.".to_owned(),
        E::Invalid { why, .. } | E::Rendering(why) => why.told(),
        E::NotPlain => "Template contains unsupported operations".to_owned(),
        E::Data => "Template rendering data is invalid".to_owned(),
        E::NotDone(_) | E::Internal(_) => String::new(),
    }
}

/// The text for senders or recipients that are not verified.
fn not_verified(identities: &[String], region: &str) -> String {
    format!(
        "Email address is not verified. The following identities failed the check in region {}: {}",
        region.to_uppercase(),
        identities.join(", ")
    )
}

/// The text for an identity that an account may not use.
fn not_authorized(account: &AccountId, action: &str, resource: &str) -> String {
    format!("User `arn:aws:iam::{account}:root' is not authorized to perform `{action}' on resource `{resource}'")
}

/// The text for a contact list: there are none here.
pub fn list_missing(list: &str) -> String {
    format!("List with name: {list} doesn't exist.")
}

/// The text for what is no name of a configuration set.
fn set_name(fault: &NameFault) -> String {
    match fault {
        NameFault::Empty => "The configuration set name must be specified.".to_owned(),
        NameFault::Long => "Configuration set name cannot exceed 64 characters.".to_owned(),
        NameFault::Letters(name) => {
            format!(
                "Invalid configuration set name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed."
            )
        }
    }
}

/// The text for a tag that is not one, as SES was recorded; the number of tags is not.
fn bad_tag(fault: &TagFault) -> String {
    // SES writes two blanks there.
    match fault {
        TagFault::NoName => "The tag name must be specified.".to_owned(),
        TagFault::NoValue => "The tag value must be specified.".to_owned(),
        TagFault::LongName => "Tag name cannot exceed 255 characters.".to_owned(),
        TagFault::LongValue => "Tag value cannot exceed 255 characters.".to_owned(),
        TagFault::Name(name) => {
            format!("Invalid tag name <{name}>: only alphanumeric ASCII characters, '_',  '-' are allowed.")
        }
        TagFault::Value(value) => {
            format!(
                "Invalid tag value <{value}>: only alphanumeric ASCII characters, '_',  '-' , '.', '@' are allowed."
            )
        }
        TagFault::TooMany => "A message cannot have more than 50 tags.".to_owned(),
    }
}

/// The text for a message, or a part of one, that is not acceptable.
pub fn message_text(error: &message::Error) -> String {
    match error {
        message::Error::LongAddress(text) => format!("Address length is more than 320 characters long: '{text}'."),
        message::Error::Address { text, why } => match why {
            AddressError::NoLocalPart => "Missing final '@domain'".to_owned(),
            AddressError::LocalPartTooLong => "Local address is too long".to_owned(),
            AddressError::LocalPartCharacter => "Local address contains control or whitespace".to_owned(),
            AddressError::Domain => {
                let domain = text.rsplit_once('@').map_or("", |(_, domain)| domain.trim_end_matches('>'));
                let fault = match domain {
                    "" => "Missing domain",
                    domain if domain.contains(|c: char| c <= ' ' || c >= '\u{7f}') => {
                        "Domain contains control or whitespace"
                    }
                    _ => "Domain contains illegal character",
                };
                fault.to_owned()
            }
        },
        message::Error::Twice(_) | message::Error::NoPart => error.to_string(),
        message::Error::NoFrom => "Missing required header 'From'.".to_owned(),
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            format!("{first}{}.", letters.as_str())
        }
    }
}

/// The text for a destination that is two.
const MANY_DESTINATIONS: &str = "Please provide only one destination with each request. Either a Firehose Destination \
                                     or a Cloudwatch Destination or an SNS Destination or an EventBridge Destination.";

/// The text for what is no name of an event destination. (That for no name at all is not on record.)
fn destination_name(fault: &NameFault) -> String {
    match fault {
        NameFault::Empty => "The event destination name must be specified.".to_owned(),
        NameFault::Long => "Event destination name cannot exceed 64 characters.".to_owned(),
        NameFault::Letters(name) => {
            format!(
                "Invalid event destination name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed."
            )
        }
    }
}

/// The text for verification mails that are asked for too often.
pub const TOO_MANY_MAILS: &str = "Maximum rate of verification emails exceeded.";

/// The text for an identity that does not exist, as the first API and PutEmailIdentityMailFromAttributes have it.
pub fn identity_missing(name: &str) -> String {
    format!("Identity <{name}> does not exist.")
}

/// The text for what is wrong with an identity, where both APIs have it; else what the log says.
pub fn identity_text(error: &identity::Error) -> String {
    use identity::Error as E;
    match error {
        E::NotSigned(domain) => format!("Domain {domain} is not verified for DKIM signing."),
        E::ConfigurationSetMissing(name) => set_missing(name),
        E::TooMany(max) => format!("Number of identities exceeds {max}."),
        E::MailFromDomain { mail_from, identity } => format!(
            "Provided MAIL-FROM domain <{mail_from}> is not subdomain of the domain of the identity <{identity}>."
        ),
        E::PolicyName(name) => format!("Invalid policy name <{name}>."),
        E::PolicyExists(name) => format!("Policy {name} already exists."),
        E::PolicyMissing(name) => format!("Policy {name} does not exist."),
        E::TooManyPolicies(max) => format!("An identity has {max} policies at most."),
        E::Policy(Malformed::TooLong) => "Invalid policy: the policy is longer than 4096 bytes.".to_owned(),
        E::Policy(why) => format!("Invalid policy: {why}."),
        E::TemplateName(name) => template_name(name),
        E::TemplateExists(name) => format!("Custom verification email template <{name}> already exists"),
        E::TemplateMissing(name) => format!("Custom verification email template <{name}> does not exist"),
        E::TooManyTemplates(max) => format!("There may be no more than {max} custom verification email templates."),
        E::Redirection(which) => format!("The {which} redirection URL is invalid"),
        E::FromNotVerified(address) => format!("The from email address <{address}> is not verified"),
        E::Mail(error) => message_text(error),
        other => other.to_string(),
    }
}

/// The text for what is no name of a template.
fn template_name(name: &str) -> String {
    format!("Invalid template name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed, 64 at most.")
}

/// The text for what is wrong with a configuration set or an event destination, where both APIs have it; else what the log says.
pub fn content_text(error: &content::Error) -> String {
    use content::Error as E;
    match error {
        E::Name(fault) => set_name(fault),
        E::DestinationName(fault) => destination_name(fault),
        E::Missing(name) => set_missing(name),
        E::Exists(name) => format!("Configuration set <{name}> already exists."),
        E::TooMany(max) => format!("There may be no more than {max} of them."),
        E::NoTarget => "Event destination is not provided.".to_owned(),
        E::ManyTargets => MANY_DESTINATIONS.to_owned(),
        E::EventType(name) if name.is_empty() => "At least one event type must be specified.".to_owned(),
        E::EventType(name) => format!("Unknown event type <{name}>."),
        E::NeverPublished(name) => format!("Event type <{name}> is not supported."),
        E::NoDimension => "CloudWatch metrics dimension configuration list cannot be empty.".to_owned(),
        E::Dimension(name) => format!("Invalid CloudWatch dimension <{name}>."),
        E::Stream(stream) => format!("Delivery stream <{stream}> not found."),
        E::Topic(topic) => format!("SNS topic <{topic}> not found."),
        other => other.to_string(),
    }
}
