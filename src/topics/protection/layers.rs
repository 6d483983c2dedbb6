//! A text as those see it who read it as JSON: each escape is the one character that it stands for. A string of JSON may hold
//! JSON once more, so there are layers; every place in one is a place in the source. Source: RFC 8259, section 7.

/// How often escapes are read. An event in an envelope in a record has two.
pub(super) const DEEP: usize = 3;

/// A text and what it is when its escapes are read, once and again, as long as there are any, [`DEEP`] times at the most.
pub(super) struct Layers<'a> {
    source: &'a str,
    decoded: Vec<Decoded>,
}

/// A layer, made of the one below.
struct Decoded {
    text: String,
    escapes: Vec<Escape>,
}

/// An escape, and its character in the layer above.
struct Escape {
    start: usize,
    end: usize,
    at: usize,
    octets: usize,
}

impl<'a> Layers<'a> {
    pub(super) fn of(source: &'a str) -> Self {
        let mut layers = Self { source, decoded: Vec::new() };
        while layers.last() < DEEP {
            let Some(above) = decode(layers.text(layers.last())) else { break };
            layers.decoded.push(above);
        }
        layers
    }

    /// The number of the last layer. The source is layer 0.
    pub(super) fn last(&self) -> usize {
        self.decoded.len()
    }

    pub(super) fn text(&self, layer: usize) -> &str {
        layer.checked_sub(1).and_then(|n| self.decoded.get(n)).map_or(self.source, |layer| &layer.text)
    }

    /// A range of a layer in the layer above, of whole escapes. The same where there is none.
    pub(super) fn above(&self, layer: usize, range: (usize, usize)) -> (usize, usize) {
        self.decoded.get(layer).map_or(range, |above| above.raised(range))
    }

    /// A range of a layer in the source.
    pub(super) fn in_source(&self, layer: usize, range: (usize, usize)) -> (usize, usize) {
        self.decoded.iter().take(layer).rev().fold(range, |(start, end), of| (of.below(start), of.below(end)))
    }

    /// The same, of whole characters of all layers: an escape is changed as a whole or not at all, and what is left of it can be
    /// read.
    pub(super) fn whole_in_source(&self, layer: usize, range: (usize, usize)) -> (usize, usize) {
        let highest = self.decoded.iter().skip(layer).fold(range, |range, of| of.raised(range));
        self.in_source(self.last(), highest)
    }
}

impl Decoded {
    fn raised(&self, (start, end): (usize, usize)) -> (usize, usize) {
        let start = match self.last_escape(|escape| escape.start <= start) {
            None => start,
            Some(escape) if start < escape.end => escape.at,
            Some(escape) => escape.at + escape.octets + (start - escape.end),
        };
        let end = match self.last_escape(|escape| escape.start < end) {
            None => end,
            Some(escape) => escape.at + escape.octets + end.saturating_sub(escape.end),
        };
        (start, end)
    }

    /// Where a place, between two characters, is in the layer below.
    fn below(&self, at: usize) -> usize {
        let before = self.last_escape(|escape| escape.at < at);
        before.map_or(at, |escape| escape.end + at.saturating_sub(escape.at + escape.octets))
    }

    fn last_escape(&self, is_before: impl Fn(&Escape) -> bool) -> Option<&Escape> {
        self.escapes.get(self.escapes.partition_point(is_before).checked_sub(1)?)
    }
}

/// Reads the escapes of a text; `None` where it has none. A backslash that begins no escape is itself.
fn decode(text: &str) -> Option<Decoded> {
    let (mut read, mut escapes, mut at) = (String::new(), Vec::new(), 0);
    while let Some(start) = text.get(at..)?.find('\\').map(|n| at + n) {
        read.push_str(text.get(at..start)?);
        let (character, length) = escape(text.get(start..)?).unwrap_or(('\\', 1));
        at = start + length;
        if length > 1 {
            escapes.push(Escape { start, end: at, at: read.len(), octets: character.len_utf8() });
        }
        read.push(character);
    }
    if escapes.is_empty() {
        return None;
    }
    read.push_str(text.get(at..)?);
    Some(Decoded { text: read, escapes })
}

/// The character of the escape that a text begins with, and the escape's length.
fn escape(text: &str) -> Option<(char, usize)> {
    let character = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return by_number(text),
        _ => return None,
    };
    Some((character, 2))
}

/// `\u0041`, or the two of a surrogate pair. Half a pair is no character, but an escape still.
fn by_number(text: &str) -> Option<(char, usize)> {
    let first = unit(text)?;
    let both = [Some(first), text.get(6..).and_then(unit)];
    match char::decode_utf16(both.into_iter().flatten()).next()? {
        Ok(character) => Some((character, 6 * character.len_utf16())),
        Err(_) => Some((char::REPLACEMENT_CHARACTER, 6)),
    }
}

fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|octet| octet.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_characters_in_every_layer() {
        let source = r"a\n\u00e9\ud83d\ude00\ud83dx\q\\n\/";
        let layers = Layers::of(source);
        assert_eq!(layers.last(), 2);
        assert_eq!(layers.text(1), "a\n\u{e9}\u{1f600}\u{fffd}x\\q\\n/");
        assert_eq!(layers.text(2), "a\n\u{e9}\u{1f600}\u{fffd}x\\q\n/");
        let place = |layer: usize, text: &str| {
            let start = layers.text(layer).find(text).expect("there");
            let (start, end) = layers.whole_in_source(layer, (start, start + text.len()));
            &source[start..end]
        };
        assert_eq!(place(1, "\u{e9}"), r"\u00e9");
        assert_eq!(place(1, "\u{1f600}"), r"\ud83d\ude00");
        assert_eq!(place(1, "\u{fffd}x"), r"\ud83dx");
        assert_eq!(place(2, "\n/"), r"\\n\/");
        assert_eq!(place(1, "n/"), r"\\n\/", "a part of what is one character above");
        assert_eq!(place(0, "a"), "a");
        assert_eq!(place(0, "00e9"), r"\u00e9");
        assert_eq!(Layers::of(r"\q \u12 \u12g4 \").last(), 0);
        assert_eq!(Layers::of(&r"\".repeat(64)).last(), DEEP);
    }
}
