//! Parameters in the form of each driver, and one form for the rows of both.
use sqlx::Arguments as _;
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use crate::base::Timestamp;
use crate::store::Error;
use crate::store::engine::json::Json;
use crate::store::engine::value::{Value, owned_without_nul};
use crate::store::engine::writer::WriterRow;

fn encode_failed(source: sqlx::error::BoxDynError) -> Error {
    sqlx::Error::Encode(source).into()
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
