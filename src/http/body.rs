//! Reads a request's body within a size and a time.
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};

use crate::base::Clock;

/// How long a client may take for a whole body.
const BODY_TIME_MAX: Duration = Duration::from_secs(120);
/// Bytes of room that are made because a client announced them.
const ROOM_MAX: usize = 1024 * 1024;
/// Bytes of a body that is too large which are read and thrown away.
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
}

/// Reads a body of at most `max` bytes. What is larger is still taken off the wire, within bounds: a client that is
/// cut off while it sends would not read the reply that tells why.
pub(super) async fn read(headers: &HeaderMap, body: Body, max: usize, clock: &Clock) -> Result<Bytes, BodyError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<usize>().ok());
    let mut pieces = body.into_data_stream();
    let result = match announced {
        Some(length) if length > max => Err(BodyError::TooLarge),
        _ => {
            let whole = collect(&mut pieces, announced, max);
            clock.timeout(BODY_TIME_MAX, whole).await.unwrap_or(Err(BodyError::TooSlow))
        }
    };
    // Who asked first whether to send need not be sent through all of it.
    if result == Err(BodyError::TooLarge) && !headers.contains_key(EXPECT) {
        clock.timeout(DISCARD_TIME_MAX, discard(&mut pieces, clock)).await;
    }
    result
}

async fn collect(pieces: &mut BodyDataStream, announced: Option<usize>, max: usize) -> Result<Bytes, BodyError> {
    let mut whole: Option<BytesMut> = None;
    let mut first = Bytes::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| BodyError::Broken)?;
        // Most bodies come in one piece, which need not be copied.
        if first.is_empty() && whole.is_none() {
            first = piece;
        } else {
            let whole = whole.get_or_insert_with(|| {
                // Room for what was announced, within reason: it may never come.
                let mut room = BytesMut::with_capacity(announced.unwrap_or(0).min(ROOM_MAX));
                room.extend_from_slice(&first);
                room
            });
            whole.extend_from_slice(&piece);
        }
        if whole.as_ref().map_or(first.len(), BytesMut::len) > max {
            return Err(BodyError::TooLarge);
        }
    }
    Ok(whole.map_or(first, BytesMut::freeze))
}

async fn discard(pieces: &mut BodyDataStream, clock: &Clock) {
    let mut left = DISCARDED_MAX;
    while let Some(Some(Ok(piece))) = clock.timeout(DISCARD_PAUSE_MAX, pieces.next()).await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use futures::stream;
    use std::io;

    fn pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<Result<&'static str, io::Error>> = pieces.iter().map(|p| Ok(*p)).collect();
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn bodies_are_put_together_and_bounded() {
        let (clock, none) = (Clock::system(), HeaderMap::new());
        assert_eq!(read(&none, pieces(&[]), 5, &clock).await, Ok(Bytes::new()));
        assert_eq!(read(&none, pieces(&["abc"]), 3, &clock).await, Ok(Bytes::from("abc")));
        assert_eq!(read(&none, pieces(&["ab", "c", "de"]), 5, &clock).await, Ok(Bytes::from("abcde")));
        assert_eq!(read(&none, pieces(&["ab", "c", "de"]), 4, &clock).await, Err(BodyError::TooLarge));
        let announced = HeaderMap::from_iter([(CONTENT_LENGTH, "6".parse().expect("a header"))]);
        assert_eq!(read(&announced, pieces(&[]), 5, &clock).await, Err(BodyError::TooLarge));
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
        let (read, ()) = tokio::join!(reading, async { clock.advance(BODY_TIME_MAX) });
        assert_eq!(read, Err(BodyError::TooSlow));
    }
}
