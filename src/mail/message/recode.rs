//! Encoding anew the parts of a message that a host could not take as they are: octets outside ASCII (RFC 6152, 3), and lines that
//! are too long (RFC 5322, 2.1.1). All else stays as it is, to the octet.
use std::borrow::Cow;

use crate::mail::message::decoding;
use crate::mail::message::fields::{Field, Fields, split};
use crate::mail::message::leaves::parameters;
use crate::mail::message::mime::{LINE_LIMIT, base64_lines, quoted_printable};

/// Multiparts inside of each other; what is deeper is not encoded anew.
const LEVELS_MAX: usize = 50;

/// What a part may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwanted {
    /// Octets outside ASCII, and NUL.
    pub eight_bit: bool,
    /// Lines over 998 octets.
    pub long_lines: bool,
}

impl Unwanted {
    /// Whether it is in these octets.
    pub fn is_in(self, body: &[u8]) -> bool {
        (self.eight_bit && body.iter().any(|byte| !byte.is_ascii() || *byte == 0))
            || (self.long_lines
                && body.split(|byte| *byte == b'\n').any(|line| line.trim_ascii_end().len() > LINE_LIMIT))
    }
}

/// The body of a message: what stands after its header.
pub fn body(message: &[u8]) -> &[u8] {
    Fields::of(message).body()
}

/// The message (with CRLF line ends) without what is unwanted in its bodies. `None` where that cannot be done without harm: in
/// signed and encrypted parts, in what is encoded already and yet has it, and where a part could not be told whole.
pub fn without(message: &[u8], unwanted: Unwanted) -> Option<Vec<u8>> {
    let recoded = entity(message, unwanted, Kind::Message, 0)?.into_owned();
    // The header of a part cannot be encoded for it.
    (!unwanted.eight_bit || !unwanted.is_in(body(&recoded))).then_some(recoded)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Message,
    Part,
    /// A part of a multipart/digest, which is a message where it says nothing (RFC 2046, 5.1.5).
    Digest,
}

fn entity(raw: &[u8], unwanted: Unwanted, of: Kind, level: usize) -> Option<Cow<'_, [u8]>> {
    let (fields, body) = split(raw);
    if !unwanted.is_in(body) {
        return Some(Cow::Borrowed(raw));
    }
    if level >= LEVELS_MAX {
        return None;
    }
    let value = |name: &str| fields.iter().find(|field| field.is(name)).map(Field::value);
    let named = value("Content-Type");
    let otherwise = if of == Kind::Digest { "message/rfc822" } else { "text/plain" };
    let kind = parameters(named.as_deref().unwrap_or(otherwise))?;
    let (main, sub) = (kind.ctype().to_ascii_lowercase(), kind.subtype().unwrap_or_default().to_ascii_lowercase());
    let encoding = value("Content-Transfer-Encoding").unwrap_or_default().trim().to_ascii_lowercase();
    let (encoding, content) = match (main.as_str(), sub.as_str()) {
        ("multipart", "signed" | "encrypted") | ("message", "partial" | "external-body") => return None,
        ("multipart", _) => {
            let boundary = kind.attribute("boundary").map(str::trim_end).filter(|boundary| !boundary.is_empty())?;
            let inner = if sub == "digest" { Kind::Digest } else { Kind::Part };
            ("7bit", parts(body, boundary.as_bytes(), (unwanted, inner), level)?)
        }
        ("message", "rfc822" | "global" | "news") if is_identity(&encoding) => {
            let inner = entity(body, unwanted, Kind::Message, level + 1)?.into_owned();
            // What stands in the header of a message within cannot be encoded for it.
            if unwanted.is_in(&inner) {
                return None;
            }
            ("7bit", inner)
        }
        _ => leaf(body, &encoding, main == "text")?,
    };
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 2);
    for field in fields.iter().filter(|field| !field.is("Content-Transfer-Encoding")) {
        out.extend_from_slice(field.raw());
        out.extend_from_slice(b"\r\n");
    }
    if of == Kind::Message && !fields.iter().any(|field| field.is("MIME-Version")) {
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    if named.is_none() && of != Kind::Digest && !body.is_ascii() {
        // RFC 1428 has a name for what nobody named.
        let charset = if std::str::from_utf8(body).is_ok() { "utf-8" } else { "unknown-8bit" };
        out.extend_from_slice(format!("Content-Type: text/plain; charset={charset}\r\n").as_bytes());
    }
    out.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n\r\n").as_bytes());
    out.extend_from_slice(&content);
    Some(Cow::Owned(out))
}

fn is_identity(encoding: &str) -> bool {
    matches!(encoding, "" | "7bit" | "8bit" | "binary")
}

/// The content of a leaf in an encoding that carries anything.
fn leaf(body: &[u8], encoding: &str, is_text: bool) -> Option<(&'static str, Vec<u8>)> {
    let content = match encoding {
        "quoted-printable" => Cow::Owned(decoding::quoted_printable(body)),
        // Lines that are too long: the octets are known, if they are all that is there.
        "base64" if body.is_ascii() => Cow::Owned(decoding::whole_base64(body)?),
        other if is_identity(other) => Cow::Borrowed(body),
        _ => return None,
    };
    let high = content.iter().filter(|byte| !byte.is_ascii()).count();
    let mut out = Vec::with_capacity(content.len() * 2);
    // Line ends of what is no text are octets like others.
    if is_text && encoding != "base64" && high * 4 <= content.len() {
        quoted_printable(&mut out, &content);
        Some(("quoted-printable", out))
    } else {
        base64_lines(&mut out, &content);
        Some(("base64", out))
    }
}

/// The body of a multipart, each part by itself. What stands before the first and behind the last is read by nobody, and loses
/// what is unwanted. `None` where no part begins: then all of it would be that, and readers show it.
fn parts(body: &[u8], boundary: &[u8], (unwanted, kind): (Unwanted, Kind), level: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len() + body.len() / 2);
    let (mut start, mut at, mut inside, mut any) = (0, 0, false, false);
    let finish = |from: usize, to: usize, inside: bool, out: &mut Vec<u8>| {
        let piece = body.get(from..to).unwrap_or_default();
        if inside {
            // The line end before a boundary belongs to it (RFC 2046, 5.1.1).
            let (part, end) = match piece.strip_suffix(b"\r\n") {
                Some(part) => (part, &b"\r\n"[..]),
                None => (piece, &b""[..]),
            };
            out.extend_from_slice(&entity(part, unwanted, kind, level + 1)?);
            out.extend_from_slice(end);
        } else if !unwanted.is_in(piece) {
            out.extend_from_slice(piece);
        }
        Some(())
    };
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let rest = line.strip_prefix(b"--").map(<[u8]>::trim_ascii_end).and_then(|rest| rest.strip_prefix(boundary));
        if let Some(mark @ (b"" | b"--")) = rest {
            finish(start, at, inside, &mut out)?;
            out.extend_from_slice(line);
            inside = mark.is_empty();
            any |= inside;
            start = at + line.len();
        }
        at += line.len();
    }
    finish(start, at, inside, &mut out)?;
    any.then_some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::message::parts;

    const EIGHT_BIT: Unwanted = Unwanted { eight_bit: true, long_lines: false };
    const LONG: Unwanted = Unwanted { eight_bit: false, long_lines: true };

    fn recoded(message: &str) -> Option<String> {
        without(message.as_bytes(), EIGHT_BIT).map(|out| String::from_utf8(out).expect("text"))
    }

    #[test]
    fn only_the_parts_that_need_it_are_encoded() {
        let plain = "Subject: x\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain\r\n";
        assert_eq!(recoded(plain).as_deref(), Some(plain));
        assert_eq!(
            recoded("From: a@b.c\r\nContent-Type: text/plain;\r\n charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nViele Grüße = x\r\n").as_deref(),
            Some("From: a@b.c\r\nContent-Type: text/plain;\r\n charset=utf-8\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nViele Gr=C3=BC=C3=9Fe =3D x\r\n")
        );
        let two = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
            --m\r\nX: y\r\n\r\nplain\r\n--m\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\nü\r\n--m--\r\n";
        assert_eq!(
            recoded(two).as_deref(),
            Some(
                "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
                --m\r\nX: y\r\n\r\nplain\r\n--m\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nw7w=\r\n\r\n--m--\r\n"
            )
        );
        assert!(
            recoded("Subject: x\r\n\r\nan ü here\r\n")
                .is_some_and(|out| out.contains("charset=utf-8\r\n") && out.contains("=C3=BC"))
        );
    }

    #[test]
    fn what_is_signed_is_left_alone() {
        for kind in ["multipart/signed; boundary=m", "multipart/mixed", "message/partial"] {
            assert_eq!(recoded(&format!("Content-Type: {kind}\r\n\r\n--m\r\n\r\nü\r\n--m--\r\n")), None, "{kind}");
        }
        assert_eq!(recoded("Content-Type: message/rfc822\r\n\r\nSubject: ü\r\n\r\nx\r\n"), None);
        let inner = recoded("Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nan ü here\r\n").expect("encoded");
        assert!(inner.is_ascii() && inner.contains("=C3=BC"), "{inner}");
    }

    #[test]
    fn nothing_that_readers_show_is_lost() {
        for inner in ["Grüße\r\n", "Grüße\r\n--j\r\n\r\nx\r\n", "Grüße\r\n--i--\r\n"] {
            let inner = format!("Content-Type: multipart/alternative; boundary=i\r\n\r\n{inner}");
            assert_eq!(recoded(&inner), None, "{inner}");
            let outer = format!("Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n{inner}--o--\r\n");
            assert_eq!(recoded(&outer), None, "{outer}");
        }
        let base64 = |rest: &str| format!("Content-Transfer-Encoding: base64\r\n\r\n{}\r\n{rest}", "aGkh".repeat(300));
        assert!(without(base64("").as_bytes(), LONG).is_some());
        for rest in ["aGk=\r\nregards\r\n", "aGk=\r\naGkh\r\n", "-- \r\na list\r\n"] {
            assert_eq!(without(base64(rest).as_bytes(), LONG), None, "{rest}");
        }
        let many: String = (0..40_000).map(|n| format!("{n}*1=a;")).collect();
        assert_eq!(recoded(&format!("Content-Type: text/plain; {many}\r\n\r\nü\r\n")), None);
    }

    #[test]
    fn a_digest_has_messages() {
        let digest =
            |part: &str| format!("Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n{part}\r\n--d--\r\n");
        let out = recoded(&digest("\r\nSubject: x\r\n\r\nan ü here\r\n")).expect("encoded");
        let part = "--d\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nan =C3=BC here\r\n";
        assert!(out.contains(part), "{out}");
        // What says that it is text is text.
        let out = recoded(&digest("Content-Type: text/plain; charset=utf-8\r\n\r\nan ü here")).expect("encoded");
        assert!(out.contains("--d\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nan =C3=BC here\r\n"), "{out}");
        assert_eq!(recoded(&digest("\r\nSubject: ü\r\n\r\nx\r\n")), None);
    }

    #[test]
    fn long_lines_are_folded_by_encoding() {
        let long = "word ".repeat(300);
        let out =
            without(format!("Content-Type: text/html\r\n\r\n<p>{long}</p>\r\n").as_bytes(), LONG).expect("encoded");
        assert!(out.split(|byte| *byte == b'\n').all(|line| line.len() < 80));
        assert_eq!(parts::read(&out).html.map(|text| text.text), Some(format!("<p>{long}</p>\r\n")));
    }

    proptest! {
        /// Readers see the same, and no octet outside ASCII is in any body.
        #[test]
        fn what_is_read_stays_the_same(text in "[a-zü= \\.]{0,60}(\r\n[a-zü= \\.]{0,60}){0,5}x", other in "[a-z ]{0,20}x") {
            let raw = format!(
                "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=mmm\r\n\r\n--mmm\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n\
                 --mmm\r\nContent-Type: text/html\r\n\r\n{other}\r\n--mmm--\r\n"
            );
            let out = without(raw.as_bytes(), EIGHT_BIT).expect("encoded");
            prop_assert!(out.is_ascii());
            let (before, after) = (parts::read(raw.as_bytes()), parts::read(&out));
            prop_assert_eq!(before.text.map(|text| text.text.trim_end().to_owned()), after.text.map(|text| text.text.trim_end().to_owned()));
            prop_assert_eq!(before.html, after.html);
        }

        #[test]
        fn anything_is_encoded_or_refused(pieces in prop::collection::vec(prop::sample::select(vec![
            "Content-Type: multipart/mixed; boundary=m\r\n", "Content-Type: message/rfc822\r\n", "\r\n", "--m\r\n", "--m--\r\n", "ü",
            "Content-Transfer-Encoding: base64\r\n", "a: b\r\n", "x", "\n",
        ]), 0..40)) {
            let raw = pieces.concat();
            if let Some(out) = without(raw.as_bytes(), EIGHT_BIT) {
                prop_assert!(!EIGHT_BIT.is_in(body(&out)));
            }
        }
    }
}
