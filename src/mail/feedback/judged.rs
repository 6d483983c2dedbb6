//! What a report means: the one classifier, asked with what the report says of a recipient.
use crate::mail::bounce::{self, Cause, Classifier, DelayType, Finding, Said};
use crate::mail::feedback::report::Fate;

/// Judges what is told of a recipient. The diagnostic, which are the other side's own words, comes first. The report's text
/// is read where status and diagnostic say nothing, and what it says of this very address also where only a code says it.
pub fn judge(classifier: &Classifier, fate: &Fate, reporting_mta: &str) -> Finding {
    let host = fate.host.as_deref().or(Some(reporting_mta));
    let diagnostic = fate.diagnostic.as_deref().unwrap_or_default();
    // Postfix names the command in the text alone.
    let stage = bounce::stage(diagnostic).or_else(|| bounce::stage(&fate.words).filter(|_| fate.near));
    let said = Said { status: fate.status.as_deref(), stage, text: diagnostic, host, ..Said::default() };
    let by_codes = classifier.judge(&said);
    let says_little = matches!(by_codes.cause, Cause::Unclear | Cause::Policy | Cause::System | Cause::Spam);
    if by_codes.by_words || fate.words.is_empty() || !(fate.near || says_little) {
        return by_codes;
    }
    let by_words = classifier.judge(&Said { text: &fate.words, ..said });
    if by_words.by_words || by_codes.cause == Cause::Unclear { by_words } else { by_codes }
}

/// SES's `delayType` of a delay.
pub fn delay_type(classifier: &Classifier, fate: &Fate, reporting_mta: &str) -> DelayType {
    let status = fate.status.as_deref().unwrap_or_default();
    match judge(classifier, fate, reporting_mta).cause {
        Cause::Full => DelayType::MailboxFull,
        Cause::Spam | Cause::Virus => DelayType::SpamDetected,
        Cause::Reputation => DelayType::IpFailure,
        Cause::Network | Cause::NoSuchHost => DelayType::TransientCommunicationFailure,
        _ if status.starts_with("4.4.") => DelayType::TransientCommunicationFailure,
        _ if status.starts_with("4.3.") => DelayType::RecipientServerError,
        _ => DelayType::General,
    }
}
