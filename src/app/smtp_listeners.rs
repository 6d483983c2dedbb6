//! The SMTP listeners of this server: incoming mail, submission, and in `dev` the port that captures.
use std::net::SocketAddr;
use std::sync::Arc;

use crate::app::certificate;
use crate::app::parts::Parts;
use crate::app::start::{GRACE, StartError};
use crate::base::{AccountId, Clock, Memory, Region};
use crate::config::Settings;
use crate::smtp::{self, Catcher, Limits, Mode, PostOffice, Tls, Upstream};
use crate::store::Store;
use crate::workers::Stop;

/// How many sessions there are, whenever that is asked.
pub(super) type Count = Box<dyn Fn() -> usize + Send + Sync>;

/// Those that the settings want, bound and not yet served.
pub(super) struct SmtpListeners {
    pub(super) tls: Arc<Tls>,
    pub(super) inbound: Option<smtp::Listener<PostOffice>>,
    pub(super) submission: Option<smtp::Listener<PostOffice>>,
    pub(super) submissions: Option<smtp::Listener<PostOffice>>,
    pub(super) capture: Option<smtp::Listener<Catcher>>,
}

/// What all of them have.
struct Shared<'a> {
    settings: &'a Settings,
    memory: &'a Memory,
    tls: Arc<Tls>,
    clock: &'a Clock,
}

impl Shared<'_> {
    fn service<U>(&self, mode: Mode, implicit_tls: bool, upstream: &Arc<U>) -> smtp::Service<U> {
        let (settings, clients) = (self.settings, &self.settings.smtp_clients);
        smtp::Service {
            mode,
            hostname: settings.hostname.to_string(),
            limits: Limits {
                sessions: settings.doors.smtp_sessions,
                sessions_per_peer: clients.sessions,
                connections_per_minute: clients.connections_per_minute,
                tarpit_after: clients.tarpit_after,
                tarpit: clients.tarpit,
                ..Limits::default()
            },
            memory: self.memory.clone(),
            // Who captures mail with a program of his own has no authority for a certificate that we made.
            tls: (mode != Mode::Capture).then(|| self.tls.clone()),
            implicit_tls,
            clock: self.clock.clone(),
            upstream: upstream.clone(),
        }
    }
}

async fn bind<U: Upstream>(
    address: Option<SocketAddr>,
    name: &'static str,
    service: smtp::Service<U>,
) -> Result<Option<smtp::Listener<U>>, StartError> {
    let Some(address) = address else { return Ok(None) };
    smtp::Listener::bind(address, service).await.map(Some).map_err(|error| StartError::Listen(address, name, error))
}

impl SmtpListeners {
    pub(super) async fn bind(
        settings: &Settings,
        parts: &Parts,
        store: &Store,
        memory: &Memory,
        clock: &Clock,
    ) -> Result<Self, StartError> {
        let tls = Arc::new(match &settings.tls {
            Some((certificate, key)) => Tls::from_files(certificate, key)?,
            None => Tls::own(&settings.data_dir, settings.hostname.as_str())?,
        });
        let (services, home) = (&parts.services, Region::default_region());
        let (receiving, sending) = (services.receiving.clone(), services.sending.clone());
        let upstream = PostOffice::new(receiving, sending, parts.access.clone(), home.clone());
        let upstream = Arc::new(upstream.with_regions(settings.regions.clone()));
        let catcher = Arc::new(Catcher::new(store.clone(), AccountId::development(), home));
        let shared = Shared { settings, memory, tls: tls.clone(), clock };
        let of = |mode, implicit_tls| shared.service(mode, implicit_tls, &upstream);
        let capture = shared.service(Mode::Capture, false, &catcher);
        let capture = match bind(settings.dev.capture_smtp, "capture-smtp", capture).await {
            Err(StartError::Listen(address, _, error)) if settings.dev.capture_smtp_is_default => {
                tracing::warn!(%address, %error, "there is no capture port: something else listens there (capture-smtp)");
                None
            }
            bound => bound?,
        };
        Ok(Self {
            inbound: bind(settings.smtp, "smtp", of(Mode::Inbound, false)).await?,
            submission: bind(settings.submission, "submission", of(Mode::Submission, false)).await?,
            submissions: bind(settings.submissions, "submissions", of(Mode::Submission, true)).await?,
            capture,
            tls,
        })
    }

    /// How many sessions each listener has.
    pub(super) fn sessions(&self) -> Vec<Count> {
        let ours = [&self.inbound, &self.submission, &self.submissions].into_iter().flatten();
        let counts = ours.map(|listener| Box::new(listener.sessions()) as Count);
        counts.chain(self.capture.iter().map(|listener| Box::new(listener.sessions()) as Count)).collect()
    }

    pub(super) fn serve(self, stop: &Stop, clock: &Clock) {
        certificate::watch(stop, clock, self.tls);
        let named = [("smtp", self.inbound), ("submission", self.submission), ("submissions", self.submissions)];
        for (name, listener) in named {
            if let Some(listener) = listener {
                stop.spawn(name, listener.serve(stop.soft().clone(), GRACE));
            }
        }
        if let Some(listener) = self.capture {
            stop.spawn("capture-smtp", listener.serve(stop.soft().clone(), GRACE));
        }
    }
}
