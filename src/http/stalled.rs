//! A connection that fails when its peer takes nothing for too long: such a client must not hold its place for ever.
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::Clock;

/// A stream whose writes fail with [`io::ErrorKind::TimedOut`] after `patience` without progress.
pub(super) struct Impatient<S> {
    stream: S,
    clock: Clock,
    patience: Duration,
    /// Set while a write waits; ready when patience ends.
    waiting: Option<BoxFuture<'static, ()>>,
}

impl<S> Impatient<S> {
    pub(super) fn new(stream: S, clock: Clock, patience: Duration) -> Self {
        Self { stream, clock, patience, waiting: None }
    }

    pub(super) fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Passes on what a write came to; of one that waits, whether patience has ended.
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let (clock, patience) = (&self.clock, self.patience);
        let waiting = self.waiting.get_or_insert_with(|| {
            let clock = clock.clone();
            Box::pin(async move { clock.sleep(patience).await })
        });
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watch(cx, written)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, flushed)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let clock = Clock::manual(Timestamp::from_secs(0));
        let (near, _far) = tokio::io::duplex(4);
        let mut stream = Impatient::new(near, clock.clone(), Duration::from_secs(30));
        stream.write_all(b"1234").await.expect("room for four");
        let (written, ()) = tokio::join!(stream.write_all(b"5"), async { clock.advance(Duration::from_secs(30)) });
        assert_eq!(written.expect_err("no room").kind(), io::ErrorKind::TimedOut);
    }
}
