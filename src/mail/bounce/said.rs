//! What the other side said, and the codes in it.

/// How far the conversation had come when the mail was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The banner.
    Connect,
    /// EHLO, STARTTLS, AUTH.
    Ehlo,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA and the end of the content.
    Data,
}

/// A refusal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// The enhanced status code (RFC 3463) that a report gives. One in the text wins over it: a relay sums up.
    pub status: Option<&'a str>,
    /// The reply code; looked for in the text where there is none.
    pub code: Option<u16>,
    /// The command that was refused; looked for in the text where there is none.
    pub stage: Option<Stage>,
    /// The words.
    pub text: &'a str,
    /// The host that said so: the mail host, or the report's Remote-MTA or Reporting-MTA.
    pub host: Option<&'a str>,
    /// The address in MAIL FROM, where it is known: what is said of it is not said of the recipient.
    pub sender: Option<&'a str>,
}

impl Said<'_> {
    /// The status that counts: the text's, where it says more than its class.
    pub(super) fn own_status(&self) -> Option<&str> {
        let specific = |status: &&str| !is_bare(status);
        // RFC 2034, 4: it has the class of the code.
        let of_class =
            |status: &&str| self.code.is_none_or(|code| status.starts_with(if code >= 500 { '5' } else { '4' }));
        let in_text = enhanced(innermost(self.text)).or_else(|| enhanced(self.text)).filter(of_class);
        in_text.filter(specific).or(self.status.filter(specific)).or(in_text).or(self.status)
    }

    /// The status in the text itself, where it says more than its class: the other side's own.
    pub(super) fn text_status(&self) -> Option<&str> {
        enhanced(innermost(self.text)).or_else(|| enhanced(self.text)).filter(|status| !is_bare(status))
    }

    /// The reply code that counts.
    pub(super) fn own_code(&self) -> Option<u16> {
        self.code.or_else(|| reply_code(innermost(self.text))).or_else(|| reply_code(self.text))
    }

    /// The command that was refused.
    pub(super) fn own_stage(&self) -> Option<Stage> {
        self.stage.or_else(|| stage(self.text))
    }

    /// 4 or 5, if it is said.
    pub(super) fn class(&self) -> Option<u8> {
        let of_code = self.own_code().map(|code| if code >= 500 { 5 } else { 4 });
        of_code.or_else(|| match self.own_status()?.as_bytes().first()? {
            b'4' => Some(4),
            b'5' => Some(5),
            _ => None,
        })
    }
}

/// Whether a status says no more than that it failed: 5.0.0.
pub(super) fn is_bare(status: &str) -> bool {
    status.ends_with(".0.0")
}

/// What stands behind the last "said:": the words of the server that was asked, in those of one that tells of it.
fn innermost(text: &str) -> &str {
    const MARKS: [&str; 3] = [" said: ", " said:\n", " responded: "];
    let at = MARKS.iter().filter_map(|mark| text.rfind(mark).map(|at| at + mark.len())).max();
    at.and_then(|at| text.get(at..)).unwrap_or(text)
}

/// The first enhanced status code of class 4 or 5 in a text.
pub fn enhanced(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.find_map(|word| {
        let word = word.trim_matches('.');
        let parts: Vec<&str> = word.split('.').take(4).collect();
        let [class, subject, detail] = parts.as_slice() else { return None };
        // Subjects have one digit by now: 4.94.2 is a program's version.
        (matches!(*class, "4" | "5") && subject.len() == 1 && (1..=3).contains(&detail.len())).then_some(word)
    })
}

/// The first SMTP reply code of class 4 or 5 in a text: three digits that stand alone, with a text after them.
pub fn reply_code(text: &str) -> Option<u16> {
    let mut before = None;
    for (at, byte) in text.bytes().enumerate() {
        let alone = before.is_none_or(|b: u8| !b.is_ascii_alphanumeric() && b != b'.' && b != b':' && b != b'-');
        before = Some(byte);
        if !matches!(byte, b'4' | b'5') || !alone {
            continue;
        }
        let Some(code) = text.get(at..at + 3).filter(|code| is_reply_code(code.as_bytes())) else { continue };
        if text.as_bytes().get(at + 3).is_none_or(|next| matches!(next, b' ' | b'-' | b',' | b':' | b'_' | b'\'')) {
            return code.parse().ok();
        }
    }
    None
}

/// Three digits, the second of them 0 to 5 (RFC 5321, 4.2.1; some say 57x): a port such as 587 is none.
fn is_reply_code(code: &[u8]) -> bool {
    matches!(code, [b'4' | b'5', b'0'..=b'5' | b'7', b'0'..=b'9'])
}

/// The command that a text says was refused, as Postfix, Exim, Sendmail, Courier, qmail and Yahoo write it.
pub fn stage(text: &str) -> Option<Stage> {
    const SAID: [(&str, Stage); 14] = [
        ("to rcpt to", Stage::Rcpt),
        ("after rcpt", Stage::Rcpt),
        (">>> rcpt", Stage::Rcpt),
        ("[rcpt_to]", Stage::Rcpt),
        ("following rcpt", Stage::Rcpt),
        ("to end of data", Stage::Data),
        ("after end of data", Stage::Data),
        ("to data", Stage::Data),
        (">>> data", Stage::Data),
        ("after data", Stage::Data),
        ("to mail from", Stage::Mail),
        ("after mail from", Stage::Mail),
        (">>> mail", Stage::Mail),
        ("to ehlo", Stage::Ehlo),
    ];
    let lower = text.to_ascii_lowercase();
    // `connected to database` is none.
    let ends = |at: usize| lower.get(at..).and_then(|rest| rest.chars().next()).is_none_or(|c| !c.is_alphanumeric());
    let place = |words: &str| lower.match_indices(words).map(|(at, _)| at).find(|at| ends(at + words.len()));
    SAID.iter().filter_map(|(words, stage)| place(words).map(|at| (at, *stage))).min().map(|(_, stage)| stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_and_addresses_are_none() {
        assert_eq!(enhanced("Exim 4.94.2 at 5.6.7.8 said: 550-5.1.1 no"), Some("5.1.1"));
        assert_eq!((reply_code("port 587 ok; 10.0.0.550 x"), reply_code("said: 550-5.1.1 no")), (None, Some(550)));
        assert_eq!(reply_code("Remote_host_said:_550_no"), Some(550));
    }

    #[test]
    fn the_other_sides_own_words_count() {
        let said = |status, text| Said { status, text, ..Said::default() };
        assert_eq!(said(Some("5.1.1"), "smtp; 550 5.7.1 blacklisted").own_status(), Some("5.7.1"));
        assert_eq!(said(Some("5.1.1"), "smtp; 550 5.0.0 no").own_status(), Some("5.1.1"));
        assert_eq!(said(None, "450 4.4.1 relay; host x said: 550 5.1.1 no").own_status(), Some("5.1.1"));
        assert_eq!(said(None, "host x said: 550 no (in reply to RCPT TO command)").own_stage(), Some(Stage::Rcpt));
        assert_eq!(said(None, "after end of data: 550 no").own_stage(), Some(Stage::Data));
        assert_eq!(said(None, "cannot connect to database").own_stage(), None);
        assert_eq!((said(None, "421 x").class(), said(Some("5.1.1"), "x").class()), (Some(4), Some(5)));
    }
}
