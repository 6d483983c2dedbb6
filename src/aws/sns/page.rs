//! Which page of SNS's lists is asked for: they have 100 entries, and say so nowhere.
use crate::aws::paging;
use crate::aws::sns::error::SnsError;

/// The number of the last entry of the page before; `None` for the first page. An empty token is none.
///
/// # Errors
/// InvalidParameter for a token that no list gave.
pub(super) fn page_after(token: Option<&str>) -> Result<Option<i64>, SnsError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    paging::number(token).map(Some).ok_or_else(|| SnsError::parameter("NextToken"))
}
