//! Pages of lists: a token is the last name of the page before, in base64.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::aws::sesv2::error::SesV2Error;

/// The usual page and the largest one.
const USUAL: i32 = 100;
const LARGEST: i32 = 1000;

/// Which page is asked for.
pub struct Page {
    /// Names after this one.
    pub after: String,
    /// At most so many.
    pub size: usize,
}

impl Page {
    /// Reads what a list operation was asked.
    pub fn read(token: Option<&str>, size: Option<i32>) -> Result<Self, SesV2Error> {
        let bad_token = || SesV2Error::BadRequest("The specified token is invalid.".to_owned());
        let after = match token {
            None | Some("") => String::new(),
            Some(token) => {
                let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad_token())?;
                String::from_utf8(bytes).map_err(|_| bad_token())?
            }
        };
        let size = size.unwrap_or(USUAL);
        if !(1..=LARGEST).contains(&size) || after.contains('\0') {
            return Err(SesV2Error::BadRequest(format!("PageSize must be between 1 and {LARGEST}.")));
        }
        Ok(Self { after, size: usize::try_from(size).unwrap_or(1) })
    }

    /// One more than the page holds, to see whether there is another.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX - 1) + 1
    }

    /// How many to read at once: as many as are wanted, but more where a filter may pass over most of them.
    pub fn lot(&self, filtered: bool) -> i64 {
        if filtered { i64::from(LARGEST) } else { self.limit() }
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
        list.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(name(last)))
    }
}
