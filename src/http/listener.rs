//! Listens, serves connections, and stops in two steps: idle connections close, requests at work may finish.
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::Clock;
use crate::http::metrics::Metrics;
use crate::http::places::Places;
use crate::http::routes::Site;
use crate::http::stalled::Impatient;

/// Connections at a time; more wait in the machine's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// Connections at a time from one address (IPv6: from one /64); more are closed. A proxy in front of us stays below.
const CONNECTIONS_PER_PEER_MAX: usize = 2_048;
/// How long a client may take for a request's head, and how long a kept-alive connection may be idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a client may take nothing of a reply.
const REPLY_STALL_MAX: Duration = Duration::from_secs(60);
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// Bytes of a request's head. A GET on Query has everything in it.
const HEAD_MAX: usize = 256 * 1024;
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
                    tracing::warn!(%error, %address, "cannot accept an http connection");
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
        // Replies are written in one piece; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let stream = Impatient::new(stream, self.clock.clone(), REPLY_STALL_MAX);
        let site = self.site.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            let site = site.clone();
            async move { Ok::<_, Infallible>(site.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let (stop, cut) = (self.stop.clone(), self.cut.clone());
        self.connections.spawn(async move {
            let _places = (place, of_peer);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = cut.cancelled() => Ok(()),
                    }
                }
            };
            if let Err(error) = ended {
                // The client's doing: it broke off, was too slow, or spoke no HTTP.
                tracing::debug!(%error, %peer, "an http connection failed");
            }
        });
    }
}
