//! Listens, serves connections, and stops in two steps: idle connections close, requests at work may finish.
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::{Clock, Memory, Places, Quiet, listen};
use crate::http::connection::Connection;
use crate::http::metrics::Metrics;
use crate::http::routes::Site;

/// Connections that are told that there are too many, at a time.
const RESERVE_MAX: usize = 64;
/// How long to wait when the machine gives us no connection (no file handles left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often metrics are tidied, which must happen also when nobody reads them.
const TIDY_PERIOD: Duration = Duration::from_secs(5);

/// What the connections of a listener may take.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Places for connections.
    pub places: Places,
    /// Memory, which others may share.
    pub memory: Memory,
}

impl Bounds {
    /// `total` places, of which a peer has `per_peer` at the most; and a tenth more, 64 at the most, for who finds all of
    /// them taken: it is told so, and may ask for health and metrics.
    pub fn new(total: usize, per_peer: usize, memory: Memory, clock: Clock) -> Self {
        Self { places: Places::new(total, per_peer, (total / 10).clamp(4, RESERVE_MAX), clock), memory }
    }
}

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
        let socket = listen(address)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `site` within `bounds` until `stop`, then waits for requests at work, at most `grace`; returns when the last
    /// connection has ended.
    pub async fn serve(self, site: Site, clock: Clock, bounds: Bounds, stop: CancellationToken, grace: Duration) {
        let Self { socket, address } = self;
        let server =
            Server { site, clock, bounds, stop, cut: CancellationToken::new(), connections: TaskTracker::new() };
        let quiet = Quiet::new();
        loop {
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
                Ok((stream, peer)) => server.talk(stream, peer.ip().to_canonical()),
                Err(error) => {
                    quiet.tell(&server.clock, |left_out| {
                        tracing::warn!(%error, %address, left_out, "cannot accept an http connection");
                    });
                    // Most likely the machine gives no more file handles.
                    server.bounds.places.make_room();
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
    bounds: Bounds,
    stop: CancellationToken,
    /// Ends connections that outlast the grace period.
    cut: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    fn talk(&self, stream: TcpStream, peer: IpAddr) {
        let Some(place) = self.bounds.places.enter(peer) else { return };
        let connection = Connection {
            site: self.site.clone(),
            clock: self.clock.clone(),
            peer,
            seat: place.seat().clone(),
            memory: self.bounds.memory.clone(),
            stop: self.stop.clone(),
            cut: self.cut.clone(),
        };
        self.connections.spawn(async move {
            let _place = place;
            connection.serve(stream).await;
        });
    }
}
