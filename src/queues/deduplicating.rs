//! Sending to FIFO queues with deduplication (SQS developer guide, "FIFO queues").
use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::base::hex;
use crate::queues::checking::check;
use crate::queues::outgoing::row;
use crate::queues::{Error, Outgoing, Queue, Queues, Sent, sequence_number};
use crate::store::deduplication::{self, Key};
use crate::store::messages::{self, NewMessage};
use crate::store::{Tx, receive_attempts};

/// How long a message is known by its deduplication id.
const KNOWN_FOR: Duration = Duration::from_secs(300);
/// Keys in one statement, and rows swept in one transaction.
const KEYS_AT_ONCE: usize = 10;
const SWEPT_AT_ONCE: u32 = 1_000;

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
