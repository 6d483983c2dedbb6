//! Pages of lists in the first API: a token is the last name of the page before, in base64.
use crate::aws::ses::error::SesError;
use crate::aws::sesv2::page;

/// How large the pages of a list are. A number out of range is no error in this API.
pub(super) struct Sizes {
    usual: i32,
    largest: i32,
    /// Where the number is out of range.
    otherwise: i32,
}

/// ListConfigurationSets.
pub(super) const SETS: Sizes = Sizes { usual: 50, largest: 1000, otherwise: 50 };
/// ListTemplates.
pub(super) const TEMPLATES: Sizes = Sizes { usual: 10, largest: 100, otherwise: 100 };
/// ListCustomVerificationEmailTemplates.
pub(super) const VERIFICATION_TEMPLATES: Sizes = Sizes { usual: 50, largest: 50, otherwise: 50 };

/// Which page is asked for.
pub(super) struct Page {
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
    pub(super) fn read(sizes: &Sizes, token: Option<&str>, size: Option<i32>) -> Result<Self, SesError> {
        let after = match token {
            None | Some("") => String::new(),
            Some(token) => {
                let bad = || SesError::InvalidParameterValue("The specified token is invalid.".to_owned());
                page::name(token).ok_or_else(bad)?
            }
        };
        let size = match size {
            None => sizes.usual,
            Some(size) if (1..=sizes.largest).contains(&size) => size,
            Some(_) => sizes.otherwise,
        };
        Ok(Self { after, size: usize::try_from(size).unwrap_or(1) })
    }

    /// One more than the page holds, to see whether there is another.
    pub(super) fn limit(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX - 1) + 1
    }

    /// Cuts the list to the page, and makes the token of the next one where there is one.
    pub(super) fn cut<T>(&self, list: &mut Vec<T>, name: impl Fn(&T) -> &str) -> Option<String> {
        let more = list.len() > self.size;
        list.truncate(self.size);
        list.last().filter(|_| more).map(|last| page::token(name(last)))
    }
}
