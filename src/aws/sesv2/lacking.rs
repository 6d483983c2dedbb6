//! What SES's second API has and this server does not: refused by name, never ignored. What asks for nothing special passes.
use serde::Deserialize;

use crate::aws::sesv2::error::SesV2Error;
use crate::mail::sending::SendError;

/// Settings for the mails of one call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfigurationOverrides {
    tracking: Option<TrackingOverrides>,
}

/// Tracking for the mails of one call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrackingOverrides {
    open_tracking_enabled: Option<String>,
    click_tracking_enabled: Option<String>,
}

impl ConfigurationOverrides {
    /// There is no tracking here, so it may only be switched off.
    ///
    /// # Errors
    /// Tracking that is to be switched on.
    pub(super) fn check(&self) -> Result<(), SesV2Error> {
        let Some(tracking) = &self.tracking else { return Ok(()) };
        let states = [&tracking.open_tracking_enabled, &tracking.click_tracking_enabled];
        match states.into_iter().flatten().find(|state| *state != "DISABLED") {
            Some(_) => Err(not_supported("ConfigurationOverrides")),
            None => Ok(()),
        }
    }
}

/// How the messages of a configuration set are signed beside DKIM.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MessageSecurityOptions {
    signing_scheme: Option<SigningScheme>,
}

/// A union: the default is no signature.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SigningScheme {
    default_scheme: Option<DefaultScheme>,
    smime_scheme: Option<SmimeScheme>,
}

/// No members.
#[derive(Debug, Deserialize)]
struct DefaultScheme {}

/// S/MIME.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SmimeScheme {
    signature_format: Option<String>,
}

impl MessageSecurityOptions {
    /// There is no S/MIME here.
    ///
    /// # Errors
    /// S/MIME, or no scheme, or both.
    pub(super) fn check(&self) -> Result<(), SesV2Error> {
        let Some(scheme) = &self.signing_scheme else { return Ok(()) };
        match (&scheme.default_scheme, &scheme.smime_scheme) {
            (Some(DefaultScheme {}), None) => Ok(()),
            (None, Some(smime)) => {
                let format = smime.signature_format.as_deref().unwrap_or("DETACHED");
                let shown: String = format.chars().take(64).collect();
                Err(SesV2Error::BadRequest(format!("SmimeScheme ({shown}) is not supported.")))
            }
            _ => Err(SesV2Error::BadRequest("SigningScheme has exactly one member.".to_owned())),
        }
    }
}

/// What a send may ask for and this server does not have: a tenant, an endpoint of several regions, tracking.
///
/// # Errors
/// The first of them that is asked for.
pub(super) fn check_sending(
    tenant: Option<&str>,
    endpoint: Option<&str>,
    overrides: Option<&ConfigurationOverrides>,
) -> Result<(), SesV2Error> {
    no_tenant(tenant)?;
    if endpoint.is_some() {
        return Err(SesV2Error::BadRequest("Multi-region endpoints are not supported.".to_owned()));
    }
    overrides.map_or(Ok(()), ConfigurationOverrides::check)
}

/// Nobody has tenants here.
///
/// # Errors
/// A tenant.
pub(super) fn no_tenant(name: Option<&str>) -> Result<(), SesV2Error> {
    let Some(name) = name else { return Ok(()) };
    Err(SendError::TenantMissing(name.chars().take(64).collect()).into())
}

/// The refusal of something that this server does not have.
pub(super) fn not_supported(what: &str) -> SesV2Error {
    SesV2Error::BadRequest(format!("{what} is not supported."))
}
