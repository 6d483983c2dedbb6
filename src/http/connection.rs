//! Serves one connection. Hyper's buffers are there only while something is read or written, not before the first request,
//! nor while an answer takes seconds: so a thousand long polls cost little.
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::response::Response;
use bytes::{Buf, Bytes};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::base::Clock;
use crate::http::desk::{Desk, Work};
use crate::http::listener::Peer;
use crate::http::routes::Site;
use crate::http::stalled::Impatient;

/// How long a client may take for a request's head, and how long a kept-alive connection may be idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a client may take nothing of a reply.
const REPLY_STALL_MAX: Duration = Duration::from_secs(60);
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// Bytes of a request's head. A GET on Query has everything in it.
const HEAD_MAX: usize = 256 * 1024;

/// One connection.
pub(super) struct Connection {
    pub(super) site: Site,
    pub(super) clock: Clock,
    pub(super) peer: IpAddr,
    /// No further request is taken.
    pub(super) stop: CancellationToken,
    /// Requests at work are cut off too.
    pub(super) cut: CancellationToken,
}

/// How a conversation with hyper ends.
enum Turn {
    Over(hyper::Result<()>),
    /// The answer to this takes seconds.
    Waits(Line, Work),
}

impl Connection {
    /// Serves until one of the two sides is done.
    pub(super) async fn serve(self, mut stream: TcpStream) {
        // Replies are written in one piece; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        tokio::select! {
            biased;
            began = self.clock.timeout(HEAD_TIME_MAX, begins(&mut stream)) => if began != Some(true) { return },
            () = self.stop.cancelled() => return,
        }
        let stream = Impatient::new(stream, self.clock.clone(), REPLY_STALL_MAX);
        let (mut line, mut answer) = (Line { stream, ahead: Bytes::new(), desk: Arc::default() }, None);
        loop {
            match self.talk(line, answer).await {
                Turn::Over(Ok(())) => return,
                Turn::Over(Err(error)) => {
                    // The client's doing: it broke off, was too slow, or spoke no HTTP.
                    tracing::debug!(%error, peer = %self.peer, "an http connection failed");
                    return;
                }
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
    async fn talk(&self, mut line: Line, answer: Option<Response>) -> Turn {
        let desk = Arc::new(Desk::with(answer));
        line.desk = desk.clone();
        let (site, peer, at_desk) = (self.site.clone(), self.peer, desk.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (site, desk) = (site.clone(), at_desk.clone());
            async move {
                if let Some(answer) = desk.take_answer() {
                    return Ok::<_, Infallible>(answer);
                }
                request.extensions_mut().insert(Peer(peer));
                Ok(site.answer(request, &desk).await)
            }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX).max_headers(HEADERS_MAX);
        let connection = builder.max_buf_size(HEAD_MAX).serve_connection(TokioIo::new(line), service);
        let mut connection = Box::new(connection);
        let mut stopping = false;
        let work = loop {
            tokio::select! {
                biased;
                ended = &mut *connection => return Turn::Over(ended),
                work = std::future::poll_fn(|_| desk.take_waiting().map_or(Poll::Pending, Poll::Ready)) => break work,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    Pin::new(&mut *connection).graceful_shutdown();
                }
                () = self.cut.cancelled(), if stopping => return Turn::Over(Ok(())),
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

    /// The answer, unless the client goes or the server stops.
    async fn wait(&self, line: &mut Line, mut work: Work) -> Option<Response> {
        tokio::select! {
            biased;
            answer = std::future::poll_fn(|cx| work.poll(cx)) => Some(answer),
            () = gone(line.stream.get_mut()) => None,
            () = self.cut.cancelled() => None,
        }
    }
}

/// Whether the client sends something before it closes. A socket that is told to be readable may not be.
async fn begins(stream: &mut TcpStream) -> bool {
    matches!(stream.peek(&mut [0]).await, Ok(1..))
}

/// Returns once the client has closed the connection.
async fn gone(stream: &mut TcpStream) {
    if begins(stream).await {
        // The next request; what comes after it is not seen.
        std::future::pending::<()>().await;
    }
}

/// The stream, before which other octets may be read.
struct Line {
    stream: Impatient<TcpStream>,
    ahead: Bytes,
    desk: Arc<Desk>,
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let count = self.ahead.len().min(into.remaining());
        into.put_slice(&self.ahead[..count]);
        self.ahead.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl Line {
    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.desk.set_stuck(written.is_pending());
        written
    }
}

impl AsyncWrite for Line {
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
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("its address")).await.expect("a connection");
        (client, listener.accept().await.expect("a client").0)
    }

    #[tokio::test]
    async fn a_client_that_closes_is_gone_and_one_that_sends_more_is_not() {
        let (client, mut server) = pair().await;
        drop(client);
        gone(&mut server).await;

        let (mut client, mut server) = pair().await;
        assert!(futures::poll!(Box::pin(gone(&mut server))).is_pending());
        client.write_all(b"the next request").await.expect("sent");
        server.readable().await.expect("readable");
        assert!(futures::poll!(Box::pin(gone(&mut server))).is_pending());
    }
}
