//! `GET /metrics`, in Prometheus' text form.
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::http::exposition::Family;
use crate::http::figures::Figures;

/// Seconds at which requests are counted: a long poll takes up to 20.
const REQUEST_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0];

/// Numbers that are there at once, looked at when somebody asks.
pub(super) type Gauge = Arc<dyn Fn() -> Family + Send + Sync>;

/// What the process has counted. There is one per process, shared by all servers in it.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// The process's metrics, recorded from the first call on.
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Metrics> = OnceLock::new();
        GLOBAL.get_or_init(|| {
            let builder = PrometheusBuilder::new();
            let recorder = builder.set_buckets(REQUEST_SECONDS).unwrap_or_else(|_| PrometheusBuilder::new());
            let recorder = recorder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                // Somebody else records in this process; our page stays empty, nothing else changes.
                tracing::warn!("metrics are recorded elsewhere");
            }
            Self(handle)
        })
    }

    /// Sorts what was recorded since the last time into its buckets. Without it, memory would grow until somebody
    /// reads the page.
    pub fn tidy(&self) {
        self.0.run_upkeep();
    }

    /// The page, which shows `gauges` and `figures` too as they are then. They are this server's: what is counted is the whole
    /// process's.
    pub(super) fn router(&self, gauges: Vec<Gauge>, figures: Option<Figures>) -> Router {
        let (handle, shown) = (self.0.clone(), Arc::new((gauges, figures)));
        let page = move || async move {
            let (gauges, figures) = &*shown;
            let mut page = handle.render();
            gauges.iter().for_each(|gauge| gauge().write(&mut page));
            if let Some(figures) = figures {
                figures.families().await.iter().for_each(|family| family.write(&mut page));
            }
            ([(CONTENT_TYPE, "text/plain; version=0.0.4")], page)
        };
        Router::new().route("/metrics", get(page))
    }
}
