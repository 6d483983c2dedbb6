//! REST-JSON: which operation a method and path mean, and a request merged from path, query string and body.
use std::borrow::Cow;
use std::collections::HashSet;

use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::aws::protocol::PARAMETERS_MAX;
use crate::aws::protocol::json::{Decoder, top};
use crate::aws::protocol::refusal::Refusal;
use crate::aws::protocol::tree::Tree;

/// One way to call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestRoute {
    /// The HTTP method, in capitals.
    pub method: &'static str,
    /// The path; a segment `{Name}` stands for the member `Name`.
    pub path: &'static str,
}

/// The members that a path holds, by name.
pub type Labels = Vec<(&'static str, String)>;

impl RestRoute {
    /// The labels of `path` (as it came, still percent-encoded) and how many of its segments the route spells out, or
    /// `None` when the path is not this route's. A slash at the end makes no difference.
    pub fn matches(&self, method: &str, path: &str) -> Option<(usize, Labels)> {
        if self.method != method {
            return None;
        }
        let mut spelled = 0;
        let mut labels = Vec::new();
        let mut theirs = path.trim_end_matches('/').split('/');
        for ours in self.path.trim_end_matches('/').split('/') {
            let segment = theirs.next()?;
            match ours.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(_) if segment.is_empty() => return None,
                Some(name) => labels.push((name, percent_decode_str(segment).decode_utf8().ok()?.into_owned())),
                None if ours == segment => spelled += 1,
                None => return None,
            }
        }
        theirs.next().is_none().then_some((spelled, labels))
    }
}

/// Decodes a request. Labels win over the body's members of the same name. The query string is read for GET and
/// DELETE only: no operation with another method has members there.
///
/// # Errors
/// A [`Refusal`] that says what does not fit.
pub fn decode<T: DeserializeOwned>(method: &str, labels: Labels, query: &str, body: &[u8]) -> Result<T, Refusal> {
    let Tree::Map(mut members) = top(body)? else { return Err(Refusal::Malformed("not an object".to_owned())) };
    let mut parameters: Vec<(Cow<'_, str>, Vec<String>)> =
        labels.into_iter().map(|(name, value)| (Cow::Borrowed(name), vec![value])).collect();
    if matches!(method, "GET" | "DELETE") {
        for (count, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
            if count >= PARAMETERS_MAX {
                return Err(Refusal::TooMuch("the query string holds too many values"));
            }
            match parameters.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value.into_owned()),
                None => parameters.push((name, vec![value.into_owned()])),
            }
        }
    }
    if parameters.iter().any(|(name, values)| name.contains('\0') || values.iter().any(|value| value.contains('\0'))) {
        return Err(Refusal::Malformed("a parameter holds the character U+0000".to_owned()));
    }
    let named: HashSet<&str> = parameters.iter().map(|(name, _)| name.as_ref()).collect();
    members.retain(|(name, _)| !named.contains(name.as_ref()));
    members.extend(parameters.into_iter().map(|(name, values)| (name, Tree::Parameter(values))));
    T::deserialize(Decoder(Tree::Map(members)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Sample {
        name: String,
        page_size: Option<i32>,
        #[serde(default)]
        tag_keys: Vec<String>,
        deep: Option<bool>,
    }

    #[test]
    fn paths_match_with_their_labels_decoded() {
        let route = RestRoute { method: "GET", path: "/v2/email/identities/{Name}/policies" };
        let found = route.matches("GET", "/v2/email/identities/a%40b.c%2Fd/policies/");
        assert_eq!(found, Some((5, vec![("Name", "a@b.c/d".to_owned())])));
        for (method, path) in [
            ("POST", "/v2/email/identities/a/policies"),
            ("GET", "/v2/email/identities//policies"),
            ("GET", "/v2/email/identities/a"),
            ("GET", "/v2/email/identities/a/policies/x"),
            ("GET", "/v2/email/identities/%ff/policies"),
        ] {
            assert_eq!(route.matches(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn path_query_and_body_become_one_request() {
        let labels = vec![("Name", "from-path".to_owned())];
        let body = br#"{"Name":"from-body","Deep":true,"Unknown":[1]}"#;
        let merged: Sample = decode("PUT", labels.clone(), "PageSize=7", body).expect("a request");
        let wanted = Sample { name: "from-path".into(), page_size: None, tag_keys: vec![], deep: Some(true) };
        assert_eq!(merged, wanted);
        let query = "PageSize=7&TagKeys=a&TagKeys=b%20c&Deep=false";
        let got: Sample = decode("GET", labels.clone(), query, b"").expect("a request");
        let wanted = Sample {
            name: "from-path".into(),
            page_size: Some(7),
            tag_keys: vec!["a".into(), "b c".into()],
            deep: Some(false),
        };
        assert_eq!(got, wanted);
        let nul = vec![("Name", "a\0".to_owned())];
        for (labels, query) in [(nul, ""), (labels.clone(), "TagKeys=%00"), (labels.clone(), "%00=a")] {
            assert!(matches!(decode::<Sample>("GET", labels, query, b""), Err(Refusal::Malformed(_))), "{query}");
        }
        let wrong = decode::<Sample>("GET", labels, "PageSize=seven", b"");
        assert!(matches!(wrong, Err(Refusal::WrongType { path, .. }) if path == "PageSize"));
    }
}
