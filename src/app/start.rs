//! Starting in order (data directory, store, listeners, workers) and stopping in two steps.
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{self, RootKey, ensure_root};
use crate::app::data_dir::DataDir;
use crate::app::master_key::{OpenError, open_store};
use crate::app::parts::Parts;
use crate::app::process;
use crate::app::site;
use crate::app::steady;
use crate::aws::Gate;
use crate::base::{Clock, Memory, Region};
use crate::config::{Doors, Mode, Octets, Settings};
use crate::http;
use crate::http::{AwsEndpoint, Health, Routes};
use crate::mail::feedback::Marks;
use crate::mail::identity::verification::LOOKS_AT_ONCE;
use crate::mail::sending::imports::IMPORTS_AT_ONCE;
use crate::mail::{identity, receiving, sending};
use crate::outlets::streams::STREAMS_AT_ONCE;
use crate::smtp::tls::TlsError;
use crate::smtp::{self, Limits, PostOffice, Tls};
use crate::store::{self, Store};
use crate::topics;
use crate::workers::{Pool, Stop, sweep_dead_letters, tick, tick_pieces};

/// How long work in flight may go on after the stop has begun.
const GRACE: Duration = Duration::from_secs(10);
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
/// How soon a certificate that was replaced on the disk is used.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(30);
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
    pub smtp: SocketAddr,
    /// Submission with STARTTLS.
    pub submission: SocketAddr,
    /// Submission with TLS from the first byte.
    pub submissions: SocketAddr,
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
    stop: Stop,
    tls: Arc<Tls>,
    _data_dir: DataDir,
}

impl App {
    /// Starts the listeners, and with `workers` the workers too; without them [`App::round`] does their work.
    ///
    /// # Errors
    /// A [`StartError`]; nothing is left running then.
    pub async fn start(settings: Settings, clock: Clock, workers: bool) -> Result<Self, StartError> {
        process::raise_open_files();
        let database = steady::sqlite_file(&settings).map_err(StartError::Settings)?;
        let data_dir = DataDir::open(&settings.data_dir, database.as_deref())
            .map_err(|e| StartError::DataDir(settings.data_dir.clone(), e))?;
        steady::check_files(&settings);
        if let Some(database) = &database {
            steady::make_way(database);
        }
        let store = open_store(&settings, clock.clone()).await?;
        // Before anything is written: what is kept back is let go where the disk is full now.
        steady::keep_room(&settings, &store);
        access::seal_secrets(&store).await?;
        let listener = http::Listener::bind(settings.http).await;
        let listener = listener.map_err(|e| StartError::Listen(settings.http, "http", e))?;
        let bound_url = own_url(&settings, listener.address());
        let marks = Marks::of(&store).await?;
        let parts = Parts::build(&settings, &store, &clock, &data_dir.node, (&bound_url, marks))?;
        // The others' secrets are sealed by now; these need the core that knows them.
        parts.services.identities.seal_keys().await?;
        let root_key = match settings.mode {
            Mode::Dev => None,
            Mode::Serve => Some(ensure_root(&store, &settings.data_dir, settings.root_key.clone()).await?),
        };
        let memory = memory(&settings, &clock);
        let smtp = SmtpListeners::bind(&settings, &parts, &memory, &clock).await?;
        let admin = match settings.doors.admin {
            Some(address) => {
                Some(http::Listener::bind(address).await.map_err(|error| StartError::Listen(address, "admin", error))?)
            }
            None => None,
        };
        let addresses = Addresses {
            http: listener.address(),
            smtp: smtp.inbound.address(),
            submission: smtp.submission.address(),
            submissions: smtp.submissions.address(),
            admin: admin.as_ref().map(http::Listener::address),
        };

        let stop = Stop::new(clock.clone());
        let health = Health::default();
        let Doors { http_connections, http_connections_per_peer, .. } = settings.doors;
        let bounds = http::Bounds::new(http_connections, http_connections_per_peer, memory.clone(), clock.clone());
        let gauges = |routes: Routes| site::gauges(routes, &bounds, smtp.sessions());
        let gate = Gate::new(parts.access.clone(), clock.clone()).with_regions(settings.regions.clone());
        let endpoint = AwsEndpoint::new(parts.services.clone(), gate, clock.clone(), memory.clone());
        let site = gauges(site::pages(&parts, &store, &health, &memory)).finish(endpoint);
        let soft = stop.soft();
        if let Some(admin) = admin {
            let site = gauges(Routes::new(&health)).alone();
            let bounds = http::Bounds::new(ADMIN_CONNECTIONS, ADMIN_CONNECTIONS, memory.clone(), clock.clone());
            stop.spawn("admin", admin.serve(site, clock.clone(), bounds, soft.clone(), GRACE));
        }
        stop.spawn("http", listener.serve(site, clock.clone(), bounds, soft.clone(), GRACE));
        let tls = smtp.tls.clone();
        smtp.serve(&stop, &clock);
        let app = Self { addresses, root_key, health, parts, store, memory, stop, tls, _data_dir: data_dir };
        if workers {
            if !settings.accept_only {
                app.start_pools().await?;
            }
            app.start_regular_work(&clock);
            steady::watch(&app.stop, &clock, &settings, &app.store, &app.parts.objects);
        }
        app.health.ready();
        Ok(app)
    }

    async fn start_pools(&self) -> Result<(), StartError> {
        for pool in &self.parts.pools {
            match pool.recover().await {
                // What was kept back has been let go. Where nothing was, these claims end by themselves.
                Err(store::Error::Full) => match pool.recover().await {
                    Err(store::Error::Full) => 0,
                    recovered => recovered?,
                },
                recovered => recovered?,
            };
            self.stop.spawn(pool.name(), pool.clone().run(self.stop.clone()));
        }
        Ok(())
    }

    fn start_regular_work(&self, clock: &Clock) {
        let (stop, services) = (&self.stop, self.parts.services.clone());
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
        tick(stop, clock, "topics", SWEEP_EVERY, services.topics, async |topics| {
            while topics.sweep().await? > 0 {}
            Ok::<_, topics::Error>(())
        });
        tick_pieces(stop, clock, "imports", IMPORTS_EVERY, IMPORTS_AT_ONCE, services.imports.clone());
        tick(stop, clock, "import jobs", MAIL_EVERY, services.imports, async |imports| imports.sweep().await);
        tick_pieces(stop, clock, "streams", STREAMS_EVERY, STREAMS_AT_ONCE, self.parts.streams.clone());
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
        self.tls.refresh()
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
        let rounds = self.parts.pools.iter().map(Pool::round);
        let worked: Vec<usize> = futures::future::try_join_all(rounds).await?;
        let moved = self.parts.services.queues.move_round().await?;
        let written = self.parts.streams.round().await?;
        let purged = self.parts.services.queues.purge_round().await?;
        let replayed = self.parts.services.topics.replay_round().await?;
        let imported = self.parts.services.imports.round().await?;
        Ok(worked.into_iter().sum::<usize>() + moved + written + purged + replayed + imported)
    }

    /// Stops: nothing new begins, what is in flight has a grace period, and what is then still held is released.
    pub async fn stop(self) {
        self.health.stopping();
        self.parts.services.queues.end_waiting();
        self.stop.finish(GRACE).await;
    }
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

struct SmtpListeners {
    tls: Arc<Tls>,
    inbound: smtp::Listener<PostOffice>,
    submission: smtp::Listener<PostOffice>,
    submissions: smtp::Listener<PostOffice>,
}

impl SmtpListeners {
    async fn bind(settings: &Settings, parts: &Parts, memory: &Memory, clock: &Clock) -> Result<Self, StartError> {
        let hostname = settings.hostname.to_string();
        let tls = Arc::new(match &settings.tls {
            Some((certificate, key)) => Tls::from_files(certificate, key)?,
            None => Tls::own(&settings.data_dir, &hostname)?,
        });
        let services = &parts.services;
        let (receiving, sending) = (services.receiving.clone(), services.sending.clone());
        let upstream = PostOffice::new(receiving, sending, parts.access.clone(), Region::default_region());
        let upstream = Arc::new(upstream.with_regions(settings.regions.clone()));
        let service = |mode, implicit_tls| smtp::Service {
            mode,
            hostname: hostname.clone(),
            limits: Limits {
                sessions: settings.doors.smtp_sessions,
                sessions_per_peer: settings.smtp_clients.sessions,
                connections_per_minute: settings.smtp_clients.connections_per_minute,
                tarpit_after: settings.smtp_clients.tarpit_after,
                tarpit: settings.smtp_clients.tarpit,
                ..Limits::default()
            },
            memory: memory.clone(),
            tls: Some(tls.clone()),
            implicit_tls,
            clock: clock.clone(),
            upstream: upstream.clone(),
        };
        let bind = async |address, name, service| {
            smtp::Listener::bind(address, service).await.map_err(|e| StartError::Listen(address, name, e))
        };
        Ok(Self {
            tls: tls.clone(),
            inbound: bind(settings.smtp, "smtp", service(smtp::Mode::Inbound, false)).await?,
            submission: bind(settings.submission, "submission", service(smtp::Mode::Submission, false)).await?,
            submissions: bind(settings.submissions, "submissions", service(smtp::Mode::Submission, true)).await?,
        })
    }

    /// How many sessions each listener has, whenever that is asked.
    fn sessions(&self) -> [impl Fn() -> usize + Send + Sync + 'static + use<>; 3] {
        [self.inbound.sessions(), self.submission.sessions(), self.submissions.sessions()]
    }

    fn serve(self, stop: &Stop, clock: &Clock) {
        tick(stop, clock, "certificates", CERTIFICATES_EVERY, self.tls, async |tls| {
            if tls.refresh()? {
                tracing::info!("a new smtp certificate is in use");
            }
            Ok::<_, TlsError>(())
        });
        let named = [("smtp", self.inbound), ("submission", self.submission), ("submissions", self.submissions)];
        for (name, listener) in named {
            stop.spawn(name, listener.serve(stop.soft().clone(), GRACE));
        }
    }
}
