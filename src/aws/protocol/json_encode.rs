//! Encodes typed results as JSON. Unlike serde_json's own, this encoder leaves members that are `None` out, as AWS does.
use std::io::Write;

use serde::Serialize;
use serde::ser::{Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde_json::Error;

/// Bytes of room at first: enough for most results.
const ROOM: usize = 512;

/// Encodes a result. A unit, the result of an operation without one, is `{}`.
///
/// # Errors
/// An encoder's error, which only a type that AWS's models do not have can cause.
pub fn encode<T: Serialize>(result: &T) -> Result<String, Error> {
    let mut out = Vec::with_capacity(ROOM);
    if result.serialize(Encoder(&mut out))? == Written::Nothing {
        return Ok("{}".to_owned());
    }
    String::from_utf8(out).map_err(Error::custom)
}

/// Whether a value was there to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Something,
    /// `None` or a unit; `null` is in the output.
    Nothing,
}

struct Encoder<'a>(&'a mut Vec<u8>);

impl Encoder<'_> {
    /// Writes a value that serde_json writes right: numbers, texts.
    fn plain<T: Serialize + ?Sized>(self, value: &T) -> Result<Written, Error> {
        serde_json::to_writer(&mut *self.0, value)?;
        Ok(Written::Something)
    }

    fn nothing(self) -> Result<Written, Error> {
        self.0.extend_from_slice(b"null");
        Ok(Written::Nothing)
    }
}

/// Values that serde_json writes right.
macro_rules! plain {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<Written, Error> {
            self.plain(&value)
        }
    )*};
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = Written;
    type Error = Error;
    type SerializeSeq = Level<'a>;
    type SerializeMap = Level<'a>;
    type SerializeStruct = Level<'a>;
    type SerializeTuple = Impossible<Written, Error>;
    type SerializeTupleStruct = Impossible<Written, Error>;
    type SerializeTupleVariant = Impossible<Written, Error>;
    type SerializeStructVariant = Impossible<Written, Error>;

    plain!(serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_f32 f32,
        serialize_f64 f64, serialize_char char, serialize_str &str);

    fn serialize_bytes(self, _: &[u8]) -> Result<Written, Error> {
        Err(Error::custom("bytes must be a Blob"))
    }
    fn serialize_none(self) -> Result<Written, Error> {
        self.nothing()
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<Written, Error> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<Written, Error> {
        self.nothing()
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Written, Error> {
        self.nothing()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Written, Error> {
        self.plain(variant)
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Result<Written, Error> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Written, Error> {
        // A union of AWS's: an object with the one member that is set.
        let mut level = self.serialize_struct("", 1)?;
        SerializeStruct::serialize_field(&mut level, variant, value)?;
        SerializeStruct::end(level)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Level<'a>, Error> {
        self.0.push(b'[');
        Ok(Level { out: self.0, first: true })
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Level<'a>, Error> {
        self.0.push(b'{');
        Ok(Level { out: self.0, first: true })
    }
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Level<'a>, Error> {
        self.serialize_map(Some(len))
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Err(Error::custom("tuples have no form on the wire"))
    }
    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        Err(Error::custom(format!("{name} has no form on the wire")))
    }
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(Error::custom(format!("{name} has no form on the wire")))
    }
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(Error::custom(format!("{name} has no form on the wire")))
    }
}

/// The inside of a list, a map or a structure.
struct Level<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Level<'_> {
    fn separate(&mut self) {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(b',');
        }
    }

    fn finish(self, end: u8) -> Result<Written, Error> {
        self.out.push(end);
        Ok(Written::Something)
    }
}

impl SerializeSeq for Level<'_> {
    type Ok = Written;
    type Error = Error;
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        value.serialize(Encoder(self.out)).map(drop)
    }
    fn end(self) -> Result<Written, Error> {
        self.finish(b']')
    }
}

impl SerializeMap for Level<'_> {
    type Ok = Written;
    type Error = Error;
    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        self.separate();
        let start = self.out.len();
        key.serialize(Encoder(self.out))?;
        // Keys that are numbers or flags still stand in quotes.
        if self.out.get(start) != Some(&b'"') {
            self.out.insert(start, b'"');
            self.out.push(b'"');
        }
        Ok(())
    }
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        value.serialize(Encoder(self.out)).map(drop)
    }
    fn end(self) -> Result<Written, Error> {
        self.finish(b'}')
    }
}

impl SerializeStruct for Level<'_> {
    type Ok = Written;
    type Error = Error;
    fn serialize_field<T: ?Sized + Serialize>(&mut self, member: &'static str, value: &T) -> Result<(), Error> {
        let (start, was_first) = (self.out.len(), self.first);
        self.separate();
        write!(self.out, "\"{member}\":").map_err(Error::io)?;
        if value.serialize(Encoder(self.out))? == Written::Nothing {
            self.out.truncate(start);
            self.first = was_first;
        }
        Ok(())
    }
    fn end(self) -> Result<Written, Error> {
        self.finish(b'}')
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    struct Sample<'a> {
        a: Option<i32>,
        b: Vec<Option<&'a str>>,
        c: Option<BTreeMap<u8, f64>>,
        d: Option<Box<Sample<'a>>>,
        e: Option<()>,
    }

    #[test]
    fn absent_members_are_left_out_at_every_depth() {
        let inner = Sample { a: Some(1), b: vec![], c: None, d: None, e: Some(()) };
        let map = BTreeMap::from([(7, 1.5), (8, 2.0)]);
        let outer = Sample { a: None, b: vec![Some("x\n\"ä"), None], c: Some(map), d: Some(Box::new(inner)), e: None };
        let wanted = r#"{"b":["x\n\"ä",null],"c":{"7":1.5,"8":2.0},"d":{"a":1,"b":[]}}"#;
        assert_eq!(encode(&outer).expect("JSON"), wanted);
        assert_eq!(encode(&()).expect("JSON"), "{}");
    }
}
