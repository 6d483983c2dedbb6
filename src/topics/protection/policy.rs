//! A data protection policy: read and checked. Source: SNS developer guide, "Understanding data protection policies". One text of
//! an error was seen on AWS, that for a wrong DataDirection; the others are made after it.
use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use crate::base::AccountId;
use crate::topics::protection::Identifier;

/// The longest policy, in bytes (SNS API reference, PutDataProtectionPolicy).
const BYTES_MAX: usize = 30_720;
const VERSION: &str = "2021-06-01";
/// What `MaskWithCharacter` may not be: it would end or change a JSON text around it.
const NO_MASKS: [char; 2] = ['"', '\\'];
/// The most that is checked of a text that comes back in an error.
const SHOWN_MAX: usize = 100;

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// What becomes of which data, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Which way the message goes.
    pub direction: Direction,
    /// Whom it is about.
    pub principals: Principals,
    /// What is looked for.
    pub identifiers: BTreeSet<Identifier>,
    /// What is done when it is found.
    pub operation: Operation,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a publisher to the topic.
    Inbound,
    /// From the topic to a subscription.
    Outbound,
}

/// Who publishes, or subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// An account.
    Account(AccountId),
    /// This server, such as the mail of an account that has events.
    Service,
}

/// Whom a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principals {
    /// Everybody.
    All,
    /// These accounts.
    Accounts(BTreeSet<AccountId>),
}

impl Principals {
    fn has(&self, who: &Who) -> bool {
        match (self, who) {
            (Self::All, _) => true,
            (Self::Accounts(accounts), Who::Account(account)) => accounts.contains(account),
            (Self::Accounts(_), Who::Service) => false,
        }
    }
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// What is found, or that nothing is, is told to others.
    Audit(Audit),
    /// Each character becomes this one.
    Mask(char),
    /// It is taken out.
    Redact,
    /// The message is not published, or not delivered.
    Deny,
}

/// Who is told, and of how many messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Of how many messages in a hundred.
    pub rate: u8,
    /// Who is told what was found.
    pub found: Destinations,
    /// Who is told that nothing was found.
    pub nothing: Destinations,
}

/// Where findings go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destinations {
    /// A group of logs: a line in this server's log that names it.
    pub log_group: Option<String>,
    /// The name of a delivery stream.
    pub stream: Option<String>,
}

impl Destinations {
    fn is_empty(&self) -> bool {
        self.log_group.is_none() && self.stream.is_none()
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// What is wrong, in words that follow `DataProtectionPolicy Reason: `.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("Length must be less than or equal to {BYTES_MAX} bytes"));
        }
        let Ok(Json::Object(document)) = serde_json::from_str(text) else {
            return Err("Failed to parse JSON".to_owned());
        };
        only(&document, &["Name", "Description", "Version", "Statement"], "Policy")?;
        if document.get("Name").and_then(Json::as_str).is_none_or(str::is_empty) {
            return Err("Policy Name must be specified".to_owned());
        }
        if document.get("Description").is_some_and(|text| !text.is_string()) {
            return Err("Policy Description must be a string".to_owned());
        }
        if document.get("Version").and_then(Json::as_str) != Some(VERSION) {
            return Err(format!("Policy Version must be {VERSION}"));
        }
        let Some(Json::Array(statements)) = document.get("Statement") else {
            return Err("Policy Statement must be specified as a list".to_owned());
        };
        let statements: Vec<Statement> = statements.iter().map(statement).collect::<Result<_, _>>()?;
        let audits = statements.iter().filter(|of| matches!(of.operation, Operation::Audit(_))).count();
        if audits > 1 {
            return Err("Policy can have only one Audit statement".to_owned());
        }
        Ok(Self { statements })
    }

    /// Which statements are about messages of these people that go this way: their places among all.
    pub(crate) fn about(&self, direction: Direction, who: &Who) -> Vec<usize> {
        let about = |of: &Statement| of.direction == direction && of.principals.has(who);
        self.statements.iter().enumerate().filter(|(_, of)| about(of)).map(|(place, _)| place).collect()
    }

    /// The statements at these places.
    pub(crate) fn at(&self, places: &[usize]) -> Vec<Statement> {
        places.iter().filter_map(|place| self.statements.get(*place)).cloned().collect()
    }

    /// Whether messages are looked at on their way to subscriptions.
    pub(crate) fn has_outbound(&self) -> bool {
        self.statements.iter().any(|of| of.direction == Direction::Outbound)
    }

    /// The delivery streams that are told of findings.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &str> {
        let audits = self.statements.iter().filter_map(|of| match &of.operation {
            Operation::Audit(audit) => Some(audit),
            _ => None,
        });
        audits.flat_map(|audit| [&audit.found, &audit.nothing]).filter_map(|to| to.stream.as_deref())
    }
}

fn statement(json: &Json) -> Result<Statement, String> {
    let Json::Object(json) = json else { return Err("Statement must be an object".to_owned()) };
    only(json, &["Sid", "DataDirection", "Principal", "DataIdentifier", "Operation"], "Statement")?;
    if json.get("Sid").is_some_and(|sid| !sid.is_string()) {
        return Err("Statement Sid must be a string".to_owned());
    }
    let direction = match json.get("DataDirection").and_then(Json::as_str) {
        Some("Inbound") => Direction::Inbound,
        Some("Outbound") => Direction::Outbound,
        _ => return Err("Statement DataDirection must be either Inbound or Outbound".to_owned()),
    };
    let statement = Statement {
        direction,
        principals: principals(json.get("Principal"))?,
        identifiers: identifiers(json.get("DataIdentifier"))?,
        operation: operation(json.get("Operation"))?,
    };
    if direction == Direction::Outbound && matches!(statement.operation, Operation::Audit(_)) {
        return Err("Statement Operation Audit is for the DataDirection Inbound only".to_owned());
    }
    Ok(statement)
}

fn principals(json: Option<&Json>) -> Result<Principals, String> {
    let several = texts(json).filter(|several| !several.is_empty());
    let several = several.ok_or_else(|| "Statement Principal must be a list of principals".to_owned())?;
    if several.contains(&"*") {
        return Ok(Principals::All);
    }
    let account = |text: &&str| {
        let arn = text.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root"));
        // A statement about somebody who cannot be told apart here would protect nobody.
        let unknown = || {
            format!(
                "Statement Principal {} is not supported: an account of this server has no users or roles",
                short(text)
            )
        };
        arn.unwrap_or(text).parse::<AccountId>().map_err(|_| unknown())
    };
    several.iter().map(account).collect::<Result<_, _>>().map(Principals::Accounts)
}

fn identifiers(json: Option<&Json>) -> Result<BTreeSet<Identifier>, String> {
    let several = texts(json).filter(|several| !several.is_empty());
    let several = several.ok_or_else(|| "Statement DataIdentifier must be a list of data identifiers".to_owned())?;
    let one = |text: &&str| {
        Identifier::parse(text)
            .ok_or_else(|| format!("Statement DataIdentifier {} is not supported by this server", short(text)))
    };
    several.iter().map(one).collect()
}

fn operation(json: Option<&Json>) -> Result<Operation, String> {
    let wrong = || "Statement Operation must be one of Audit, Deidentify, or Deny".to_owned();
    let (name, json) = single(json).ok_or_else(wrong)?;
    match name {
        "Deny" if json.is_empty() => Ok(Operation::Deny),
        "Deny" => Err("Statement Operation Deny must be an empty object".to_owned()),
        "Deidentify" => deidentify(json),
        "Audit" => audit(json).map(Operation::Audit),
        _ => Err(wrong()),
    }
}

fn deidentify(json: &Map<String, Json>) -> Result<Operation, String> {
    let wrong = || "Statement Operation Deidentify must be either MaskConfig or RedactConfig".to_owned();
    let mut members = json.iter();
    let (Some((name, json)), None) = (members.next(), members.next()) else { return Err(wrong()) };
    let json = json.as_object().ok_or_else(wrong)?;
    match name.as_str() {
        "RedactConfig" if json.is_empty() => Ok(Operation::Redact),
        "RedactConfig" => Err("RedactConfig must be an empty object".to_owned()),
        "MaskConfig" => {
            only(json, &["MaskWithCharacter"], "MaskConfig")?;
            let text = json.get("MaskWithCharacter").and_then(Json::as_str).unwrap_or_default();
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(mask), None) if (' '..='~').contains(&mask) && !NO_MASKS.contains(&mask) => {
                    Ok(Operation::Mask(mask))
                }
                _ => Err("MaskWithCharacter must be one printable ASCII character".to_owned()),
            }
        }
        _ => Err(wrong()),
    }
}

fn audit(json: &Map<String, Json>) -> Result<Audit, String> {
    only(json, &["SampleRate", "FindingsDestination", "NoFindingsDestination"], "Audit")?;
    let rate = match json.get("SampleRate") {
        Some(Json::String(text)) => text.parse::<u8>().ok(),
        Some(Json::Number(number)) => number.as_u64().and_then(|rate| u8::try_from(rate).ok()),
        _ => None,
    };
    let audit = Audit {
        rate: rate.filter(|rate| *rate <= 99).ok_or("Audit SampleRate must be an integer from 0 to 99")?,
        found: destinations(json.get("FindingsDestination"))?,
        nothing: destinations(json.get("NoFindingsDestination"))?,
    };
    if audit.found.is_empty() && audit.nothing.is_empty() {
        return Err("Audit must have a FindingsDestination or a NoFindingsDestination".to_owned());
    }
    Ok(audit)
}

fn destinations(json: Option<&Json>) -> Result<Destinations, String> {
    let Some(json) = json else { return Ok(Destinations::default()) };
    let json = json.as_object().ok_or("Audit destination must be an object")?;
    only(json, &["CloudWatchLogs", "Firehose", "S3"], "Audit destination")?;
    if json.contains_key("S3") {
        return Err("Audit destination S3 is not supported by this server: use Firehose".to_owned());
    }
    let named = |kind: &str, member: &str| -> Result<Option<String>, String> {
        let Some(json) = json.get(kind) else { return Ok(None) };
        let name = json.get(member).and_then(Json::as_str).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| format!("Audit destination {kind} must have a {member}"))?;
        Ok(Some(name.to_owned()))
    };
    let log_group = named("CloudWatchLogs", "LogGroup")?;
    let fine = |name: &str| {
        let rest = name.strip_prefix("/aws/vendedlogs/").unwrap_or_default();
        !rest.is_empty()
            && name.len() <= 512
            && rest.bytes().all(|o| o.is_ascii_alphanumeric() || b"._-/#".contains(&o))
    };
    if log_group.as_deref().is_some_and(|name| !fine(name)) {
        return Err("Audit destination CloudWatchLogs LogGroup must start with /aws/vendedlogs/".to_owned());
    }
    Ok(Destinations { log_group, stream: named("Firehose", "DeliveryStream")? })
}

/// The only member of an object, which is an object itself.
fn single(json: Option<&Json>) -> Option<(&str, &Map<String, Json>)> {
    let mut members = json?.as_object()?.iter();
    match (members.next(), members.next()) {
        (Some((name, json)), None) => Some((name, json.as_object()?)),
        _ => None,
    }
}

fn texts(json: Option<&Json>) -> Option<Vec<&str>> {
    json?.as_array()?.iter().map(Json::as_str).collect()
}

/// Refuses members that are not known, which might say something that is not done.
fn only(json: &Map<String, Json>, known: &[&str], what: &str) -> Result<(), String> {
    match json.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{what} property {} is not supported", short(name))),
        None => Ok(()),
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect()
}
