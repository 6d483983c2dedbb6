//! The pages that the HTTP listener serves beside the AWS endpoint, and the gauges of what the listeners hold.
use crate::access::Trust;
use crate::app::parts::Parts;
use crate::app::smtp_listeners::Count;
use crate::base::{Clock, Memory};
use crate::config::{Mode, Settings};
use crate::http::{
    self, Health, Hosts, Routes, deliveries, dev_state, home, inbox, links, peek, subscriptions, verification,
};
use crate::store::Store;

/// All pages of this server beside the AWS endpoint.
pub(super) fn pages(
    settings: &Settings,
    parts: &Parts,
    (store, clock): (&Store, &Clock),
    health: &Health,
    memory: &Memory,
) -> Routes {
    let services = &parts.services;
    let routes = Routes::new(health)
        .with(home::routes())
        .home(home::page(parts.inbox))
        .with(links::routes(services.topics.clone()))
        .with(subscriptions::routes(services.topics.clone()))
        .with(verification::routes(services.identities.clone()));
    let dev = parts.access.trust() == Trust::Anybody;
    let routes = if dev {
        routes
            .with(peek::routes(services.queues.clone(), memory.clone()))
            .with(deliveries::routes(services.topics.clone()))
            .with(dev_state::routes(store.clone(), clock.clone()))
    } else {
        routes
    };
    let inbox = || inbox::routes(store.clone(), memory.clone(), clock.clone());
    let routes = if parts.inbox { routes.with(inbox()) } else { routes };
    if settings.mode == Mode::Serve {
        return routes;
    }
    let own = [Some(settings.hostname.to_string()), settings.public_url.clone()];
    routes.only_for(Hosts::new(own.into_iter().flatten().chain(settings.dev.allow_hosts.iter().cloned())))
}

/// What is taken of memory and places, among the metrics.
pub(super) fn gauges(routes: Routes, bounds: &http::Bounds, sessions: Vec<Count>, health: &Health) -> Routes {
    let total = bounds.memory.total();
    let (memory, places, health) = (bounds.memory.clone(), bounds.places.clone(), health.clone());
    routes
        .gauge("postrider_memory_budget_bytes", move || total as f64)
        .gauge("postrider_memory_in_flight_bytes", move || memory.used() as f64)
        .gauge("postrider_store_up", move || if health.is_store_up() { 1.0 } else { 0.0 })
        .gauge("postrider_http_connections", move || places.taken() as f64)
        .gauge("postrider_smtp_sessions", move || sessions.iter().map(|count| count()).sum::<usize>() as f64)
}
