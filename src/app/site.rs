//! The pages that the HTTP listener serves beside the AWS endpoint, and the gauges of what the listeners hold.
use crate::access::Trust;
use crate::app::parts::Parts;
use crate::base::Memory;
use crate::http::{self, Health, Routes, deliveries, inbox, links, peek, subscriptions, verification};
use crate::store::Store;

/// All pages of this server beside the AWS endpoint.
pub(super) fn pages(parts: &Parts, store: &Store, health: &Health, memory: &Memory) -> Routes {
    let services = &parts.services;
    let routes = Routes::new(health)
        .with(links::routes(services.topics.clone()))
        .with(subscriptions::routes(services.topics.clone()))
        .with(verification::routes(services.identities.clone()));
    let dev = parts.access.trust() == Trust::Anybody;
    let routes = if dev {
        routes
            .with(peek::routes(services.queues.clone(), memory.clone()))
            .with(deliveries::routes(services.topics.clone()))
    } else {
        routes
    };
    if parts.inbox { routes.with(inbox::routes(store.clone(), memory.clone())) } else { routes }
}

/// What is taken of memory and places, among the metrics.
pub(super) fn gauges<F>(routes: Routes, bounds: &http::Bounds, sessions: [F; 3], health: &Health) -> Routes
where
    F: Fn() -> usize + Send + Sync + 'static,
{
    let total = bounds.memory.total();
    let (memory, places, health) = (bounds.memory.clone(), bounds.places.clone(), health.clone());
    routes
        .gauge("postrider_memory_budget_bytes", move || total as f64)
        .gauge("postrider_memory_in_flight_bytes", move || memory.used() as f64)
        .gauge("postrider_store_up", move || if health.is_store_up() { 1.0 } else { 0.0 })
        .gauge("postrider_http_connections", move || places.taken() as f64)
        .gauge("postrider_smtp_sessions", move || sessions.iter().map(|count| count()).sum::<usize>() as f64)
}
