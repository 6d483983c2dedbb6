//! One form for parameters and rows on both engines, so that a query is written once.
use std::borrow::Cow;

use sqlx::Arguments as _;
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use crate::base::{AccountId, Domain, EmailAddress, Region, Timestamp};
use crate::store::Error;
use crate::store::engine::json::Json;
use crate::store::engine::writer::WriterRow;

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

fn encode_failed(source: sqlx::error::BoxDynError) -> Error {
    sqlx::Error::Encode(source).into()
}

/// PostgreSQL's TEXT cannot hold U+0000, and a statement with one fails. What comes from outside may have one where no
/// rule forbids it (a decoded subject, an answer of another server), and must not keep its row from being written.
pub(in crate::store) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}").into() } else { text.into() }
}

/// The same for a text that is ours.
fn owned_without_nul(text: String) -> String {
    match without_nul(&text) {
        Cow::Owned(changed) => changed,
        Cow::Borrowed(_) => text,
    }
}

/// Puts the parameters into SQLite's own form.
pub(in crate::store) fn bind_sqlite(values: Vec<Value>) -> Result<SqliteArguments, Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Int(v) => arguments.add(v),
            Value::Text(v) => arguments.add(v.map(owned_without_nul)),
            Value::Blob(v) => arguments.add(v),
            Value::Ints(_) | Value::Texts(_) | Value::Blobs(_) => Err("SQLite has no arrays".into()),
        }
        .map_err(encode_failed)?;
    }
    Ok(arguments)
}

/// Puts the parameters into PostgreSQL's own form.
pub(in crate::store) fn bind_postgres(values: Vec<Value>) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(v) => arguments.add(v),
            Value::Text(v) => arguments.add(v.map(owned_without_nul)),
            Value::Blob(v) => arguments.add(v),
            Value::Ints(v) => arguments.add(v),
            Value::Blobs(v) => arguments.add(v),
            Value::Texts(v) => arguments.add(v.into_iter().map(|v| v.map(owned_without_nul)).collect::<Vec<_>>()),
        }
        .map_err(encode_failed)?;
    }
    Ok(arguments)
}

/// One row of a result. Columns are read by name; each reader fails when the column is missing or of another type.
pub enum Row {
    /// A row that SQLite gave to a reader.
    Sqlite(SqliteRow),
    /// A row that SQLite gave to the writer.
    Writer(WriterRow),
    /// A row that PostgreSQL gave.
    Postgres(PgRow),
}

macro_rules! readers {
    ($($get:ident, $opt:ident, $ty:ty, $doc:literal;)*) => { $(
        #[doc = concat!("Reads ", $doc, "; a NULL is an error.")]
        pub fn $get(&self, column: &str) -> Result<$ty, Error> {
            self.$opt(column)?.ok_or_else(|| Error::corrupt(format_args!("{column} is NULL")))
        }

        #[doc = concat!("Reads ", $doc, ", or `None` for NULL.")]
        pub fn $opt(&self, column: &str) -> Result<Option<$ty>, Error> {
            Ok(match self {
                Row::Sqlite(row) => row.try_get_unchecked::<Option<$ty>, _>(column)?,
                Row::Writer(row) => row.get::<Option<$ty>>(column)?,
                Row::Postgres(row) => row.try_get_unchecked::<Option<$ty>, _>(column)?,
            })
        }
    )* };
}

impl Row {
    readers! {
        int, opt_int, i64, "a BIGINT";
        text, opt_text, String, "a TEXT";
        blob, opt_blob, Vec<u8>, "bytes";
    }

    /// Reads a time, stored as microseconds.
    pub fn time(&self, column: &str) -> Result<Timestamp, Error> {
        self.int(column).map(Timestamp::from_micros)
    }

    /// Reads a time, or `None` for NULL.
    pub fn opt_time(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self.opt_int(column)?.map(Timestamp::from_micros))
    }

    /// Reads a flag, stored as 0 or 1.
    pub fn flag(&self, column: &str) -> Result<bool, Error> {
        self.int(column).map(|v| v != 0)
    }

    /// Reads a number that is never negative and fits 32 bits: counts and seconds.
    pub fn count(&self, column: &str) -> Result<u32, Error> {
        u32::try_from(self.int(column)?).map_err(|_| Error::corrupt(format_args!("{column} is out of range")))
    }

    /// Reads a text and parses it into a checked value, such as an account id.
    pub fn parsed<T>(&self, column: &str) -> Result<T, Error>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        parse(column, &self.text(column)?)
    }

    /// Reads a text and parses it, or `None` for NULL.
    pub(in crate::store) fn opt_parsed<T>(&self, column: &str) -> Result<Option<T>, Error>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.opt_text(column)?.map(|text| parse(column, &text)).transpose()
    }

    /// Takes a text of JSON, which is read when somebody asks.
    pub(in crate::store) fn json<T>(&self, column: &'static str) -> Result<Json<T>, Error> {
        Ok(Json::stored(self.text(column)?, column))
    }

    /// Takes a text of JSON, or `None` for NULL.
    pub(in crate::store) fn opt_json<T>(&self, column: &'static str) -> Result<Option<Json<T>>, Error> {
        Ok(self.opt_text(column)?.map(|text| Json::stored(text, column)))
    }
}

fn parse<T>(column: &str, text: &str) -> Result<T, Error>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e| Error::corrupt(format_args!("{column}: {e}")))
}

/// The rows that can be read. One that cannot is passed over with a line in the log, so that it keeps no others from theirs. `of` is
/// their table, and `key` a column of text that tells them apart.
pub(in crate::store) fn readable<T>(
    rows: &[Row],
    (of, key): (&str, &str),
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Vec<T> {
    let one = |row: &Row| match read(row) {
        Ok(value) => Some(value),
        Err(error) => {
            let key = row.text(key).unwrap_or_default();
            tracing::error!(table = of, key, %error, "a row cannot be read, and is passed over");
            None
        }
    };
    rows.iter().filter_map(one).collect()
}
