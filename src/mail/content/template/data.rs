//! The data of a template: JSON whose members stand in the order in which JavaScript goes through them.
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Data {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Data>),
    /// An object.
    Object(Members),
}

/// The members of an object: names that are small whole numbers first, by size, then the others as they were written. The
/// last of two with one name counts, in the place of the first (ECMAScript, OrdinaryOwnPropertyKeys).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members {
    all: Vec<(String, Data)>,
    places: HashMap<String, usize>,
}

impl Members {
    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Data> {
        self.places.get(name).and_then(|at| self.all.get(*at)).map(|(_, value)| value)
    }

    /// All members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Data)> {
        self.all.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn insert(&mut self, name: String, value: Data) {
        match self.places.get(&name).and_then(|at| self.all.get_mut(*at)) {
            Some(member) => member.1 = value,
            None => {
                self.places.insert(name.clone(), self.all.len());
                self.all.push((name, value));
            }
        }
    }

    /// Puts names that are numbers first.
    fn in_order(mut self) -> Self {
        if self.all.iter().any(|(name, _)| index(name).is_some()) {
            self.all.sort_by_key(|(name, _)| index(name).map_or((1, 0), |number| (0, number)));
            self.places = self.all.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        }
        self
    }
}

/// The number that an array index is: `0` or without a leading zero, and less than 2^32 - 1.
fn index(name: &str) -> Option<u32> {
    let number = name.parse::<u32>().ok().filter(|number| *number < u32::MAX)?;
    (number.to_string() == name).then_some(number)
}

impl Data {
    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Whether it is an object with members.
    pub fn has_members(&self) -> bool {
        matches!(self, Self::Object(members) if !members.is_empty())
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Data, E> {
        Ok(Data::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Data, E> {
        Ok(Data::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Data, E> {
        Ok(Number::from_f64(value).map_or(Data::Null, Data::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Data, E> {
        Ok(Data::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Data, E> {
        Ok(Data::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Data, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Data::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let mut members = Members::default();
        while let Some((name, value)) = map.next_entry::<String, Data>()? {
            members.insert(name, value);
        }
        Ok(Data::Object(members.in_order()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_javascripts_order() {
        let names = |text: &str| match serde_json::from_str::<Data>(text) {
            Ok(Data::Object(members)) => members.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(names(r#"{"b":1,"a":2,"b":3}"#), ["b", "a"]);
        assert_eq!(
            names(r#"{"b":1,"10":2,"2":3,"01":4,"-1":5,"4294967295":6}"#),
            ["2", "10", "b", "01", "-1", "4294967295"]
        );
        let Ok(Data::Object(members)) = serde_json::from_str::<Data>(r#"{"b":1,"7":true,"b":3}"#) else { panic!() };
        assert_eq!((members.get("b"), members.get("7")), (Some(&Data::Number(3.into())), Some(&Data::Bool(true))));
        assert!(serde_json::from_str::<Data>(&"[".repeat(200)).is_err(), "too deep");
    }
}
