//! Checks that one value is the same struct on every protocol, and that results are written as AWS writes them.
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::aws::protocol::form::Form;
use crate::aws::protocol::{Blob, Names, Refusal, Time, form_decode, json, json_encode, xml};
use crate::base::Timestamp;

const NAMES: Names = Names {
    flat: &[("Sample", "Entries", "SampleEntry"), ("Sample", "Attributes", "Attribute")],
    entries: &[("Attribute", "Name", "Value")],
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sample {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<i32>,
    flag: bool,
    blob: Blob,
    time: Time,
    #[serde(default)]
    entries: Vec<Entry>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    map: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    Plain,
    VeryFancy,
}

/// The pairs that an SDK would send for `sample`.
fn pairs(sample: &Sample) -> String {
    let mut out = form_urlencoded::Serializer::new(String::new());
    let entry = |out: &mut form_urlencoded::Serializer<'_, String>, at: &str, entry: &Entry| {
        out.append_pair(&format!("{at}.Id"), &entry.id);
        if let Some(kind) = entry.kind {
            let kind = serde_json::to_value(kind).expect("an enum");
            out.append_pair(&format!("{at}.Kind"), kind.as_str().expect("a text"));
        }
    };
    out.append_pair("Text", &sample.text);
    if let Some(count) = sample.count {
        out.append_pair("Count", &count.to_string());
    }
    out.append_pair("Flag", &sample.flag.to_string());
    out.append_pair("Blob", serde_json::to_value(&sample.blob).expect("a blob").as_str().expect("a text"));
    out.append_pair("Time", &sample.time.0.iso_millis());
    for (n, e) in sample.entries.iter().enumerate() {
        entry(&mut out, &format!("SampleEntry.{}", n + 1), e);
    }
    for (n, name) in sample.names.iter().enumerate() {
        out.append_pair(&format!("Names.member.{}", n + 1), name);
    }
    for (n, (key, value)) in sample.attributes.iter().enumerate() {
        out.append_pair(&format!("Attribute.{}.Name", n + 1), key);
        out.append_pair(&format!("Attribute.{}.Value", n + 1), value);
    }
    for (n, (key, value)) in sample.map.iter().enumerate() {
        out.append_pair(&format!("Map.entry.{}.key", n + 1), key);
        entry(&mut out, &format!("Map.entry.{}.value", n + 1), value);
    }
    out.finish()
}

fn entries() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![Just(None), Just(Some(Kind::Plain)), Just(Some(Kind::VeryFancy))];
    (any::<String>(), kind).prop_map(|(id, kind)| Entry { id, kind })
}

fn samples() -> impl Strategy<Value = Sample> {
    let scalars = (any::<String>(), any::<Option<i32>>(), any::<bool>(), any::<Vec<u8>>(), 0..4_000_000_000_000_i64);
    let lists = (prop::collection::vec(entries(), 0..12), prop::collection::vec(any::<String>(), 0..12));
    let maps = (
        prop::collection::btree_map(any::<String>(), any::<String>(), 0..4),
        prop::collection::btree_map(any::<String>(), entries(), 0..4),
    );
    (scalars, lists, maps).prop_map(|((text, count, flag, blob, millis), (entries, names), (attributes, map))| Sample {
        text,
        count,
        flag,
        blob: Blob(blob),
        time: Time(Timestamp::from_micros(millis * 1_000)),
        entries,
        names,
        attributes,
        map,
    })
}

proptest! {
    #[test]
    fn json_and_query_decode_to_the_same_struct(sample in samples()) {
        let body = json_encode::encode(&sample).expect("JSON");
        prop_assert_eq!(&json::decode::<Sample>(body.as_bytes()).expect("a sample"), &sample);
        let body = pairs(&sample);
        let form = Form::parse(body.as_bytes()).expect("a form");
        prop_assert_eq!(&form_decode::decode::<Sample>(&form, &NAMES).expect("a sample"), &sample);
    }

    #[test]
    fn no_body_makes_a_decoder_panic(body in any::<Vec<u8>>(), text in "[a-zA-Z0-9.=&%{}\":,\\[\\]]{0,200}") {
        let _ = json::decode::<Sample>(&body);
        let _ = json::decode::<Sample>(text.as_bytes());
        for body in [&body[..], text.as_bytes()] {
            if let Ok(form) = Form::parse(body) {
                let _ = form_decode::decode::<Sample>(&form, &NAMES);
            }
        }
    }
}

fn sample() -> Sample {
    Sample {
        text: "a<b>&\u{1}\r\"".into(),
        count: None,
        flag: true,
        blob: Blob(vec![0, 1]),
        time: Time(Timestamp::from_micros(1_767_323_045_678_000)),
        entries: vec![Entry { id: "e".into(), kind: Some(Kind::VeryFancy) }, Entry { id: "f".into(), kind: None }],
        names: vec!["n".into()],
        attributes: BTreeMap::from([("k".into(), "v".into())]),
        map: BTreeMap::from([("m".into(), Entry { id: "g".into(), kind: None })]),
    }
}

#[test]
fn results_are_xml_with_flat_and_nested_lists_and_maps() {
    let mut out = String::new();
    xml::encode(&sample(), "SampleResult", &NAMES, &mut out).expect("XML");
    let wanted = "<SampleResult><Text>a&lt;b&gt;&amp;\u{fffd}&#xD;&quot;</Text><Flag>true</Flag><Blob>AAE=</Blob>\
        <Time>2026-01-02T03:04:05.678Z</Time><SampleEntry><Id>e</Id><Kind>VERY_FANCY</Kind></SampleEntry>\
        <SampleEntry><Id>f</Id></SampleEntry><Names><member>n</member></Names>\
        <Attribute><Name>k</Name><Value>v</Value></Attribute>\
        <Map><entry><key>m</key><value><Id>g</Id></value></entry></Map></SampleResult>";
    assert_eq!(out, wanted);
    out.clear();
    xml::encode(&(), "SampleResult", &NAMES, &mut out).expect("XML");
    assert_eq!(out, "");
}

#[test]
fn json_refuses_what_does_not_fit_and_overlooks_what_aws_overlooks() {
    let fine =
        r#"{"Text":"t","Flag":false,"Blob":"","Time":1.5,"Count":null,"Entries":null,"Names":[],"New":{"x":[1]}}"#;
    let read: Sample = json::decode(fine.as_bytes()).expect("a sample");
    assert_eq!((read.count, read.entries.len(), read.time.0.micros()), (None, 0, 1_500_000));
    let wrong = |body: &str| json::decode::<Sample>(body.as_bytes()).expect_err("a refusal");
    assert_eq!(wrong("{}"), Refusal::Missing("Text".into()));
    assert_eq!(wrong(r#"{"Text":null}"#), Refusal::Missing("Text".into()));
    let number =
        Refusal::WrongType { path: "Text".into(), message: "NUMBER_VALUE can not be converted to a String".into() };
    assert_eq!(wrong(r#"{"Text":5}"#), number);
    assert_eq!(wrong(r#"{"Entries":[{"Id":"a"},{}]}"#), Refusal::Missing("Entries.2.member.Id".into()));
    assert!(matches!(wrong("[]"), Refusal::Malformed(_)));
    assert!(matches!(wrong(r#"{"Entries":[{"Kind":"DULL"}]}"#), Refusal::NotInEnum { value, .. } if value == "DULL"));
}

#[test]
fn query_refuses_what_does_not_fit_and_reads_the_short_forms() {
    let read = |body: &str| form_decode::decode::<Sample>(&Form::parse(body.as_bytes()).expect("a form"), &NAMES);
    assert_eq!(read(""), Err(Refusal::Missing("Text".into())));
    let scalars = "Text=t&Flag=true&Blob=&Time=1970-01-01T00:00:00Z";
    assert!(read(&format!("{scalars}&Names=&SampleEntry=")).is_ok_and(|s| s.names.is_empty() && s.entries.is_empty()));
    assert!(matches!(read(&format!("{scalars}&Count=x")), Err(Refusal::WrongType { path, .. }) if path == "Count"));
    let keyless = read(&format!("{scalars}&Attribute.1.Value=v"));
    assert_eq!(keyless, Err(Refusal::Missing("Attributes.Name".into())));
}
