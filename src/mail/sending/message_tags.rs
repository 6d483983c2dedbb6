//! Message tags: what may be one, the one that SES adds for how a mail came, and the two that make the Feedback-ID field.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::base::{AccountId, Region};

/// Tags of one message.
const TAGS_MAX: usize = 50;
/// SES: the length of a tag's name and of its value.
const LENGTH: usize = 255;
/// The tag that says which operation a mail came by.
pub(super) const OPERATION: &str = "ses:operation";
/// The tags that stand first in a mail's Feedback-ID, and the only ones of a caller with a colon in their names (SES guide,
/// "Fine-grained feedback for email campaigns").
const FEEDBACK: [&str; 2] = ["ses:feedback-id-a", "ses:feedback-id-b"];
/// The last part of a Feedback-ID: who sends (Gmail: 5 to 15 characters). SES's is `AmazonSES`, which we are not.
const SENDER: &str = "Postrider";

/// What is wrong with a list of tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagFault {
    /// A name without a letter.
    #[error("a message tag has no name")]
    NoName,
    /// A value without a letter.
    #[error("a message tag has no value")]
    NoValue,
    /// More than 255 characters.
    #[error("the name of a message tag is too long")]
    LongName,
    /// More than 255 characters.
    #[error("the value of a message tag is too long")]
    LongValue,
    /// Not only ASCII letters, digits, `_` and `-`.
    #[error("{0:?} is not the name of a message tag")]
    Name(String),
    /// Not only ASCII letters, digits, `_`, `-`, `.` and `@`.
    #[error("{0:?} is not the value of a message tag")]
    Value(String),
    /// More than 50.
    #[error("more than {TAGS_MAX} message tags")]
    TooMany,
}

/// Checks the tags of a mail in SES's order: tag by tag, the name before the value.
pub(super) fn check(tags: &[(String, String)]) -> Result<(), TagFault> {
    if tags.len() > TAGS_MAX {
        return Err(TagFault::TooMany);
    }
    let only = |text: &str, marks: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c));
    for (name, value) in tags {
        match name.len() {
            0 => return Err(TagFault::NoName),
            1..=LENGTH => {}
            _ => return Err(TagFault::LongName),
        }
        if !only(name, "_-") && !FEEDBACK.contains(&name.as_str()) {
            return Err(TagFault::Name(name.clone()));
        }
        match value.len() {
            0 => return Err(TagFault::NoValue),
            1..=LENGTH => {}
            _ => return Err(TagFault::LongValue),
        }
        if !only(value, "_-.@") {
            return Err(TagFault::Value(value.clone()));
        }
    }
    Ok(())
}

/// The Feedback-ID of a mail with one of the two tags: `A:B:1.REGION.HASH:SENDER`, as SES writes it. The hash stands for the
/// account in this region at this host. Mails without the tags get none.
pub(super) fn feedback_id(
    tags: &[(String, String)],
    account: &AccountId,
    region: &Region,
    hostname: &str,
) -> Option<String> {
    let [a, b] = FEEDBACK.map(|wanted| tags.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str()));
    if a.is_none() && b.is_none() {
        return None;
    }
    let mut hash = Sha256::new();
    for part in [hostname, account.as_str(), region.as_str()] {
        hash.update(part);
        hash.update([0]);
    }
    let (a, b, hash) = (a.unwrap_or_default(), b.unwrap_or_default(), STANDARD.encode(hash.finalize()));
    Some(format!("{a}:{b}:1.{region}.{hash}:{SENDER}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn faults_are_told_in_sess_order() {
        let long = "x".repeat(256);
        for (tags, fault) in [
            (&[("", "")][..], TagFault::NoName),
            (&[("a", "")], TagFault::NoValue),
            (&[(&long, "v")], TagFault::LongName),
            (&[("a", &long)], TagFault::LongValue),
            (&[("a@b", &long)], TagFault::Name("a@b".to_owned())),
            (&[("a", "b:c"), ("d:e", "f")], TagFault::Value("b:c".to_owned())),
            (&[("ses:operation", "SendEmail")], TagFault::Name("ses:operation".to_owned())),
        ] {
            assert_eq!(check(&pairs(tags)), Err(fault), "{tags:?}");
        }
        check(&pairs(&[("a_-1", "ann@x.example"), ("ses:feedback-id-a", "b")])).expect("good tags");
        assert_eq!(check(&pairs(&[("a", "b"); 51])), Err(TagFault::TooMany));
    }

    #[test]
    fn a_feedback_id_has_four_parts() {
        let (account, region) = ("123456789012".parse().expect("an account"), "eu-west-1".parse().expect("a region"));
        let id = |tags: &[(&str, &str)]| feedback_id(&pairs(tags), &account, &region, "mx.example");
        assert_eq!(id(&[("a", "b")]), None);
        let both = id(&[("ses:feedback-id-b", "late"), ("ses:feedback-id-a", "spring")]).expect("a Feedback-ID");
        let parts: Vec<&str> = both.split(':').collect();
        assert!(
            matches!(parts[..], ["spring", "late", hash, "Postrider"] if hash.starts_with("1.eu-west-1.") && hash.len() == 56)
        );
        assert!(id(&[("ses:feedback-id-b", "late")]).is_some_and(|one| one.starts_with(":late:1.")));
    }
}
