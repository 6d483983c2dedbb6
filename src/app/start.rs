//! Starting in order (data directory, store, listeners, workers) and stopping in two steps.
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{self, RootKey, ensure_root};
use crate::app::certificate;
use crate::app::data_dir::DataDir;
use crate::app::lineage::Watch;
use crate::app::master_key::{OpenError, open_store};
use crate::app::parts::Parts;
use crate::app::process;
use crate::app::site;
use crate::app::smtp_listeners::SmtpListeners;
use crate::app::steady;
use crate::aws::Gate;
use crate::base::{Clock, Memory, Timestamp};
use crate::config::{Doors, Mode, Octets, Settings};
use crate::http;
use crate::http::{AwsEndpoint, Figures, Health, Routes};
use crate::mail::identity::looks::LOOKS_AT_ONCE;
use crate::mail::marks::Marks;
use crate::mail::sending::imports::IMPORTS_AT_ONCE;
use crate::mail::{identity, receiving, sending};
use crate::operator::Census;
use crate::outlets::streams::STREAMS_AT_ONCE;
use crate::smtp::tls::TlsError;
use crate::smtp::{Listener, Tls};
use crate::store::{self, Store};
use crate::workers::{Pool, Stop, sweep_dead_letters, tick, tick_pieces};

/// How long work in flight may go on after the stop has begun.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// Connections to the listener for health and metrics alone.
const ADMIN_CONNECTIONS: usize = 64;
/// What the largest request takes of the memory: 56 MiB of SendEmail, decoded and all.
const LARGEST_REQUEST: u64 = 3 * 56 * 1024 * 1024;
/// How often mail that is done, and jobs that were given up, are looked through for what is old.
const MAIL_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often the records of streams are looked at: their objects are begun after a minute or 5 MiB.
const STREAMS_EVERY: Duration = Duration::from_secs(2);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How soon a move task begins, and in what steps it keeps its rate.
const MOVES_EVERY: Duration = Duration::from_millis(500);
/// How soon the rest of a purge goes; the first messages go before it answers.
const PURGES_EVERY: Duration = Duration::from_secs(2);
/// How soon a replay begins, and how often one that has an end to come looks for more.
const REPLAYS_EVERY: Duration = Duration::from_secs(2);
/// How soon an import job begins.
const IMPORTS_EVERY: Duration = Duration::from_secs(2);
/// How soon an identity that was made, or asked about again, is looked for in the DNS.
const IDENTITIES_EVERY: Duration = Duration::from_secs(5);
/// How old the metrics may be that say whether the store answers.
const HEALTH_EVERY: Duration = Duration::from_secs(5);
const IDLE_CONNECTIONS_EVERY: Duration = Duration::from_secs(10);

/// Why the server does not start: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The data directory cannot be used.
    #[error("data directory {0}: {1}")]
    DataDir(PathBuf, io::Error),
    /// The store cannot be opened.
    #[error("cannot open the store: {0}")]
    Store(#[from] store::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {0} for {1}: {2}")]
    Listen(SocketAddr, &'static str, io::Error),
    /// The certificate cannot be used.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// Receipt rules cannot be read.
    #[error("receipt rules: {0}")]
    Rules(#[from] receiving::Error),
    /// DKIM keys cannot be read.
    #[error("dkim keys: {0}")]
    Keys(#[from] identity::Error),
    /// The root key cannot be set up.
    #[error("root access key: {0}")]
    Root(#[from] access::Error),
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Settings(line) => Self::Settings(line),
            OpenError::Nothing => Self::Settings(error.to_string()),
            OpenError::Store(error) => Self::Store(error),
        }
    }
}

/// Where the server listens, ports filled in.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The AWS endpoint, health, metrics, inbox.
    pub http: SocketAddr,
    /// Incoming mail.
    pub smtp: Option<SocketAddr>,
    /// Submission with STARTTLS.
    pub submission: Option<SocketAddr>,
    /// Submission with TLS from the first byte.
    pub submissions: Option<SocketAddr>,
    /// Mail of anybody, for the inbox.
    pub capture_smtp: Option<SocketAddr>,
    /// Health and metrics alone.
    pub admin: Option<SocketAddr>,
}

/// A running server.
pub struct App {
    addresses: Addresses,
    root_key: Option<RootKey>,
    health: Health,
    parts: Parts,
    store: Store,
    memory: Memory,
    ends: Ends,
    tls: Arc<Tls>,
    lineage: Watch,
    _data_dir: DataDir,
}

/// What the end needs.
struct Ends {
    stop: Stop,
    /// Of the listener for health, which is there until the end.
    last: Stop,
    drain: Duration,
    clock: Clock,
}

impl App {
    /// Starts the listeners, and with `workers` the workers too; without them [`App::round`] does their work.
    ///
    /// # Errors
    /// A [`StartError`]; nothing is left running then.
    pub async fn start(settings: Settings, clock: Clock, workers: bool) -> Result<Self, StartError> {
        process::raise_open_files();
        let (data_dir, store) = open(&settings, &clock).await?;
        access::seal_secrets(&store).await?;
        let listener = bind(settings.http, "http").await?;
        let bound_url = own_url(&settings, listener.address());
        let marks = Marks::of(&store).await?;
        let lineage = Watch::begin(&settings, &store, &clock).await?;
        let parts = Parts::build(&settings, &store, &clock, &data_dir.node, (&bound_url, marks, lineage.hold()))?;
        // The others' secrets are sealed by now; these need the core that knows them.
        parts.services.identities.seal_keys().await?;
        parts.services.receiving.seal_secrets().await?;
        let root_key = match settings.mode {
            Mode::Dev => None,
            Mode::Serve => Some(ensure_root(&store, &settings.data_dir, settings.root_key.clone()).await?),
        };
        let memory = memory(&settings, &clock);
        let smtp = SmtpListeners::bind(&settings, &parts, &store, &memory, &clock).await?;
        let admin = match settings.doors.admin {
            Some(address) => Some(bind(address, "admin").await?),
            None => None,
        };
        let addresses = Addresses {
            http: listener.address(),
            smtp: smtp.inbound.as_ref().map(Listener::address),
            submission: smtp.submission.as_ref().map(Listener::address),
            submissions: smtp.submissions.as_ref().map(Listener::address),
            capture_smtp: smtp.capture.as_ref().map(Listener::address),
            admin: admin.as_ref().map(http::Listener::address),
        };

        let (stop, last) = (Stop::new(clock.clone()), Stop::new(clock.clone()));
        let beside = http::Beside {
            hold: lineage.hold(),
            buckets_apart: steady::buckets_are_apart(&settings, &store, &parts.objects),
        };
        let health = Health::of(store.clone(), [stop.clone(), last.clone()], clock.clone(), beside);
        let Doors { http_connections, http_connections_per_peer, drain, .. } = settings.doors;
        let bounds = http::Bounds::new(http_connections, http_connections_per_peer, memory.clone(), clock.clone());
        let census = Census::new(store.clone(), clock.clone());
        stop.spawn("census", census.clone().run(stop.soft().clone()));
        let figures = Figures::new(census, clock.clone());
        let gauges = |routes: Routes| site::gauges(routes, &bounds, (smtp.sessions(), &smtp.tls), &health, &figures);
        let gate = Gate::new(parts.access.clone(), clock.clone()).with_regions(settings.regions.clone());
        let endpoint = AwsEndpoint::new(parts.services.clone(), gate, clock.clone(), memory.clone());
        let endpoint = endpoint.telling_all(settings.mode == Mode::Dev);
        let site = gauges(site::pages(&settings, &parts, (&store, &clock), &health, &memory)).finish(endpoint);
        let soft = stop.soft();
        if let Some(admin) = admin {
            let site = gauges(Routes::new(&health)).alone();
            let bounds = http::Bounds::new(ADMIN_CONNECTIONS, ADMIN_CONNECTIONS, memory.clone(), clock.clone());
            last.spawn("admin", admin.serve(site, clock.clone(), bounds, last.soft().clone(), GRACE));
        }
        stop.spawn("http", listener.serve(site, clock.clone(), bounds, soft.clone(), GRACE));
        let tls = smtp.tls.clone();
        smtp.serve(&stop, &clock);
        let (ends, _data_dir) = (Ends { stop, last, drain, clock }, data_dir);
        let app = Self { addresses, root_key, health, parts, store, memory, ends, tls, lineage, _data_dir };
        if workers {
            app.start_work(&settings).await?;
        }
        app.health.ready();
        Ok(app)
    }

    async fn start_work(&self, settings: &Settings) -> Result<(), StartError> {
        let Ends { stop, clock, .. } = &self.ends;
        if !settings.accept_only {
            self.start_pools(stop).await?;
        }
        self.lineage.go_on(stop, clock);
        self.start_regular_work(stop, clock);
        steady::watch(stop, clock, settings, &self.store, &self.parts.objects);
        tick(stop, clock, "health", HEALTH_EVERY, self.health.clone(), async |health| {
            health.look().await;
            Ok::<_, store::Error>(())
        });
        Ok(())
    }

    async fn start_pools(&self, stop: &Stop) -> Result<(), StartError> {
        for pool in &self.parts.pools {
            match pool.recover().await {
                // What was kept back has been let go. Where nothing was, these claims end by themselves.
                Err(store::Error::Full) => match pool.recover().await {
                    Err(store::Error::Full) => 0,
                    recovered => recovered?,
                },
                recovered => recovered?,
            };
            stop.spawn(pool.name(), pool.clone().run(stop.clone()));
        }
        Ok(())
    }

    fn start_regular_work(&self, stop: &Stop, clock: &Clock) {
        let services = self.parts.services.clone();
        tick(stop, clock, "move tasks", MOVES_EVERY, services.queues.clone(), async |queues| queues.move_round().await);
        tick(stop, clock, "purges", PURGES_EVERY, services.queues.clone(), async |queues| queues.purge_round().await);
        tick(stop, clock, "expired messages", SWEEP_EVERY, services.queues, async |queues| {
            queues.sweep_expired().await?;
            queues.sweep_moves().await?;
            queues.sweep_deleted().await
        });
        // Each round takes a part, so that nobody waits long for the store; what grows faster than that must go all the same.
        tick_pieces(stop, clock, "identities", IDENTITIES_EVERY, LOOKS_AT_ONCE, services.identities.clone());
        tick(stop, clock, "links", SWEEP_EVERY, services.identities, async |identities| {
            while identities.sweep().await? > 0 {}
            Ok::<_, identity::Error>(())
        });
        tick(stop, clock, "received mail", MAIL_EVERY, services.receiving, async |receiving| {
            while receiving.sweep().await? > 0 {}
            Ok::<_, receiving::Error>(())
        });
        tick(stop, clock, "sent mail", MAIL_EVERY, services.sending, async |sending| {
            while sending.sweep().await? > 0 {}
            Ok::<_, sending::SendError>(())
        });
        tick(stop, clock, "replays", REPLAYS_EVERY, services.topics.clone(), async |topics| {
            topics.replay_round().await
        });
        tick(stop, clock, "topics", SWEEP_EVERY, services.topics, async |topics| topics.sweep().await);
        let hold = &self.parts.hold;
        tick_pieces(stop, clock, "imports", IMPORTS_EVERY, IMPORTS_AT_ONCE, hold.over(services.imports.clone()));
        tick(stop, clock, "import jobs", MAIL_EVERY, services.imports, async |imports| imports.sweep().await);
        tick_pieces(stop, clock, "streams", STREAMS_EVERY, STREAMS_AT_ONCE, hold.over(self.parts.streams.clone()));
        let state = (self.store.clone(), clock.clone());
        tick(stop, clock, "dead letters", MAIL_EVERY, state, async |(store, clock)| {
            while sweep_dead_letters(&store, &clock).await? > 0 {}
            Ok::<_, store::Error>(())
        });
        tick(
            stop,
            clock,
            "idle connections",
            IDLE_CONNECTIONS_EVERY,
            self.parts.transport.clone(),
            async |transport| {
                transport.close_idle();
                Ok::<_, store::Error>(())
            },
        );
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// How the root account got its key; `None` in `dev`, where nobody needs one.
    pub fn root_key(&self) -> Option<&RootKey> {
        self.root_key.as_ref()
    }

    /// The store, for what the operator does beside the listeners.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Takes a certificate up at once that was replaced on the disk; whether there is one.
    ///
    /// # Errors
    /// When it cannot be used; the one before stays in use.
    pub fn reload_certificate(&self) -> Result<bool, TlsError> {
        certificate::refresh(&self.tls)
    }

    /// When the certificate in use ends, where that can be read.
    pub fn certificate_until(&self) -> Option<Timestamp> {
        self.tls.valid_until()
    }

    /// Whether it takes work.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The memory that the listeners share.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The cores.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// One round of every worker. Gives how many jobs were worked.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn round(&self) -> Result<usize, store::Error> {
        self.lineage.look().await?;
        let rounds = self.parts.pools.iter().map(Pool::round);
        let worked: Vec<usize> = futures::future::try_join_all(rounds).await?;
        let moved = self.parts.services.queues.move_round().await?;
        let purged = self.parts.services.queues.purge_round().await?;
        let replayed = self.parts.services.topics.replay_round().await?;
        let inside = worked.into_iter().sum::<usize>() + moved + purged + replayed;
        if self.parts.hold.is_held() {
            return Ok(inside);
        }
        Ok(inside + self.parts.streams.round().await? + self.parts.services.imports.round().await?)
    }

    /// Stops: health says so, for as long as the settings want before anything else happens (`drain`). Then nothing new begins,
    /// what is in flight has a grace period, and what is then still held is released.
    pub async fn stop(self) {
        let Ends { stop, last, drain, clock } = &self.ends;
        self.health.stopping();
        if !drain.is_zero() {
            tracing::info!(seconds = drain.as_secs(), "health says that the server stops; it takes work until then");
            clock.sleep(*drain).await;
        }
        self.parts.services.queues.end_waiting();
        stop.finish(GRACE).await;
        last.finish(Duration::ZERO).await;
    }
}

/// The data directory and the store, before anything is written.
async fn open(settings: &Settings, clock: &Clock) -> Result<(DataDir, Store), StartError> {
    let database = steady::sqlite_file(settings).map_err(StartError::Settings)?;
    let mut data_dir = DataDir::open(&settings.data_dir, database.as_deref())
        .map_err(|e| StartError::DataDir(settings.data_dir.clone(), e))?;
    steady::check_files(settings);
    if let Some(database) = &database {
        steady::make_way(database);
    }
    let store = open_store(settings, clock.clone()).await?;
    // Where the disk is full now, what is kept back is let go.
    steady::keep_room(settings, &store);
    data_dir.tell(settings);
    Ok((data_dir, store))
}

async fn bind(address: SocketAddr, name: &'static str) -> Result<http::Listener, StartError> {
    http::Listener::bind(address).await.map_err(|error| StartError::Listen(address, name, error))
}

/// Where links lead to if no setting says: here. An address that stands for all of them leads nowhere.
fn own_url(settings: &Settings, address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://{}:{}", settings.hostname, address.port())
    } else {
        format!("http://{address}")
    }
}

/// The memory of all listeners. The operator hears of it when it is too small for the largest mail.
fn memory(settings: &Settings, clock: &Clock) -> Memory {
    let total = settings.doors.memory;
    if Memory::largest(total) < LARGEST_REQUEST {
        let (budget, needed) = (Octets(total), Octets((LARGEST_REQUEST / 9 * 16).next_multiple_of(1 << 20)));
        tracing::warn!(%budget, %needed, "the memory budget is too small for the largest mail, which is always put off");
    }
    Memory::new(total, clock.clone())
}
