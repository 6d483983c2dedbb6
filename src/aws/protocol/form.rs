//! The pairs of a Query request as a tree: `Tags.member.1.Key=a` is four levels.
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::aws::protocol::refusal::Refusal;
use crate::aws::protocol::{DEPTH_MAX, VALUES_MAX, may_be_any_text};

/// One level of names. A name may have a value and levels below it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    value: Option<String>,
    below: BTreeMap<String, Form>,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded` pairs. Of a name that comes twice the last value counts.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for bytes that are no text, [`Refusal::TooMuch`] for what is larger than any request.
    pub fn parse(pairs: &[u8]) -> Result<Self, Refusal> {
        let mut root = Self::default();
        root.add(pairs)?;
        Ok(root)
    }

    /// Adds the pairs of another part of the request, as a GET's query string. What is there already stays.
    ///
    /// # Errors
    /// As [`Form::parse`].
    pub fn add(&mut self, pairs: &[u8]) -> Result<(), Refusal> {
        if pairs.iter().filter(|byte| **byte == b'&').count() >= VALUES_MAX {
            return Err(Refusal::TooMuch("the request holds too many values"));
        }
        if pairs.iter().any(|byte| *byte >= 0x80 || *byte < 0x20 && !matches!(byte, b'\r' | b'\n')) {
            return Err(Refusal::Malformed("the form is not URL-encoded".to_owned()));
        }
        // Each level costs far more memory than the bytes that name it.
        let mut levels_left = VALUES_MAX;
        for (name, value) in form_urlencoded::parse(pairs.trim_ascii()) {
            let member = name.rsplit('.').next().unwrap_or_default();
            if name.contains('\0') || value.contains('\0') && !may_be_any_text(member) {
                return Err(Refusal::nul());
            }
            if name.matches('.').count() >= DEPTH_MAX {
                return Err(Refusal::TooMuch("the request nests too deep"));
            }
            let mut level = &mut *self;
            for part in name.split('.') {
                level = match level.below.entry(part.to_owned()) {
                    Entry::Occupied(there) => there.into_mut(),
                    Entry::Vacant(room) => {
                        let left = levels_left.checked_sub(1);
                        levels_left = left.ok_or(Refusal::TooMuch("the request holds too many values"))?;
                        room.insert(Form::default())
                    }
                };
            }
            level.value = Some(value.into_owned());
        }
        Ok(())
    }

    /// The value of the top-level name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.below.get(name)?.value.as_deref()
    }

    /// Gives a top-level name a value, if it has none.
    pub fn set_default(&mut self, name: &str, value: String) {
        self.below.entry(name.to_owned()).or_default().value.get_or_insert(value);
    }

    /// The level below.
    pub(crate) fn level(&self, name: &str) -> Option<&Form> {
        self.below.get(name)
    }

    /// This level's own value.
    pub(crate) fn text(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// The levels below that are numbers, in their order. Gaps do not matter, as AWS's do not.
    pub(crate) fn numbered(&self) -> Vec<&Form> {
        let mut items: Vec<(u32, &Form)> =
            self.below.iter().filter_map(|(name, level)| Some((name.parse().ok()?, level))).collect();
        items.sort_by_key(|(number, _)| *number);
        items.into_iter().map(|(_, level)| level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_levels() {
        let form = Form::parse(b"Action=Send&E.2.Id=b&E.10.Id=c&E.1.Id=a%20+%C3%A4\r\n").expect("a form");
        assert_eq!(form.get("Action"), Some("Send"));
        let ids: Vec<_> = form.level("E").expect("E").numbered().iter().filter_map(|e| e.get("Id")).collect();
        assert_eq!(ids, ["a  ä", "b", "c"]);
    }

    #[test]
    fn broken_deep_and_crowded_forms_are_refused() {
        assert!(matches!(Form::parse("Name=ä".as_bytes()), Err(Refusal::Malformed(_))));
        for nul in ["Name=\0", "Name=%00", "Na%00me=a"] {
            assert!(matches!(Form::parse(nul.as_bytes()), Err(Refusal::Malformed(_))), "{nul}");
        }
        assert!(matches!(Form::parse("a.".repeat(DEPTH_MAX).as_bytes()), Err(Refusal::TooMuch(_))));
        assert!(matches!(Form::parse("a=1&".repeat(VALUES_MAX).as_bytes()), Err(Refusal::TooMuch(_))));
        let level = ".a".repeat(DEPTH_MAX - 2);
        let deep: Vec<String> = (0..VALUES_MAX / 10).map(|n| format!("{n}{level}=1")).collect();
        assert!(matches!(Form::parse(deep.join("&").as_bytes()), Err(Refusal::TooMuch(_))));
    }
}
