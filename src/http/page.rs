//! The pages that links in mails lead to: a text, and a button where something is to be done. Opening one changes nothing,
//! since programs follow the links of a mail; pressing the button does.
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// A part of an address, as it may stand in a page: escaped, and not too long.
pub(super) fn shown(text: &str) -> String {
    escaped(&text.chars().filter(|c| !c.is_control()).take(400).collect::<String>())
}

/// Text as it may stand in a page.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A page; `html` is escaped already. The button posts to the page's own address, which holds all that is needed.
pub(super) fn page(status: StatusCode, title: &str, html: &str, button: Option<&str>) -> Response {
    page_to(status, title, html, button, &[])
}

/// The same, where the answer to the button may lead on to one of these origins: browsers ask for leave to go there, too.
pub(super) fn page_to(
    status: StatusCode,
    title: &str,
    html: &str,
    button: Option<&str>,
    origins: &[String],
) -> Response {
    whole(status, title, &format!("<p>{html}</p>"), button, origins)
}

/// A page of more than one paragraph; `html` has them whole.
pub(super) fn page_of(status: StatusCode, title: &str, html: &str) -> Response {
    whole(status, title, html, None, &[])
}

fn whole(status: StatusCode, title: &str, html: &str, button: Option<&str>, origins: &[String]) -> Response {
    let button = button.map_or(String::new(), |name| format!("<form method=\"post\"><button>{name}</button></form>"));
    let body = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title>\n<h1>{title}</h1>\n{html}\n{button}</html>\n"
    );
    let goes_on = origins.iter().map(|origin| format!(" {origin}")).collect::<String>();
    let policy = format!("default-src 'none'; form-action 'self'{goes_on}; frame-ancestors 'none'");
    let strict = HeaderValue::from_static("default-src 'none'; form-action 'self'; frame-ancestors 'none'");
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(strict)),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // The address of this page holds the token, so it is not passed on or kept.
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_an_address_cannot_become_part_of_the_page() {
        assert_eq!(shown("<script>\"&'\r\n"), "&lt;script&gt;&quot;&amp;&#39;");
        assert!(shown(&"x".repeat(5_000)).len() <= 400);
    }
}
