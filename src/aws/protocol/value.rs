//! Members whose form differs between the protocols: blobs and times.
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::base::Timestamp;

/// SDKs pad, some callers by hand do not: both are read, the padded form is written.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A structure without members: what most operations that change something answer, and what some are asked with.
#[derive(Clone, Copy, Debug, serde::Deserialize, serde::Serialize)]
pub struct NoMembers {}

/// Bytes, which every protocol of ours carries as base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Blob;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a base64 text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Blob, E> {
                // Clients in the manner of MIME break the lines; no other white space is understood.
                let decoded = if text.contains(['\r', '\n']) {
                    BASE64.decode(text.replace(['\r', '\n'], ""))
                } else {
                    BASE64.decode(text)
                };
                decoded.map(Blob).map_err(|_| E::custom("Invalid Base64"))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// The name under which [`AnyText`] announces itself to our decoders; no other type has it.
pub(crate) const ANY_TEXT: &str = "$postrider::AnyText";

/// A text that may hold every character, U+0000 too: the service itself says what is wrong with it. Every other text with
/// U+0000 is refused before any service sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnyText(pub String);

/// Whether a member of this name is read into an [`AnyText`] by some service.
pub(crate) fn may_be_any_text(member: &str) -> bool {
    matches!(member, "MessageBody" | "StringValue")
}

impl<'de> Deserialize<'de> for AnyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = AnyText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, text: D) -> Result<AnyText, D::Error> {
                String::deserialize(text).map(AnyText)
            }
        }
        deserializer.deserialize_newtype_struct(ANY_TEXT, Visitor)
    }
}

/// The name under which [`Time`] announces itself to our encoders; no other type has it.
pub(crate) const TIME: &str = "$postrider::Time";

/// A time as a member of a request or result: seconds since the epoch with a fraction in JSON, RFC 3339 in XML. Both
/// forms are read on every protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Whole milliseconds, as AWS gives them: microseconds would not survive every client's floats.
        let seconds = self.0.millis() as f64 / 1e3;
        serializer.serialize_newtype_struct(TIME, &seconds)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Time, E> {
                Ok(Time(Timestamp::from_secs(seconds)))
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Time, E> {
                i64::try_from(seconds)
                    .map_err(|_| E::custom("the time is too far away"))
                    .and_then(|s| self.visit_i64(s))
            }
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Time, E> {
                // `as` saturates, and what is not a number becomes the epoch.
                Ok(Time(Timestamp::from_micros((seconds * 1e6).round() as i64)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                match (Timestamp::parse_rfc3339(text), text.parse::<f64>()) {
                    (Some(time), _) => Ok(Time(time)),
                    (None, Ok(seconds)) if seconds.is_finite() => self.visit_f64(seconds),
                    _ => Err(E::custom("a time must be seconds since the epoch or of the form 2026-01-02T03:04:05Z")),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_carries_times_as_numbers_and_blobs_as_base64() {
        let time = Time(Timestamp::from_micros(1_767_323_045_678_000));
        assert_eq!(serde_json::to_string(&time).expect("a time"), "1767323045.678");
        for form in ["1767323045.678", "\"2026-01-02T03:04:05.678Z\""] {
            assert_eq!(serde_json::from_str::<Time>(form).expect("a time"), time);
        }
        assert!(serde_json::from_str::<Time>("\"yesterday\"").is_err());

        assert_eq!(serde_json::to_string(&Blob(vec![0, 1])).expect("a blob"), "\"AAE=\"");
        for form in ["\"AAE=\"", "\"AAE\"", "\"AA\\r\\nE=\""] {
            assert_eq!(serde_json::from_str::<Blob>(form).expect("a blob"), Blob(vec![0, 1]));
        }
        assert!(serde_json::from_str::<Blob>("\"A*\"").is_err());
    }
}
