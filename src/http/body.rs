//! Reads a request's body within a size, a time and a share of the memory.
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};

use crate::base::memory::{Charge, FREE, Full};
use crate::base::places::Seat;
use crate::base::{Clock, Instant};

/// How long a client may take for a whole body, and for the next piece of it.
const BODY_TIME_MAX: Duration = Duration::from_secs(120);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Octets of room that are made because a client announced them.
const ROOM_MAX: usize = 64 * 1024;
/// How many times a body is in memory while it is read and worked on: as it came, while it grows or is decoded, and as
/// what it was decoded to.
const COPIES: usize = 3;
/// Octets of a body that is not taken which are read and thrown away.
const DISCARDED_MAX: usize = 128 * 1024 * 1024;
/// How long to wait for the next piece of such a body, and how long all of it may take.
const DISCARD_PAUSE_MAX: Duration = Duration::from_secs(1);
const DISCARD_TIME_MAX: Duration = Duration::from_secs(30);

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than it may be.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// The client broke off.
    Broken,
    /// There is no memory for it now.
    Full(Full),
}

/// A body that is read.
pub(super) struct Reader<'a> {
    /// Octets that it may have.
    pub(super) max: usize,
    /// Octets that the head holds in memory meanwhile.
    pub(super) head: usize,
    /// Whether its SHA-256 is wanted: it is reckoned piece by piece, while the next one is on its way.
    pub(super) hashes: bool,
    /// What it takes of the memory.
    pub(super) charge: &'a mut Charge,
    /// The connection's.
    pub(super) seat: Option<&'a Seat>,
    pub(super) clock: &'a Clock,
}

/// A body, with its SHA-256 if it was wanted.
pub(super) type Whole = (Bytes, Option<[u8; 32]>);

impl Reader<'_> {
    /// Reads the body. What is too large, or finds no memory, is still taken off the wire, within bounds: a client that is
    /// cut off while it sends would not read the reply that tells why.
    pub(super) async fn read(&mut self, headers: &HeaderMap, body: Body) -> Result<Whole, BodyError> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let announced = announced.and_then(|text| text.parse::<usize>().ok());
        let mut pieces = body.into_data_stream();
        let result = match announced {
            Some(length) if length > self.max => Err(BodyError::TooLarge),
            _ => self.collect(&mut pieces, announced).await,
        };
        if let Err(BodyError::TooLarge | BodyError::Full(_)) = result {
            // Nothing of it is kept.
            let _ = self.charge.hold(0);
            // Who asked first whether to send need not be sent through all of it.
            if !headers.contains_key(EXPECT) {
                self.clock.timeout(DISCARD_TIME_MAX, self.discard(&mut pieces)).await;
            }
        }
        if let Some(seat) = self.seat {
            seat.works();
        }
        result
    }

    async fn collect(&mut self, pieces: &mut BodyDataStream, announced: Option<usize>) -> Result<Whole, BodyError> {
        let mut digest = self.hashes.then(|| Context::new(&SHA256));
        let (mut first, mut whole) = (Bytes::new(), Vec::new());
        self.hold(0)?;
        let until = self.clock.instant() + BODY_TIME_MAX;
        while let Some(piece) = self.next(pieces, until).await? {
            let length = first.len() + whole.len() + piece.len();
            if length > self.max {
                return Err(BodyError::TooLarge);
            }
            self.hold(length)?;
            if let Some(digest) = &mut digest {
                digest.update(&piece);
            }
            // Most bodies come in one piece, which need not be copied.
            if first.is_empty() && whole.is_empty() {
                first = piece;
                continue;
            }
            if whole.is_empty() {
                // Room for what was announced, within reason: it may never come.
                whole.reserve_exact(announced.unwrap_or(0).clamp(length, ROOM_MAX.max(length)));
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            if whole.capacity() < length {
                let room = whole.capacity().saturating_mul(2).min(announced.unwrap_or(usize::MAX)).max(length);
                whole.reserve_exact(room - whole.len());
            }
            whole.extend_from_slice(&piece);
        }
        let hash = digest.and_then(|digest| digest.finish().as_ref().try_into().ok());
        Ok((if whole.is_empty() { first } else { Bytes::from(whole) }, hash))
    }

    /// The next piece, which must come soon, and before the time for the whole body is over.
    async fn next(&self, pieces: &mut BodyDataStream, until: Instant) -> Result<Option<Bytes>, BodyError> {
        if let Some(seat) = self.seat {
            seat.sends();
        }
        let pause = self.seat.map_or(PAUSE_MAX, |seat| seat.patience(PAUSE_MAX));
        let pause = pause.min(until.since(self.clock.instant()));
        if pause.is_zero() {
            return Err(BodyError::TooSlow);
        }
        match self.clock.timeout(pause, pieces.next()).await {
            Some(piece) => piece.transpose().map_err(|_| BodyError::Broken),
            None => Err(BodyError::TooSlow),
        }
    }

    /// Takes the memory of so many octets of body.
    fn hold(&mut self, length: usize) -> Result<(), BodyError> {
        let plain = self.head.saturating_add(length);
        if plain <= FREE {
            return Ok(());
        }
        self.charge.hold(self.head.saturating_add(length.saturating_mul(COPIES))).map_err(BodyError::Full)
    }

    async fn discard(&self, pieces: &mut BodyDataStream) {
        let mut left = DISCARDED_MAX;
        while let Some(Some(Ok(piece))) = self.clock.timeout(DISCARD_PAUSE_MAX, pieces.next()).await {
            if let Some(seat) = self.seat {
                seat.sends();
            }
            match left.checked_sub(piece.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::memory::{Memory, Whose};
    use crate::base::{Timestamp, hex};
    use futures::stream;
    use std::io;
    use std::net::{IpAddr, Ipv4Addr};

    fn pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<Result<&'static str, io::Error>> = pieces.iter().map(|p| Ok(*p)).collect();
        Body::from_stream(stream::iter(pieces))
    }

    async fn read_hashed(headers: &HeaderMap, body: Body, max: usize, clock: &Clock) -> Result<Whole, BodyError> {
        let memory = Memory::new(64 * 1024 * 1024, clock.clone());
        let mut charge = memory.charge(IpAddr::V4(Ipv4Addr::LOCALHOST), Whose::Stranger);
        let mut reader = Reader { max, head: 0, hashes: true, charge: &mut charge, seat: None, clock };
        reader.read(headers, body).await
    }

    async fn read(headers: &HeaderMap, body: Body, max: usize, clock: &Clock) -> Result<Bytes, BodyError> {
        read_hashed(headers, body, max, clock).await.map(|(body, _)| body)
    }

    #[tokio::test]
    async fn bodies_are_put_together_hashed_and_bounded() {
        let (clock, none) = (Clock::system(), HeaderMap::new());
        assert_eq!(read(&none, pieces(&[]), 5, &clock).await, Ok(Bytes::new()));
        assert_eq!(read(&none, pieces(&["abc"]), 3, &clock).await, Ok(Bytes::from("abc")));
        assert_eq!(read(&none, pieces(&["ab", "c", "de"]), 5, &clock).await, Ok(Bytes::from("abcde")));
        assert_eq!(read(&none, pieces(&["ab", "c", "de"]), 4, &clock).await, Err(BodyError::TooLarge));
        let announced = HeaderMap::from_iter([(CONTENT_LENGTH, "6".parse().expect("a header"))]);
        assert_eq!(read(&announced, pieces(&[]), 5, &clock).await, Err(BodyError::TooLarge));
        for parts in [&["abc"][..], &["a", "b", "c"]] {
            let hash = read_hashed(&none, pieces(parts), 3, &clock).await.expect("a body").1.expect("its hash");
            assert!(hex(&hash).starts_with("ba7816bf8f01cfea"), "FIPS 180-2, B.1");
        }
    }

    #[tokio::test]
    async fn a_body_takes_memory_before_it_is_there_and_finds_none_where_others_have_it() {
        let (clock, none) = (Clock::system(), HeaderMap::new());
        let memory = Memory::new(8 * 1024 * 1024, clock.clone());
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let large = "x".repeat(100_000);
        let body = |count: usize| {
            let pieces: Vec<String> = vec![large.clone(); count];
            Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, io::Error>)))
        };
        let mut charge = memory.charge(peer, Whose::Claimed("key".to_owned()));
        let mut reader =
            Reader { max: usize::MAX, head: 0, hashes: false, charge: &mut charge, seat: None, clock: &clock };
        let read = reader.read(&none, body(10)).await.expect("room for a megabyte");
        assert_eq!(read.0.len(), 1_000_000);
        assert!(memory.used() >= 3_000_000, "{}", memory.used());
        let mut more = memory.charge(peer, Whose::Claimed("key".to_owned()));
        let mut reader =
            Reader { max: usize::MAX, head: 0, hashes: false, charge: &mut more, seat: None, clock: &clock };
        assert_eq!(reader.read(&none, body(10)).await, Err(BodyError::Full(Full::Holder)));
        assert_eq!(more.held(), 0, "nothing of it is kept");
        drop(charge);
        assert_eq!(memory.used(), 0);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_does_not_trickle_in_for_ever() {
        let clock = Clock::manual(Timestamp::from_secs(0));
        // A piece each half second, so that no single one is late.
        let ticking = clock.clone();
        let trickle = stream::repeat_with(move || {
            ticking.advance(Duration::from_millis(500));
            Ok::<_, io::Error>("x")
        });
        let trickle = trickle.then(|piece| async {
            tokio::task::yield_now().await;
            piece
        });
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, "6".parse().expect("a header"))]);
        assert_eq!(read(&headers, Body::from_stream(trickle), 5, &clock).await, Err(BodyError::TooLarge));
        assert!(clock.now() < Timestamp::from_secs(60), "{:?}", clock.now());
    }

    #[tokio::test]
    async fn a_client_that_hangs_is_given_up() {
        let clock = Clock::manual(Timestamp::from_secs(0));
        let hanging = Body::from_stream(stream::pending::<Result<&'static str, io::Error>>());
        let headers = HeaderMap::new();
        let reading = read(&headers, hanging, 5, &clock);
        let (read, ()) = tokio::join!(reading, async { clock.advance(PAUSE_MAX) });
        assert_eq!(read, Err(BodyError::TooSlow));
    }
}
