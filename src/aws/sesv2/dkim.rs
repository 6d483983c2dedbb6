//! DKIM in the second API: Easy DKIM and BYODKIM.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::sesv2::error::SesV2Error;
use crate::mail::identity::{Found, IdentityName, KeyChoice, Origin, Pair};
use crate::store::dkim_keys::KeyState;
use crate::store::identities::{KeyOrigin, Standing};

/// SES model: the letters of a selector.
const SELECTOR_MAX: usize = 63;

/// A key of the caller's own, or the length of ours.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DkimSigningAttributes {
    domain_signing_selector: Option<String>,
    domain_signing_private_key: Option<String>,
    next_signing_key_length: Option<String>,
    domain_signing_attributes_origin: Option<String>,
}

impl std::fmt::Debug for DkimSigningAttributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is a secret.
        f.debug_struct("DkimSigningAttributes").field("selector", &self.domain_signing_selector).finish_non_exhaustive()
    }
}

fn refused<T>(text: &str) -> Result<T, SesV2Error> {
    Err(SesV2Error::BadRequest(text.to_owned()))
}

impl DkimSigningAttributes {
    /// What shall sign the mails of a new identity.
    ///
    /// # Errors
    /// Keys for an address; half of a key; what this server does not have.
    pub(super) fn choice(self, name: &IdentityName) -> Result<KeyChoice, SesV2Error> {
        let given = self.domain_signing_selector.is_some()
            || self.domain_signing_private_key.is_some()
            || self.next_signing_key_length.is_some();
        if given && matches!(name, IdentityName::Address(_)) {
            return refused("DKIM signing attributes can only be specified for domain identities.");
        }
        let external = self.domain_signing_selector.is_some() || self.domain_signing_private_key.is_some();
        let usual = if external { KeyOrigin::External } else { KeyOrigin::AwsSes };
        let origin = self.domain_signing_attributes_origin.clone().unwrap_or_else(|| usual.to_string());
        Ok(match self.origin(&origin)? {
            Origin::Ours(None) => KeyChoice::Usual,
            Origin::Ours(Some(bits)) => KeyChoice::Bits(bits),
            Origin::Owners(selector, pair) => KeyChoice::Given(selector, pair),
        })
    }

    /// Where the keys come from, when the caller names `origin`.
    fn origin(self, origin: &str) -> Result<Origin, SesV2Error> {
        let bits = match self.next_signing_key_length.as_deref() {
            None => None,
            Some("RSA_1024_BIT") => Some(1024),
            Some("RSA_2048_BIT") => Some(2048),
            Some(_) => return refused("NextSigningKeyLength is RSA_1024_BIT or RSA_2048_BIT."),
        };
        match (origin.parse(), self.domain_signing_selector, self.domain_signing_private_key) {
            (Ok(KeyOrigin::AwsSes), None, None) => Ok(Origin::Ours(bits)),
            (Ok(KeyOrigin::AwsSes), ..) => refused("A selector and a private key go with the origin EXTERNAL."),
            (Ok(KeyOrigin::External), Some(_), Some(_)) if bits.is_some() => {
                refused("NextSigningKeyLength goes with the origin AWS_SES.")
            }
            (Ok(KeyOrigin::External), Some(selector), Some(key)) => {
                let fine = (1..=SELECTOR_MAX).contains(&selector.len())
                    && selector.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                    && !selector.starts_with('-')
                    && !selector.ends_with('-');
                match fine {
                    true => Ok(Origin::Owners(selector.to_ascii_lowercase(), Pair::given(&key)?)),
                    false => refused("DomainSigningSelector is a label of letters, digits and hyphens, 63 at most."),
                }
            }
            (Ok(KeyOrigin::External), ..) => {
                refused("DomainSigningSelector and DomainSigningPrivateKey are required for the origin EXTERNAL.")
            }
            _ => refused("This server has no keys of other regions: the origin is AWS_SES or EXTERNAL."),
        }
    }
}

/// The DKIM side of an identity. The TXT record of the first token has to publish the key (`postrider admin dns-records`
/// prints it).
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DkimAttributes {
    signing_enabled: bool,
    status: Standing,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_hosted_zone: Option<String>,
    signing_attributes_origin: KeyOrigin,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_signing_key_length: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_signing_key_length: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_key_generation_timestamp: Option<Time>,
}

impl DkimAttributes {
    /// How the keys of an identity stand.
    pub(super) fn of(found: &Found, zone: Option<&str>) -> Self {
        let dkim = &found.identity.dkim;
        let ours = dkim.origin == KeyOrigin::AwsSes && found.rsa_keys().next().is_some();
        let current = found.rsa_keys().find(|key| key.state == KeyState::Current);
        let length = |bits: i64| if bits == 1024 { "RSA_1024_BIT" } else { "RSA_2048_BIT" };
        Self {
            signing_enabled: found.identity.dkim_signing && dkim.status != Standing::NotStarted,
            status: dkim.status,
            tokens: tokens(found),
            signing_hosted_zone: zone.filter(|_| ours).map(str::to_owned),
            signing_attributes_origin: dkim.origin,
            next_signing_key_length: ours.then(|| length(dkim.next_bits)),
            current_signing_key_length: current.filter(|_| ours).map(|key| length(key.bits)),
            last_key_generation_timestamp: found.key_made_at().filter(|_| ours).map(Time),
        }
    }
}

/// The selectors of an identity: three of Easy DKIM, or the one of BYODKIM.
fn tokens(found: &Found) -> Vec<String> {
    found.rsa_keys().map(|key| key.selector.clone()).collect()
}

/// Whether mails are signed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEmailIdentityDkimAttributesRequest {
    email_identity: String,
    #[serde(default)]
    signing_enabled: bool,
}

/// Switches signing on or off.
///
/// # Errors
/// One that does not exist.
pub(super) async fn put_email_identity_dkim_attributes(
    services: &Services,
    caller: &Caller,
    input: PutEmailIdentityDkimAttributesRequest,
) -> Result<NoMembers, SesV2Error> {
    let (account, region, on) = (&caller.account, &caller.region, input.signing_enabled);
    services.identities.set_signing(account, region, &input.email_identity, on).await?;
    Ok(NoMembers {})
}

/// What shall sign.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEmailIdentityDkimSigningAttributesRequest {
    email_identity: String,
    signing_attributes_origin: String,
    signing_attributes: Option<DkimSigningAttributes>,
}

/// How the keys stand now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEmailIdentityDkimSigningAttributesResponse {
    dkim_status: Standing,
    dkim_tokens: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_hosted_zone: Option<String>,
}

/// Chooses between Easy DKIM and BYODKIM, changes the key's length, or begins to look for the keys again.
///
/// # Errors
/// One that does not exist or is no domain; half of a key; a change of length less than a day after the last.
pub(super) async fn put_email_identity_dkim_signing_attributes(
    services: &Services,
    caller: &Caller,
    input: PutEmailIdentityDkimSigningAttributesRequest,
) -> Result<PutEmailIdentityDkimSigningAttributesResponse, SesV2Error> {
    let origin = input.signing_attributes.unwrap_or_default().origin(&input.signing_attributes_origin)?;
    let (account, region) = (&caller.account, &caller.region);
    let found = services.identities.set_keys(account, region, &input.email_identity, origin).await?;
    let ours = found.identity.dkim.origin == KeyOrigin::AwsSes;
    Ok(PutEmailIdentityDkimSigningAttributesResponse {
        dkim_tokens: tokens(&found),
        dkim_status: found.identity.dkim.status,
        signing_hosted_zone: services.identities.dkim_zone().filter(|_| ours).map(str::to_owned),
    })
}
