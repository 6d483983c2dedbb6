//! Decodes the pairs of a Query request into the same typed requests that JSON decodes into.
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use crate::aws::protocol::ANY_TEXT;
use crate::aws::protocol::form::Form;
use crate::aws::protocol::names::Names;
use crate::aws::protocol::refusal::Refusal;

/// Decodes a Query request.
///
/// # Errors
/// A [`Refusal`] that says what does not fit.
pub fn decode<T: DeserializeOwned>(form: &Form, names: &Names) -> Result<T, Refusal> {
    T::deserialize(Decoder { level: form, names, member: "", flat: None })
}

/// Decodes one value.
#[derive(Clone, Copy)]
struct Decoder<'a> {
    level: &'a Form,
    names: &'a Names,
    /// The member that the value belongs to; empty at the top and for items of lists.
    member: &'a str,
    /// The member's flat name, if it has one.
    flat: Option<&'static str>,
}

impl<'a> Decoder<'a> {
    fn text(&self) -> Result<&'a str, Refusal> {
        let text = self.any_text()?;
        // Only where any text may stand can one hold it.
        if text.contains('\0') { Err(Refusal::nul()) } else { Ok(text) }
    }

    fn any_text(&self) -> Result<&'a str, Refusal> {
        self.level.text().ok_or_else(|| Refusal::wrong_type("Unexpected complex element termination"))
    }

    /// The items of a list or the entries of a map: below `level_name`, or right here when the member is flat.
    fn items(&self, level_name: &str) -> Vec<&'a Form> {
        match self.flat {
            Some(_) if !self.level.numbered().is_empty() => self.level.numbered(),
            _ => self.level.level(level_name).map(Form::numbered).unwrap_or_default(),
        }
    }

    fn inner(&self, level: &'a Form) -> Self {
        Self { level, names: self.names, member: "", flat: None }
    }
}

/// Numbers of every type, read from their text.
macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty, $wanted:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            let text = self.text()?;
            match text.trim().parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Refusal::wrong_type(format!(
                    concat!("Value ({}) is not valid. Must be ", $wanted),
                    text.chars().take(100).collect::<String>()
                ))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Refusal;

    numbers! {
        deserialize_i8 visit_i8 i8, "an Integer"; deserialize_i16 visit_i16 i16, "an Integer";
        deserialize_i32 visit_i32 i32, "an Integer"; deserialize_i64 visit_i64 i64, "an Integer";
        deserialize_u8 visit_u8 u8, "an Integer"; deserialize_u16 visit_u16 u16, "an Integer";
        deserialize_u32 visit_u32 u32, "an Integer"; deserialize_u64 visit_u64 u64, "an Integer";
        deserialize_f32 visit_f32 f32, "a Float"; deserialize_f64 visit_f64 f64, "a Float";
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let text = self.text()?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => visitor.visit_bool(true),
            "false" | "0" => visitor.visit_bool(false),
            _ => Err(Refusal::wrong_type("Value is not valid. Must be a Boolean")),
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        if name == ANY_TEXT {
            return visitor.visit_newtype_struct(StrDeserializer::<Refusal>::new(self.any_text()?));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let mut items = self.items("member");
        // SQS takes a flat list of one without its number: `AttributeName=All`. An empty value is an empty list.
        if items.is_empty() && self.flat.is_some() && self.level.text().is_some_and(|text| !text.is_empty()) {
            items.push(self.level);
        }
        visitor.visit_seq(Items { decoder: self, items: items.into_iter(), number: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let (key, value) = self.names.entry(self.flat.unwrap_or(self.member));
        let mut items = self.items("entry");
        // SQS takes a flat map of one without its number, as its API reference writes it: `Attribute.Name=a`.
        if items.is_empty() && self.flat.is_some() && self.level.level(key).is_some() {
            items.push(self.level);
        }
        visitor.visit_map(Entries { decoder: self, items: items.into_iter(), key, value, held: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        structure: &'static str,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_map(Members {
            decoder: self,
            structure,
            members: members.iter(),
            flat_seen: Vec::new(),
            held: None,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_enum(self.text()?.into_deserializer())
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// A list's items.
struct Items<'a> {
    decoder: Decoder<'a>,
    items: std::vec::IntoIter<&'a Form>,
    number: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refusal;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some(item) = self.items.next() else { return Ok(None) };
        self.number += 1;
        let read = seed.deserialize(self.decoder.inner(item));
        read.map(Some).map_err(|e| e.within("member").within(&self.number.to_string()))
    }
}

/// A map's entries.
struct Entries<'a> {
    decoder: Decoder<'a>,
    items: std::vec::IntoIter<&'a Form>,
    key: &'static str,
    value: &'static str,
    held: Option<(&'a str, &'a Form)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let key = item.get(self.key).ok_or_else(|| Refusal::Missing(self.key.to_owned()))?;
        let value = item.level(self.value).ok_or_else(|| Refusal::Missing(self.value.to_owned()).within(key))?;
        self.held = Some((key, value));
        seed.deserialize(StrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refusal> {
        let Some((key, value)) = self.held.take() else { return Err(Refusal::wrong_type("a value without a key")) };
        seed.deserialize(self.decoder.inner(value)).map_err(|e| e.within(key))
    }
}

/// A structure's members: those of the type, looked up by their Query names.
struct Members<'a> {
    decoder: Decoder<'a>,
    structure: &'static str,
    members: std::slice::Iter<'static, &'static str>,
    /// Flat names that were read: a member and its alias may have the same one.
    flat_seen: Vec<&'static str>,
    held: Option<Decoder<'a>>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        for member in self.members.by_ref() {
            let flat = self.decoder.names.flat(self.structure, member);
            if flat.is_some_and(|name| self.flat_seen.contains(&name)) {
                continue;
            }
            // A member that stands flat is read under its own name too, as AWS does.
            let named = |name: &str| self.decoder.level.level(name);
            if let Some(level) = flat.and_then(named).or_else(|| named(member)) {
                self.flat_seen.extend(flat);
                self.held = Some(Decoder { level, names: self.decoder.names, member, flat });
                return seed.deserialize(StrDeserializer::new(member)).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refusal> {
        let Some(decoder) = self.held.take() else { return Err(Refusal::wrong_type("a value without a name")) };
        seed.deserialize(decoder).map_err(|e| e.within(decoder.member))
    }
}
