//! `GET /_postrider/health`: whether the server takes work. It asks the database, and looks whether its listeners and workers are
//! still there.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::base::{Clock, Instant, Quiet};
use crate::http::json::json;
use crate::store::Store;
use crate::workers::{Hold, Stop};

/// Zero is a server that starts.
const READY: u8 = 1;
const STOPPING: u8 = 2;
/// How long what was found is good for.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// The tasks that are listeners; all others are workers.
const LISTENERS: [&str; 6] = ["admin", "capture-smtp", "http", "smtp", "submission", "submissions"];

/// Whether the server takes work. Cheap to clone; clones say the same.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stage: AtomicU8,
    looks: Option<Looks>,
    beside: Beside,
    last: Mutex<Option<(Instant, HealthFindings)>>,
    store_down: AtomicBool,
    quiet: Quiet,
}

/// What is said beside whether the server takes work: it does, whatever this says.
#[derive(Clone, Default)]
pub struct Beside {
    /// Whether what would leave is held.
    pub hold: Hold,
    /// Whether another node on the database would not find this one's buckets.
    pub buckets_apart: bool,
}

/// What is looked at.
struct Looks {
    store: Store,
    stops: [Stop; 2],
    clock: Clock,
}

/// What was found: a line each, where something is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct HealthFindings {
    store: Option<String>,
    listeners: Option<String>,
    workers: Option<String>,
    full: bool,
    buckets_apart: bool,
}

impl HealthFindings {
    fn reason(&self) -> Option<String> {
        let parts = [("store", &self.store), ("listeners", &self.listeners), ("workers", &self.workers)];
        let wrong: Vec<String> =
            parts.into_iter().filter_map(|(part, what)| Some(format!("{part}: {}", what.as_ref()?))).collect();
        if wrong.is_empty() { None } else { Some(wrong.join("; ")) }
    }

    fn shown(&self) -> Value {
        let part = |what: &Option<String>| what.clone().unwrap_or_else(|| "ok".to_owned());
        let disk = if self.full { "full: nothing new is taken" } else { "ok" };
        let apart = "another node uses the database, and does not find this node's buckets";
        json!({
            "store": part(&self.store),
            "listeners": part(&self.listeners),
            "workers": part(&self.workers),
            "disk": disk,
            "buckets": if self.buckets_apart { apart } else { "ok" },
        })
    }
}

impl Health {
    /// Health that asks `store`, and looks after the tasks of `stops`.
    pub fn of(store: Store, stops: [Stop; 2], clock: Clock, beside: Beside) -> Self {
        Self(Arc::new(Inner { looks: Some(Looks { store, stops, clock }), beside, ..Inner::default() }))
    }

    /// Says that the store is open and every listener bound.
    pub fn ready(&self) {
        self.0.stage.store(READY, Ordering::Release);
    }

    /// Says that the server is about to stop: a load balancer should look elsewhere.
    pub fn stopping(&self) {
        self.0.stage.store(STOPPING, Ordering::Release);
    }

    /// Whether the store answered when it was asked last.
    pub fn is_store_up(&self) -> bool {
        !self.0.store_down.load(Ordering::Relaxed)
    }

    /// Why nothing leaves the server, if so.
    pub fn held(&self) -> Option<String> {
        self.0.beside.hold.reason()
    }

    /// The listeners by name, and whether each one is there.
    pub fn listeners(&self) -> Vec<(&'static str, bool)> {
        let tasks = self.0.looks.iter().flat_map(|looks| &looks.stops).flat_map(Stop::tasks);
        tasks.filter(|(name, _)| LISTENERS.contains(name)).collect()
    }

    /// Looks now, unless somebody did within a second.
    pub async fn look(&self) {
        drop(self.found().await);
    }

    pub(super) fn router(&self) -> Router {
        let health = self.clone();
        Router::new().route(
            "/_postrider/health",
            get(move || {
                let health = health.clone();
                async move { health.page().await }
            }),
        )
    }

    async fn page(&self) -> Response {
        let version = env!("CARGO_PKG_VERSION");
        let (stage, reason) = match self.0.stage.load(Ordering::Acquire) {
            READY => {
                let found = self.found().await;
                let reason = found.reason();
                let (status, word) = if reason.is_none() { (200, "ok") } else { (503, "failing") };
                let mut page = json!({ "status": word, "reason": reason, "version": version, "checks": found.shown() });
                let held = self.held();
                page["delivery"] = json!(if held.is_some() { "held" } else { "on" });
                if let Some(why) = held {
                    page["held_because"] = json!(why);
                }
                return json(status, &page);
            }
            STOPPING => ("stopping", "the server stops"),
            _ => ("starting", "the server starts"),
        };
        json(503, &json!({ "status": stage, "reason": reason, "version": version }))
    }

    /// What was found within the last second; who asks meanwhile waits for the same answer.
    async fn found(&self) -> HealthFindings {
        let Some(looks) = &self.0.looks else { return HealthFindings::default() };
        let mut last = self.0.last.lock().await;
        if let Some((at, found)) = &*last
            && looks.clock.instant().since(*at) < GOOD_FOR
        {
            return found.clone();
        }
        let found = looks.look(&self.0).await;
        *last = Some((looks.clock.instant(), found.clone()));
        found
    }
}

impl Looks {
    async fn look(&self, inner: &Inner) -> HealthFindings {
        let answered = self.store.ping().await;
        inner.store_down.store(answered.is_err(), Ordering::Relaxed);
        if let Err(error) = &answered {
            inner.quiet.tell(&self.clock, |left_out| tracing::error!(%error, left_out, "the store does not answer"));
        }
        let (listeners, workers): (Vec<&str>, Vec<&str>) =
            self.stops.iter().flat_map(Stop::ended).partition(|name| LISTENERS.contains(name));
        let ended = |names: Vec<&str>| {
            if names.is_empty() { None } else { Some(format!("ended by a fault: {}", names.join(", "))) }
        };
        HealthFindings {
            // What is wrong with it is for the log.
            store: answered.err().map(|_| "it does not answer".to_owned()),
            listeners: ended(listeners),
            workers: ended(workers),
            full: !self.store.has_room(),
            buckets_apart: inner.beside.buckets_apart && self.store.hears_others(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::store::Database;
    use axum::body::to_bytes;

    async fn shown(health: &Health) -> (u16, Value) {
        let response = health.page().await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 10_000).await.expect("a body");
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    #[tokio::test]
    async fn a_task_that_ended_by_itself_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(Timestamp::from_secs(1));
        let store = Store::open(&Database::Sqlite(dir.path().join("db")), clock.clone()).await.expect("a store");
        let stop = Stop::new(clock.clone());
        let health = Health::of(store, [stop.clone(), Stop::new(clock.clone())], clock.clone(), Beside::default());
        assert_eq!((shown(&health).await.0, shown(&health).await.1["status"].clone()), (503, json!("starting")));
        health.ready();
        stop.spawn("outbound", std::future::pending());
        stop.spawn("smtp", async {});
        stop.spawn("replays", async { panic!("a fault") });
        while stop.ended().len() < 2 {
            tokio::task::yield_now().await;
        }
        let (status, page) = shown(&health).await;
        let reason = "listeners: ended by a fault: smtp; workers: ended by a fault: replays";
        assert_eq!((status, &page["status"], &page["reason"]), (503, &json!("failing"), &json!(reason)));
        assert_eq!((&page["checks"]["store"], &page["checks"]["disk"]), (&json!("ok"), &json!("ok")));
        health.stopping();
        assert_eq!(shown(&health).await.1["status"], "stopping");
    }

    #[tokio::test]
    async fn without_anything_to_look_at_it_says_what_it_is_told() {
        let health = Health::default();
        health.ready();
        let (status, page) = shown(&health).await;
        assert_eq!((status, &page["status"], &page["reason"]), (200, &json!("ok"), &Value::Null));
    }
}
