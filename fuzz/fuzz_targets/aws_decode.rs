//! What a request holds is read or refused, in bounded memory, in each of AWS's protocols. The first octet says which.
#![no_main]
use std::collections::BTreeMap;
use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use postrider::access::policy::Policy;
use postrider::aws::protocol::form::Form;
use postrider::aws::protocol::tree::Tree;
use postrider::aws::protocol::{form_decode, json, rest_json};
use postrider::aws::{Blob, Names, Refusal, Request, Time};
use postrider::topics::delivery::policy::check_subscription;
use postrider_fuzz::bounded;

/// A request with every kind of member.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(dead_code, reason = "only read into")]
struct Sample {
    name: String,
    size: Option<i32>,
    flag: Option<bool>,
    ratio: Option<f64>,
    #[serde(default)]
    list: Vec<Inner>,
    #[serde(default)]
    map: BTreeMap<String, String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(dead_code, reason = "only read into")]
struct Inner {
    id: Option<String>,
    bytes: Option<Blob>,
    time: Option<Time>,
    list: Option<Vec<Inner>>,
}

const NAMES: Names = Names { flat: &[], entries: &[] };

fn told(refused: Result<Sample, Refusal>) {
    if let Err(refusal) = refused {
        let _ = refusal.validation_text();
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((how, body)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(body);
    bounded(256 * 1024 + body.len() * 400, || match how % 5 {
        0 => {
            if let Ok(form) = Form::parse(body) {
                told(form_decode::decode(&form, &NAMES));
            }
        }
        1 => {
            let _ = Tree::parse(body);
            told(json::decode(body));
        }
        2 => {
            let (query, body) = text.split_once('\n').unwrap_or((&text, "{}"));
            told(rest_json::decode("GET", vec![("Name", query.to_owned())], query, b"{}"));
            told(rest_json::decode("POST", vec![], query, body.as_bytes()));
        }
        3 => {
            let mut request = Request {
                method: "POST".to_owned(),
                path: "/".to_owned(),
                query: text.clone().into_owned(),
                headers: Default::default(),
                body: Default::default(),
                body_hash: None,
                peer: IpAddr::from([127, 0, 0, 1]),
                long_wait: Default::default(),
                id: "id".to_owned(),
            };
            let _ = (request.scope(), request.scope_service());
            for name in ["authorization", "host", "x-forwarded-proto"] {
                if let Ok(value) = http::HeaderValue::from_bytes(body) {
                    request.headers.insert(name, value);
                }
            }
            let (scope, service, endpoint) = (request.scope(), request.scope_service(), request.endpoint());
            assert!(service.is_none() || scope.is_some());
            assert!(endpoint.len() <= 270 && !endpoint.contains(char::is_control));
        }
        _ => {
            let _ = (Policy::read(&text), check_subscription(&text));
        }
    });
});
