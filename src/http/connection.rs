//! Serves one connection. Hyper's buffers are there only while something is read or written, not before the first request,
//! nor while an answer takes seconds: so a thousand long polls cost little.
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::response::Response;
use bytes::{Buf, Bytes};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::base::places::Seat;
use crate::base::{Clock, LongWait, Memory};
use crate::http::desk::{Desk, Work};
use crate::http::peer::Peer;
use crate::http::routes::Site;
use crate::http::stalled::Impatient;

/// How long a client may take for a request's head, and how long a kept-alive connection may be idle. Less where places are
/// few (`base/places.rs`).
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a client may take nothing of a reply.
const REPLY_STALL_MAX: Duration = Duration::from_secs(60);
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// Bytes of a request's head. A GET on Query has everything in it.
const HEAD_MAX: usize = 256 * 1024;
/// Bytes that are read at one time: hyper's buffer grows to twice that, for each connection that sends something.
const READ_MAX: u64 = 16 * 1024;
/// Bytes that a client may send ahead of the answer to a long poll, about.
const AHEAD_MAX: usize = 32 * 1024;
/// What a client gets for whose head there is no memory: what it asks for is not known.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// How long such a client may go on sending.
const FAREWELL: Duration = Duration::from_secs(1);

/// One connection.
pub(super) struct Connection {
    pub(super) site: Site,
    pub(super) clock: Clock,
    pub(super) peer: IpAddr,
    /// Where it says what it does, and hears that it must leave.
    pub(super) seat: Seat,
    /// The memory that heads take while they come in.
    pub(super) memory: Memory,
    /// No further request is taken.
    pub(super) stop: CancellationToken,
    /// Requests at work are cut off too.
    pub(super) cut: CancellationToken,
}

/// How a conversation with hyper ends.
enum Turn {
    Over(hyper::Result<()>),
    /// The answer to this takes seconds.
    Waits(ClientStream, Work),
    /// There is no memory for the head.
    NoRoom(ClientStream),
}

impl Connection {
    /// Serves until one of the two sides is done.
    pub(super) async fn serve(self, mut stream: TcpStream) {
        // Replies are written in one piece; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        tokio::select! {
            biased;
            began = self.clock.timeout(self.seat.patience(HEAD_TIME_MAX), begins(&mut stream)) => {
                if began != Some(true) {
                    return;
                }
            }
            () = self.seat.asked_to_leave() => return,
            () = self.stop.cancelled() => return,
        }
        let stream = Impatient::new(stream, self.clock.clone(), REPLY_STALL_MAX);
        let (memory, desk) = (self.memory.clone(), Arc::default());
        let (mut line, mut answer) = (
            ClientStream {
                stream,
                ahead: Bytes::new(),
                desk,
                memory,
                peer: self.peer,
                seat: Some(self.seat.clone()),
                moved: true,
            },
            None,
        );
        loop {
            match self.talk(line, answer).await {
                Turn::Over(Ok(())) => return,
                Turn::Over(Err(error)) => {
                    // The client's doing: it broke off, was too slow, or spoke no HTTP.
                    tracing::debug!(%error, peer = %self.peer, "an http connection failed");
                    return;
                }
                // Boxed, since it is rare and would be a part of every connection.
                Turn::NoRoom(line) => return Box::pin(self.refuse(line)).await,
                Turn::Waits(waiting, work) => {
                    line = waiting;
                    let again = work.again.clone();
                    answer = self.wait(&mut line, work).await;
                    if answer.is_none() {
                        return;
                    }
                    // The request once more, for the answer that is there, and what the client sent after it.
                    line.ahead = [again.head(self.stop.is_cancelled()), line.ahead].concat().into();
                }
            }
        }
    }

    /// Lets hyper talk. `answer` is the one to the first request.
    async fn talk(&self, mut line: ClientStream, answer: Option<Response>) -> Turn {
        let desk = Arc::new(Desk::with(answer));
        line.desk = desk.clone();
        let (site, address, seat, at_desk) = (self.site.clone(), self.peer, self.seat.clone(), desk.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (site, seat, desk) = (site.clone(), seat.clone(), at_desk.clone());
            async move {
                let head = desk.begins();
                let answer = match desk.take_answer() {
                    Some(answer) => answer,
                    None => {
                        seat.works();
                        request.extensions_mut().insert(Peer {
                            address,
                            seat: seat.clone(),
                            head,
                            long_wait: LongWait::default(),
                        });
                        site.answer(request, &desk).await
                    }
                };
                desk.ends();
                seat.rests();
                Ok::<_, Infallible>(answer)
            }
        });
        let mut builder = http1::Builder::new();
        let patience = self.seat.patience(HEAD_TIME_MAX);
        builder.timer(TokioTimer::new()).header_read_timeout(patience).max_headers(HEADERS_MAX);
        let connection = builder.max_buf_size(HEAD_MAX).serve_connection(TokioIo::new(line), service);
        let mut connection = Box::new(connection);
        let mut stopping = false;
        let work = loop {
            tokio::select! {
                biased;
                ended = &mut *connection => match desk.has_refused() {
                    false => return Turn::Over(ended),
                    true => return Turn::NoRoom(connection.into_parts().io.into_inner()),
                },
                work = std::future::poll_fn(|_| desk.take_waiting().map_or(Poll::Pending, Poll::Ready)) => break work,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    Pin::new(&mut *connection).graceful_shutdown();
                }
                () = self.cut.cancelled(), if stopping => return Turn::Over(Ok(())),
                () = self.seat.asked_to_leave() => match self.seat.is_at_work() {
                    true => self.seat.stays(),
                    false => return Turn::Over(Ok(())),
                },
            }
        };
        let parts = connection.into_parts();
        let mut line = parts.io.into_inner();
        // Copied: an empty rest of hyper's buffer would keep all of it.
        line.ahead = match parts.read_buf.is_empty() && line.ahead.is_empty() {
            true => Bytes::new(),
            false => [parts.read_buf, line.ahead].concat().into(),
        };
        Turn::Waits(line, work)
    }

    /// The answer, unless the client goes, the server stops, or the place is needed. That the client is gone is looked at
    /// first: nothing is taken for it then that others wait for.
    async fn wait(&self, line: &mut ClientStream, mut work: Work) -> Option<Response> {
        self.seat.waits_for_answer();
        tokio::select! {
            biased;
            () = line.gone() => None,
            answer = std::future::poll_fn(|cx| work.poll(cx)) => {
                self.seat.works();
                Some(answer)
            }
            () = self.seat.asked_to_leave() => None,
            () = self.cut.cancelled() => None,
        }
    }

    /// Says that there is no room, and takes a little of what still comes: a reset would take these words with it.
    async fn refuse(&self, line: ClientStream) {
        let mut stream = line.stream;
        let farewell = async {
            stream.write_all(NO_ROOM).await?;
            stream.shutdown().await?;
            let mut rest = [0; 1024];
            while stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        self.clock.timeout(FAREWELL, farewell).await;
    }
}

/// Whether the client sends something before it closes. A socket that is told to be readable may not be.
async fn begins(stream: &mut TcpStream) -> bool {
    matches!(stream.peek(&mut [0]).await, Ok(1..))
}

/// The stream, before which other octets may be read.
struct ClientStream {
    stream: Impatient<TcpStream>,
    ahead: Bytes,
    desk: Arc<Desk>,
    memory: Memory,
    peer: IpAddr,
    seat: Option<Seat>,
    /// Whether octets were taken since the seat was last told so.
    moved: bool,
}

impl AsyncRead for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            let before = into.filled().len();
            ready!(Pin::new(&mut (&mut self.stream).take(READ_MAX)).poll_read(cx, into))?;
            let fits = self.desk.reads(into.filled().len() - before, &self.memory, self.peer);
            return Poll::Ready(if fits { Ok(()) } else { Err(io::ErrorKind::OutOfMemory.into()) });
        }
        let count = self.ahead.len().min(into.remaining());
        into.put_slice(&self.ahead[..count]);
        self.ahead.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl ClientStream {
    /// Returns once the client has closed the connection, or has sent more ahead than may wait. What it sends is kept.
    async fn gone(&mut self) {
        while self.ahead.len() <= AHEAD_MAX {
            let stream = self.stream.get_mut();
            if stream.readable().await.is_err() {
                return;
            }
            let mut some = [0; 1024];
            match stream.try_read(&mut some) {
                Ok(0) => return,
                Ok(count) => self.ahead = [&self.ahead, some.get(..count).unwrap_or_default()].concat().into(),
                // A socket that is told to be readable may not be.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.desk.set_stuck(written.is_pending());
        // A reply that its client takes piece by piece is not cut in the middle while the client goes on. To be asked again
        // is nothing: what the client sends meanwhile does that too.
        match &self.seat {
            Some(seat) if written.is_pending() && self.moved && !seat.is_at_work() => {
                self.moved = false;
                seat.sends();
            }
            _ => self.moved |= written.is_ready(),
        }
        written
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.note(written)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::base::{Places, Timestamp};

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("its address")).await.expect("a connection");
        (client, listener.accept().await.expect("a client").0)
    }

    fn line(stream: TcpStream) -> ClientStream {
        let (memory, peer) = (Memory::default(), IpAddr::from([127, 0, 0, 1]));
        let stream = Impatient::new(stream, Clock::system(), REPLY_STALL_MAX);
        ClientStream { stream, ahead: Bytes::new(), desk: Arc::default(), memory, peer, seat: None, moved: true }
    }

    #[tokio::test]
    async fn a_client_that_closes_is_gone_also_behind_what_it_sent() {
        let (client, server) = pair().await;
        drop(client);
        line(server).gone().await;

        let (mut client, server) = pair().await;
        let mut line = line(server);
        assert!(futures::poll!(Box::pin(line.gone())).is_pending());
        client.write_all(b"the next request").await.expect("sent");
        line.stream.get_mut().readable().await.expect("readable");
        assert!(futures::poll!(Box::pin(line.gone())).is_pending());
        assert_eq!(&line.ahead[..], b"the next request", "it is kept");
        client.write_all(b", and more").await.expect("sent");
        drop(client);
        line.gone().await;
        assert_eq!(&line.ahead[..], b"the next request, and more");
    }

    /// Writes as much as goes. Gives how much that was.
    async fn fill(line: &mut ClientStream) -> usize {
        let mut count = 0;
        std::future::poll_fn(|cx| {
            while let Poll::Ready(written) = Pin::new(&mut *line).poll_write(cx, &[b'x'; 64 * 1024]) {
                count += written.expect("written");
            }
            Poll::Ready(count)
        })
        .await
    }

    #[tokio::test]
    async fn a_reply_is_left_alone_as_long_as_octets_of_it_are_taken() {
        let clock = Clock::manual(Timestamp::from_secs(0));
        let places = Places::new(10, 10, 1, clock.clone());
        let place = places.enter(IpAddr::from([127, 0, 0, 1])).expect("a place");
        let must_leave = || {
            places.make_room();
            place.seat().asked_to_leave().now_or_never().is_some()
        };
        let (mut client, server) = pair().await;
        let mut line = line(server);
        line.seat = Some(place.seat().clone());
        place.seat().rests();
        let written = fill(&mut line).await;
        clock.advance(Duration::from_secs(4));
        assert!(!must_leave(), "it waits for its client for a moment only");
        client.read_exact(&mut vec![0; written]).await.expect("all of it");
        line.stream.get_mut().writable().await.expect("there is room again");
        assert!(fill(&mut line).await > 0);
        clock.advance(Duration::from_secs(4));
        assert!(!must_leave(), "some was taken meanwhile");
        assert_eq!(fill(&mut line).await, 0);
        clock.advance(Duration::from_secs(1));
        assert!(must_leave(), "to try in vain is nothing");
    }

    #[tokio::test]
    async fn who_sends_ahead_without_end_is_as_good_as_gone() {
        let (mut client, server) = pair().await;
        let mut line = line(server);
        let sends = async { while client.write_all(&[b'x'; 4096]).await.is_ok() {} };
        tokio::select! {
            () = line.gone() => {}
            () = sends => panic!("it does not take all of it"),
        }
        assert!(line.ahead.len() <= AHEAD_MAX + 1024);
    }
}
