//! Replies to Query requests that want JSON: what XML would say, in JSON. Maps are lists of names and values there.
use serde::Serialize;
use serde_json::{Error, Value, json};

use crate::aws::error::ErrorShape;
use crate::aws::protocol::{Names, json_encode};

/// The reply to an operation that went well.
pub(super) fn result<O: Serialize>(
    operation: &str,
    result: &O,
    names: Option<&Names>,
    request_id: &str,
) -> Result<String, Error> {
    let mut reply = json!({ "ResponseMetadata": { "RequestId": request_id } });
    // An operation without a result has none in the reply either.
    if !serde_json::to_value(result)?.is_null() {
        let mut body: Value = serde_json::from_str(&json_encode::encode(result)?)?;
        if let Some(names) = names {
            list_maps(&mut body, names);
        }
        reply[format!("{operation}Result")] = body;
    }
    Ok(json!({ format!("{operation}Response"): reply }).to_string())
}

/// The reply to a request that failed.
pub(super) fn failure(shape: ErrorShape, message: &str, request_id: &str) -> String {
    let error = json!({ "Type": shape.fault.as_str(), "Code": shape.query_code, "Message": message, "Detail": null });
    json!({ "Error": error, "RequestId": request_id }).to_string()
}

/// Writes those members that are maps as lists.
fn list_maps(value: &mut Value, names: &Names) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| list_maps(item, names)),
        Value::Object(members) => {
            for (member, value) in members {
                let entries = names.flat("", member).map(|flat| names.entry(flat)).filter(|entry| entry.0 != "key");
                match (entries, &mut *value) {
                    (Some((key, of)), Value::Object(map)) => {
                        let entry = |(name, value): (&String, &Value)| json!({ key: name, of: value });
                        *value = map.iter().map(entry).collect();
                    }
                    (_, value) => list_maps(value, names),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::sqs;

    #[test]
    fn maps_are_lists_at_every_depth_and_a_result_that_is_none_is_left_out() {
        let messages =
            json!({ "Messages": [{ "Body": "b", "Attributes": { "SenderId": "1" } }], "Attributes": { "a": "b" } });
        let text = result("Get", &messages, Some(sqs::API.names), "r").expect("encoded");
        let read: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            read["GetResponse"]["GetResult"],
            json!({
                "Messages": [{ "Body": "b", "Attributes": [{ "Name": "SenderId", "Value": "1" }] }],
                "Attributes": [{ "Name": "a", "Value": "b" }]
            })
        );
        let none = result("Delete", &(), Some(sqs::API.names), "r").expect("encoded");
        assert_eq!(none, r#"{"DeleteResponse":{"ResponseMetadata":{"RequestId":"r"}}}"#);
    }
}
