//! Listens, serves connections, and stops in two steps: idle connections close, requests at work may finish.
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::{Clock, Quiet};
use crate::http::connection::Connection;
use crate::http::metrics::Metrics;
use crate::http::places::Places;
use crate::http::routes::Site;

/// Connections at a time; more wait in the machine's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// Connections at a time from one address (IPv6: from one /64); more are closed. A proxy in front of us stays below.
const CONNECTIONS_PER_PEER_MAX: usize = 2_048;
/// How long to wait when the machine gives us no connection (no file handles left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often metrics are tidied, which must happen also when nobody reads them.
const TIDY_PERIOD: Duration = Duration::from_secs(5);

/// Who is at the other end of the connection; an extension of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address`; port 0 lets the machine choose.
    ///
    /// # Errors
    /// The machine's, when the address is taken or not ours.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `site` until `stop`, then waits for requests at work, at most `grace`; returns when the last connection
    /// has ended.
    pub async fn serve(self, site: Site, clock: Clock, stop: CancellationToken, grace: Duration) {
        let Self { socket, address } = self;
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let server = Server {
            site,
            clock,
            stop,
            cut: CancellationToken::new(),
            connections: TaskTracker::new(),
            peers: Places::new(CONNECTIONS_PER_PEER_MAX),
        };
        let quiet = Quiet::new();
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { break };
            let accepted = tokio::select! {
                biased;
                () = server.stop.cancelled() => break,
                accepted = socket.accept() => accepted,
                () = server.clock.sleep(TIDY_PERIOD) => {
                    Metrics::global().tidy();
                    continue;
                }
            };
            match accepted {
                Ok((stream, peer)) => server.talk(stream, peer.ip().to_canonical(), place),
                Err(error) => {
                    quiet.tell(&server.clock, |left_out| {
                        tracing::warn!(%error, %address, left_out, "cannot accept an http connection");
                    });
                    server.clock.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(socket);
        let Server { clock, cut, connections, .. } = server;
        connections.close();
        if clock.timeout(grace, connections.wait()).await.is_none() {
            tracing::warn!(%address, connections = connections.len(), "http connections still at work are cut off");
            cut.cancel();
            connections.wait().await;
        }
    }
}

struct Server {
    site: Site,
    clock: Clock,
    stop: CancellationToken,
    /// Ends connections that outlast the grace period.
    cut: CancellationToken,
    connections: TaskTracker,
    peers: Arc<Places>,
}

impl Server {
    fn talk(&self, stream: TcpStream, peer: IpAddr, place: OwnedSemaphorePermit) {
        let Some(of_peer) = self.peers.enter(peer) else { return };
        let connection = Connection {
            site: self.site.clone(),
            clock: self.clock.clone(),
            peer,
            stop: self.stop.clone(),
            cut: self.cut.clone(),
        };
        self.connections.spawn(async move {
            let _places = (place, of_peer);
            connection.serve(stream).await;
        });
    }
}
