//! The three SMTP listeners of a server: for mail that comes in, and for mail that is submitted with STARTTLS or with TLS at once.
use std::sync::Arc;
use std::time::Duration;

use crate::app::parts::Parts;
use crate::app::start::StartError;
use crate::base::{Clock, Memory, Region};
use crate::config::Settings;
use crate::smtp::tls::TlsError;
use crate::smtp::{self, Limits, PostOffice, Tls};
use crate::workers::{Stop, tick};

/// How soon a certificate that was replaced on the disk is used.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(30);

/// They are bound, and serve once they are told to.
pub(super) struct SmtpListeners {
    pub(super) tls: Arc<Tls>,
    pub(super) inbound: smtp::Listener<PostOffice>,
    pub(super) submission: smtp::Listener<PostOffice>,
    pub(super) submissions: smtp::Listener<PostOffice>,
}

impl SmtpListeners {
    pub(super) async fn bind(
        settings: &Settings,
        parts: &Parts,
        memory: &Memory,
        clock: &Clock,
    ) -> Result<Self, StartError> {
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
    pub(super) fn sessions(&self) -> [impl Fn() -> usize + Send + Sync + 'static + use<>; 3] {
        [self.inbound.sessions(), self.submission.sessions(), self.submissions.sessions()]
    }

    pub(super) fn serve(self, stop: &Stop, clock: &Clock, grace: Duration) {
        tick(stop, clock, "certificates", CERTIFICATES_EVERY, self.tls, async |tls| {
            if tls.refresh()? {
                tracing::info!("a new smtp certificate is in use");
            }
            Ok::<_, TlsError>(())
        });
        let named = [("smtp", self.inbound), ("submission", self.submission), ("submissions", self.submissions)];
        for (name, listener) in named {
            stop.spawn(name, listener.serve(stop.soft().clone(), grace));
        }
    }
}
