//! Receipt handles: opaque to clients, they name a message and one receive of it.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::queues::Error;

/// What a receipt handle says. Only those who received the message know the receipt, a random number, so a handle cannot be
/// made up. In a standard queue one half of it is the message's: there, an older handle works too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    pub queue_id: i64,
    pub id: i64,
    pub receipt: i64,
}

impl Handle {
    pub(super) fn encode(self) -> String {
        let parts = [self.queue_id, self.id, self.receipt];
        let bytes: Vec<u8> = parts.iter().flat_map(|n| n.to_be_bytes()).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a handle that was given out for `queue_id`.
    pub(super) fn decode(text: &str, queue_id: i64) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::ReceiptHandleMissing);
        }
        let wrong = || Error::ReceiptHandle(shown(text));
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (parts, rest) = bytes.as_chunks::<8>();
        match (parts, rest) {
            // Nothing was received by it: it is what stands in the row of a message that nobody has received.
            ([_, _, receipt], []) if i64::from_be_bytes(*receipt) >> 32 <= 0 => Err(wrong()),
            ([queue, id, receipt], []) if i64::from_be_bytes(*queue) == queue_id => {
                Ok(Self { queue_id, id: i64::from_be_bytes(*id), receipt: i64::from_be_bytes(*receipt) })
            }
            ([_, _, _], []) => Err(Error::ReceiptHandleOfOther(shown(text))),
            _ => Err(wrong()),
        }
    }
}

/// A handle as an error shows it.
pub(super) fn shown(handle: &str) -> String {
    handle.chars().take(1_024).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_survives_a_round_trip_and_is_bound_to_its_queue() {
        let handle = Handle { queue_id: 7, id: i64::MAX, receipt: 42 << 32 };
        let text = handle.encode();
        assert_eq!(Handle::decode(&text, 7).expect("a good handle"), handle);
        for (bad, queue) in [(text.as_str(), 8), ("", 7), ("garbage", 7), ("ä", 7), (&text[1..], 7)] {
            assert!(Handle::decode(bad, queue).is_err(), "{bad}");
        }
        for never in [0, 1, i64::from(u32::MAX), -1, i64::MIN] {
            let made_up = Handle { queue_id: 7, id: 1, receipt: never }.encode();
            assert!(Handle::decode(&made_up, 7).is_err(), "{never}");
        }
    }
}
