//! FIFO queues: their names and attributes, and what a message for one needs (SQS developer guide, "FIFO queues").
use std::collections::BTreeMap;

use crate::base::Arn;
use crate::queues::kept::truth;
use crate::queues::name::check_name;
use crate::queues::{Error, Outgoing, Queue, dead_letters};
use crate::store::queues::{Fifo, Settings};

/// The attributes that only a FIFO queue has.
pub(super) const ATTRIBUTES: [&str; 4] =
    ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];
/// What every FIFO queue's name ends with; it counts to the 80 characters.
const SUFFIX: &str = ".fifo";
const ID_MAX: usize = 128;
/// What AWS says of a parameter that only the other type of queue takes.
pub const NOT_HERE: &str = "The request include parameter that is not valid for this queue type.";
/// Added to a row id, so that every sequence number has 20 digits.
const SEQUENCE_BASE: u64 = 10_000_000_000_000_000_000;

/// What a new queue begins with, by its name and the attribute FifoQueue.
pub(super) fn for_new_queue(name: &str, given: &BTreeMap<String, String>) -> Result<Option<Fifo>, Error> {
    let wanted = given.get("FifoQueue").is_some_and(|value| truth(value) == Some(true));
    match name.strip_suffix(SUFFIX) {
        Some(stem) if wanted && name.len() <= 80 && check_name(stem).is_ok() => Ok(Some(Fifo::default())),
        _ if wanted => Err(Error::FifoQueueName(name.chars().take(256).collect())),
        _ => check_name(name).map(|()| None),
    }
}

/// Sets one of [`ATTRIBUTES`].
pub(super) fn set(settings: &mut Settings, name: &str, value: &str) -> Result<(), Error> {
    let wrong = || Error::AttributeValue(name.to_owned(), value.to_owned());
    let Some(fifo) = &mut settings.fifo else {
        return Err(match name {
            "DeduplicationScope" | "FifoThroughputLimit" => Error::FifoOnly(name.to_owned()),
            name => Error::AttributeName(name.to_owned()),
        });
    };
    match (name, value) {
        ("FifoQueue", value) => match truth(value) {
            Some(true) => {}
            Some(false) => return Err(Error::AttributeRefused("FifoQueue", "Modifying queue type is not supported.")),
            None => return Err(wrong()),
        },
        ("ContentBasedDeduplication", value) => fifo.content_based = truth(value).ok_or_else(wrong)?,
        ("DeduplicationScope", "queue" | "messageGroup") => fifo.deduplicates_per_group = value == "messageGroup",
        ("FifoThroughputLimit", "perQueue" | "perMessageGroupId") => fifo.limit_per_group = value != "perQueue",
        _ => return Err(wrong()),
    }
    Ok(())
}

/// Checks what attributes mean together, once all that are given are set.
pub(super) fn check_settings(settings: &Settings, given: &BTreeMap<String, String>) -> Result<(), Error> {
    if let Some(fifo) = &settings.fifo
        && fifo.limit_per_group
        && !fifo.deduplicates_per_group
    {
        return Err(Error::LimitWithoutScope);
    }
    let target = settings.dead_letter_queue.as_deref().and_then(|arn| arn.parse::<Arn>().ok());
    if let (Some(value), Some(target)) = (given.get("RedrivePolicy"), target)
        && target.resource.ends_with(SUFFIX) != settings.fifo.is_some()
    {
        return Err(dead_letters::refused(value, dead_letters::OTHER_TYPE));
    }
    Ok(())
}

/// The attributes of a FIFO queue, as GetQueueAttributes writes them.
pub(super) fn attributes(fifo: &Fifo) -> [(&'static str, String); 4] {
    let scope = if fifo.deduplicates_per_group { "messageGroup" } else { "queue" };
    let limit = if fifo.limit_per_group { "perMessageGroupId" } else { "perQueue" };
    [
        ("FifoQueue", "true".to_owned()),
        ("ContentBasedDeduplication", fifo.content_based.to_string()),
        ("DeduplicationScope", scope.to_owned()),
        ("FifoThroughputLimit", limit.to_owned()),
    ]
}

/// What a queue has for one of [`ATTRIBUTES`].
pub(super) fn attribute(settings: &Settings, name: &str) -> Option<String> {
    let all = settings.fifo.iter().flat_map(attributes);
    all.into_iter().find_map(|(known, value)| (known == name).then_some(value))
}

/// The sequence number, 20 digits, of a message by the number of its row: row ids grow in the order in which a group's
/// messages are accepted.
pub fn sequence_number(id: i64) -> String {
    SEQUENCE_BASE.saturating_add_signed(id).to_string()
}

/// Whether a text can be a deduplication id, a group id or an attempt id.
pub(super) fn id_ok(id: &str) -> bool {
    (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}

/// What a message for a FIFO queue lacks.
pub(super) fn missing(fifo: &Fifo, message: &Outgoing) -> Option<Error> {
    if message.group_id.is_none() {
        return Some(Error::GroupMissing);
    }
    (message.deduplication_id.is_none() && !fifo.content_based).then_some(Error::DeduplicationMissing)
}

/// Checks what a message says about its group and deduplication.
pub(super) fn check_message(queue: &Queue, message: &Outgoing) -> Result<(), Error> {
    let shown = |text: &str| text.chars().take(256).collect::<String>();
    let parameter = |name, value: &str, reason| Err(Error::Parameter { name, value: shown(value), reason });
    if let Some(id) = message.group_id.as_ref().filter(|id| !id_ok(id)) {
        let reason = "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
        return parameter("MessageGroupId", id, reason);
    }
    let Some(fifo) = &queue.settings.fifo else {
        return match &message.deduplication_id {
            Some(id) => parameter("MessageDeduplicationId", id, NOT_HERE),
            None => Ok(()),
        };
    };
    if let Some(missing) = missing(fifo, message) {
        return Err(missing);
    }
    if let Some(id) = message.deduplication_id.as_ref().filter(|id| !id_ok(id)) {
        let reason =
            "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
        return parameter("MessageDeduplicationId", id, reason);
    }
    // Only the queue has a delay.
    match message.delay {
        Some(delay) if delay != 0 => parameter("DelaySeconds", &delay.to_string(), NOT_HERE),
        _ => Ok(()),
    }
}
