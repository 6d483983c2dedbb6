//! The cores, built over the store: what the listeners and the workers stand on.
use std::sync::Arc;

use crate::access::{Access, Trust};
use crate::app::start::StartError;
use crate::app::ways;
use crate::aws::Services;
use crate::base::{AccountId, Clock, Reach, Region};
use crate::config::{Mode, Settings};
use crate::mail::content::{ConfigurationSets, Feedback, Templates};
use crate::mail::feedback::{Marks, ReturnPaths};
use crate::mail::identity::{self, Identities};
use crate::mail::receiving::checks::{CheckSettings, Checks};
use crate::mail::receiving::{Inbound, InboundSettings, Outlets, Owner, Receiving};
use crate::mail::sending::outbound::Outbound;
use crate::mail::sending::resolver::Dns;
use crate::mail::sending::transport::{self, Delivery, Transport, TransportOptions};
use crate::mail::sending::{self, Imports, Limits, Sending, Simulator};
use crate::outlets::{Functions, Objects, Streams};
use crate::queues::Queues;
use crate::store::Store;
use crate::topics::delivery::Deliverer;
use crate::topics::{Spreader, Topics};
use crate::workers::{Compute, Pool};

/// How many mails are on their way out at once. Most wait for the network, so there may be many: those that wait for hosts
/// that do not answer hold three quarters of the places at the most (`mail/sending/traffic.rs`).
const OUTBOUND_AT_ONCE: usize = 2_000;
/// As many where all of them go to one smart host.
const OUTBOUND_AT_ONCE_TO_RELAY: usize = 50;
/// How many of them go to one domain, so that one that is slow or dead cannot take all places.
const OUTBOUND_PER_DOMAIN: u32 = 300;
/// How many received mails are worked on at once. This costs processor and memory: each is held whole.
const INBOUND_AT_ONCE: usize = 16;
/// How many deliveries of topics are under way at once. Most wait for the network; each holds its message, 256 KiB at the
/// most.
const TOPIC_DELIVERIES_AT_ONCE: usize = 300;
/// How many of them belong to one subscription, so that one whose endpoint is slow or dead cannot take all places.
const TOPIC_DELIVERIES_PER_SUBSCRIPTION: u32 = 10;
/// How many messages are on their way to many subscriptions at once. Each holds a part of its copies in memory.
const FAN_OUTS_AT_ONCE: usize = 4;

/// Everything that the listeners and workers share.
pub struct Parts {
    /// What the AWS operations work with.
    pub services: Services,
    /// Who may call.
    pub access: Access,
    /// The streams, whose records are written by regular work.
    pub streams: Streams,
    /// Delivers mail; here to close idle connections.
    pub transport: Arc<Transport>,
    /// The workers of each system queue.
    pub pools: Vec<Pool>,
    /// Whether mail is captured and not sent.
    pub captures: bool,
    /// Whether there is an inbox: where mail is captured, in `dev`. Whoever reaches it reads all mail of all accounts,
    /// the links that verify addresses among it, and in `serve` even loopback may be a proxy's way in.
    pub inbox: bool,
}

impl Parts {
    /// Builds the parts. `bound_url` is where HTTP listens; `marks` stand in return paths.
    pub(super) fn build(
        settings: &Settings,
        store: &Store,
        clock: &Clock,
        node: &str,
        (bound_url, marks): (&str, Marks),
    ) -> Result<Self, StartError> {
        let wrong = |line: String| StartError::Settings(line);
        let dev = settings.mode == Mode::Dev;
        let queues = Queues::new(store.clone(), clock.clone()).with_names_free_at_once(dev);
        let compute = Compute::default();
        let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), settings.public_url.clone(), bound_url);
        let objects = Objects::from_settings(&settings.objects, &settings.data_dir).map_err(wrong)?;
        let streams =
            Streams::new(store.clone(), clock.clone(), objects.clone(), &settings.streams.0).map_err(wrong)?;
        let ways = ways::open(settings, clock, &streams).map_err(wrong)?;
        let topics = topics.with_compute(compute.clone()).with_ways(ways, settings.signing_url.as_deref());
        let dns = Dns::new(&settings.dns).map_err(|e| wrong(e.to_string()))?;
        let webhook_dns = dns.clone();
        let transport = way_out(settings, dns.clone(), clock).map_err(wrong)?;
        let captures = transport.options().delivery == Delivery::Capture;
        let relays = matches!(transport.options().delivery, Delivery::Relay(_));
        let outbound_at_once = if relays { OUTBOUND_AT_ONCE_TO_RELAY } else { OUTBOUND_AT_ONCE };

        let limits = if dev { Limits::Unlimited } else { Limits::Sandbox };
        let door = sending::Settings { limits, hostname: settings.hostname.to_string() };
        let simulator = Simulator::new(settings.simulator_domain.clone());
        let paths = ReturnPaths::new(marks, &settings.feedback);
        let functions = Functions::from_settings(settings, clock.clone()).map_err(wrong)?;
        let services = Services {
            clock: clock.clone(),
            compute: compute.clone(),
            queues,
            topics: topics.clone(),
            identities: identities(settings, store, clock, bound_url, dns),
            configuration_sets: ConfigurationSets::new(store.clone(), clock.clone(), topics.clone())
                .with_streams(streams.clone()),
            feedback: Feedback::new(store.clone(), topics.clone()),
            templates: Templates::new(store.clone(), clock.clone()).with_compute(compute.clone()),
            sending: sending(store, clock, topics.clone(), door, &compute).with_simulator(simulator.clone()),
            imports: Imports::new(store.clone(), clock.clone(), objects.clone(), limits),
            receiving: receiving(settings, store, clock, &functions).with_return_paths(paths.clone()),
        };

        let poster = ways::poster(settings, clock, &webhook_dns).map_err(wrong)?;
        let outlets = Outlets {
            topics: topics.clone(),
            queues: services.queues.clone(),
            objects,
            functions,
            poster: poster.clone(),
        };
        let inbound = inbound(settings, store, clock, outlets, (compute, paths.clone())).map_err(wrong)?;
        let outbound = Outbound::new(store.clone(), clock.clone(), topics.clone(), transport.clone(), outbound_at_once)
            .with_simulator(simulator)
            .with_canonicalization(settings.dkim_canonicalization.parse().map_err(wrong)?)
            .with_return_paths(paths);
        let spreader = Spreader::new(topics.clone());
        let deliverer = Deliverer::new(topics, poster);
        let pools = vec![
            Pool::new(store.clone(), clock.clone(), node, outbound_at_once, outbound).per_group(OUTBOUND_PER_DOMAIN),
            Pool::new(store.clone(), clock.clone(), node, INBOUND_AT_ONCE, inbound),
            Pool::new(store.clone(), clock.clone(), node, FAN_OUTS_AT_ONCE, spreader),
            Pool::new(store.clone(), clock.clone(), node, TOPIC_DELIVERIES_AT_ONCE, deliverer)
                .per_group(TOPIC_DELIVERIES_PER_SUBSCRIPTION),
        ];
        let trust = if dev { Trust::Anybody } else { Trust::KnownKeys };
        let access = Access::new(store.clone(), clock.clone(), trust);
        Ok(Self { services, access, streams, transport, pools, captures, inbox: captures && dev })
    }
}

fn identities(settings: &Settings, store: &Store, clock: &Clock, bound_url: &str, dns: Dns) -> Identities {
    let identity_settings = identity::Settings {
        at_once: settings.mode == Mode::Dev,
        link_base: settings.public_url.clone().unwrap_or_else(|| bound_url.to_owned()),
        hostname: settings.hostname.to_string(),
        dkim_zone: settings.dkim_zone.as_ref().map(ToString::to_string),
    };
    Identities::new(store.clone(), clock.clone(), identity_settings, Arc::new(dns))
}

/// The core of receiving. Mail to this server's own postmaster is the root account's.
fn receiving(settings: &Settings, store: &Store, clock: &Clock, functions: &Functions) -> Receiving {
    let root = Owner { account: AccountId::development(), region: Region::default_region() };
    Receiving::new(store.clone(), clock.clone())
        .with_house(settings.hostname.clone(), root)
        .with_functions(functions.clone())
        .with_sandbox(settings.mode == Mode::Serve)
}

fn sending(store: &Store, clock: &Clock, topics: Topics, door: sending::Settings, compute: &Compute) -> Sending {
    Sending::new(store.clone(), clock.clone(), topics, door).with_compute(compute.clone())
}

fn inbound(
    settings: &Settings,
    store: &Store,
    clock: &Clock,
    outlets: Outlets,
    (compute, paths): (Compute, ReturnPaths),
) -> Result<Inbound, String> {
    let checks = Checks::new(CheckSettings::from_settings(settings), clock.clone())?;
    let own = InboundSettings::from_settings(settings);
    Ok(Inbound::new(store.clone(), clock.clone(), outlets, checks, own).with_compute(compute).with_return_paths(paths))
}

/// The way that mail leaves by.
fn way_out(settings: &Settings, dns: Dns, clock: &Clock) -> Result<Arc<Transport>, String> {
    let options = TransportOptions {
        delivery: settings.delivery.parse().map_err(|error: transport::BadDelivery| error.to_string())?,
        mx_port: settings.mx_port,
        reach: Reach::new(settings.mx_allow.clone()),
        hostname: settings.hostname.to_string(),
        sources: settings.source_address.clone(),
        limits: transport::Limits::default(),
    };
    Transport::new(options, dns, clock.clone()).map(Arc::new).map_err(|error| error.to_string())
}
