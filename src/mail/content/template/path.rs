//! What a tag names: a path into the data, or a value that stands in the tag itself.
use crate::mail::content::template::data::Data;

/// The parts of a path.
const PARTS_MAX: usize = 50;
/// Look-ups inside of each other.
const LOOKUPS_MAX: usize = 10;

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
    Literal(Data),
    /// `(lookup of member)`: the member of the first that the second names.
    Lookup(Box<(Expression, Expression)>),
}

impl Path {
    /// Reads a path; `None` when it is none.
    pub fn read(text: &str) -> Option<Self> {
        let (rest, before) = ups(text)?;
        // `@../index` is Handlebars' own way, `../@index` another that SES's users have.
        let (rest, data) = rest.strip_prefix('@').map_or((rest, false), |rest| (rest, true));
        let (rest, behind) = if data { ups(rest)? } else { (rest, 0) };
        let up = before + behind;
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

/// Takes `../` off, as often as it stands there.
fn ups(text: &str) -> Option<(&str, usize)> {
    let (mut rest, mut up) = (text, 0);
    while let Some(after) = rest.strip_prefix("..") {
        up += 1;
        rest = match after.strip_prefix('/') {
            Some(after) => after,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some((rest, up))
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
    pub(super) fn read(word: &str) -> Option<Self> {
        Self::read_within(word, LOOKUPS_MAX)
    }

    fn read_within(word: &str, levels: usize) -> Option<Self> {
        if let Some(inner) = word.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            let levels = levels.checked_sub(1)?;
            let words = words(inner)?;
            let ["lookup", of, member] = words.as_slice() else { return None };
            let of = Self::read_within(of, levels)?;
            return Some(Self::Lookup(Box::new((of, Self::read_within(member, levels)?))));
        }
        for quote in ['"', '\''] {
            if let Some(text) = word.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
                return Some(Self::Literal(Data::Text(text.to_owned())));
            }
        }
        match word {
            "true" => return Some(Self::Literal(Data::Bool(true))),
            "false" => return Some(Self::Literal(Data::Bool(false))),
            _ => {}
        }
        if word.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && let Ok(number) = serde_json::from_str::<serde_json::Number>(word)
        {
            return Some(Self::Literal(Data::Number(number)));
        }
        Path::read(word).map(Self::Path)
    }
}

impl Expression {
    /// Alone in a tag, a text or a number is the name of a member.
    pub(super) fn or_name(self, word: &str) -> Self {
        let name = match self {
            Self::Literal(Data::Text(text)) => text,
            Self::Literal(_) => word.to_owned(),
            other => return other,
        };
        Self::Path(Path { text: name.clone(), up: 0, data: false, parts: vec![name] })
    }
}

/// Cuts a tag's content into words; quotes, brackets and parentheses hold theirs together. `None` when one is open.
pub(super) fn words(content: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let (mut start, mut closing, mut depth) = (None, None, 0_usize);
    for (at, c) in content.char_indices() {
        match (closing, c) {
            (Some(end), c) if c == end => closing = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => closing = Some(c),
            (None, '[') => closing = Some(']'),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.checked_sub(1)?,
            (None, c) if c.is_whitespace() && depth == 0 => {
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
    (closing.is_none() && depth == 0).then_some(words)
}
