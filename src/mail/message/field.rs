//! A header field of a message that is sent, as it came.

/// One field of a header: its name, and its bytes with folds but without the last line end.
pub(super) struct Field<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

impl Field<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value, unfolded (RFC 5322, 2.2.3), without the spaces around it.
    pub(super) fn value(&self) -> String {
        let text = String::from_utf8_lossy(self.bytes);
        let value = text.split_once(':').map_or("", |(_, value)| value);
        value.replace(['\r', '\n'], "").trim().to_owned()
    }

    /// Whether the field does not go out as it is.
    pub(super) fn is_taken_out(&self) -> bool {
        ["Message-ID", "Date", "Bcc", "Resent-Bcc", "Return-Path"].iter().any(|name| self.is(name))
            || self.name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("X-SES-"))
    }
}
