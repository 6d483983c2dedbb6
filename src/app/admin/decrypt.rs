//! `postrider admin decrypt-object`: gives back a mail that an S3 action encrypted.
use crate::app::admin::AdminError;
use crate::app::master_key::open_vault;
use crate::config::Settings;
use crate::outlets::envelope;

/// Decrypts an object with its metadata, which is JSON. Needs the master key and the list of KMS keys, and no store.
///
/// # Errors
/// When there is no master key, when the KMS key is not there or not enabled, or when something was changed.
pub fn decrypt_object(settings: &Settings, metadata: &str, body: Vec<u8>) -> Result<Vec<u8>, AdminError> {
    let vault = open_vault(settings).map_err(|error| AdminError::Settings(error.to_string()))?;
    envelope::open(&vault, metadata, body).map_err(|error| AdminError::Object(error.to_string()))
}
