//! Receipt rules: their values, and what makes one acceptable. Limits and forms are SES's.
use serde::{Deserialize, Serialize};

use crate::base::{Arn, Domain, EmailAddress};
use crate::mail::receiving::Error;
use crate::mail::receiving::own_rules;
use crate::outlets::objects;

/// How many rule sets an account can have in a region.
pub const MAX_RULE_SETS: usize = 40;
/// How many rules a rule set can have.
pub const MAX_RULES: usize = 200;
/// How many actions a rule can have.
pub const MAX_ACTIONS: usize = 10;
/// How many recipients a rule can name ("Service quotas in Amazon SES").
pub const MAX_RECIPIENTS: usize = 500;
/// How large all rules of a set can be together as JSON, in octets. SES names no such limit; every node keeps them in memory.
pub const MAX_SET_OCTETS: usize = 2 * 1024 * 1024;

/// A receipt rule: for whom it is, and what to do with their mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, unique in the rule set.
    pub name: String,
    /// Whether it is used.
    pub enabled: bool,
    /// Whether it is only for mail that came over TLS.
    pub tls: TlsPolicy,
    /// Addresses, domains and `.domain` for subdomains; empty for all addresses of all verified domains.
    pub recipients: Vec<String>,
    /// Whether spam and viruses are looked for (`scan.rs`). Without a scanner the verdicts say DISABLED all the same.
    pub scan: bool,
    /// What to do, in order.
    pub actions: Vec<Action>,
}

/// Whether a rule wants TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsPolicy {
    /// Mail without TLS is not for this rule.
    #[serde(rename = "Require")]
    Require,
    /// Any mail.
    #[default]
    #[serde(rename = "Optional")]
    Optional,
}

/// How the SNS action writes the mail into its notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// As text; octets that are not UTF-8 are replaced.
    #[default]
    #[serde(rename = "Utf8")]
    Utf8,
    /// As base64: nothing is lost.
    #[serde(rename = "Base64")]
    Base64,
}

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Puts the mail into a bucket, then tells the topic.
    #[serde(rename = "S3")]
    S3 {
        /// The bucket.
        bucket: String,
        /// What the object's key begins with; the message id follows.
        prefix: Option<String>,
        /// Told after the put.
        topic: Option<Arn>,
        /// Kept and told back; the object store has its own credentials.
        role: Option<String>,
        /// The KMS key that the mail is encrypted under: its ARN, alias or id.
        #[serde(default)]
        kms: Option<String>,
    },
    /// Publishes the mail itself to a topic.
    #[serde(rename = "Sns")]
    Sns {
        /// The topic.
        topic: Arn,
        /// How the mail is written.
        encoding: Encoding,
    },
    /// Sends a bounce to the mail's sender.
    #[serde(rename = "Bounce")]
    Bounce {
        /// Three digits (RFC 5321, 4.2).
        reply_code: String,
        /// An enhanced status code (RFC 3463).
        status: Option<String>,
        /// A text for people.
        message: String,
        /// Who the bounce comes from.
        sender: EmailAddress,
        /// Told when the bounce is sent.
        topic: Option<Arn>,
    },
    /// Ends the rule set for this mail.
    #[serde(rename = "Stop")]
    Stop {
        /// Told when it stops.
        topic: Option<Arn>,
    },
    /// Calls a function.
    #[serde(rename = "Lambda")]
    Lambda {
        /// The function.
        function: Arn,
        /// Whether the mail waits for what the function decides.
        waits: bool,
        /// Told when the function is called.
        topic: Option<Arn>,
    },
    /// Posts the parsed mail to a URL. One of our own.
    #[serde(rename = "Webhook")]
    Webhook {
        /// `http://` or `https://`.
        url: String,
        /// The key of the signature; sealed where it is stored, and empty where a rule is changed and keeps it.
        secret: String,
        /// Where the message and its attachments go; without one they are only named.
        bucket: Option<String>,
        /// What the objects' keys begin with.
        prefix: Option<String>,
        /// Told when the post is queued.
        topic: Option<Arn>,
    },
    /// Sends a message with the mail itself to a queue. One of our own.
    #[serde(rename = "Sqs")]
    Sqs {
        /// The queue.
        queue: Arn,
        /// How the mail is written.
        encoding: Encoding,
        /// Told when the message is sent.
        topic: Option<Arn>,
    },
    /// Sends the mail on. One of our own.
    #[serde(rename = "Forward")]
    Forward {
        /// Who gets it.
        to: Vec<EmailAddress>,
        /// Told when it is queued.
        topic: Option<Arn>,
    },
    /// Adds a header field, for the actions after this one.
    #[serde(rename = "AddHeader")]
    AddHeader {
        /// The field's name.
        name: String,
        /// The field's value.
        value: String,
    },
}

impl Rule {
    /// Where the webhooks of the rule go.
    pub fn webhooks(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().filter_map(|action| match action {
            Action::Webhook { url, .. } => Some(url.as_str()),
            _ => None,
        })
    }
}

impl Action {
    /// The topic that the action publishes to.
    pub fn topic(&self) -> Option<&Arn> {
        match self {
            Action::Sns { topic, .. } => Some(topic),
            Action::S3 { topic, .. }
            | Action::Bounce { topic, .. }
            | Action::Stop { topic }
            | Action::Lambda { topic, .. }
            | Action::Webhook { topic, .. }
            | Action::Sqs { topic, .. }
            | Action::Forward { topic, .. } => topic.as_ref(),
            Action::AddHeader { .. } => None,
        }
    }
}

/// Checks the name of a rule set, a rule or a filter: 1 to 64 letters, digits, `_`, `-` and `.`, with a letter or digit at
/// both ends. `what` is SES's word: `ruleSetName`, `ruleName`, `filterName`.
pub fn check_name(what: &str, name: &str) -> Result<(), Error> {
    let edge = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inside = |c: u8| c.is_ascii_alphanumeric() || b"_-.".contains(&c);
    let bytes = name.as_bytes();
    let fine = (1..=64).contains(&bytes.len())
        && bytes.iter().copied().all(inside)
        && edge(bytes.first().copied())
        && edge(bytes.last().copied());
    if fine { Ok(()) } else { Err(Error::Invalid(format!("Not a valid {what}: {}", one_line(name)))) }
}

/// Checks everything about a rule that can be checked without the store.
pub fn check(rule: &Rule) -> Result<(), Error> {
    check_name("ruleName", &rule.name)?;
    if rule.recipients.len() > MAX_RECIPIENTS {
        return Err(Error::LimitExceeded("Too many recipients".to_owned()));
    }
    if rule.actions.len() > MAX_ACTIONS {
        return Err(Error::LimitExceeded("Too many actions".to_owned()));
    }
    let before_the_last = rule.actions.iter().rev().skip(1);
    if before_the_last.into_iter().any(|action| matches!(action, Action::Stop { .. })) {
        let text = "Stop action, if any, must be placed at the end of the actions list";
        return Err(Error::Invalid(text.to_owned()));
    }
    for recipient in &rule.recipients {
        let fine = match recipient.strip_prefix('.') {
            Some(parent) => parent.parse::<Domain>().is_ok(),
            None => recipient.parse::<EmailAddress>().is_ok() || recipient.parse::<Domain>().is_ok(),
        };
        if !fine {
            return Err(Error::Invalid(format!("Invalid recipient: {}", one_line(recipient))));
        }
    }
    rule.actions.iter().try_for_each(check_action)
}

fn check_action(action: &Action) -> Result<(), Error> {
    match action {
        Action::S3 { bucket, prefix, kms, .. } => {
            check_place(bucket, prefix.as_deref())?;
            kms.as_ref().map_or(Ok(()), |kms| check_kms_name(bucket, kms))
        }
        Action::Lambda { function, .. } => own_rules::check_function(function),
        Action::Webhook { url, secret, bucket, prefix, .. } => {
            own_rules::check_webhook(url, secret)?;
            bucket.as_ref().map_or(Ok(()), |bucket| check_place(bucket, prefix.as_deref()))
        }
        Action::Sqs { queue, .. } => own_rules::check_queue(queue),
        Action::Forward { to, .. } => own_rules::check_forward(to),
        Action::Bounce { reply_code, status, message, .. } => check_bounce(reply_code, status.as_deref(), message),
        Action::AddHeader { name, value } => check_header(name, value),
        Action::Sns { .. } | Action::Stop { .. } => Ok(()),
    }
}

fn check_place(bucket: &str, prefix: Option<&str>) -> Result<(), Error> {
    // The longest key that an action makes.
    let sample = objects::key(prefix, &"x".repeat(64));
    objects::check_bucket(bucket).map_err(|_| Error::NoBucket(one_line(bucket)))?;
    objects::check_key(&sample).map_err(|why| Error::InvalidBucket { bucket: one_line(bucket), why: why.to_string() })
}

/// It stands in the object's metadata, which goes into header fields and has little room.
fn check_kms_name(bucket: &str, kms: &str) -> Result<(), Error> {
    let fine = kms.len() <= 256 && kms.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte));
    let why = || "the KMS key is not the ARN of one".to_owned();
    if fine { Ok(()) } else { Err(Error::InvalidBucket { bucket: one_line(bucket), why: why() }) }
}

/// A bounce tells of a failure, so its codes begin with 4 or 5 and agree.
fn check_bounce(reply_code: &str, status: Option<&str>, message: &str) -> Result<(), Error> {
    let digits =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let class = reply_code.bytes().next();
    if !digits(reply_code, 3) || reply_code.len() != 3 || !matches!(class, Some(b'4' | b'5')) {
        return Err(Error::Invalid(format!("Invalid SMTP reply code: {}", one_line(reply_code))));
    }
    if let Some(status) = status {
        let parts: Vec<&str> = status.split('.').collect();
        let fine = matches!(parts.as_slice(), [first, subject, detail]
            if first.len() == 1 && first.bytes().next() == class && digits(subject, 3) && digits(detail, 3));
        if !fine {
            return Err(Error::Invalid(format!("not a status code of this bounce: {}", one_line(status))));
        }
    }
    if message.is_empty() || message.len() > 1_000 || message.chars().any(char::is_control) {
        return Err(Error::Invalid(format!("Invalid SMTP response message: {}", one_line(message))));
    }
    Ok(())
}

/// SES: a name of 1 to 50 letters, digits and hyphens, a value below 2,048 octets without a line break. SES keeps tabs.
fn check_header(name: &str, value: &str) -> Result<(), Error> {
    let name_fine =
        (1..=50).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !name_fine {
        return Err(Error::Invalid(format!("Invalid header name: {}", one_line(name))));
    }
    let broken = |c: char| c.is_control() && c != '\t';
    if value.len() > 2_048 || value.chars().any(broken) {
        // SES writes such characters as their numbers.
        let told =
            value.chars().take(100).map(|c| if broken(c) { format!("0x{:04x}", c as u32) } else { c.to_string() });
        return Err(Error::Invalid(format!("Invalid header value: {}", told.collect::<String>())));
    }
    Ok(())
}

/// A value for an error's text: short, and on one line.
pub fn one_line(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(recipients: &[&str], actions: Vec<Action>) -> Rule {
        Rule {
            name: "all".to_owned(),
            enabled: true,
            tls: TlsPolicy::Optional,
            recipients: recipients.iter().map(|&text| text.to_owned()).collect(),
            scan: false,
            actions,
        }
    }

    fn bounce(code: &str, status: Option<&str>, message: &str) -> Action {
        Action::Bounce {
            reply_code: code.to_owned(),
            status: status.map(str::to_owned),
            message: message.to_owned(),
            sender: "mailer-daemon@x.example".parse().expect("an address"),
            topic: None,
        }
    }

    #[test]
    fn good_rules_pass() {
        let s3 = Action::S3 {
            bucket: "my-mail".to_owned(),
            prefix: Some("in/".to_owned()),
            topic: None,
            role: None,
            kms: None,
        };
        let header = Action::AddHeader { name: "X-A".to_owned(), value: "b c".to_owned() };
        let tab = Action::AddHeader { name: "X-B".to_owned(), value: "b\tc".to_owned() };
        let all = vec![s3, bounce("550", Some("5.1.1"), "no such box"), header, tab, Action::Stop { topic: None }];
        check(&rule(&["a@x.example", "x.example", ".x.example", "localhost"], all)).expect("a good rule");
    }

    #[test]
    fn bad_rules_do_not() {
        let s3 = |bucket: &str, prefix: &str| Action::S3 {
            bucket: bucket.to_owned(),
            prefix: Some(prefix.to_owned()),
            topic: None,
            role: None,
            kms: None,
        };
        for action in [
            s3("Bad_Bucket", "in/"),
            s3("good-bucket", "../up/"),
            s3("good-bucket", "/top/"),
            Action::S3 { bucket: "b-1".to_owned(), prefix: None, topic: None, role: None, kms: Some("a b".to_owned()) },
            bounce("250", None, "fine"),
            bounce("550", Some("4.1.1"), "classes differ"),
            bounce("5500", None, "long"),
            bounce("550", None, "two\r\nlines"),
            Action::AddHeader { name: "X Y".to_owned(), value: String::new() },
            Action::AddHeader { name: "X".to_owned(), value: "a\r\nBcc: b@c.d".to_owned() },
        ] {
            assert!(check(&rule(&[], vec![action.clone()])).is_err(), "{action:?}");
        }
        for recipient in ["", ".", "a b@c.d", "a@", "..x", "a@b\r\nc"] {
            assert!(check(&rule(&[recipient], vec![])).is_err(), "{recipient:?}");
        }
        let many = vec!["x.example"; MAX_RECIPIENTS + 1];
        assert!(matches!(check(&rule(&many, vec![])), Err(Error::LimitExceeded(_))));
        let stop = || Action::Stop { topic: None };
        assert!(matches!(check(&rule(&[], vec![stop(), stop()])), Err(Error::Invalid(_))));
        let stops = vec![stop(); MAX_ACTIONS + 1];
        assert!(matches!(check(&rule(&[], stops)), Err(Error::LimitExceeded(_))));
        for name in ["", "-a", "a-", "a b", &"a".repeat(65)] {
            assert!(check_name("ruleName", name).is_err(), "{name:?}");
        }
    }
}
