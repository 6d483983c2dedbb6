//! A JSON body as a tree whose depth and size are known to be small, read before any service's types are.
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::aws::protocol::refusal::Refusal;
use crate::aws::protocol::{DEPTH_MAX, VALUES_MAX, may_be_any_text};

/// A value. Texts without escapes are borrowed from the body, so that a large one is not copied.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree<'a> {
    /// `null`, which AWS reads as an absent member.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Tree<'a>>),
    /// A structure or a map, in the order of the body. A name that comes twice stands twice.
    Map(Vec<(Cow<'a, str>, Tree<'a>)>),
    /// Not from the body: a path label or query parameter, with all its values. Its type is what the member wants.
    Parameter(Vec<String>),
}

impl<'a> Tree<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for what is not JSON, [`Refusal::TooMuch`] for what is deeper or larger than any request.
    pub fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        let values_left = Cell::new(VALUES_MAX);
        let over = Cell::new(None);
        let mut json = serde_json::Deserializer::from_slice(body);
        let seed = Bounded { depth_left: DEPTH_MAX, values_left: &values_left, over: &over, any_text: false };
        let read = seed.deserialize(&mut json).and_then(|tree| json.end().map(|()| tree));
        read.map_err(|error| match over.get() {
            Some(what) => Refusal::TooMuch(what),
            None => Refusal::Malformed(format!("the body is not valid JSON: {error}")),
        })
    }
}

#[derive(Clone, Copy)]
struct Bounded<'b> {
    depth_left: usize,
    values_left: &'b Cell<usize>,
    over: &'b Cell<Option<&'static str>>,
    /// The value is a member's that may hold U+0000: see [`AnyText`](crate::aws::protocol::AnyText).
    any_text: bool,
}

impl Bounded<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            self.over.set(Some("the request nests too deep"));
            return Err(E::custom("too deep"));
        };
        Ok(Self { depth_left, any_text: false, ..self })
    }

    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        let Some(left) = self.values_left.get().checked_sub(1) else {
            self.over.set(Some("the request holds too many values"));
            return Err(E::custom("too many"));
        };
        self.values_left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Tree<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree<'de>, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Tree<'de>, E> {
        Ok(Tree::Number(value.into()))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Tree<'de>, E> {
        Number::from_f64(value).map(Tree::Number).ok_or_else(|| E::custom("a number out of range"))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(value)))
    }
    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Tree<'de>, E> {
        // Only as an escape can it stand in JSON. PostgreSQL keeps no text with it, and SQS and SNS take none.
        if !self.any_text && value.contains('\0') {
            return Err(E::custom("a text holds the character U+0000"));
        }
        Ok(Tree::Text(Cow::Owned(value.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree<'de>, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree<'de>, A::Error> {
        let inner = self.inner()?;
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(inner)? {
            let Tree::Text(name) = name else { return Err(A::Error::custom("a member's name must be a text")) };
            let seed = Bounded { any_text: may_be_any_text(&name), ..inner };
            members.push((name, map.next_value_seed(seed)?));
        }
        Ok(Tree::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_are_borrowed_and_escaped_ones_are_read() {
        let Ok(Tree::Map(members)) = Tree::parse(br#"{"a":"plain","b":"tab\t"}"#) else { panic!("a map") };
        assert!(matches!(&members[0].1, Tree::Text(Cow::Borrowed("plain"))));
        assert!(matches!(&members[1].1, Tree::Text(Cow::Owned(text)) if text == "tab\t"));
    }

    #[test]
    fn broken_deep_and_crowded_bodies_are_refused() {
        for broken in
            ["", "{", "{\"a\":1}x", "{a:1}", "\u{feff}{}", "{\"a\":NaN}", "{\"a\":\"\\u0000\"}", "{\"\\u0000\":1}"]
        {
            assert!(matches!(Tree::parse(broken.as_bytes()), Err(Refusal::Malformed(_))), "{broken}");
        }
        assert!(matches!(Tree::parse(b"{\"a\":\"\xff\"}"), Err(Refusal::Malformed(_))));
        let deep = "[".repeat(100_000);
        assert_eq!(Tree::parse(deep.as_bytes()), Err(Refusal::TooMuch("the request nests too deep")));
        let crowded = format!("[{}1]", "1,".repeat(VALUES_MAX));
        assert_eq!(Tree::parse(crowded.as_bytes()), Err(Refusal::TooMuch("the request holds too many values")));
    }
}
