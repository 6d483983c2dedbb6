//! The queue attributes that the engine itself does not need: kept as a JSON object beside the others.
use std::collections::BTreeMap;

use crate::store::Error;
use crate::store::queues::Settings;

/// Attributes by name.
pub(super) type Kept = BTreeMap<String, String>;

/// Reads them.
pub(super) fn read(settings: &Settings) -> Result<Kept, Error> {
    if settings.attributes == "{}" {
        return Ok(Kept::new());
    }
    serde_json::from_str(&settings.attributes).map_err(Error::corrupt)
}

/// Replaces them.
pub(super) fn write(settings: &mut Settings, kept: &Kept) -> Result<(), Error> {
    settings.attributes = serde_json::to_string(kept).map_err(Error::corrupt)?;
    Ok(())
}
