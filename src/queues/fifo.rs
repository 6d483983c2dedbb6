//! FIFO queues: their names and attributes, and sending with deduplication (SQS developer guide, "FIFO queues").
use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::base::{Arn, hex};
use crate::queues::manage::check_name;
use crate::queues::send::{check, row};
use crate::queues::{Error, Outgoing, Queue, Queues, Sent, dead_letters};
use crate::store::deduplication::{self, Key};
use crate::store::messages::{self, NewMessage};
use crate::store::queues::{Fifo, Settings};
use crate::store::{Tx, receive_attempts};

/// The attributes that only a FIFO queue has.
pub(super) const ATTRIBUTES: [&str; 4] =
    ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];
/// What every FIFO queue's name ends with; it counts to the 80 characters.
const SUFFIX: &str = ".fifo";
/// How long a message is known by its deduplication id.
const KNOWN_FOR: Duration = Duration::from_secs(300);
const ID_MAX: usize = 128;
/// What AWS says of a parameter that only the other type of queue takes.
pub const NOT_HERE: &str = "The request include parameter that is not valid for this queue type.";
/// Keys in one statement, and rows swept in one transaction.
const KEYS_AT_ONCE: usize = 10;
const SWEPT_AT_ONCE: u32 = 1_000;
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

/// Reads a boolean attribute, in small letters, capitals, or as Python writes it.
pub(super) fn truth(value: &str) -> Option<bool> {
    [true, false].into_iter().find(|truth| value.eq_ignore_ascii_case(&truth.to_string()))
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

fn content_id(body: &str) -> String {
    hex(&Sha256::digest(body.as_bytes()))
}

enum FifoEntry {
    Refused(Error),
    /// Its key, and what its sender is told if it is new.
    Taken(Key, Sent),
}

/// Adds messages to a FIFO queue, in the order given. One that was sent in the last minutes adds nothing, and its
/// sender is told the id and the number of the first.
pub(super) async fn insert(
    tx: &mut Tx,
    queue: &Queue,
    outgoing: Vec<Outgoing>,
) -> Result<Vec<Result<Sent, Error>>, Error> {
    let per_group = queue.settings.fifo.is_some_and(|fifo| fifo.deduplicates_per_group);
    let mut entries = Vec::with_capacity(outgoing.len());
    let mut rows: Vec<(Key, NewMessage)> = Vec::new();
    let mut keys: BTreeMap<Key, String> = BTreeMap::new();
    for mut message in outgoing {
        if let Err(error) = check(queue, &message) {
            entries.push(FifoEntry::Refused(error));
            continue;
        }
        let id = message.deduplication_id.take().unwrap_or_else(|| content_id(&message.body));
        let group = message.group_id.clone().filter(|_| per_group).unwrap_or_default();
        message.deduplication_id = Some(id.clone());
        message.delay = None;
        let (new, sent) = row(tx.vault(), tx.now(), queue, message)?;
        let key = (group, id);
        // Of two alike in one batch the second is the duplicate.
        if !keys.contains_key(&key) {
            keys.insert(key.clone(), new.message_id.clone());
            rows.push((key.clone(), new));
        }
        entries.push(FifoEntry::Taken(key, sent));
    }
    let known = take(tx, queue, &keys, rows).await?;
    let answer = |entry| match entry {
        FifoEntry::Refused(error) => Err(error),
        FifoEntry::Taken(key, sent) => match known.get(&key) {
            Some((message_id, id)) => {
                Ok(Sent { message_id: message_id.clone(), sequence_number: Some(sequence_number(*id)), ..sent })
            }
            None => Err(crate::store::Error::corrupt("a message was not taken").into()),
        },
    };
    entries
        .into_iter()
        .map(|entry| match answer(entry) {
            Err(Error::Internal(error)) => Err(Error::Internal(error)),
            own => Ok(own),
        })
        .collect()
}

/// Adds the rows whose keys are new. Gives the message id and row id of every key.
async fn take(
    tx: &mut Tx,
    queue: &Queue,
    keys: &BTreeMap<Key, String>,
    rows: Vec<(Key, NewMessage)>,
) -> Result<BTreeMap<Key, (String, i64)>, Error> {
    let expires_at = tx.now() + KNOWN_FOR;
    let mut known = BTreeMap::new();
    let mut rest: Vec<(&Key, &String)> = keys.iter().collect();
    while !rest.is_empty() {
        let later = rest.split_off(rest.len().min(KEYS_AT_ONCE));
        let lot = rest.into_iter().map(|(key, id)| (key.clone(), id.clone())).collect();
        for (key, taken) in deduplication::take(tx, queue.id, &lot, expires_at).await? {
            known.insert(key, (taken.message_id, taken.message));
        }
        rest = later;
    }
    let (keys, new): (Vec<Key>, Vec<NewMessage>) = rows.into_iter().filter(|(key, _)| !known.contains_key(key)).unzip();
    if new.is_empty() {
        return Ok(known);
    }
    let ids = messages::insert_in_order(tx, queue.id, &new).await?;
    let noted: Vec<(Key, i64)> = keys.into_iter().zip(ids).collect();
    for lot in noted.chunks(KEYS_AT_ONCE) {
        deduplication::note(tx, queue.id, lot).await?;
    }
    for ((key, id), message) in noted.into_iter().zip(new) {
        known.insert(key, (message.message_id, id));
    }
    Ok(known)
}

impl Queues {
    /// Forgets what FIFO queues need not know any more. Part of the sweep.
    pub(super) async fn sweep_deduplication(&self) -> Result<(), Error> {
        loop {
            let swept = self
                .store
                .write(|tx| {
                    Box::pin(async move {
                        let attempts = receive_attempts::forget_expired(tx, SWEPT_AT_ONCE).await?;
                        Ok::<_, Error>(attempts.max(deduplication::forget_expired(tx, SWEPT_AT_ONCE).await?))
                    })
                })
                .await?;
            if swept < u64::from(SWEPT_AT_ONCE) {
                return Ok(());
            }
        }
    }
}
