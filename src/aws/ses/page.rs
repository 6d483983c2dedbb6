//! Pages of lists in the first API: a token is the last name of the page before, in base64.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::aws::ses::error::SesError;

/// The largest page. SES takes a larger number for its largest page.
const LARGEST: i32 = 100;

/// Which page is asked for.
pub struct Page {
    /// Names after this one.
    pub after: String,
    /// At most so many.
    pub size: usize,
}

impl Page {
    /// Reads what a list operation was asked.
    ///
    /// # Errors
    /// A token that none of these lists gave.
    pub fn read(token: Option<&str>, size: Option<i32>) -> Result<Self, SesError> {
        let after = match token {
            None | Some("") => String::new(),
            Some(token) => {
                let bytes = URL_SAFE_NO_PAD.decode(token).ok();
                let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.contains('\0'));
                text.ok_or_else(|| SesError::InvalidParameterValue("The specified token is invalid.".to_owned()))?
            }
        };
        let size = size.filter(|size| (1..LARGEST).contains(size)).unwrap_or(LARGEST);
        Ok(Self { after, size: usize::try_from(size).unwrap_or(1) })
    }

    /// One more than the page holds, to see whether there is another.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX - 1) + 1
    }

    /// Cuts the list to the page, and makes the token of the next one where there is one.
    pub fn cut<T>(&self, list: &mut Vec<T>, name: impl Fn(&T) -> &str) -> Option<String> {
        let more = list.len() > self.size;
        list.truncate(self.size);
        list.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(name(last)))
    }
}
