//! Attributes that only say what may be done with a queue: kept as one JSON object beside the columns.
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::queues::Error;
use crate::store;
use crate::store::queues::Settings;

fn object(settings: &Settings) -> Result<Map<String, Value>, Error> {
    Ok(serde_json::from_str(&settings.attributes).map_err(store::Error::corrupt)?)
}

/// The value of `name`, if it is set.
pub(super) fn get<T: DeserializeOwned>(settings: &Settings, name: &str) -> Result<Option<T>, Error> {
    // Most queues have none, and every message asks.
    if settings.attributes == "{}" {
        return Ok(None);
    }
    let Some(value) = object(settings)?.remove(name) else { return Ok(None) };
    Ok(Some(serde_json::from_value(value).map_err(store::Error::corrupt)?))
}

/// Sets `name`, or takes it away.
pub(super) fn set<T: Serialize>(settings: &mut Settings, name: &str, value: Option<&T>) -> Result<(), Error> {
    let mut all = object(settings)?;
    match value {
        Some(value) => {
            all.insert(name.to_owned(), serde_json::to_value(value).map_err(store::Error::corrupt)?);
        }
        None => drop(all.remove(name)),
    }
    settings.attributes = Value::Object(all).to_string();
    Ok(())
}

/// Reads a boolean attribute, in small letters, capitals, or as Python writes it.
pub(super) fn truth(value: &str) -> Option<bool> {
    [true, false].into_iter().find(|truth| value.eq_ignore_ascii_case(&truth.to_string()))
}
