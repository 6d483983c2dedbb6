//! JSON in a column: typed, written and read in one way. What cannot be read is an error, never a default; what such an error
//! does to its surroundings stands in ARCHITECTURE.md, "What cannot be read".
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::Error;

/// Names with values, as tags are kept: a list of `[name, value]`, in order.
pub type Pairs = Vec<(String, String)>;

/// A column of JSON that holds a `T`. It is read when somebody asks: most who load a row never look into it.
pub struct Json<T> {
    text: String,
    column: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> Json<T> {
    /// What a row has in `column`.
    pub(in crate::store) fn stored(text: String, column: &'static str) -> Self {
        Self { text, column, of: PhantomData }
    }

    /// The text, as the column has it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<T: Serialize> Json<T> {
    /// The form of `value` in the store.
    ///
    /// # Errors
    /// When JSON has no form for the value, such as a map whose keys are no texts.
    pub fn of(value: &T) -> Result<Self, Error> {
        let text = serde_json::to_string(value).map_err(|error| unreadable("a new value", &error))?;
        Ok(Self::stored(text, "a new value"))
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// The value.
    ///
    /// # Errors
    /// [`Error::Corrupt`]. It names the column and the place in it, and nothing of what stands there: that is somebody's own.
    pub fn read(&self) -> Result<T, Error> {
        self.read_part()
    }

    /// A part of the value: a type with some of the members of `T`. It costs less where the others are large.
    ///
    /// # Errors
    /// As [`Json::read`].
    pub fn read_part<P: DeserializeOwned>(&self) -> Result<P, Error> {
        serde_json::from_str(&self.text).map_err(|error| unreadable(self.column, &error))
    }
}

fn unreadable(column: &str, error: &serde_json::Error) -> Error {
    let (what, line, at) = (error.classify(), error.line(), error.column());
    Error::corrupt(format_args!("{column}: JSON ({what:?}) at line {line}, column {at}"))
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        Self::stored(self.text.clone(), self.column)
    }
}

impl<T> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T> PartialEq for Json<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for Json<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let tags = vec![("a".to_owned(), "1".to_owned())];
        let written = Json::<Pairs>::of(&tags).expect("JSON");
        assert_eq!((written.text(), written.read().expect("the same")), (r#"[["a","1"]]"#, tags));
        for wrong in ["", "{}", "null", r#"[["a"]]"#, r#"[["a","1"]"#, r#"[["a","1"]] x"#] {
            let stored = Json::<Pairs>::stored(wrong.to_owned(), "tags");
            assert!(matches!(stored.read(), Err(Error::Corrupt(_))), "{wrong}");
        }
    }

    #[test]
    fn an_error_names_the_column_and_tells_nothing_of_its_content() {
        let stored = Json::<Vec<u8>>::stored(r#"["a secret"]"#.to_owned(), "details");
        let said = stored.read().expect_err("no numbers").to_string();
        assert!(said.contains("details") && said.contains("line 1") && !said.contains("secret"), "{said}");
    }
}
