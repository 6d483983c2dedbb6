//! Addresses that webhooks may not reach, as an operator is told of them: before anything fails, where that can be known.
use std::fmt;

use reqwest::Url;

use crate::base::Reach;

/// The setting that lets webhooks reach more than the public Internet.
pub const SETTING: &str = "webhook-allow";
/// What is said of a POST that was not made, since its address may not be reached.
pub const REFUSAL: &str = "the address is not public and not in webhook-allow";

/// A URL that no webhook may be posted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barred {
    /// The URL without what may be secret in it.
    pub url: String,
}

impl Barred {
    /// What is known without a look-up of names; `None` where the URL may be reached, or nobody can say.
    pub fn of(reach: &Reach, url: &str) -> Option<Self> {
        let parsed = url.parse::<Url>().ok()?;
        reach.bars(parsed.host_str()?).then(|| Self { url: shown(url) })
    }
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be reached: {REFUSAL}", self.url)
    }
}

/// A URL as it stands in logs: without user, password, query and fragment.
pub fn shown(url: &str) -> String {
    let Ok(mut url) = url.parse::<Url>() else { return String::new() };
    // Both fail only for a URL that has no host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        assert_eq!(shown("https://ann:pass@hooks.example:8443/in?token=1#x"), "https://hooks.example:8443/in");
        assert_eq!(shown("http://[::1]/in"), "http://[::1]/in");
        assert_eq!(shown("no URL"), "");
    }

    #[test]
    fn an_address_that_is_not_allowed_is_told_with_the_setting() {
        let told = |url| Barred::of(&Reach::default(), url).map(|barred| barred.to_string());
        let text = told("http://u:p@127.0.0.1:1/in?x=1").expect("it is barred");
        assert!(text.starts_with("http://127.0.0.1:1/in ") && text.contains(SETTING), "{text}");
        assert_eq!((told("https://hooks.example/"), told("https://8.8.8.8/")), (None, None));
    }
}
