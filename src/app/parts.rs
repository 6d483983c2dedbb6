//! The cores, built over the store: what the listeners and the workers stand on.
use std::sync::Arc;

use crate::access::{Access, Trust};
use crate::app::admin;
use crate::app::start::StartError;
use crate::app::ways;
use crate::aws::Services;
use crate::base::{AccountId, Clock, Reach, Region, Scope};
use crate::config::{Mode, Settings};
use crate::mail::content::{ConfigurationSets, Feedback, Templates};
use crate::mail::identity::{self, Identities};
use crate::mail::marks::{Marks, ReturnPaths};
use crate::mail::receiving::checks::{CheckSettings, Checks};
use crate::mail::receiving::{Inbound, InboundSettings, Outlets, Receiving, places};
use crate::mail::resolver::Dns;
use crate::mail::sending::outbound::Outbound;
use crate::mail::sending::transport::{self, Delivery, Transport, TransportOptions};
use crate::mail::sending::{self, Imports, Limits, Sending, Simulator};
use crate::outlets::{Functions, Objects, Streams};
use crate::queues::Queues;
use crate::store::Store;
use crate::topics::delivery::Deliverer;
use crate::topics::{Spreader, Topics};
use crate::workers::{Compute, Hold, Pool, Work};

/// How many mails are on their way out at once. Most wait for the network, so there may be many: those that wait for hosts
/// that do not answer hold three quarters of the places at the most (`mail/sending/traffic.rs`).
const OUTBOUND_AT_ONCE: usize = 2_000;
/// As many where all of them go to one smart host.
const OUTBOUND_AT_ONCE_TO_RELAY: usize = 50;
/// How many of them go to one domain, so that one that is slow or dead cannot take all places.
const OUTBOUND_PER_DOMAIN: u32 = 300;
/// How many deliveries of topics are worked on at once. Four fifths of them may wait for an answer, accounts and endpoints
/// share these places (`topics/delivery/traffic.rs`); each holds its message, 256 KiB at the most.
const TOPIC_DELIVERIES_AT_ONCE: usize = 750;
/// How many of them belong to one subscription, so that one whose endpoint is slow or dead cannot take all places.
const TOPIC_DELIVERIES_PER_SUBSCRIPTION: u32 = 10;
/// How many messages are on their way to many subscriptions at once. Each holds a part of its copies in memory.
const FAN_OUTS_AT_ONCE: usize = 4;
/// How many of them are one account's.
const FAN_OUTS_PER_ACCOUNT: u32 = 3;

/// Everything that the listeners and workers share.
pub struct Parts {
    /// What the AWS operations work with.
    pub services: Services,
    /// Who may call.
    pub access: Access,
    /// The streams, whose records are written by regular work.
    pub streams: Streams,
    /// Where buckets are.
    pub objects: Objects,
    /// Delivers mail; here to close idle connections.
    pub transport: Arc<Transport>,
    /// The workers of each system queue.
    pub pools: Vec<Pool>,
    /// What keeps all that would leave.
    pub hold: Hold,
    /// Whether mail is captured and not sent.
    pub captures: bool,
    /// Whether there is an inbox: in `dev`, where sent mail is captured or there is a capture port. Whoever reaches the inbox reads
    /// all mail of all accounts, the links that verify addresses among it, and in `serve` even loopback may be a proxy's way in.
    pub inbox: bool,
}

impl Parts {
    /// Builds the parts. `bound_url` is where HTTP listens; `marks` stand in return paths; `hold` keeps what would leave.
    pub(super) fn build(
        settings: &Settings,
        store: &Store,
        clock: &Clock,
        node: &str,
        (bound_url, marks, hold): (&str, Marks, Hold),
    ) -> Result<Self, StartError> {
        let wrong = |line: String| StartError::Settings(line);
        let (queues, compute) = (queues(settings, store, clock), Compute::default());
        let objects = Objects::from_settings(&settings.objects, &settings.data_dir).map_err(wrong)?;
        let streams =
            Streams::new(store.clone(), clock.clone(), objects.clone(), &settings.streams.0).map_err(wrong)?;
        let ways = ways::open(settings, clock, &streams).map_err(wrong)?;
        let topics = topics(settings, (store, clock), &queues, bound_url).with_compute(compute.clone());
        let topics = topics.with_ways(ways, settings.signing_url.as_deref());
        let dns = Dns::new(&settings.dns).map_err(|e| wrong(e.to_string()))?;
        let transport = way_out(settings, dns.clone(), clock).map_err(wrong)?;
        let captures = transport.options().delivery == Delivery::Capture;
        let outbound_at_once = outbound_at_once(&transport);

        let simulator = Simulator::new(settings.simulator_domain.clone());
        let paths = ReturnPaths::new(marks, &settings.feedback);
        let functions = Functions::from_settings(settings, clock.clone()).map_err(wrong)?;
        let services = Services {
            clock: clock.clone(),
            compute: compute.clone(),
            queues,
            public_url: settings.public_url.clone(),
            topics: topics.clone(),
            identities: identities(settings, store, clock, bound_url, dns.clone()),
            configuration_sets: ConfigurationSets::new(store.clone(), clock.clone(), topics.clone())
                .with_streams(streams.clone()),
            feedback: Feedback::new(store.clone(), topics.clone()),
            templates: Templates::new(store.clone(), clock.clone()).with_compute(compute.clone()),
            sending: sending(settings, store, clock, &topics, &compute).with_simulator(simulator.clone()),
            imports: Imports::new(store.clone(), clock.clone(), objects.clone(), limits(settings))
                .with_compute(compute.clone()),
            receiving: receiving(settings, store, clock, &functions).with_return_paths(paths.clone()),
        };

        let poster = ways::poster(settings, clock, &dns).map_err(wrong)?;
        let outlets = Outlets {
            topics: topics.clone(),
            queues: services.queues.clone(),
            objects: objects.clone(),
            functions,
            poster: poster.clone(),
        };
        let classifier = admin::classifier(settings).map_err(wrong)?;
        let inbound = inbound(settings, store, clock, outlets, compute).map_err(wrong)?;
        let inbound = inbound.with_return_paths(paths.clone()).with_classifier(classifier.clone());
        let outbound = Outbound::new(store.clone(), clock.clone(), topics.clone(), transport.clone(), outbound_at_once)
            .with_simulator(simulator)
            .with_signing(settings.dkim_canonicalization.parse().map_err(wrong)?, services.compute.clone())
            .with_long_lines_encoded(settings.encodes_long_lines)
            .with_classifier(classifier)
            .with_return_paths(paths);
        let deliverer = Deliverer::new(topics.clone(), poster).for_workers(TOPIC_DELIVERIES_AT_ONCE);
        let pool = Pools { store, clock, node, hold: &hold };
        let pools = vec![
            pool.outward(outbound_at_once, outbound).per_group(OUTBOUND_PER_DOMAIN),
            pool.outward(places::AT_ONCE, inbound).per_group(places::PER_GROUP),
            pool.inside(FAN_OUTS_AT_ONCE, Spreader::new(topics)).per_group(FAN_OUTS_PER_ACCOUNT),
            pool.outward(TOPIC_DELIVERIES_AT_ONCE, deliverer).per_group(TOPIC_DELIVERIES_PER_SUBSCRIPTION),
        ];
        let access = Access::new(store.clone(), trust(settings.mode));
        let inbox = has_inbox(settings, captures);
        Ok(Self { services, access, streams, objects, transport, pools, hold, captures, inbox })
    }
}

/// The capture port takes mail whatever becomes of sent mail.
fn has_inbox(settings: &Settings, captures: bool) -> bool {
    settings.mode == Mode::Dev && (captures || settings.dev.capture_smtp.is_some())
}

fn trust(mode: Mode) -> Trust {
    if mode == Mode::Dev { Trust::Anybody } else { Trust::KnownKeys }
}

fn queues(settings: &Settings, store: &Store, clock: &Clock) -> Queues {
    Queues::new(store.clone(), clock.clone())
        .with_names_free_at_once(settings.mode == Mode::Dev)
        .with_queues_max(settings.queues_per_account)
}

fn topics(settings: &Settings, (store, clock): (&Store, &Clock), queues: &Queues, bound_url: &str) -> Topics {
    let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), settings.public_url.clone(), bound_url);
    if settings.mode == Mode::Dev { topics.following_callers() } else { topics }
}

fn sending(settings: &Settings, store: &Store, clock: &Clock, topics: &Topics, compute: &Compute) -> Sending {
    let door = sending::Settings { limits: limits(settings), hostname: settings.hostname.to_string() };
    Sending::new(store.clone(), clock.clone(), topics.clone(), door).with_compute(compute.clone())
}

/// On a developer's machine nobody asks for leave to send.
fn limits(settings: &Settings) -> Limits {
    if settings.mode == Mode::Dev { Limits::Unlimited } else { Limits::Sandbox }
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
    let root = Scope { account: AccountId::development(), region: Region::default_region() };
    Receiving::new(store.clone(), clock.clone())
        .with_house(settings.hostname.clone(), root)
        .with_functions(functions.clone())
        .with_sandbox(settings.mode == Mode::Serve)
        .with_reach(Reach::new(settings.webhook_allow.clone()))
}

fn inbound(
    settings: &Settings,
    store: &Store,
    clock: &Clock,
    outlets: Outlets,
    compute: Compute,
) -> Result<Inbound, String> {
    let checks = Checks::new(CheckSettings::from_settings(settings), clock.clone())?.with_compute(compute.clone());
    let settings = InboundSettings::from_settings(settings);
    Ok(Inbound::new(store.clone(), clock.clone(), outlets, checks, settings).with_compute(compute))
}

/// What the workers of every queue work with.
struct Pools<'a> {
    store: &'a Store,
    clock: &'a Clock,
    node: &'a str,
    hold: &'a Hold,
}

impl Pools<'_> {
    /// Work that reaches queues and nothing else.
    fn inside(&self, at_once_max: usize, work: impl Work) -> Pool {
        Pool::new(self.store.clone(), self.clock.clone(), self.node, at_once_max, work)
    }

    /// Work that may reach others: mail hosts, endpoints; receipt rules reach functions, webhooks and buckets.
    fn outward(&self, at_once_max: usize, work: impl Work) -> Pool {
        self.inside(at_once_max, work).held_by(self.hold.clone())
    }
}

fn outbound_at_once(transport: &Transport) -> usize {
    match transport.options().delivery {
        Delivery::Relay(_) => OUTBOUND_AT_ONCE_TO_RELAY,
        _ => OUTBOUND_AT_ONCE,
    }
}

/// Whether mail can leave as the settings say.
pub(super) fn check_delivery(settings: &Settings) -> Result<(), String> {
    settings.delivery.parse::<Delivery>().map(|_| ()).map_err(|error| error.to_string())
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
