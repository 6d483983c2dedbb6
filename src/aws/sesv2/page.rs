//! Pages of lists: a token is the last name of the page before, in base64.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::aws::sesv2::error::SesV2Error;

/// How a list's pages are asked for, and what SES says when they cannot be.
pub struct Manner {
    usual: i32,
    largest: i32,
    bad_size: fn(i32) -> String,
    bad_token: fn(&str) -> String,
}

/// The lists of which no answer of SES is on record.
const USUAL: Manner = Manner {
    usual: 100,
    largest: 1000,
    bad_size: |_| "PageSize must be between 1 and 1000.".to_owned(),
    bad_token: |_| "The specified token is invalid.".to_owned(),
};
/// ListEmailIdentities.
pub const IDENTITIES: Manner = Manner {
    bad_size: |size| format!("Value {size} for parameter PageSize is invalid. PageSize must be between 1 and 1000."),
    bad_token: |token| format!("Invalid NextToken <{token}>."),
    ..USUAL
};
/// ListConfigurationSets.
pub const SETS: Manner = Manner {
    usual: 50,
    bad_size: |_| "The page size must be between 1 and 1000".to_owned(),
    bad_token: |token| format!("invalid nextToken {token}"),
    ..USUAL
};
/// ListEmailTemplates.
pub const TEMPLATES: Manner = Manner {
    usual: 10,
    largest: 100,
    bad_size: |_| "The page size must be between 1 and 100".to_owned(),
    bad_token: |token| format!("Invalid PageToken <{token}>."),
};
/// ListCustomVerificationEmailTemplates.
pub const VERIFICATION_TEMPLATES: Manner = Manner {
    usual: 50,
    largest: 50,
    bad_size: |_| "The page size must be between 1 and 50".to_owned(),
    bad_token: |token| format!("Invalid nextToken <{token}>."),
};

/// Which page is asked for.
pub struct Page {
    /// Names after this one.
    pub after: String,
    /// At most so many.
    pub size: usize,
    largest: i32,
}

impl Page {
    /// Reads what a list operation was asked.
    pub fn read(token: Option<&str>, size: Option<i32>) -> Result<Self, SesV2Error> {
        Self::of(&USUAL, token, size)
    }

    /// The same, in the manner of a list.
    pub fn of(manner: &Manner, token: Option<&str>, size: Option<i32>) -> Result<Self, SesV2Error> {
        let size = size.unwrap_or(manner.usual);
        if !(1..=manner.largest).contains(&size) {
            return Err(SesV2Error::BadRequest((manner.bad_size)(size)));
        }
        let after = match token {
            None | Some("") => String::new(),
            Some(token) => name(token).ok_or_else(|| {
                let shown: String = token.chars().take(256).collect();
                SesV2Error::BadRequest((manner.bad_token)(&shown))
            })?,
        };
        Ok(Self { after, size: usize::try_from(size).unwrap_or(1), largest: manner.largest })
    }

    /// One more than the page holds, to see whether there is another.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX - 1) + 1
    }

    /// How many to read at once: as many as are wanted, but more where a filter may pass over most of them.
    pub fn lot(&self, filtered: bool) -> i64 {
        if filtered { i64::from(self.largest) } else { self.limit() }
    }

    /// The name after which to go on reading, where `read` names were read at once, of which `last` was the last, and
    /// `found` of all so far fit.
    pub fn go_on(&self, lot: i64, read: usize, found: usize, last: Option<String>) -> Option<String> {
        let more = i64::try_from(read).is_ok_and(|read| read >= lot) && found <= self.size;
        last.filter(|_| more)
    }

    /// Cuts the list to the page, and makes the token of the next one where there is one.
    pub fn cut<T>(&self, list: &mut Vec<T>, name: impl Fn(&T) -> &str) -> Option<String> {
        let more = list.len() > self.size;
        list.truncate(self.size);
        list.last().filter(|_| more).map(|last| token(name(last)))
    }
}

/// The token of the page after this name.
pub fn token(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

/// The name in a token.
pub fn name(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes).ok().filter(|name| !name.contains('\0'))
}
