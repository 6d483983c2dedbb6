//! Reads patterns, and says in AWS's words what is wrong with one.
use ipnet::IpNet;
use serde_json::Value as Json;

use crate::topics::filter_policy::number::Number;
use crate::topics::filter_policy::pattern::{Comparison, Pattern, Plain};

/// Reads one pattern.
pub(super) fn pattern(json: &Json) -> Result<Pattern, String> {
    let Json::Object(object) = json else { return plain(json).map(Pattern::Exactly) };
    let mut members = object.iter();
    let (Some((operator, value)), None) = (members.next(), members.next()) else {
        return Err("Only one key allowed in match expression".to_owned());
    };
    match operator.as_str() {
        "prefix" => text("prefix", value).map(Pattern::Prefix),
        "suffix" => text("suffix", value).map(Pattern::Suffix),
        "equals-ignore-case" => text("equals-ignore-case", value).map(Pattern::IgnoreCase),
        "anything-but" => anything_but(value),
        "exists" => match value {
            Json::Bool(wanted) => Ok(Pattern::Exists(*wanted)),
            _ => Err("exists match pattern must be either true or false.".to_owned()),
        },
        "numeric" => numeric(value).map(Pattern::Numeric),
        "cidr" => network(value).map(Pattern::Network),
        other => Err(format!("Unrecognized match type {}", short(other))),
    }
}

fn plain(json: &Json) -> Result<Plain, String> {
    let wrong = || "Match value must be String, number, true, false, or null".to_owned();
    match json {
        Json::String(text) => Ok(Plain::Text(text.clone())),
        Json::Number(number) => number.as_f64().and_then(Number::new).map(Plain::Number).ok_or_else(wrong),
        Json::Bool(flag) => Ok(Plain::Flag(*flag)),
        Json::Null => Ok(Plain::Null),
        Json::Array(_) | Json::Object(_) => Err(wrong()),
    }
}

fn text(operator: &str, value: &Json) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{operator} match pattern must be a string"))
}

fn anything_but(value: &Json) -> Result<Pattern, String> {
    match value {
        Json::Object(object) => {
            let mut members = object.iter();
            let (Some((form, value)), None) = (members.next(), members.next()) else {
                return Err("Only one key allowed in match expression".to_owned());
            };
            // AWS was seen to refuse all forms but `prefix`. The others are good in EventBridge, whose patterns these are.
            let (name, make): (_, fn(String) -> Pattern) = match form.as_str() {
                "prefix" => ("prefix", Pattern::Prefix),
                "suffix" => ("suffix", Pattern::Suffix),
                "equals-ignore-case" => ("equals-ignore-case", Pattern::IgnoreCase),
                other => return Err(format!("Unsupported anything-but pattern: {}", short(other))),
            };
            let several = match value {
                Json::Array(several) if several.is_empty() => return Err("Empty arrays are not allowed".to_owned()),
                Json::Array(several) => several.as_slice(),
                one => std::slice::from_ref(one),
            };
            several.iter().map(|one| text(name, one).map(make)).collect::<Result<_, _>>().map(Pattern::Unlike)
        }
        Json::Array(several) if several.is_empty() => Err("Empty arrays are not allowed".to_owned()),
        Json::Array(several) => several.iter().map(plain).collect::<Result<_, _>>().map(Pattern::AnythingBut),
        one => plain(one).map(|one| Pattern::AnythingBut(vec![one])),
    }
}

/// `["=", 5]`, or one bound, or two: `[">", 0, "<=", 10]`.
fn numeric(value: &Json) -> Result<Vec<(Comparison, Number)>, String> {
    let empty = vec![];
    let terms = value.as_array().unwrap_or(&empty);
    let Some((first, rest)) = terms.split_first() else {
        return Err("Invalid member in numeric match: ]".to_owned());
    };
    let Some(name) = first.as_str() else {
        return Err(format!("Invalid member in numeric match: {}", short(&first.to_string())));
    };
    let comparison = comparison(name).ok_or_else(|| format!("Unrecognized numeric range operator: {}", short(name)))?;
    let bound = bound(name, rest.first())?;
    let mut bounds = vec![(comparison, bound)];
    let Some((second, rest)) = rest.get(1..).and_then(<[Json]>::split_first) else { return Ok(bounds) };
    if !matches!(comparison, Comparison::Greater | Comparison::AtLeast) {
        return Err("Too many elements in numeric expression".to_owned());
    }
    let Some(name) = second.as_str() else {
        return Err(format!("Bad value in numeric range: {}", short(&second.to_string())));
    };
    let upper = self::comparison(name).filter(|c| matches!(c, Comparison::Less | Comparison::AtMost));
    let upper = upper.ok_or_else(|| format!("Bad numeric range operator: {}", short(name)))?;
    let top = self::bound(name, rest.first())?;
    if top <= bound {
        return Err("Bottom must be less than top".to_owned());
    }
    if rest.len() > 1 {
        return Err("Too many terms in numeric range expression".to_owned());
    }
    bounds.push((upper, top));
    Ok(bounds)
}

fn comparison(name: &str) -> Option<Comparison> {
    match name {
        "=" => Some(Comparison::Equal),
        "<" => Some(Comparison::Less),
        "<=" => Some(Comparison::AtMost),
        ">" => Some(Comparison::Greater),
        ">=" => Some(Comparison::AtLeast),
        _ => None,
    }
}

fn bound(operator: &str, value: Option<&Json>) -> Result<Number, String> {
    let operator = if operator == "=" { "equals" } else { operator };
    value.and_then(Json::as_f64).and_then(Number::new).ok_or_else(|| format!("Value of {operator} must be numeric"))
}

fn network(value: &Json) -> Result<IpNet, String> {
    let text = text("prefix", value)?;
    let Some((address, bits)) = text.split_once('/').filter(|(_, bits)| !bits.contains('/')) else {
        return Err("Malformed CIDR, one '/' required".to_owned());
    };
    if bits.parse::<i64>().is_err() {
        return Err("Malformed CIDR, mask bits must be an integer".to_owned());
    }
    text.parse().map_err(|_| format!("Nonstandard IP address: {}", short(address)))
}

/// What comes back to the caller must not be long.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
