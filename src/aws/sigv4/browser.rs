//! Requests that a browser sends for another site's page. On a developer's machine nobody signs, so any page that the
//! developer opens could call this server with a form or an image; browsers tell, and then we refuse.
use std::net::IpAddr;

use crate::aws::request::Request;

/// Whether a page that is not of this machine caused `request`: told by `Origin` (RFC 6454, 7) or, where that is missing,
/// by `Sec-Fetch-Site` (W3C Fetch Metadata). Programs that are no browsers send neither.
pub(super) fn is_from_elsewhere(request: &Request) -> bool {
    match request.headers.get("origin") {
        Some(origin) => !origin.to_str().is_ok_and(is_of_this_machine),
        None => request.header("sec-fetch-site").is_some_and(|site| site == "cross-site"),
    }
}

/// `http://localhost:3000`, `http://127.0.0.1`, `http://[::1]:80`; `null`, which any page can have, is not.
fn is_of_this_machine(origin: &str) -> bool {
    let Some((_, place)) = origin.split_once("://") else { return false };
    let host = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => place.split(':').next().unwrap_or_default(),
    };
    let host = host.to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::request::sample::request;

    #[test]
    fn pages_of_other_sites_are_told_from_programs_and_from_pages_of_this_machine() {
        let told = |headers: &[(&'static str, &str)]| is_from_elsewhere(&request("POST", "/", headers, ""));
        for elsewhere in [
            [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
            [("origin", "http://localhost.evil.example"), ("x", "y")],
            [("origin", "http://127.0.0.1.evil.example:80"), ("x", "y")],
            [("origin", "null"), ("sec-fetch-site", "none")],
            [("x", "y"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(told(&elsewhere), "{elsewhere:?}");
        }
        for here in ["http://localhost:3000", "http://app.localhost", "http://127.0.0.1:8080", "https://[::1]:3000"] {
            assert!(!told(&[("origin", here), ("sec-fetch-site", "cross-site")]), "{here}");
        }
        assert!(!told(&[]) && !told(&[("sec-fetch-site", "none")]) && !told(&[("sec-fetch-site", "same-origin")]));
    }
}
