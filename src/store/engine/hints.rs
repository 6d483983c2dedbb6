//! Hints between nodes that share a PostgreSQL database: who commits messages tells the others, so that they wake their
//! waiters at once.
//!
//! A node that hears of no other keeps them to itself: it would be the only one to hear. To be heard, each greets the
//! others now and then, and who hears of a new one greets back.
//!
//! A guest, such as `postrider admin`, is no node: it does not greet, hears nothing, and tells what it changed before
//! it says that it did, since it ends soon.
//!
//! A hint may be lost, or the server may have no LISTEN at all (poolers, compatible clusters). Whoever waits looks into
//! the queue every few seconds all the same.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::Postgres;
use sqlx::postgres::{PgListener, PgNotification};
use tokio::sync::Notify;

use crate::base::{Clock, Freshness, Instant, ids};
use crate::store::engine::pool::Pool;
use crate::store::engine::wake::{CONFIRM_EVERY, SETTINGS_CHANGED, Wakes};
use crate::store::{Error, Tx, args};

const CHANNEL: &str = "postrider_wake";
/// Queues in one notification. PostgreSQL takes less than 8000 octets, and one of these has 42 at the most.
const QUEUES_MAX: usize = 180;
/// After a failure: nobody needs hints so much that the server should be pressed for them.
const RETRY: Duration = Duration::from_secs(5);
/// How often a node greets the others.
const GREET_EVERY: Duration = Duration::from_secs(5);
/// After so many greetings without a word from another node this one is alone.
const GREETINGS_MAX: u32 = 3;
/// What a node says that has no news. It must not read as news.
const GREETING: &str = "hello";
/// What a node says to hear it itself, with the time that it is then sure of. It must not read as news to others.
const PROBE: &str = "until=";
/// Stands in place of a node's name before the news of a guest.
const GUEST: &str = "guest";
/// How long a guest tries to tell. Nodes look by themselves within seconds.
const GUEST_TELLS_MAX: Duration = Duration::from_secs(1);

/// What this node has to tell the others. What comes while a notification is on its way goes with the next one.
pub(in crate::store) struct Hints {
    /// Names this store, which needs no hints from itself.
    origin: String,
    news: Mutex<BTreeMap<i64, usize>>,
    some: Notify,
    /// Greetings since another node was heard.
    unanswered: AtomicU32,
    greets: AtomicBool,
    /// Whether another node was ever heard.
    heard: AtomicBool,
    /// How a guest tells; `None` for a node.
    guest: Option<Pool>,
}

impl Hints {
    pub(in crate::store) fn new() -> Arc<Self> {
        Self::of(ids::uuid(), None)
    }

    /// Those of a guest, who tells by these connections.
    pub(in crate::store) fn of_guest(pool: Pool) -> Arc<Self> {
        Self::of(GUEST.to_owned(), Some(pool))
    }

    fn of(origin: String, guest: Option<Pool>) -> Arc<Self> {
        Arc::new(Self {
            origin,
            news: Mutex::default(),
            some: Notify::new(),
            unanswered: AtomicU32::new(0),
            greets: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            guest,
        })
    }

    /// Notes that so many messages were committed to a queue.
    pub(in crate::store) fn tell(&self, queue_id: i64, messages: usize) {
        if self.is_alone() {
            return;
        }
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = news.entry(queue_id).or_default();
        *sum = sum.saturating_add(messages);
        self.some.notify_one();
    }

    /// Whether another node was heard, and lately.
    pub(in crate::store) fn hears(&self) -> bool {
        self.heard.load(Ordering::Relaxed) && !self.is_alone()
    }

    fn is_alone(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) > GREETINGS_MAX
    }

    fn greet(&self) {
        self.greets.store(true, Ordering::Relaxed);
        self.some.notify_one();
    }

    /// Whether this is no node.
    pub(in crate::store) fn is_guest(&self) -> bool {
        self.guest.is_some()
    }

    /// Tells the nodes what a guest has to tell. Nodes tell by themselves.
    pub(in crate::store) async fn tell_now(&self, clock: &Clock) {
        let Some(mouth) = &self.guest else { return };
        let news = std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner));
        for text in texts(&self.origin, &news) {
            let told = clock.timeout(GUEST_TELLS_MAX, notify(mouth, clock, text)).await;
            if let Err(error) = told.unwrap_or(Err(Error::Lost)) {
                tracing::debug!(%error, "the nodes were not told what has changed");
            }
        }
    }

    /// Tells the others, for ever.
    pub(in crate::store) async fn speak(&self, pool: &Pool, clock: &Clock) {
        let mut greet_at = clock.instant() + GREET_EVERY;
        loop {
            tokio::select! {
                () = self.some.notified() => {}
                () = clock.sleep_to(greet_at) => {
                    greet_at = clock.instant() + GREET_EVERY;
                    self.greets.store(true, Ordering::Relaxed);
                    if !self.is_alone() {
                        self.unanswered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            let news = std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner));
            let mut said = texts(&self.origin, &news);
            if self.greets.swap(false, Ordering::Relaxed) && said.is_empty() {
                said.push(format!("{} {GREETING}", self.origin));
            }
            for text in said {
                if let Err(error) = notify(pool, clock, text).await {
                    tracing::debug!(%error, "other nodes were not told of new messages");
                    clock.sleep(RETRY).await;
                }
            }
        }
    }

    /// Tells the others that settings have changed, as a part of the transaction that changes them: PostgreSQL delivers
    /// that with the commit, and in the order of commits. Where the server has no NOTIFY, the change is made without a
    /// word.
    pub(in crate::store) async fn announce_settings(&self, tx: &mut Tx) -> Result<(), Error> {
        tx.savepoint().await?;
        let said = tx
            .control_with("SELECT pg_notify($1, $2)", args![CHANNEL, format!("{} {SETTINGS_CHANGED}:0", self.origin)]);
        if let Err(error) = said.await {
            tracing::debug!(%error, "other nodes were not told of changed settings");
            tx.undo().await?;
        }
        tx.release().await
    }

    /// Says something to itself whenever it is asked for, for ever. Once it is heard, so was every change of settings
    /// that was committed before it was said.
    pub(in crate::store) async fn confirm(&self, pool: &Pool, settings: &Freshness, clock: &Clock) {
        loop {
            settings.asked().await;
            if let Err(error) =
                notify(pool, clock, format!("{} {PROBE}{}", self.origin, clock.instant().micros())).await
            {
                tracing::debug!(%error, "does not know whether settings have changed");
                clock.sleep(RETRY).await;
            }
            clock.sleep(CONFIRM_EVERY).await;
        }
    }

    /// Hears what others tell and wakes who waits here, for ever. `ear` is an ear that is open already.
    pub(in crate::store) async fn listen(
        &self,
        mut ear: Option<PgListener>,
        pool: &sqlx::Pool<Postgres>,
        wakes: &Arc<Wakes>,
        clock: &Clock,
    ) {
        // From now on an answer is heard.
        self.greet();
        loop {
            let heard = match &mut ear {
                // Unlike `recv` it tells when the connection was lost, and is there again.
                Some(ear) => ear.try_recv().await.map_err(Error::from),
                None => match open_ear(pool).await {
                    Ok(opened) => {
                        ear = Some(opened);
                        Ok(None)
                    }
                    Err(error) => Err(error),
                },
            };
            match heard {
                Ok(Some(heard)) => self.pass_on(&heard, wakes),
                Ok(None) => {
                    // What was said meanwhile is lost.
                    wakes.settings.changed();
                    self.greet();
                }
                Err(error) => {
                    tracing::debug!(%error, "does not hear of other nodes' messages");
                    ear = None;
                    clock.sleep(RETRY).await;
                }
            }
        }
    }

    fn pass_on(&self, heard: &PgNotification, wakes: &Arc<Wakes>) {
        let Some((origin, news)) = heard.payload().split_once(' ') else { return };
        if origin == self.origin {
            let until = news.strip_prefix(PROBE).and_then(|micros| micros.parse().ok());
            if let Some(micros) = until {
                wakes.settings.confirm(Instant::BEGINNING + Duration::from_micros(micros));
            }
        } else {
            if origin != GUEST {
                self.heard.store(true, Ordering::Relaxed);
                if self.unanswered.swap(0, Ordering::Relaxed) > GREETINGS_MAX {
                    self.greet();
                }
            }
            read(news).for_each(|(queue_id, messages)| wakes.ring(queue_id, messages));
        }
    }
}

/// Begins to listen.
pub(in crate::store) async fn open_ear(pool: &sqlx::Pool<Postgres>) -> Result<PgListener, Error> {
    let mut ear = PgListener::connect_with(pool).await?;
    ear.listen(CHANNEL).await?;
    Ok(ear)
}

async fn notify(pool: &Pool, clock: &Clock, text: String) -> Result<(), Error> {
    let mut tx = Tx::new(pool.connection().await?, clock.clone(), Arc::default());
    tx.run("SELECT pg_notify($1, $2)", args![CHANNEL, text]).await.map(drop)
}

/// `ORIGIN ID:MESSAGES ID:MESSAGES …`
fn texts(origin: &str, news: &BTreeMap<i64, usize>) -> Vec<String> {
    let words: Vec<String> = news.iter().map(|(queue_id, messages)| format!("{queue_id}:{messages}")).collect();
    words.chunks(QUEUES_MAX).map(|some| format!("{origin} {}", some.join(" "))).collect()
}

/// Another version may write more; what cannot be read is passed over.
fn read(news: &str) -> impl Iterator<Item = (i64, usize)> {
    news.split(' ').filter_map(|word| {
        let (queue_id, messages) = word.split_once(':')?;
        Some((queue_id.parse().ok()?, messages.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_survive_a_round_trip_in_texts_that_postgresql_takes() {
        let news: BTreeMap<i64, usize> = (0..450).map(|n| (i64::MIN + n, usize::MAX)).collect();
        let texts = texts("0f8fad5b-d9cb-469f-a165-70867728950e", &news);
        assert_eq!(texts.len(), 3);
        let mut all = BTreeMap::new();
        for text in &texts {
            assert!(text.len() < 8_000, "{}", text.len());
            let (origin, rest) = text.split_once(' ').expect("an origin");
            assert_eq!(origin, "0f8fad5b-d9cb-469f-a165-70867728950e");
            all.extend(read(rest));
        }
        assert_eq!(all, news);
        assert_eq!(read("1:2 x y:1 3: 4:5").collect::<Vec<_>>(), [(1, 2), (4, 5)]);
        assert_eq!(read(GREETING).count(), 0);
    }
}
