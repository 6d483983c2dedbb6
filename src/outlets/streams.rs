//! Streams: what stands for Amazon Data Firehose. Records gather in the store and are written into objects by size and by
//! time. A record goes only after its object is durable, and an object keeps its key, so a repeat overwrites.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Arn, Clock, Timestamp, ids};
use crate::outlets::objects::{self, Objects};
use crate::store::streams::{self, Batch};
use crate::store::{self, Store, Tx};
use crate::workers::{Pieces, Taken, backoff, one_round};

/// An object is begun when this much waits (Firehose's default).
pub const BATCH_BYTES: i64 = 5 * 1024 * 1024;
/// An object is begun when a record has waited so long.
pub const BATCH_AGE: Duration = Duration::from_secs(60);
/// The most bytes of one record (Firehose: 1,000 KiB).
pub const RECORD_BYTES: usize = 1_024_000;
/// The most records of one object.
const BATCH_RECORDS: u32 = 10_000;
/// A stream that has so many objects waiting takes no more records until the object store is back.
const BACKLOG: u32 = 200;
/// Objects that are written at once, each of another stream, so that a bucket that hangs holds up its own streams alone.
pub const STREAMS_AT_ONCE: usize = 8;
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(300);

/// Where a stream's objects go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The bucket.
    pub bucket: String,
    /// What each key starts with; empty, or with a slash at its end where the operator wants a folder.
    pub prefix: String,
}

/// The streams of the settings. Cheap to clone.
#[derive(Clone)]
pub struct Streams {
    store: Store,
    clock: Clock,
    objects: Objects,
    destinations: BTreeMap<String, Destination>,
    under_way: UnderWay,
}

/// The streams whose objects are being written here.
type UnderWay = Arc<Mutex<BTreeSet<String>>>;

/// An object that was taken to be written; its stream has no other one meanwhile.
pub struct Object {
    batch: Batch,
    under_way: UnderWay,
}

impl Drop for Object {
    fn drop(&mut self) {
        locked(&self.under_way).remove(&self.batch.stream);
    }
}

fn locked(under_way: &UnderWay) -> MutexGuard<'_, BTreeSet<String>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name in a delivery stream's ARN (`…:deliverystream/NAME`). `None` for any other ARN.
pub fn name_of(stream: &Arn) -> Option<&str> {
    let name = stream.resource.strip_prefix("deliverystream/").filter(|_| stream.service == "firehose")?;
    let fine = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && !name.starts_with('.');
    fine.then_some(name)
}

impl Streams {
    /// Streams by name or ARN, each with `BUCKET` or `BUCKET/PREFIX`.
    ///
    /// # Errors
    /// A line for the operator when a bucket or prefix is not one.
    pub fn new(
        store: Store,
        clock: Clock,
        objects: Objects,
        settings: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let destination = |(name, place): (&String, &String)| {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            objects::check_bucket(bucket)
                .and_then(|()| objects::check_key(&format!("{prefix}{}", "x".repeat(160))))
                .map_err(|why| format!("streams: {name}: {place:?}: {why}"))?;
            Ok((name.clone(), Destination { bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
        };
        let destinations = settings.iter().map(destination).collect::<Result<_, String>>()?;
        Ok(Self { store, clock, objects, destinations, under_way: UnderWay::default() })
    }

    /// Where the settings send this stream.
    pub fn destination(&self, stream: &Arn) -> Option<&Destination> {
        let by_name = || self.destinations.get(name_of(stream)?);
        self.destinations.get(&stream.to_string()).or_else(by_name)
    }

    /// Whether a stream takes records now: its object store has not been gone for long.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn takes(&self, stream: &Arn) -> Result<bool, store::Error> {
        let stream = stream.to_string();
        let waiting: Result<u32, store::Error> =
            self.store.read(|tx| Box::pin(async move { streams::batches(tx, &stream).await })).await;
        Ok(waiting? < BACKLOG)
    }

    /// Adds a record in the caller's transaction; a line end is added. [`RECORD_BYTES`] at the most is the caller's to see to.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put(tx: &mut Tx, stream: &Arn, record: &str) -> Result<(), store::Error> {
        streams::insert(tx, &stream.to_string(), &format!("{record}\n")).await.map(drop)
    }

    /// Cuts what waits into batches, and writes those that are due. Gives how many objects were written.
    ///
    /// # Errors
    /// When the store fails. An object store that fails costs a delay only.
    pub async fn round(&self) -> Result<usize, store::Error> {
        let mut written = 0;
        loop {
            let (taken, done) = one_round(self, STREAMS_AT_ONCE).await?;
            written += done;
            if taken == 0 {
                return Ok(written);
            }
        }
    }

    async fn cut(&self) -> Result<(), store::Error> {
        let old = self.clock.now() - BATCH_AGE;
        let waiting: Result<_, store::Error> =
            self.store.read(|tx| Box::pin(async move { streams::waiting(tx).await })).await;
        for waiting in waiting? {
            let (mut bytes, aged) = (waiting.bytes, waiting.oldest <= old);
            while bytes >= BATCH_BYTES || (aged && bytes > 0) {
                let (stream, key) = (waiting.stream.clone(), self.object_key(&waiting.stream));
                let cut: Result<i64, store::Error> =
                    self.store.write(move |tx| Box::pin(async move { cut_one(tx, &stream, &key).await })).await;
                match cut? {
                    0 => break,
                    cut => bytes -= cut,
                }
            }
        }
        Ok(())
    }

    /// A new object's key, as Firehose makes them: prefix, the hour in UTC as folders, the stream, the time, something unique.
    fn object_key(&self, stream: &str) -> String {
        let arn: Option<Arn> = stream.parse().ok();
        let prefix = arn.as_ref().and_then(|arn| self.destination(arn)).map_or("", |to| to.prefix.as_str());
        let name = arn.as_ref().and_then(name_of).unwrap_or("stream");
        let (hour, second) = times(self.clock.now());
        format!("{prefix}{hour}/{name}-1-{second}-{}", ids::uuid())
    }

    /// Writes one object. `false` when that did not work.
    async fn write(&self, batch: &Batch) -> Result<bool, store::Error> {
        let (id, stream) = (batch.id, batch.stream.clone());
        let records: Result<Vec<String>, store::Error> =
            self.store.read(|tx| Box::pin(async move { streams::records(tx, id, &stream).await })).await;
        let records = records?;
        let put = match batch.stream.parse().ok().as_ref().and_then(|arn| self.destination(arn)) {
            // Another node may have written it since the batch was found; then its records are gone.
            _ if records.is_empty() => Ok(()),
            Some(to) => {
                let data = Bytes::from(records.concat());
                self.objects.put(&to.bucket, &batch.object_key, data).await.map_err(|why| why.to_string())
            }
            None => Err("the stream is not in the settings any more".to_owned()),
        };
        if let Err(error) = put {
            tracing::error!(stream = batch.stream, key = batch.object_key, error, "cannot write records of a stream");
            let until = self.clock.now() + backoff::doubling(batch.attempts + 1, FIRST_RETRY, LAST_RETRY);
            let put_off: Result<u64, store::Error> =
                self.store.write(move |tx| Box::pin(async move { streams::put_off(tx, id, until).await })).await;
            put_off?;
            return Ok(false);
        }
        let forgot: Result<(), store::Error> =
            self.store.write(move |tx| Box::pin(async move { streams::written(tx, id).await })).await;
        forgot?;
        tracing::info!(
            stream = batch.stream,
            key = batch.object_key,
            records = records.len(),
            "wrote records of a stream"
        );
        Ok(true)
    }
}

impl Pieces for Streams {
    type Piece = Object;
    type Error = store::Error;

    async fn take(&self, room: usize) -> Result<Taken<Object>, store::Error> {
        self.cut().await?;
        let mut pieces = Vec::new();
        while pieces.len() < room {
            let busy: Vec<String> = locked(&self.under_way).iter().cloned().collect();
            let due: Result<Option<Batch>, store::Error> =
                self.store.read(|tx| Box::pin(async move { streams::due(tx, &busy).await })).await;
            let Some(batch) = due? else { break };
            // Another round may have taken it meanwhile.
            if !locked(&self.under_way).insert(batch.stream.clone()) {
                break;
            }
            pieces.push(Object { batch, under_way: self.under_way.clone() });
        }
        let more = !locked(&self.under_way).is_empty();
        Ok(Taken { pieces, more })
    }

    async fn work(&self, object: Object) -> Result<usize, store::Error> {
        Ok(usize::from(self.write(&object.batch).await?))
    }
}

/// Makes one batch of what waits. Gives its bytes; 0 when nothing waits any more.
async fn cut_one(tx: &mut Tx, stream: &str, key: &str) -> Result<i64, store::Error> {
    let (mut bytes, mut last) = (0, None);
    for (id, size) in streams::uncut(tx, stream, BATCH_RECORDS).await? {
        if bytes > 0 && bytes + size > BATCH_BYTES {
            break;
        }
        (bytes, last) = (bytes + size, Some(id));
    }
    let Some(last) = last else { return Ok(0) };
    if streams::cut(tx, stream, key, last).await? == 0 { Ok(0) } else { Ok(bytes) }
}

/// The hour as `2026/01/02/03`, and the second as `2026-01-02-03-04-05`.
fn times(now: Timestamp) -> (String, String) {
    let text = now.iso_millis();
    let second: String = text.chars().take(19).map(|c| if c.is_ascii_digit() { c } else { '-' }).collect();
    let hour: String = second.chars().take(13).map(|c| if c == '-' { '/' } else { c }).collect();
    (hour, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objects_key_tells_the_hour_and_the_second() {
        let (hour, second) = times(Timestamp::from_secs(1_800_000_000));
        assert_eq!((hour.as_str(), second.as_str()), ("2027/01/15/08", "2027-01-15-08-00-00"));
    }

    #[test]
    fn a_stream_has_a_name() {
        let name = |resource: &str| {
            let arn: Arn = format!("arn:aws:firehose:us-east-1:000000000000:{resource}").parse().expect("an ARN");
            name_of(&arn).map(str::to_owned)
        };
        assert_eq!(name("deliverystream/events").as_deref(), Some("events"));
        for bad in ["deliverystream/", "deliverystream/../x", "deliverystream/a/b", "stream/events"] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }
}
