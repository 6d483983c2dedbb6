//! Decodes a JSON tree into a typed request.
use std::borrow::Cow;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use crate::aws::protocol::ANY_TEXT;
use crate::aws::protocol::refusal::Refusal;
use crate::aws::protocol::tree::Tree;

/// Decodes the body of an AWS JSON request. An empty body is a request without members.
///
/// # Errors
/// A [`Refusal`] that says what does not fit.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    T::deserialize(Decoder(top(body)?))
}

/// Reads a body that must be a structure.
pub(crate) fn top(body: &[u8]) -> Result<Tree<'_>, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Tree::Map(Vec::new()));
    }
    match Tree::parse(body)? {
        map @ Tree::Map(_) => Ok(map),
        _ => Err(Refusal::Malformed("the body must be a JSON object".to_owned())),
    }
}

/// What holds more than one value.
const COLLECTIONS: [&str; 3] = ["a List", "a Map", "a Structure"];

/// Decodes one value. Rules of AWS JSON: `null` is an absent member, unknown members are ignored, types are not guessed.
pub(crate) struct Decoder<'de>(pub(crate) Tree<'de>);

impl Decoder<'_> {
    /// The error for a value that cannot become a `wanted`, in AWS's words.
    fn refuse(&self, wanted: &str) -> Refusal {
        let found = match &self.0 {
            Tree::List(_) => return Refusal::wrong_type("Start of list found where not expected"),
            Tree::Map(_) => return Refusal::wrong_type("Start of structure or map found where not expected."),
            Tree::Text(_) if COLLECTIONS.contains(&wanted) => {
                return Refusal::wrong_type("Unrecognized collection type class java.lang.String");
            }
            Tree::Null => "NULL_VALUE",
            Tree::Bool(true) => "TRUE_VALUE",
            Tree::Bool(false) => "FALSE_VALUE",
            Tree::Number(_) => "NUMBER_VALUE",
            Tree::Text(_) | Tree::Parameter(_) => "STRING_VALUE",
        };
        Refusal::wrong_type(format!("{found} can not be converted to {wanted}"))
    }
}

/// Integers of every width: a JSON number without a fraction, or a parameter of digits.
macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            let wanted = "an Integer";
            match &self.0 {
                Tree::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                    (Some(value), _, _) => visitor.visit_i64(value),
                    (None, Some(value), _) => visitor.visit_u64(value),
                    // Some encoders write 30 as 30.0.
                    (None, None, Some(value)) if value.fract() == 0.0 && value.abs() < 9e15 => {
                        visitor.visit_i64(value as i64)
                    }
                    _ => Err(self.refuse(wanted)),
                },
                Tree::Parameter(values) => match values.last().and_then(|text| text.parse::<i64>().ok()) {
                    Some(value) => visitor.visit_i64(value),
                    None => Err(self.refuse(wanted)),
                },
                _ => Err(self.refuse(wanted)),
            }
        }
    )*};
}

/// Floats of both widths.
macro_rules! floats {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            let value = match &self.0 {
                Tree::Number(number) => number.as_f64(),
                Tree::Parameter(values) => values.last().and_then(|text| text.parse().ok()),
                _ => None,
            };
            match value.filter(|value| value.is_finite()) {
                Some(value) => visitor.visit_f64(value),
                None => Err(self.refuse("a Float")),
            }
        }
    )*};
}

/// Texts, borrowed or owned.
macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            match self.0 {
                Tree::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
                // Only as an escape can it stand in JSON, and then the text is owned.
                Tree::Text(Cow::Owned(text)) if text.contains('\0') => Err(Refusal::nul()),
                Tree::Text(Cow::Owned(text)) => visitor.visit_string(text),
                Tree::Parameter(mut values) => visitor.visit_string(values.pop().unwrap_or_default()),
                _ => Err(self.refuse("a String")),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder<'de> {
    type Error = Refusal;

    integers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64);
    floats!(deserialize_f32 deserialize_f64);
    texts!(deserialize_str deserialize_string deserialize_char);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0 {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(value),
            Tree::Number(number) => number.deserialize_any(visitor).map_err(|e| Refusal::wrong_type(e.to_string())),
            Tree::Text(_) | Tree::Parameter(_) => self.deserialize_str(visitor),
            Tree::List(_) => self.deserialize_seq(visitor),
            Tree::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &self.0 {
            Tree::Bool(value) => visitor.visit_bool(*value),
            Tree::Parameter(values) => match values.last().map(String::as_str) {
                Some("true") => visitor.visit_bool(true),
                Some("false") => visitor.visit_bool(false),
                _ => Err(self.refuse("a Boolean")),
            },
            _ => Err(self.refuse("a Boolean")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0 {
            Tree::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        if name == ANY_TEXT {
            let Tree::Text(text) = self.0 else { return Err(self.refuse("a String")) };
            return visitor.visit_newtype_struct(IntoDeserializer::<Refusal>::into_deserializer(text));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let items = match self.0 {
            Tree::List(items) => items,
            Tree::Null => Vec::new(),
            Tree::Parameter(values) => values.into_iter().map(|value| Tree::Parameter(vec![value])).collect(),
            _ => return Err(self.refuse("a List")),
        };
        visitor.visit_seq(Items { items: items.into_iter(), number: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let members = match self.0 {
            Tree::Map(members) => members,
            Tree::Null => Vec::new(),
            _ => return Err(self.refuse("a Map")),
        };
        visitor.visit_map(Members { members: members.into_iter(), held: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let Tree::Map(members) = self.0 else { return Err(self.refuse("a Structure")) };
        visitor.visit_map(Members { members: members.into_iter(), held: None })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.0 {
            Tree::Text(text) => visitor.visit_enum(text.into_deserializer()),
            Tree::Parameter(mut values) => visitor.visit_enum(values.pop().unwrap_or_default().into_deserializer()),
            _ => Err(self.refuse("a String")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

/// A list's items, which know their number for the path of an error.
struct Items<'de> {
    items: std::vec::IntoIter<Tree<'de>>,
    number: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Refusal;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some(item) = self.items.next() else { return Ok(None) };
        self.number += 1;
        let read = seed.deserialize(Decoder(item)).map_err(|e| e.within("member").within(&self.number.to_string()));
        read.map(Some)
    }
}

/// A structure's members or a map's entries; those that are `null` are passed over.
struct Members<'de> {
    members: std::vec::IntoIter<(Cow<'de, str>, Tree<'de>)>,
    held: Option<(Cow<'de, str>, Tree<'de>)>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let Some((name, value)) = self.members.find(|(_, value)| *value != Tree::Null) else { return Ok(None) };
        let key = match &name {
            Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            Cow::Owned(name) => seed.deserialize(StringDeserializer::new(name.clone())),
        };
        self.held = Some((name, value));
        key.map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refusal> {
        let Some((name, value)) = self.held.take() else { return Err(Refusal::wrong_type("a value without a name")) };
        seed.deserialize(Decoder(value)).map_err(|error| error.within(&name))
    }
}
