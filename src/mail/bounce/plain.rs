//! Texts in one form, so that rules need few words: in lower case, without addresses, links, host names and codes, with one
//! spelling for what is spelt in several ways. Phrases of rules go through the same.
use mail_parser::parsers::MessageStream;

/// Octets of a text that are looked at.
const TEXT_MAX: usize = 8 * 1024;

/// A text, ready to be searched.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plain {
    /// The words, with a space before and after each.
    pub words: String,
    /// All of it in lower case, on one line, for what stands in links, names and codes.
    pub marks: String,
}

/// Names that end like this are hosts' although they have one dot only.
const ENDS: &[&str] = &[
    "com", "net", "org", "jp", "de", "fr", "it", "es", "br", "ru", "cn", "kr", "uk", "eu", "us", "ca", "au", "ch",
    "at", "nl", "be", "pl", "cz", "se", "dk", "fi", "in", "tw", "hk", "info", "biz", "io", "edu", "example",
];

/// What is written for the sender's own address and domain.
const SENDER: [&str; 2] = ["sender", "@"];

/// The text in one form.
pub(super) fn plain(text: &str) -> Plain {
    plain_with(text, None)
}

/// The text in one form, with `sender @` where this address or its domain stands.
pub(super) fn plain_with(text: &str, sender: Option<&str>) -> Plain {
    let sender = sender.map(str::to_lowercase).filter(|sender| sender.contains('@'));
    let text = text.get(..text.floor_char_boundary(text.len().min(TEXT_MAX))).unwrap_or_default();
    let text = entities(&encoded_words(text)).to_lowercase().replace('\u{2019}', "'");
    let marks = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace('_', " ");
    let mut words = String::with_capacity(text.len() + 2);
    words.push(' ');
    // As in the text.
    let sender = sender.map(|sender| sender.replace('_', " ")).filter(|sender| !sender.contains(' '));
    for token in text.split_whitespace() {
        add(&mut words, token, sender.as_deref());
    }
    Plain { words: spellings(words), marks }
}

/// A phrase of a rule in the form that [`Plain::words`] has, with a space before it where letters stand apart.
pub(super) fn phrase(text: &str) -> String {
    let words = plain(text).words;
    let words = words.trim_end();
    let first = words.trim_start().chars().next();
    if first.is_some_and(is_ideographic) { words.trim_start().to_owned() } else { words.to_owned() }
}

/// Words that RFC 2047 encodes, decoded.
fn encoded_words(text: &str) -> String {
    if !(text.contains("=?") && text.contains("?=")) {
        return text.to_owned();
    }
    unstructured(text)
}

/// A header field's value, decoded (RFC 2047).
pub(in crate::mail) fn unstructured(value: &str) -> String {
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = format!("{line}\n");
    MessageStream::new(line.as_bytes()).parse_unstructured().into_text().map_or_else(String::new, Into::into)
}

fn entities(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    named.iter().fold(text.to_owned(), |text, (name, sign)| text.replace(name, sign))
}

/// Adds what a token without white space says.
fn add(words: &mut String, token: &str, sender: Option<&str>) {
    if token.contains("://") || token.starts_with("www.") || token.trim_matches(['<', '(', '"']).starts_with("http") {
        return;
    }
    if !token.contains('@') {
        return add_word(words, token, sender);
    }
    // An address may stand in a text without spaces.
    let in_address = |c: char| c.is_ascii_alphanumeric() || "._%+-=/@'".contains(c);
    let mut rest = token;
    while let Some(c) = rest.chars().next() {
        let inside = in_address(c);
        let end = rest.find(|c| in_address(c) != inside).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if inside && sender.is_some_and(|sender| run.trim_matches(['.', '\'']) == sender) {
            SENDER.iter().for_each(|word| push(words, word));
        } else if inside && run.contains('@') {
            separate(words, '@');
            words.push_str("@ ");
        } else {
            add_word(words, run, sender);
        }
        rest = after;
    }
}

fn add_word(words: &mut String, token: &str, sender: Option<&str>) {
    let token = token.trim_matches(|c: char| !c.is_alphanumeric() && c != '@');
    // `550-5.1.1` and `550-User`: a line of a reply that goes on.
    let token = match token.split_once('-') {
        Some((code, rest)) if code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => token,
    };
    let domain = sender.and_then(|sender| sender.rsplit_once('@')).map(|(_, domain)| domain);
    if domain.is_some_and(|domain| token.split('[').next().unwrap_or_default().trim_end_matches('.') == domain) {
        return SENDER.iter().for_each(|word| push(words, word));
    }
    if token.is_empty() || token.bytes().all(|b| b.is_ascii_digit() || b".,:/#-()[]".contains(&b)) || is_host(token) {
        return;
    }
    let token = negations(token);
    let mut part = String::new();
    for c in token.chars() {
        if c.is_alphanumeric() || c == '@' {
            part.push(c);
        } else {
            push(words, &part);
            part.clear();
        }
    }
    push(words, &part);
}

/// `doesn't` and `cannot`, with the word `not`; `user's` without its ending.
fn negations(token: &str) -> String {
    let token = token.trim_end_matches("'s");
    match token {
        "can't" | "cannot" => "can not".to_owned(),
        "won't" => "will not".to_owned(),
        "doesnt" => "does not".to_owned(),
        _ => token.strip_suffix("n't").map_or_else(|| token.to_owned(), |verb| format!("{verb} not")),
    }
}

fn push(words: &mut String, part: &str) {
    if let Some(first) = part.chars().next() {
        separate(words, first);
        words.push_str(part);
        words.push(' ');
    }
}

/// In scripts without spaces a line break is none either.
fn separate(words: &mut String, next: char) {
    let before = words.trim_end_matches(' ').chars().next_back();
    if is_ideographic(next) && before.is_some_and(is_ideographic) {
        words.truncate(words.trim_end_matches(' ').len());
    }
}

/// Scripts that do not part words.
fn is_ideographic(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{ff66}'..='\u{ff9f}')
}

fn is_host(token: &str) -> bool {
    if !token.is_ascii() || token.contains(['@', '(', ')', ',']) || !token.contains('.') {
        return false;
    }
    let name = token.split([':', '[', '/']).next().unwrap_or_default().trim_end_matches('.');
    let labels: Vec<&str> = name.split('.').collect();
    let fine = labels.len() > 1 && labels.iter().all(|label| !label.is_empty());
    let last = labels.last().copied().unwrap_or_default();
    fine && (labels.len() > 2 || ENDS.contains(&last))
}

fn spellings(words: String) -> String {
    const SAME: [(&str, &str); 11] = [
        (" e mail", " email"),
        (" mail box", " mailbox"),
        (" in box", " inbox"),
        (" over quota", " overquota"),
        (" black list", " blacklist"),
        (" block list", " blocklist"),
        (" user name", " username"),
        // Where a mail goes back to says nothing of him.
        (" returned to sender", " returned"),
        (" returned to the sender", " returned"),
        (" message to sender", " message returned"),
        // The reader's, in advice.
        (" your address book", " address book"),
    ];
    let mut words = words;
    for (old, new) in SAME {
        if words.contains(old) {
            words = words.replace(old, new);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_in_spelling_only_becomes_the_same() {
        for (text, words) in [
            ("550-5.1.1 The e-mail account\r\n550 5.1.1 doesn\u{2019}t exist.", " the email account does not exist "),
            ("<spam@policy.example>... User unknown", " @ user unknown "),
            ("see https://x.example/policy or www.x.example/spam, or mx.antispam.example[192.0.2.1]:25", " see or or "),
            ("Recipient&#39;s mail box is &quot;full&quot;", " recipient mailbox is full "),
            ("=?utf-8?q?M=C3=BCll?= voll", " müll voll "),
            ("宛先の\r\nユーザーa@b.example不明", " 宛先のユーザー @ 不明 "),
            ("Remote_host_said:_550_no", " remote host said no "),
            ("", " "),
        ] {
            assert_eq!(plain(text).words, words, "{text}");
        }
        assert_eq!(plain("A  https://x.example/?p=NoSuchUser\r\n").marks, "a https://x.example/?p=nosuchuser");
        let sender = Some("bob@Sender.example");
        let words = |text| plain_with(text, sender).words;
        assert_eq!(words("<BOB@sender.example> to ann@there.example"), " sender @ to @ ");
        assert_eq!(words("sender.example has no MX, mx.sender.example has"), " sender @ has no mx has ");
        assert_eq!(plain_with("a b@c", Some("")).words, " a @ ");
        assert_eq!((phrase("Over quota").as_str(), phrase("不明").as_str()), (" overquota", "不明"));
    }

    proptest! {
        #[test]
        fn anything_has_a_form(text in "\\PC{0,200}", more in prop::sample::select(vec!["=?", "@", "don't", "'s", "&amp;", "'"])) {
            let text = text.replace('x', more);
            let plain = plain(&text);
            prop_assert!(plain.words.starts_with(' ') && !plain.words.contains('\n'));
        }
    }
}
