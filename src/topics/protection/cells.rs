//! Where a text may be changed: all of it, or, where it is JSON, inside of its strings and in place of its other values, so that
//! it stays JSON. A string that holds JSON itself is taken apart in the same way. Source: RFC 8259.
use serde::de::IgnoredAny;

use crate::topics::protection::layers::{DEEP, Layers};

/// A piece of a text that may be changed.
pub(super) struct Cell {
    /// Where it begins in the source.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The first layer in which it is what its reader sees.
    pub layer: usize,
    /// For a value that is no string: in how many strings it stands. It is changed as a whole, and is a string then.
    pub bare: Option<usize>,
}

/// A part of a layer.
#[derive(Clone, Copy)]
struct Part {
    layer: usize,
    range: (usize, usize),
    /// In how many strings it stands.
    depth: usize,
}

/// Whether a text is a JSON object, list or string, or several JSON values in a row.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with(['{', '[', '"'])
        && serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>().all(|value| value.is_ok())
}

/// Goes through all of them, in order. The time is that of the text's length, once for each layer.
pub(super) fn each(layers: &Layers<'_>, visit: &mut dyn FnMut(&Cell)) {
    let all = Part { layer: 0, range: (0, layers.text(0).len()), depth: 0 };
    if !inside(layers, all, visit) {
        visit(&Cell { start: 0, end: all.range.1, layer: 0, bare: None });
    }
}

/// Those of a part that is JSON; `false` where it is none.
fn inside(layers: &Layers<'_>, part: Part, visit: &mut dyn FnMut(&Cell)) -> bool {
    let (from, to) = part.range;
    let Some(text) = layers.text(part.layer).get(from..to).filter(|text| is_json(text)) else { return false };
    let layer = (part.layer + 1).min(layers.last());
    let mut at = 0;
    while let Some(token) = next(text.as_bytes(), at) {
        at = token.behind;
        let range = (from + token.start, from + token.end);
        let within = Part { layer, range: layers.above(part.layer, range), depth: part.depth + 1 };
        if !token.bare && part.depth < DEEP && inside(layers, within, visit) {
            continue;
        }
        let (start, end) = layers.in_source(part.layer, range);
        visit(&Cell { start, end, layer, bare: token.bare.then_some(part.depth) });
    }
    true
}

/// What stands in a string, or another value that is no object and no list.
struct Token {
    start: usize,
    end: usize,
    bare: bool,
    /// Where the search goes on.
    behind: usize,
}

/// The next one of a text that is JSON.
fn next(octets: &[u8], at: usize) -> Option<Token> {
    let start = at + octets.get(at..)?.iter().position(|octet| !is_structure(*octet))?;
    let rest = octets.get(start..)?;
    if rest.first() != Some(&b'"') {
        let length = rest.iter().position(|octet| is_structure(*octet) || *octet == b'"').unwrap_or(rest.len());
        let end = start + length;
        return Some(Token { start, end, bare: true, behind: end });
    }
    let (start, mut end) = (start + 1, start + 1);
    loop {
        match octets.get(end)? {
            b'"' => return Some(Token { start, end, bare: false, behind: end + 1 }),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

fn is_structure(octet: u8) -> bool {
    matches!(octet, b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(source: &str) -> Vec<(&str, usize, Option<usize>)> {
        let mut cells = Vec::new();
        each(&Layers::of(source), &mut |cell| cells.push((&source[cell.start..cell.end], cell.layer, cell.bare)));
        cells
    }

    #[test]
    fn json_is_changed_in_its_strings_and_values_and_another_text_anywhere() {
        for text in ["plain", "", "12", r#"{"a":"#, r#"["a"] and more"#, r#"{"a":"b\q"}"#, "{a}"] {
            assert_eq!(cells(text), [(text, 0, None)]);
        }
        let plain = r#" {"a" : [-1.5e3,true], "":"x"}"#;
        let wanted = [("a", 0, None), ("-1.5e3", 0, Some(0)), ("true", 0, Some(0)), ("", 0, None), ("x", 0, None)];
        assert_eq!(cells(plain), wanted);
        assert_eq!(cells("[1]\n[\"b\"]"), [("1", 0, Some(0)), ("b", 0, None)]);
        assert_eq!(cells(r#""\"\\""#), [(r#"\"\\"#, 1, None)]);
        let nested = r#"{"m":"{\"n\":\"o\\\\\",\"p\":7}","q":"[8]"}"#;
        let wanted = [("m", 1, None), ("n", 2, None), (r"o\\\\", 2, None), ("p", 2, None), ("7", 2, Some(1))];
        assert_eq!(cells(nested)[..5], wanted);
        assert_eq!(cells(nested)[5..], [("q", 1, None), ("8", 2, Some(1))]);
    }
}
