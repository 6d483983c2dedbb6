//! One form for parameters on both engines, so that a query is written once.
use std::borrow::Cow;

use crate::base::{AccountId, Domain, EmailAddress, Region, Timestamp};
use crate::store::engine::json::Json;

/// A parameter of a query. Numbers, flags (0 or 1) and times (microseconds) are all BIGINT.
#[derive(Clone, Debug)]
pub enum Value {
    /// BIGINT, or its NULL.
    Int(Option<i64>),
    /// TEXT, or its NULL.
    Text(Option<String>),
    /// BLOB or BYTEA, or its NULL.
    Blob(Option<Vec<u8>>),
    /// PostgreSQL's BIGINT[]: a column of many rows.
    Ints(Vec<i64>),
    /// PostgreSQL's TEXT[].
    Texts(Vec<Option<String>>),
    /// PostgreSQL's BYTEA[].
    Blobs(Vec<Option<Vec<u8>>>),
}

macro_rules! value_from {
    ($($from:ty => |$v:ident| $into:expr;)*) => { $(
        impl From<$from> for Value {
            fn from($v: $from) -> Value { $into }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Value {
                let null = |value: Value| match value {
                    Value::Int(_) => Value::Int(None),
                    Value::Text(_) => Value::Text(None),
                    other => other,
                };
                match value {
                    Some($v) => $into,
                    None => null(<$from as Sample>::sample()),
                }
            }
        }
    )* };
}

/// Tells which column type a Rust type is stored in, for a NULL that has no value to tell it.
trait Sample {
    fn sample() -> Value;
}
macro_rules! sample {
    ($kind:ident: $($from:ty),*) => { $(impl Sample for $from { fn sample() -> Value { Value::$kind(None) } })* };
}
sample!(Int: i64, i32, u32, bool, Timestamp);
sample!(Text: &str, String, &String, &AccountId, &Region, &Domain, &EmailAddress);
sample!(Blob: Vec<u8>, &[u8]);

value_from! {
    i64 => |v| Value::Int(Some(v));
    i32 => |v| Value::Int(Some(i64::from(v)));
    u32 => |v| Value::Int(Some(i64::from(v)));
    bool => |v| Value::Int(Some(i64::from(v)));
    Timestamp => |v| Value::Int(Some(v.micros()));
    &str => |v| Value::Text(Some(v.to_owned()));
    String => |v| Value::Text(Some(v));
    &String => |v| Value::Text(Some(v.clone()));
    &AccountId => |v| Value::Text(Some(v.as_str().to_owned()));
    &Region => |v| Value::Text(Some(v.as_str().to_owned()));
    &Domain => |v| Value::Text(Some(v.as_str().to_owned()));
    &EmailAddress => |v| Value::Text(Some(v.as_str().to_owned()));
    Vec<u8> => |v| Value::Blob(Some(v));
    &[u8] => |v| Value::Blob(Some(v.to_vec()));
}

impl<T> From<&Json<T>> for Value {
    fn from(json: &Json<T>) -> Self {
        Self::Text(Some(json.text().to_owned()))
    }
}

impl<T> From<Option<&Json<T>>> for Value {
    fn from(json: Option<&Json<T>>) -> Self {
        Self::Text(json.map(|json| json.text().to_owned()))
    }
}

/// The parameters of one query, in order: `args![queue_id, now, "text"]`.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Value::from($value)),*] };
}
pub(crate) use args;

/// PostgreSQL's TEXT cannot hold U+0000, and a statement with one fails. What comes from outside may have one where no
/// rule forbids it (a decoded subject, an answer of another server), and must not keep its row from being written.
pub(in crate::store) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}").into() } else { text.into() }
}

/// The same for a text that is ours.
pub(in crate::store) fn owned_without_nul(text: String) -> String {
    match without_nul(&text) {
        Cow::Owned(changed) => changed,
        Cow::Borrowed(_) => text,
    }
}
