//! The canonical form of a request, which both sides sign.
use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::aws::request::Request;
use crate::aws::sigv4::authorization::{ALGORITHM, SignatureClaim};
use crate::base::hex;

/// Everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// In paths the slash stays too.
const PATH_ENCODED: &AsciiSet = &ENCODED.remove(b'/');

/// The text that is signed, where `body` is the hash of the body.
pub(super) fn string_to_sign(request: &Request, claim: &SignatureClaim, body: &str) -> String {
    let SignatureClaim { stamp, date, region, service, terminator, .. } = claim;
    let hash = hex(digest(&SHA256, &canonical_request(request, claim, body)).as_ref());
    format!("{ALGORITHM}\n{stamp}\n{date}/{region}/{service}/{terminator}\n{hash}")
}

fn canonical_request(request: &Request, claim: &SignatureClaim, body: &str) -> Vec<u8> {
    let (path, query) = (canonical_path(&request.path), canonical_query(&request.query));
    let mut out = format!("{}\n{path}\n{query}\n", request.method).into_bytes();
    let mut headers: Vec<&str> = claim.signed_headers.iter().map(String::as_str).collect();
    headers.sort_unstable();
    for name in &headers {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        canonical_header(request, name, &mut out);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(headers.join(";").as_bytes());
    out.push(b'\n');
    out.extend_from_slice(body.as_bytes());
    out
}

/// SHA-256 of the body, in hex. None of our services takes an unsigned body.
pub(super) fn body_hash(request: &Request) -> String {
    match request.body_hash {
        Some(hash) => hex(&hash),
        None => hex(digest(&SHA256, &request.body).as_ref()),
    }
}

/// The path without dot segments and empty segments (RFC 3986, 5.2.4), encoded once more than it came: all services
/// but S3 do that.
fn canonical_path(path: &str) -> String {
    if path == "/" {
        return path.to_owned();
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut normal = format!("/{}", segments.join("/"));
    if normal.len() > 1 && path.ends_with('/') {
        normal.push('/');
    }
    percent_encode(normal.as_bytes(), PATH_ENCODED).to_string()
}

/// The parameters, encoded one way and sorted by name and value; the signature itself is not among them.
fn canonical_query(query: &str) -> String {
    let recode = |text: &str| {
        // A plus is read as a space everywhere else, so it must be signed as one: else `%2B` could be made `+` on the way.
        let text = text.replace('+', " ");
        let bytes: Vec<u8> = percent_decode_str(&text).collect();
        percent_encode(&bytes, ENCODED).to_string()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (recode(name), recode(value))
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// All values of a header, trimmed, with runs of spaces made one, joined by commas.
fn canonical_header(request: &Request, name: &str, out: &mut Vec<u8>) {
    for (n, value) in request.headers.get_all(name).iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        let mut space = false;
        for byte in value.as_bytes().trim_ascii() {
            let is_space = *byte == b' ';
            if !(is_space && space) {
                out.push(*byte);
            }
            space = is_space;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_encoded_twice() {
        for (path, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//example//", "/example/"),
            ("/a/./b/../c", "/a/c"),
            ("/../..", "/"),
            ("/v2/email/identities/a%40b.c", "/v2/email/identities/a%2540b.c"),
            ("/a@b", "/a%40b"),
        ] {
            assert_eq!(canonical_path(path), canonical, "{path}");
        }
    }

    #[test]
    fn parameters_are_sorted_as_encoded() {
        assert_eq!(canonical_query("b=2&a=%2f&a=%20&X-Amz-Signature=f&-=~&B"), "-=~&B=&a=%20&a=%2F&b=2");
        assert_eq!(canonical_query("a=1+2&b=1%2B2"), "a=1%202&b=1%2B2");
        assert_eq!(canonical_query(""), "");
    }
}
