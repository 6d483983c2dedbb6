//! Encodes typed results as the XML of the Query protocol.
use std::fmt::Display;

use serde::ser::{self, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct};

use crate::aws::protocol::names::Names;
use crate::aws::protocol::value::TIME;
use crate::base::Timestamp;

/// A result that XML cannot hold: tuples, bytes that are no [`crate::aws::protocol::Blob`], enums with content.
#[derive(Debug, thiserror::Error)]
#[error("the result has no XML form: {0}")]
pub struct Error(String);

impl ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Writes `result` as the element `tag`. A unit writes nothing: an operation without a result has no element for it.
///
/// # Errors
/// [`Error`] for types that no result should have.
pub fn encode<T: Serialize>(result: &T, tag: &str, names: &Names, out: &mut String) -> Result<(), Error> {
    result.serialize(Encoder { out, names, tag, flat: None, time: false })
}

/// Writes `text` as an element's content. Characters that XML 1.0 cannot carry become U+FFFD.
pub fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A parser would turn a bare CR into LF.
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

fn open(tag: &str, out: &mut String) {
    out.push('<');
    out.push_str(tag);
    out.push('>');
}

fn close(tag: &str, out: &mut String) {
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

/// Writes one value as the element `tag`.
struct Encoder<'a> {
    out: &'a mut String,
    names: &'a Names,
    tag: &'a str,
    /// The member's flat name, if it has one: then its items or entries take the place of the element.
    flat: Option<&'static str>,
    /// The value is the inside of a [`crate::aws::protocol::Time`].
    time: bool,
}

impl<'a> Encoder<'a> {
    fn leaf(self, text: &str) -> Result<(), Error> {
        open(self.tag, self.out);
        escape(text, self.out);
        close(self.tag, self.out);
        Ok(())
    }

    fn begin(self, structure: &'static str) -> Level<'a> {
        let wrapped = self.flat.is_none();
        if wrapped {
            open(self.tag, self.out);
        }
        Level { out: self.out, names: self.names, tag: self.tag, flat: self.flat, structure }
    }
}

/// Values whose text is their `Display`.
macro_rules! leaves {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<(), Error> {
            self.leaf(&value.to_string())
        }
    )*};
}

impl<'a> ser::Serializer for Encoder<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Level<'a>;
    type SerializeMap = Level<'a>;
    type SerializeStruct = Level<'a>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    leaves!(serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_f32 f32, serialize_char char);

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        if self.time {
            let time = Timestamp::from_micros((value * 1e6).round() as i64);
            return self.leaf(&time.iso_millis());
        }
        self.leaf(&value.to_string())
    }
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.leaf(value)
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<(), Error> {
        Err(Error("bytes".to_owned()))
    }
    fn serialize_none(self) -> Result<(), Error> {
        Ok(())
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.leaf(variant)
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, name: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(Encoder { time: name == TIME, ..self })
    }
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        Err(Error(name.to_owned()))
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Level<'a>, Error> {
        Ok(self.begin(""))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Level<'a>, Error> {
        Ok(self.begin(""))
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Level<'a>, Error> {
        Ok(Encoder { flat: None, ..self }.begin(name))
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Err(Error("a tuple".to_owned()))
    }
    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        Err(Error(name.to_owned()))
    }
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(Error(name.to_owned()))
    }
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(Error(name.to_owned()))
    }
}

/// The inside of a list, a map or a structure.
struct Level<'a> {
    out: &'a mut String,
    names: &'a Names,
    tag: &'a str,
    flat: Option<&'static str>,
    structure: &'static str,
}

impl Level<'_> {
    fn write<T: ?Sized + Serialize>(&mut self, tag: &str, flat: Option<&'static str>, value: &T) -> Result<(), Error> {
        value.serialize(Encoder { out: self.out, names: self.names, tag, flat, time: false })
    }

    /// What this map's entries, their keys and their values are called.
    fn entry(&self) -> (&'static str, &'static str, &'static str) {
        let (key, value) = self.names.entry(self.flat.unwrap_or(self.tag));
        (self.flat.unwrap_or("entry"), key, value)
    }

    fn finish(self) -> Result<(), Error> {
        if self.flat.is_none() {
            close(self.tag, self.out);
        }
        Ok(())
    }
}

impl SerializeSeq for Level<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.write(self.flat.unwrap_or("member"), None, value)
    }
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl SerializeMap for Level<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_key<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        let (entry, key, _) = self.entry();
        open(entry, self.out);
        self.write(key, None, value)
    }
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        let (entry, _, name) = self.entry();
        self.write(name, None, value)?;
        close(entry, self.out);
        Ok(())
    }
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl SerializeStruct for Level<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_field<T: ?Sized + Serialize>(&mut self, member: &'static str, value: &T) -> Result<(), Error> {
        let flat = self.names.flat(self.structure, member);
        self.write(flat.unwrap_or(member), flat, value)
    }
    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}
