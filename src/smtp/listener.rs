//! Listens, lets sessions in, and stops in two steps: the idle are sent away, who is in a message may finish it.
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::{Clock, Memory, Quiet, ids, listen};
use crate::smtp::connection::{Connection, Shared};
use crate::smtp::gate::{Full, Gate, Place};
use crate::smtp::limits::Limits;
use crate::smtp::reply;
use crate::smtp::reply::{Answer, Reply};
use crate::smtp::session::{Mode, Site};
use crate::smtp::tls::Tls;
use crate::smtp::upstream::Upstream;

/// How long to wait when the machine gives us no connection (no file handles left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a client that is sent away may take to hear it.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a listener serves.
#[derive(Debug)]
pub struct Service<U> {
    /// What it is for.
    pub mode: Mode,
    /// Our name in the greeting and in trace fields.
    pub hostname: String,
    /// The bounds.
    pub limits: Limits,
    /// Where message data takes its room; others may share it.
    pub memory: Memory,
    /// The certificate; without one there is no STARTTLS, and so no AUTH.
    pub tls: Option<Arc<Tls>>,
    /// TLS from the first byte (port 465 of RFC 8314) instead of STARTTLS.
    pub implicit_tls: bool,
    /// Time.
    pub clock: Clock,
    /// The floors below.
    pub upstream: Arc<U>,
}

/// A bound socket with its sessions.
pub struct Listener<U> {
    socket: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared<U>>,
    gate: Arc<Gate>,
    sent_away: Quiet,
    sessions: TaskTracker,
    /// Ends sessions that outlast the grace period.
    cut: CancellationToken,
}

impl<U: Upstream> Listener<U> {
    /// Binds `address`; port 0 lets the machine choose.
    pub async fn bind(address: SocketAddr, service: Service<U>) -> io::Result<Self> {
        let socket = listen(address)?;
        let address = socket.local_addr()?;
        let gate = Gate::new(service.limits.clone(), service.memory, service.clock.clone());
        let site = Arc::new(Site {
            mode: service.mode,
            hostname: service.hostname,
            limits: service.limits,
            starttls: service.tls.is_some() && !service.implicit_tls,
            clock: service.clock,
        });
        let shared = Arc::new(Shared {
            site,
            tls: service.tls,
            implicit_tls: service.implicit_tls,
            upstream: service.upstream,
            stop: CancellationToken::new(),
            failed: Quiet::new(),
        });
        let (sessions, cut) = (TaskTracker::new(), CancellationToken::new());
        Ok(Self { socket, address, shared, gate, sent_away: Quiet::default(), sessions, cut })
    }

    /// How many sessions it has, whenever that is asked.
    pub fn sessions(&self) -> impl Fn() -> usize + Send + Sync + 'static + use<U> {
        let gate = self.gate.clone();
        move || gate.sessions()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then waits for the sessions, at most `grace`; returns when the last has ended.
    pub async fn serve(self, stop: CancellationToken, grace: Duration) {
        let quiet = Quiet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer.ip().to_canonical()),
                Err(error) => {
                    quiet.tell(&self.shared.site.clock, |left_out| {
                        tracing::warn!(%error, address = %self.address, left_out, "cannot accept an smtp connection");
                    });
                    // Most likely the machine gives no more file handles.
                    self.gate.make_room();
                    self.shared.site.clock.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        let Self { socket, shared, gate, sessions, cut, address, .. } = self;
        drop(socket);
        shared.stop.cancel();
        sessions.close();
        if shared.site.clock.timeout(grace, sessions.wait()).await.is_none() {
            tracing::warn!(%address, sessions = gate.sessions(), "smtp sessions still at work are cut off");
            cut.cancel();
            sessions.wait().await;
        }
    }

    fn admit(&self, stream: TcpStream, peer: IpAddr) {
        // Replies are written in one piece; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        match self.gate.enter(peer) {
            Ok(place) => self.talk(stream, peer, place),
            Err(Full::Sessions) => self.send_away(stream, peer, &reply::TOO_MANY_SESSIONS),
            Err(Full::Rate) => self.send_away(stream, peer, &reply::TOO_MANY_CONNECTIONS),
        }
    }

    fn talk(&self, stream: TcpStream, peer: IpAddr, place: Place) {
        let connection = Connection::new(Arc::clone(&self.shared), place, peer, ids::token(12));
        let cut = self.cut.clone();
        self.sessions.spawn(async move {
            tokio::select! {
                () = connection.run(stream) => {}
                () = cut.cancelled() => {}
            }
        });
    }

    fn send_away(&self, mut stream: TcpStream, peer: IpAddr, why: &'static Reply) {
        self.sent_away.tell(&self.shared.site.clock, |left_out| {
            tracing::info!(%peer, left_out, why = why.text, "an smtp client was sent away");
        });
        if self.shared.implicit_tls {
            return;
        }
        let clock = self.shared.site.clock.clone();
        self.sessions.spawn(async move {
            let mut line = Vec::new();
            Answer::from(why).write(&mut line);
            clock.timeout(FAREWELL, stream.write_all(&line)).await;
        });
    }
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
