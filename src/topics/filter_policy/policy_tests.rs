//! Filter policies against messages: AWS's documented examples, the limits, and properties that hold for all.
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::base::{Budget, Spent};
use crate::topics::{Attribute, Value};

fn attribute(data_type: &str, value: &str) -> Attribute {
    Attribute { data_type: data_type.to_owned(), value: Value::Text(value.to_owned()) }
}

/// The message of the developer guide's examples.
fn order() -> Facts {
    let all = [
        ("store", attribute("String", "example_corp")),
        ("price_usd", attribute("Number", "210.75")),
        ("customer_interests", attribute("String.Array", "[\"soccer\", \"rugby\", 7, true, null]")),
        ("source_ip", attribute("String", "10.0.0.7")),
        ("odd", attribute("String.Array", "soccer")),
        ("picture", Attribute { data_type: "Binary".to_owned(), value: Value::Binary(vec![1]) }),
        ("$or", attribute("String", "or either")),
    ];
    Facts::of_attributes(&all.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>())
}

/// More than any of these takes.
fn steps() -> Budget {
    Budget::new(1_000_000)
}

fn passes(policy: &Json) -> bool {
    let policy = FilterPolicy::parse(&policy.to_string(), PolicyScope::Attributes).expect("a good policy");
    policy.matches(&order(), &mut steps()).expect("steps enough")
}

fn body_passes(policy: &Json, body: &Json) -> bool {
    let policy = FilterPolicy::parse(&policy.to_string(), PolicyScope::Body).expect("a good policy");
    Facts::of_body(&body.to_string()).is_some_and(|facts| policy.matches(&facts, &mut steps()).expect("steps enough"))
}

fn fault(policy: &Json) -> String {
    match FilterPolicy::parse(&policy.to_string(), PolicyScope::Body) {
        Err(Fault::Other(text)) => text,
        other => panic!("{policy}: {other:?}"),
    }
}

#[test]
fn every_operator_lets_the_right_messages_pass() {
    for (policy, wanted) in [
        (json!({}), true),
        (json!({"store": ["example_corp"]}), true),
        (json!({"store": ["other", "example_corp"]}), true),
        (json!({"store": ["example"]}), false),
        (json!({"store": ["example_corp"], "price_usd": [1]}), false),
        (json!({"missing": ["example_corp"]}), false),
        (json!({"price_usd": [210.75]}), true),
        (json!({"price_usd": ["210.75"]}), true),
        (json!({"store": [{"anything-but": "example_corp"}]}), false),
        (json!({"store": [{"anything-but": ["a", "b"]}]}), true),
        (json!({"price_usd": [{"anything-but": [210.75]}]}), false),
        (json!({"missing": [{"anything-but": ["a"]}]}), false),
        (json!({"store": [{"anything-but": {"prefix": "example"}}]}), false),
        (json!({"store": [{"anything-but": {"prefix": ["order", "x"]}}]}), true),
        (json!({"store": [{"anything-but": {"suffix": "_corp"}}]}), false),
        (json!({"store": [{"anything-but": {"equals-ignore-case": ["EXAMPLE_CORP", "x"]}}]}), false),
        (json!({"price_usd": [{"anything-but": {"suffix": "x"}}]}), false),
        (json!({"store": [{"prefix": "example"}]}), true),
        (json!({"store": [{"suffix": "_corp"}]}), true),
        (json!({"store": [{"suffix": "example"}]}), false),
        (json!({"store": [{"equals-ignore-case": "Example_CORP"}]}), true),
        (json!({"price_usd": [{"numeric": [">", 200, "<=", 210.75]}]}), true),
        (json!({"price_usd": [{"numeric": ["<", 210.75]}]}), false),
        (json!({"price_usd": [{"numeric": ["=", 210.750001]}]}), true),
        (json!({"store": [{"numeric": [">", 0]}]}), false),
        (json!({"store": [{"exists": true}]}), true),
        (json!({"store": [{"exists": false}]}), false),
        (json!({"missing": [{"exists": false}]}), true),
        (json!({"picture": [{"exists": true}]}), false),
        (json!({"picture": [{"exists": false}]}), true),
        (json!({"picture": [{"anything-but": ["a"]}]}), false),
        (json!({"source_ip": [{"cidr": "10.0.0.0/24"}]}), true),
        (json!({"source_ip": [{"cidr": "10.0.1.0/24"}]}), false),
        (json!({"store": [{"cidr": "::/0"}]}), false),
        (json!({"customer_interests": ["rugby"]}), true),
        (json!({"customer_interests": ["tennis", 7]}), true),
        (json!({"customer_interests": [true]}), true),
        (json!({"customer_interests": [null]}), true),
        (json!({"customer_interests": [false]}), false),
        (json!({"customer_interests": [{"anything-but": ["rugby"]}]}), true),
        (json!({"odd": ["soccer"]}), false),
        (json!({"odd": [{"exists": true}]}), false),
        (json!({"price_usd": [{"prefix": "210"}]}), false),
        (json!({"store": [{"numeric": ["=", 1]}]}), false),
        (json!({"$or": [{"store": ["other"]}, {"price_usd": [{"numeric": [">", 100]}]}]}), true),
        (json!({"$or": [{"store": ["other"]}, {"price_usd": [{"numeric": [">", 900]}]}]}), false),
        (json!({"store": ["other"], "$or": [{"price_usd": [210.75]}, {"missing": ["x"]}]}), false),
        (json!({"$or": [{"prefix": "or"}, {"suffix": "either"}]}), true),
        (json!({"$or": [{"prefix": "x"}, {"exists": false}]}), false),
        (json!({"$or": ["or either"]}), true),
        (json!({"$or": [{"exists": true}]}), true),
    ] {
        assert_eq!(passes(&policy), wanted, "{policy}");
    }
}

/// "exists: false only matches if at least one attribute is present" (SNS developer guide, "Key matching"); attributes that
/// are not compared are none.
#[test]
fn that_a_name_is_missing_counts_beside_others_only() {
    let policy = json!({"missing": [{"exists": false}]}).to_string();
    let policy = FilterPolicy::parse(&policy, PolicyScope::Attributes).expect("a good policy");
    let of = |all: &[(&str, Attribute)]| {
        let all = all.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<BTreeMap<_, _>>();
        policy.matches(&Facts::of_attributes(&all), &mut steps()).expect("steps enough")
    };
    let picture = ("picture", Attribute { data_type: "Binary".to_owned(), value: Value::Binary(vec![1]) });
    assert!(!of(&[]));
    assert!(!of(std::slice::from_ref(&picture)));
    assert!(of(&[picture, ("store", attribute("String", "x"))]));
    assert!(!of(&[("missing", attribute("String", "x"))]));
    let all = FilterPolicy::parse("{}", PolicyScope::Attributes).expect("a good policy");
    assert_eq!(all.matches(&Facts::of_attributes(&BTreeMap::new()), &mut steps()), Ok(true));
}

/// A word may be written in capitals, in small letters, or in both, and in each of them the other way round.
#[test]
fn letters_are_the_same_in_upper_and_lower_case_wherever_they_stand() {
    for (named, said, same) in [
        // The sigma at the end of a word has a form of its own.
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς", true),
        ("Οδυσσευσ", "ΟΔΥΣΣΕΥΣ", true),
        ("οδυσσευς", "οδυσσευσ", true),
        ("ΣΑΣ.ΣΑΣ", "σας.σας", true),
        ("οδυσσευς", "οδυσσευ", false),
        // Upper cases of more characters, or of more octets.
        ("straße", "STRASSE", true),
        ("STRAẞE", "strasse", true),
        ("\u{3b0}", "\u{3a5}\u{308}\u{301}", true),
        ("ŉ", "ʼN", true),
        ("ﬃ", "FFI", true),
        ("ⱥ", "Ⱥ", true),
        // Several small letters of one capital, and a capital letter that is another's sign.
        ("ſet", "SET", true),
        ("µm", "ΜM", true),
        ("\u{212a}", "k", true),
        ("\u{2126}", "ω", true),
        ("ǅ", "Ǆ", true),
        ("ǆ", "ǅ", true),
        ("İ", "i\u{307}", true),
        // What only looks alike.
        ("a", "а", false),
        ("é", "e", false),
        ("é", "e\u{301}", false),
        ("ss", "s", false),
        ("", "a", false),
        ("[", "{", false),
    ] {
        for (named, said) in [(named, said), (said, named)] {
            let body = json!({ "k": said });
            assert_eq!(body_passes(&json!({ "k": [{ "equals-ignore-case": named }] }), &body), same, "{named} {said}");
            let unlike = json!({ "k": [{ "anything-but": { "equals-ignore-case": [named] } }] });
            assert_eq!(body_passes(&unlike, &body), !same, "{named} {said}");
        }
    }
}

#[test]
fn bodies_are_looked_into() {
    let body = json!({
        "store": {"name": "example_corp", "place": {"city": "Oslo"}},
        "lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 20}],
        "paid": true,
        "nothing": null,
        "empty": "",
        "none": [],
        "some": [null, "", 0],
    });
    for (policy, wanted) in [
        (json!({"store": {"name": ["example_corp"]}}), true),
        (json!({"store": {"place": {"city": [{"prefix": "Os"}]}}}), true),
        (json!({"store.name": ["example_corp"]}), true),
        (json!({"store": ["example_corp"]}), false),
        (json!({"lines": {"sku": ["b"]}}), true),
        (json!({"lines": {"count": [{"numeric": [">=", 20]}]}}), true),
        (json!({"lines": {"sku": ["c"]}}), false),
        (json!({"paid": [true]}), true),
        (json!({"paid": ["true"]}), false),
        (json!({"store": {"$or": [{"name": ["x"]}, {"place": {"city": ["Oslo"]}}]}}), true),
        (json!({"store": {"owner": [{"exists": false}]}}), true),
        (json!({"nothing": [{"exists": true}]}), false),
        (json!({"empty": [{"exists": true}]}), false),
        (json!({"none": [{"exists": true}]}), false),
        (json!({"some": [{"exists": true}]}), true),
        (json!({"nothing": [{"exists": false}]}), false),
        (json!({"empty": [{"exists": false}]}), false),
        (json!({"none": [{"exists": false}]}), true),
        (json!({"nothing": [null]}), true),
        (json!({"empty": [""]}), true),
    ] {
        assert_eq!(body_passes(&policy, &body), wanted, "{policy}");
    }
    assert_eq!((Facts::of_body("plain"), Facts::of_body("[1]")), (None, None));
}

#[test]
fn bad_policies_are_refused_in_awss_words() {
    for (policy, text) in [
        (json!([]), "failed to parse JSON."),
        (json!({"a": "x"}), "\"a\" must be an object or an array"),
        (json!({"a": []}), "Empty arrays are not allowed"),
        (json!({"a": [["x"]]}), "Match value must be String, number, true, false, or null"),
        (json!({"a": [{"prefix": "x", "suffix": "y"}]}), "Only one key allowed in match expression"),
        (json!({"a": [{"prefix": 1}]}), "prefix match pattern must be a string"),
        (json!({"a": [{"wildcard": "x*"}]}), "Unrecognized match type wildcard"),
        (json!({"$or": [{"store": ["x"]}]}), "Unrecognized match type store"),
        (json!({"$or": [{"store": ["x"]}, {"prefix": ["x"]}]}), "Unrecognized match type store"),
        (json!({"$or": [{"store": ["x"]}, "x"]}), "Unrecognized match type store"),
        (json!({"a": [{"exists": "yes"}]}), "exists match pattern must be either true or false."),
        (json!({"a": [{"anything-but": {"numeric": [1]}}]}), "Unsupported anything-but pattern: numeric"),
        (json!({"a": [{"anything-but": {"prefix": []}}]}), "Empty arrays are not allowed"),
        (json!({"a": [{"anything-but": {"prefix": "x", "suffix": "y"}}]}), "Only one key allowed in match expression"),
        (json!({"a": [{"numeric": []}]}), "Invalid member in numeric match: ]"),
        (json!({"a": [{"numeric": ["~", 1]}]}), "Unrecognized numeric range operator: ~"),
        (json!({"a": [{"numeric": ["=", "1"]}]}), "Value of equals must be numeric"),
        (json!({"a": [{"numeric": ["<", 1, ">", 0]}]}), "Too many elements in numeric expression"),
        (json!({"a": [{"numeric": [">", 1, ">", 2]}]}), "Bad numeric range operator: >"),
        (json!({"a": [{"numeric": [">", 2, "<", 1]}]}), "Bottom must be less than top"),
        (json!({"a": [{"numeric": [">", 1, "<", 2, "<"]}]}), "Too many terms in numeric range expression"),
        (json!({"a": [{"cidr": "10.0.0.0"}]}), "Malformed CIDR, one '/' required"),
        (json!({"a": [{"cidr": "10.0.0.0/x"}]}), "Malformed CIDR, mask bits must be an integer"),
        (json!({"a": [{"cidr": "10.0.0/8"}]}), "Nonstandard IP address: 10.0.0"),
        (
            json!({"a": [1], "b": [1], "c": [1], "d": [1], "e": [1], "f": [1]}),
            "Filter policy can not have more than 5 keys",
        ),
        (json!({"a": {"b": {"c": [1, 2, 3, 4, 5, 6, 7]}}, "d": {"e": [1, 2, 3, 4]}}), "Filter policy is too complex"),
    ] {
        assert_eq!(fault(&policy), text, "{policy}");
    }
    let nested = FilterPolicy::parse("{\"a\":{\"b\":[1]}}", PolicyScope::Attributes);
    assert_eq!(nested, Err(Fault::Nested));
    // The guide's example of complexity: 3 x 4 x 2 x 3 = 72.
    let example = json!({"a": {"b": {"c": [1, 2, 3, 4]}}, "d": {"e": [1, 2, 3]}});
    assert!(FilterPolicy::parse(&example.to_string(), PolicyScope::Body).is_ok());
}

/// A body is walked once, however many names a policy has and however many dots they have.
#[test]
fn names_with_many_dots_cost_no_more_than_the_body_is_long() {
    let name = |n: usize| format!("{}{n}", "a.".repeat(2_000));
    let several: Vec<Json> = (0..60).map(|n| json!({ name(n): ["x"] })).collect();
    let policy = FilterPolicy::parse(&json!({ "$or": several }).to_string(), PolicyScope::Body).expect("a good policy");
    for elements in [1_000, 20_000] {
        let body = json!({ "a": vec![json!({ "a": {} }); elements] });
        let mut budget = Budget::new(4 * elements as u64 + 1_000);
        assert_eq!(policy.matches(&Facts::of_body(&body.to_string()).expect("an object"), &mut budget), Ok(false));
    }
}

/// What is compared with what is charged, so that long lists of values and of patterns end.
#[test]
fn a_long_list_of_patterns_for_a_long_list_of_values_is_not_gone_through() {
    let values: Vec<Json> = (0..20_000).map(|n| json!(format!("v{n}"))).collect();
    let facts = Facts::of_body(&json!({ "a": values }).to_string()).expect("an object");
    for pattern in [
        json!({ "anything-but": values }),
        json!({ "anything-but": { "prefix": values } }),
        json!({ "anything-but": { "equals-ignore-case": values } }),
    ] {
        let policy =
            FilterPolicy::parse(&json!({ "a": [pattern] }).to_string(), PolicyScope::Body).expect("a good policy");
        assert_eq!(policy.matches(&facts, &mut Budget::new(1_000_000)), Err(Spent::Steps));
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[a-c./$]{0,4}".prop_map(Json::from),
        prop_oneof![Just(">"), Just("<="), Just("="), Just("10.0.0.0/8")].prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let key = prop_oneof![
            "[a-c]{1,2}",
            Just("$or".to_owned()),
            Just("numeric".to_owned()),
            Just("anything-but".to_owned()),
            Just("prefix".to_owned()),
            Just("exists".to_owned()),
            Just("cidr".to_owned()),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|pairs| Json::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_policy_and_no_body_breaks_it(policy in any_json(), body in any_json()) {
        for scope in [PolicyScope::Attributes, PolicyScope::Body] {
            if let (Ok(policy), Some(facts)) =
                (FilterPolicy::parse(&policy.to_string(), scope), Facts::of_body(&body.to_string()))
            {
                prop_assert!(policy.matches(&facts, &mut steps()).is_ok());
            }
        }
    }

    #[test]
    fn a_value_passes_exactly_when_it_is_named(value in "[a-d]{0,3}", named in prop::collection::vec("[a-d]{0,3}", 1..6)) {
        let body = json!({"k": value});
        prop_assert_eq!(body_passes(&json!({"k": named}), &body), named.contains(&value));
        prop_assert_eq!(body_passes(&json!({"k": [{"anything-but": named}]}), &body), !named.contains(&value));
        let prefixes: Vec<Json> = named.iter().map(|prefix| json!({"prefix": prefix})).collect();
        let starts = named.iter().any(|prefix| value.starts_with(prefix.as_str()));
        prop_assert_eq!(body_passes(&json!({"k": prefixes}), &body), starts);
        prop_assert_eq!(body_passes(&json!({"k": [{"anything-but": {"prefix": named}}]}), &body), !starts);
    }

    #[test]
    fn ranges_are_what_they_say(value in -1000i64..1000, low in -1000i64..1000, width in 1i64..1000) {
        let (body, high) = (json!({"k": value}), low + width);
        let inside = json!({"k": [{"numeric": [">", low, "<=", high]}]});
        prop_assert_eq!(body_passes(&inside, &body), value > low && value <= high);
        let outside = json!({"$or": [{"k": [{"numeric": ["<=", low]}]}, {"k": [{"numeric": [">", high]}]}]});
        prop_assert_eq!(body_passes(&outside, &body), !(value > low && value <= high));
    }
}
