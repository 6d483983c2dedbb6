//! The text part of a report: what it says before the copy of the original, and what of that is about which address.
use crate::mail::feedback::report::line;

/// Octets of the text that are read.
const TEXT_MAX: usize = 64 * 1024;
/// Lines that are read.
const LINES_MAX: usize = 500;
/// Addresses that are told of: a mail of ours has 50 recipients at the most, and each goes out on its own.
const ADDRESSES_MAX: usize = 60;
/// Lines with words that belong to an address.
const PASSAGE_LINES_MAX: usize = 32;

/// From where on the text is a copy of the original.
const COPIES: &[&str] = &[
    "below this line is a copy of the message",
    "below this line is the original",
    "this is a copy of the message",
    "this is a copy of your message",
    "this is a copy of the headers",
    "below is a copy of the original message",
    "below is the original message",
    "the header of the original message",
    "the original message follows",
    "included is a copy of the message",
    "here is a copy of the message",
    "the following is a copy of",
    "original message follows",
    "original message headers",
    "original message header follows",
    "original message header:",
    "original message:",
    "\noriginal message",
    "---original message",
    "--- original message",
    "-original message-",
    "\noriginal headers",
    "message header follows",
    "message headers follow",
    "unsent message below",
    "unsent message follows",
    "message contents follow",
    "returned message ---",
    "--- returned message",
    "undelivered message headers",
    "message details:",
    "ursprüngliche nachricht",
    "kopfzeilen der ursprünglichen",
    "en-têtes de message d'origine",
    "en-têtes du message d'origine",
    "\nmessage d'origine",
    "encabezados de mensaje original",
    "\nmensaje original",
    "cabeçalhos da mensagem original",
    "\nmensagem original",
    "\nmessaggio originale",
    "сходное сообщение:",
    "аголовки исходного",
    "\n元のメッセージ",
    "-元のメッセージ",
    "\n元のメール",
    "\n原始邮件",
    "-原始邮件",
    "\n원본 메시지",
    "-원본 메시지",
    "\nreceived: from ",
    "\nreceived: by ",
    "\nreturn-path: ",
];

/// What is said of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Passage {
    /// The address; none for what stands before the first one.
    pub address: Option<String>,
    /// The lines; one empty one where there are several.
    pub lines: Vec<String>,
}

impl Passage {
    /// All of it on one line.
    pub(super) fn text(&self) -> String {
        self.lines.iter().filter(|line| !line.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }

    /// Adds a line, while there is room.
    pub(super) fn add(&mut self, text: &str, max: usize) {
        let text = line(text);
        let again = text.is_empty() && self.lines.last().is_none_or(String::is_empty);
        if !again && self.lines.len() < max {
            self.lines.push(text);
        }
    }
}

/// The text up to where the original is copied. Where nothing stands before that, the reason may stand behind: all of it.
pub(super) fn before_copy(text: &str) -> &str {
    let text = text.get(..text.floor_char_boundary(text.len().min(TEXT_MAX))).unwrap_or_default();
    // In ASCII, so that places in both are the same.
    let lower = text.to_ascii_lowercase();
    let end = COPIES.iter().filter_map(|mark| lower.find(mark)).min().unwrap_or(text.len());
    let before = text.get(..end).unwrap_or(text);
    if before.split_whitespace().nth(3).is_some() { before } else { text }
}

/// Parts a text at the lines that begin with an address, as qmail (`<a@b>:`), Exim (`  a@b`), Postfix and Zoho write them.
/// The first passage is what stands before.
pub(super) fn passages(text: &str) -> Vec<Passage> {
    let mut passages = vec![Passage::default()];
    for text in text.lines().take(LINES_MAX) {
        if let Some(address) = leading_address(text)
            && passages.len() <= ADDRESSES_MAX
        {
            let again = passages
                .last()
                .is_some_and(|last| last.address.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(&address)));
            if !again {
                passages.push(Passage { address: Some(address), lines: Vec::new() });
            }
        }
        if let Some(passage) = passages.last_mut() {
            passage.add(text, PASSAGE_LINES_MAX);
        }
    }
    passages
}

/// What a text says of an address: its passage, or the lines around the first one that names it.
pub(super) fn about(text: &str, address: &str) -> Option<String> {
    let of = |passage: &Passage| passage.address.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(address));
    let own: Vec<String> = passages(text).into_iter().filter(of).map(|passage| passage.text()).collect();
    if !own.is_empty() {
        return Some(own.join(" "));
    }
    let wanted = address.to_ascii_lowercase();
    let lines: Vec<&str> = text.lines().take(LINES_MAX).collect();
    let at = lines.iter().position(|line| line.to_ascii_lowercase().contains(&wanted))?;
    let near = lines.iter().skip(at.saturating_sub(1)).filter(|line| !line.trim().is_empty());
    Some(near.take(PASSAGE_LINES_MAX / 2).map(|text| line(text)).collect::<Vec<_>>().join(" "))
}

fn leading_address(text: &str) -> Option<String> {
    let text = text.trim_start_matches([' ', '\t', '*', '-', '\u{b7}', '\u{2022}']);
    let word = text.split([' ', '\t', '(']).find(|word| !word.is_empty())?;
    // `<a@b>:the reason` and `a@b: the reason`.
    let word = word.split_once(">:").map_or(word, |(before, _)| before);
    let address = word.trim_matches(['<', '>', ':', ',', ';', '"', '\'', '.', '[', ']']);
    is_address(address).then(|| line(address))
}

/// Whether it looks like one.
pub(super) fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let fine = !local.is_empty() && domain.contains('.') && domain.chars().all(plain);
    fine && text.len() <= 320 && !local.contains([':', '<', '>', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parted_by_its_addresses() {
        let text = "This did not go through.\n\n<a@x.example>:\nSorry, no mailbox here by that name.\n\n  b@y.example (expanded from c)\n\
                    \n    mailbox is full\nto: d@z.example\n";
        let passages = passages(text);
        let [first, a, b] = passages.as_slice() else { panic!("{passages:?}") };
        assert_eq!((first.address.as_deref(), first.text().as_str()), (None, "This did not go through."));
        assert_eq!(a.address.as_deref(), Some("a@x.example"));
        assert_eq!(b.text(), "b@y.example (expanded from c) mailbox is full to: d@z.example");
        assert_eq!(about(text, "A@x.example").as_deref(), Some("<a@x.example>: Sorry, no mailbox here by that name."));
        assert_eq!(about(text, "d@z.example").as_deref(), Some("mailbox is full to: d@z.example"));
        assert_eq!(about(text, "e@z.example"), None);
    }

    #[test]
    fn the_copy_is_left_out() {
        assert_eq!(before_copy("a b c d\n--- Original message follows.\nx"), "a b c d\n");
        assert_eq!(before_copy("--- Original message\nthe reason is here"), "--- Original message\nthe reason is here");
    }
}
