//! What a tag names: a path into the data, or a value that stands in the tag itself.
use serde_json::Value;

/// The parts of a path.
const PARTS_MAX: usize = 50;

/// A path: `name`, `contact.name`, `../name`, `this`, `list.[0]`, `@index`, `@root.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// As it was written.
    pub text: String,
    /// How many contexts up.
    pub up: usize,
    /// Whether it names one of the loop's own values: `@index`, `@key`, `@first`, `@last`, `@root`.
    pub data: bool,
    /// The names on the way; none is the context itself.
    pub parts: Vec<String>,
}

/// A path, or a value that stands in the tag.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// Looked up in the data.
    Path(Path),
    /// A text, a number, `true`, `false`.
    Literal(Value),
}

impl Path {
    /// Reads a path; `None` when it is none.
    pub fn read(text: &str) -> Option<Self> {
        let (mut rest, mut up) = (text, 0);
        while let Some(after) = rest.strip_prefix("..") {
            up += 1;
            rest = match after.strip_prefix('/') {
                Some(after) => after,
                None if after.is_empty() => after,
                None => return None,
            };
        }
        let (rest, data) = rest.strip_prefix('@').map_or((rest, false), |rest| (rest, true));
        let mut parts = Vec::new();
        let mut rest = rest.strip_prefix("./").unwrap_or(rest);
        while !rest.is_empty() {
            let (part, after) = part(rest)?;
            if !(part == "this" || part == ".") || !parts.is_empty() {
                parts.push(part.to_owned());
            }
            rest = match after.strip_prefix(['.', '/']) {
                Some("") => return None,
                Some(after) => after,
                None if after.is_empty() => "",
                None => return None,
            };
        }
        let named = !parts.is_empty() || matches!(text, "this" | "." | "./") || up > 0;
        let fits = up <= PARTS_MAX && parts.len() <= PARTS_MAX;
        (named && fits && !(data && parts.is_empty())).then(|| Self { text: text.to_owned(), up, data, parts })
    }
}

/// The first part of a path, and what follows it.
fn part(text: &str) -> Option<(&str, &str)> {
    if let Some(inner) = text.strip_prefix('[') {
        return inner.split_once(']');
    }
    if text == "." {
        return Some((".", ""));
    }
    let end = text.find(['.', '/']).unwrap_or(text.len());
    let (part, after) = text.split_at(end);
    // Handlebars: these are no letters of a name.
    let fine =
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "!\"#%&'()*+,;<=>@[\\]^`{|}~".contains(c));
    fine.then_some((part, after))
}

impl Expression {
    /// Reads a word of a tag; `None` when it is neither a path nor a value.
    pub fn read(word: &str) -> Option<Self> {
        for quote in ['"', '\''] {
            if let Some(text) = word.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
                return Some(Self::Literal(Value::from(text)));
            }
        }
        match word {
            "true" => return Some(Self::Literal(Value::from(true))),
            "false" => return Some(Self::Literal(Value::from(false))),
            _ => {}
        }
        if word.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && let Ok(number) = serde_json::from_str::<serde_json::Number>(word)
        {
            return Some(Self::Literal(Value::Number(number)));
        }
        Path::read(word).map(Self::Path)
    }
}

/// Cuts a tag's content into words; quotes and brackets hold theirs together. `None` when one is open.
pub(super) fn words(content: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let (mut start, mut closing) = (None, None);
    for (at, c) in content.char_indices() {
        match (closing, c) {
            (Some(end), c) if c == end => closing = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => closing = Some(c),
            (None, '[') => closing = Some(']'),
            (None, c) if c.is_whitespace() => {
                if let Some(start) = start.take() {
                    words.push(content.get(start..at)?);
                }
                continue;
            }
            (None, _) => {}
        }
        start.get_or_insert(at);
    }
    if let Some(start) = start {
        words.push(content.get(start..)?);
    }
    closing.is_none().then_some(words)
}
