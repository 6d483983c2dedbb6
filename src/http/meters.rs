//! What is counted of requests. The meters of each kind are looked up once: by their labels it would cost every request
//! five texts and two searches.
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram};

/// The meters of all kinds of requests that came.
#[derive(Default)]
pub(super) struct Meters(RwLock<HashMap<MeterKey, Meter>>);

/// Service, operation and status.
type MeterKey = (&'static str, &'static str, u16);

#[derive(Clone)]
struct Meter {
    count: Counter,
    seconds: Histogram,
}

impl Meters {
    /// Counts a request that took so long.
    pub(super) fn count(&self, kind: MeterKey, took: Duration) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&kind).cloned();
        let meter = known.unwrap_or_else(|| {
            let mut meters = self.0.write().unwrap_or_else(PoisonError::into_inner);
            meters.entry(kind).or_insert_with(|| Meter::of(kind)).clone()
        });
        meter.count.increment(1);
        meter.seconds.record(took.as_secs_f64());
    }
}

impl Meter {
    fn of((service, operation, status): MeterKey) -> Self {
        let labels = [("service", service.to_owned()), ("operation", operation.to_owned())];
        let seconds = metrics::histogram!("postrider_request_seconds", &labels);
        let [service, operation] = labels;
        let labels = [service, operation, ("status", status.to_string())];
        Self { count: metrics::counter!("postrider_requests_total", &labels), seconds }
    }
}
