//! What a connection is asked to do, kept outside of hyper: so hyper can be put away while it waits.
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Version};

use crate::base::LongWait;
use crate::base::memory::{Charge, FREE, Memory, Whose};

/// A request that is at work.
pub(super) struct Work {
    answer: BoxFuture<'static, Response>,
    /// Where the request says that it waits for seconds.
    long_wait: LongWait,
    pub(super) again: Again,
}

/// What a request said of the connection. So it can be made once more, asking for nothing: for hyper, when it comes back to
/// write the answer.
#[derive(Clone)]
pub(super) struct Again {
    version: Version,
    connection: Option<HeaderValue>,
}

impl Again {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        // Copied, since a value keeps the whole buffer in which the request came.
        let copied = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).ok();
        Self { version: request.version(), connection: request.headers().get(CONNECTION).and_then(copied) }
    }

    /// The head of such a request; `last`: after it the connection is to be closed.
    pub(super) fn head(&self, last: bool) -> Bytes {
        let version: &[u8] = if self.version == Version::HTTP_10 { b"HTTP/1.0" } else { b"HTTP/1.1" };
        let close = last.then_some(&b"close"[..]);
        let mut head = [b"POST / ", version, b"\r\ncontent-length: 0\r\n"].concat();
        if let Some(connection) = close.or(self.connection.as_ref().map(HeaderValue::as_bytes)) {
            head.extend_from_slice(&[b"connection: ", connection, b"\r\n"].concat());
        }
        head.extend_from_slice(b"\r\n");
        head.into()
    }
}

impl Work {
    pub(super) fn new(again: Again, long_wait: LongWait, answer: BoxFuture<'static, Response>) -> Self {
        Self { answer, long_wait, again }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response> {
        Pin::new(&mut self.answer).poll(cx)
    }
}

/// Where the request lies that a connection works on.
#[derive(Default)]
pub(super) struct Desk(Mutex<Lying>);

#[derive(Default)]
struct Lying {
    work: Option<Work>,
    /// The answer to it, when that came while hyper was away.
    answer: Option<Response>,
    /// Something that was written before did not get into the connection yet.
    stuck: bool,
    /// Octets of a head that has begun, which hyper keeps until it is whole, and the memory taken for them.
    head: usize,
    charge: Option<Box<Charge>>,
    /// A request is at work: what comes now is no head.
    serves: bool,
    /// There was no memory for the head.
    refused: bool,
}

impl Desk {
    /// A desk on which the answer lies to the next request.
    pub(super) fn with(answer: Option<Response>) -> Self {
        Self(Mutex::new(Lying { answer, ..Lying::default() }))
    }

    fn lying(&self) -> MutexGuard<'_, Lying> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer that lay here.
    pub(super) fn take_answer(&self) -> Option<Response> {
        self.lying().answer.take()
    }

    /// Works, unless the work is taken away meanwhile.
    pub(super) async fn answer(&self, work: Work) -> Response {
        self.lying().work = Some(work);
        std::future::poll_fn(|cx| {
            let mut lying = self.lying();
            let Some(work) = &mut lying.work else { return Poll::Pending };
            let polled = work.poll(cx);
            if polled.is_ready() {
                lying.work = None;
            }
            polled
        })
        .await
    }

    /// Takes work away that waits for seconds, where nothing is left to be written before its answer.
    pub(super) fn take_waiting(&self) -> Option<Work> {
        let mut lying = self.lying();
        let stuck = lying.stuck;
        lying.work.take_if(|work| work.long_wait.has_begun() && !stuck)
    }

    /// Notes that `octets` were read. False when they are of a head for which there is no memory.
    pub(super) fn reads(&self, octets: usize, memory: &Memory, peer: IpAddr) -> bool {
        let mut lying = self.lying();
        if lying.serves {
            return true;
        }
        lying.head = lying.head.saturating_add(octets);
        if lying.head <= FREE {
            return true;
        }
        // Hyper's buffer has up to as much room again.
        let wanted = lying.head.saturating_mul(2);
        let charge = lying.charge.get_or_insert_with(|| Box::new(memory.charge(peer, Whose::Stranger)));
        lying.refused = charge.hold(wanted).is_err();
        !lying.refused
    }

    /// A head is whole, and its request begins. Gives how many octets it had about.
    pub(super) fn begins(&self) -> usize {
        let mut lying = self.lying();
        lying.serves = true;
        lying.charge = None;
        std::mem::take(&mut lying.head)
    }

    /// The request is answered.
    pub(super) fn ends(&self) {
        self.lying().serves = false;
    }

    /// Whether there was no memory for a head.
    pub(super) fn has_refused(&self) -> bool {
        self.lying().refused
    }

    /// Notes whether something waits to be written.
    pub(super) fn set_stuck(&self, stuck: bool) {
        self.lying().stuck = stuck;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt;

    use super::*;
    use crate::base::Clock;

    fn waiting() -> Work {
        let request = Request::builder().header(CONNECTION, "close").body(()).expect("a request");
        let long_wait = LongWait::default();
        let says = long_wait.clone();
        let answer = async move {
            says.begin();
            pending::<Response>().await
        };
        Work::new(Again::of(&request), long_wait, answer.boxed())
    }

    #[tokio::test]
    async fn work_that_waits_is_taken_away_once_nothing_is_left_to_write() {
        let desk = Desk::default();
        let mut answer = Box::pin(desk.answer(waiting()));
        assert!(desk.take_waiting().is_none());
        for _ in 0..2 {
            assert!(futures::poll!(&mut answer).is_pending());
        }
        desk.set_stuck(true);
        assert!(desk.take_waiting().is_none());
        desk.set_stuck(false);
        let work = desk.take_waiting().expect("it waits");
        assert_eq!(&work.again.head(false)[..], b"POST / HTTP/1.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        assert!(futures::poll!(&mut answer).is_pending());
        assert!(desk.take_waiting().is_none());
    }

    #[test]
    fn a_head_takes_memory_until_it_is_whole() {
        let (desk, memory) = (Desk::default(), Memory::new(8 * 1024 * 1024, Clock::system()));
        let peer = IpAddr::from([192, 0, 2, 1]);
        assert!(desk.reads(FREE, &memory, peer));
        assert_eq!(memory.used(), 0);
        assert!(desk.reads(100_000, &memory, peer));
        assert!(memory.used() >= 200_000);
        assert_eq!((desk.begins(), memory.used()), (FREE + 100_000, 0));
        assert!(desk.reads(1 << 30, &memory, peer), "that is its body");
        desk.ends();
        assert!(!desk.reads(1 << 30, &memory, peer) && desk.has_refused());
    }

    #[tokio::test]
    async fn work_that_does_not_wait_long_stays() {
        let desk = Desk::default();
        let request = Request::builder().version(Version::HTTP_10).body(()).expect("a request");
        let soon = async {
            tokio::task::yield_now().await;
            Response::default()
        };
        let mut answer = Box::pin(desk.answer(Work::new(Again::of(&request), LongWait::default(), soon.boxed())));
        assert!(futures::poll!(&mut answer).is_pending());
        assert!(desk.take_waiting().is_none());
        assert_eq!(answer.await.status(), 200);
        assert_eq!(
            &Again::of(&request).head(true)[..],
            b"POST / HTTP/1.0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
}
