//! The pages that the HTTP listener serves beside the AWS endpoint, and the gauges of what the listeners hold.
use std::sync::Arc;

use crate::access::Trust;
use crate::app::parts::Parts;
use crate::app::smtp_listeners::Count;
use crate::base::{Clock, Memory};
use crate::config::{Mode, Settings};
use crate::http::{
    self, Figures, Health, Hosts, Routes, deliveries, dev_state, home, inbox, links, peek, subscriptions, verification,
};
use crate::smtp::Tls;
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

/// What is taken of memory and places, what listens and what waits, among the metrics.
pub(super) fn gauges(
    routes: Routes,
    bounds: &http::Bounds,
    (sessions, tls): (Vec<Count>, &Arc<Tls>),
    health: &Health,
    figures: &Figures,
) -> Routes {
    let total = bounds.memory.total();
    let (memory, places, tls) = (bounds.memory.clone(), bounds.places.clone(), tls.clone());
    let (up, listeners, holding) = (health.clone(), health.clone(), health.clone());
    let number = |is: bool| if is { 1.0 } else { 0.0 };
    let listening = move || {
        let listener = |(name, is_up): (&str, bool)| (vec![("listener", name.to_owned())], number(is_up));
        listeners.listeners().into_iter().map(listener).collect()
    };
    let ends = move || tls.valid_until().map(|at| (vec![], at.secs_f64())).into_iter().collect();
    routes
        .gauge("postrider_memory_budget_bytes", "Memory that what is in flight may take.", move || total as f64)
        .gauge("postrider_memory_in_flight_bytes", "Memory that what is in flight takes.", move || memory.used() as f64)
        .gauge("postrider_store_up", "1 while the database answers.", move || number(up.is_store_up()))
        .gauge("postrider_delivery_held", "1 while nothing leaves the server.", move || {
            number(holding.held().is_some())
        })
        .gauge("postrider_http_connections", "Connections to the HTTP listener.", move || places.taken() as f64)
        .gauge("postrider_smtp_sessions", "Sessions of all SMTP listeners.", move || {
            sessions.iter().map(|count| count()).sum::<usize>() as f64
        })
        .gauges("postrider_listener_up", "1 while a listener of this server takes connections.", listening)
        .gauges(
            "postrider_certificate_end_timestamp_seconds",
            "When the certificate of the SMTP listeners ends, in seconds since 1970.",
            ends,
        )
        .figures(figures.clone())
}
