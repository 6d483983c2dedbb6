//! Filter policies against a slow reference: written from the developer guide alone, over JSON, with no thought of speed.
//! Bodies and policies are small, so that they often meet.
use std::net::Ipv4Addr;

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::base::Budget;

use super::{Facts, FilterPolicy, PolicyScope};

/// The values under a path of names, through objects and through arrays of objects. No name has a dot here.
fn values<'a>(body: &'a Json, path: &[String], found: &mut Vec<&'a Json>) {
    match (body, path) {
        (Json::Array(all), _) => all.iter().for_each(|one| values(one, path, found)),
        (Json::Object(object), [first, rest @ ..]) => {
            if let Some(value) = object.get(first) {
                values(value, rest, found);
            }
        }
        (Json::Object(_), []) => {}
        (leaf, []) => found.push(leaf),
        _ => {}
    }
}

fn alternatives(key: &str, value: &Json) -> bool {
    key == "$or" && value.as_array().is_some_and(|all| all.len() > 1 && all.iter().all(Json::is_object))
}

fn passes(policy: &Map<String, Json>, body: &Json, path: &[String]) -> bool {
    policy.iter().all(|(key, value)| {
        let inner = [path, std::slice::from_ref(key)].concat();
        if alternatives(key, value) {
            let each = value.as_array().into_iter().flatten().filter_map(Json::as_object);
            return each.into_iter().any(|one| passes(one, body, path));
        }
        match value {
            Json::Object(object) => passes(object, body, &inner),
            Json::Array(patterns) => {
                let mut found = Vec::new();
                values(body, &inner, &mut found);
                patterns.iter().any(|pattern| one_matches(pattern, &found))
            }
            _ => false,
        }
    })
}

fn one_matches(pattern: &Json, found: &[&Json]) -> bool {
    match pattern.get("exists").and_then(Json::as_bool) {
        Some(true) => return found.iter().any(|value| !value.is_null() && value.as_str() != Some("")),
        Some(false) => return found.is_empty(),
        None => {}
    }
    found.iter().any(|value| matches(pattern, value))
}

fn same(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a * 1e5).round() == (b * 1e5).round(),
        _ => a == b,
    }
}

fn texts(of: &Json) -> Vec<&str> {
    of.as_array().map_or_else(|| vec![of], |all| all.iter().collect()).into_iter().filter_map(Json::as_str).collect()
}

fn matches(pattern: &Json, value: &Json) -> bool {
    let Some((operator, wanted)) = pattern.as_object().and_then(|object| object.iter().next()) else {
        return same(pattern, value);
    };
    let text = value.as_str();
    match operator.as_str() {
        "prefix" => text.is_some_and(|text| texts(wanted).iter().any(|w| text.starts_with(w))),
        "suffix" => text.is_some_and(|text| texts(wanted).iter().any(|w| text.ends_with(w))),
        "equals-ignore-case" => text.is_some_and(|text| texts(wanted).iter().any(|w| same_letters(text, w))),
        "anything-but" => match wanted.as_object().and_then(|object| object.iter().next()) {
            Some((inner, wanted)) => {
                let inner = json!({ inner.as_str(): wanted });
                text.is_some() && !matches(&inner, value)
            }
            None => {
                let all = wanted.as_array().map_or_else(|| vec![wanted], |all| all.iter().collect());
                !all.into_iter().any(|one| same(one, value))
            }
        },
        "numeric" => value.as_f64().is_some_and(|number| in_bounds(wanted, number)),
        "cidr" => text.and_then(|text| text.parse().ok()).is_some_and(|ip| in_network(wanted, ip)),
        _ => false,
    }
}

fn same_letters(a: &str, b: &str) -> bool {
    a.chars().map(|c| c.to_ascii_lowercase()).eq(b.chars().map(|c| c.to_ascii_lowercase()))
}

fn in_bounds(terms: &Json, number: f64) -> bool {
    let terms = terms.as_array().map_or(&[][..], Vec::as_slice);
    terms.chunks(2).all(|pair| {
        let bound = pair.get(1).and_then(Json::as_f64).unwrap_or(f64::NAN);
        match pair.first().and_then(Json::as_str) {
            Some("=") => number == bound,
            Some("<") => number < bound,
            Some("<=") => number <= bound,
            Some(">") => number > bound,
            Some(">=") => number >= bound,
            _ => false,
        }
    })
}

fn in_network(network: &Json, ip: Ipv4Addr) -> bool {
    let Some((base, bits)) = network.as_str().and_then(|text| text.split_once('/')) else { return false };
    let (Ok(base), Ok(bits)) = (base.parse::<Ipv4Addr>(), bits.parse::<u32>()) else { return false };
    let kept = |ip: Ipv4Addr| u64::from(u32::from(ip)) >> (32 - bits);
    kept(base) == kept(ip)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("c"), Just("a-")].prop_map(str::to_owned)
}

fn word() -> impl Strategy<Value = Json> {
    prop_oneof!["[abAB]{0,3}".prop_map(Json::from), (0u8..4).prop_map(|n| json!(format!("10.0.{n}.1")))]
}

fn leaf() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => word(),
        2 => (-3i64..4).prop_map(Json::from),
        1 => (-30i64..40).prop_map(|n| json!(n as f64 / 10.0)),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
    ]
}

fn body() -> impl Strategy<Value = Json> {
    let inner = leaf().prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
            prop::collection::btree_map(name(), inner, 0..3).prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(name(), inner, 0..4).prop_map(|map| Json::Object(map.into_iter().collect()))
}

fn one_or_some(what: impl Strategy<Value = Json> + Clone + 'static) -> impl Strategy<Value = Json> {
    prop_oneof![what.clone(), prop::collection::vec(what, 1..3).prop_map(Json::from)]
}

fn pattern() -> impl Strategy<Value = Json> {
    let text = || "[abAB]{1,2}".prop_map(Json::from).boxed();
    let inner = prop_oneof![Just("prefix"), Just("suffix"), Just("equals-ignore-case")];
    prop_oneof![
        4 => leaf(),
        1 => text().prop_map(|t| json!({"prefix": t})),
        1 => text().prop_map(|t| json!({"suffix": t})),
        1 => text().prop_map(|t| json!({"equals-ignore-case": t})),
        1 => one_or_some(leaf().boxed()).prop_map(|all| json!({"anything-but": all})),
        2 => (inner, one_or_some(text())).prop_map(|(how, t)| json!({"anything-but": {how: t}})),
        1 => any::<bool>().prop_map(|wanted| json!({"exists": wanted})),
        1 => (-3i64..4).prop_map(|n| json!({"numeric": ["=", n]})),
        1 => (-3i64..4).prop_map(|n| json!({"numeric": ["<=", n]})),
        1 => (-3i64..4, 1i64..3).prop_map(|(n, more)| json!({"numeric": [">", n, "<", n + more]})),
        1 => (0u8..4, 22u8..33).prop_map(|(n, bits)| json!({"cidr": format!("10.0.{n}.0/{bits}")})),
    ]
}

fn policy() -> impl Strategy<Value = Json> {
    let patterns = prop::collection::vec(pattern(), 1..3).prop_map(Json::from);
    let node = patterns.prop_recursive(3, 12, 3, |inner| {
        prop::collection::btree_map(name(), inner, 1..3).prop_map(|map| Json::Object(map.into_iter().collect()))
    });
    let flat =
        prop::collection::btree_map(name(), node, 1..3).prop_map(|map| Json::Object(map.into_iter().collect())).boxed();
    (flat.clone(), prop::option::of(prop::collection::vec(flat, 2..4))).prop_map(|(mut flat, or)| {
        if let (Some(object), Some(or)) = (flat.as_object_mut(), or) {
            object.insert("$or".to_owned(), Json::from(or));
        }
        flat
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_policy_for_bodies_decides_as_the_reference_does(policy in policy(), body in body()) {
        if let Ok(read) = FilterPolicy::parse(&policy.to_string(), PolicyScope::Body) {
            let facts = Facts::of_body(&body.to_string()).expect("an object");
            let wanted = passes(policy.as_object().expect("an object"), &body, &[]);
            prop_assert_eq!(read.matches(&facts, &mut Budget::new(1_000_000)), Ok(wanted), "{} {}", policy, body);
        }
    }
}
