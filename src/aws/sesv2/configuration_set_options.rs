//! The option blocks of a configuration set, and the operations that put them one by one. What has no meaning here is
//! refused by name, never stored and forgotten.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::ses::constraint::Violations;
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::lacking::not_supported;
use crate::aws::sesv2::suppression::reasons;
use crate::base::Domain;
use crate::mail::content::SetOptions;
use crate::mail::identity;
use crate::store::configuration_sets::{ConfigurationSet, SetTlsPolicy};
use crate::store::suppressed::Reason;

/// SES: how long a mail is tried, in seconds.
const TRIED_FOR: std::ops::RangeInclusive<i64> = 300..=50_400;

/// How mails are delivered.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeliveryOptions {
    /// `REQUIRE` or `OPTIONAL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_policy: Option<String>,
    /// Refused: there are no pools of addresses here.
    #[serde(skip_serializing)]
    pub sending_pool_name: Option<String>,
    /// Refused but for `ACCOUNT`, the default: there are no addresses here that are shared with others.
    #[serde(skip_serializing)]
    pub shared_pool_delivery_mode: Option<String>,
    /// How long a mail is tried: 300 to 50400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delivery_seconds: Option<i64>,
}

/// Whether mails may be sent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendingOptions {
    /// Yes or no.
    #[serde(default)]
    pub sending_enabled: bool,
}

/// Whether figures are kept.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReputationOptions {
    /// Yes or no.
    #[serde(default)]
    pub reputation_metrics_enabled: bool,
    /// Since when the figures count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_fresh_start: Option<Time>,
}

/// Which reasons suppress.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SuppressionOptions {
    /// `BOUNCE`, `COMPLAINT`; none switches suppression off.
    #[serde(default)]
    pub suppressed_reasons: Vec<String>,
    /// Whose list: `ACCOUNT`. Lists of tenants are refused: there are no tenants here.
    #[serde(skip_serializing)]
    pub suppression_scope: Option<String>,
    /// Refused: addresses are not validated here.
    #[serde(skip_serializing)]
    pub validation_options: Option<serde_json::Value>,
}

/// Where tracking links lead.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TrackingOptions {
    custom_redirect_domain: Option<String>,
    https_policy: Option<String>,
}

/// Virtual Deliverability Manager.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VdmOptions {
    dashboard_options: Option<DashboardOptions>,
    guardian_options: Option<GuardianOptions>,
}

/// Its dashboard.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DashboardOptions {
    engagement_metrics: Option<String>,
}

/// Its guardian.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GuardianOptions {
    optimized_shared_delivery: Option<String>,
}

/// Where mails are archived.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ArchivingOptions {
    archive_arn: Option<String>,
}

impl DeliveryOptions {
    /// Refuses what is wrong and what this server does not have, and gives the policy. `path` leads to the members, with a dot at its
    /// end.
    ///
    /// # Errors
    /// See there.
    pub(super) fn check(&self, path: &str) -> Result<Option<SetTlsPolicy>, SesV2Error> {
        let mut found = Violations::default();
        found.one_of(&format!("{path}tlsPolicy"), self.tls_policy.as_deref(), &["OPTIONAL", "REQUIRE"]);
        found.finish()?;
        // There are no pools here, so none exists.
        match self.sending_pool_name.as_deref().map(str::trim) {
            None => {}
            Some("") => return Err(SesV2Error::BadRequest("sendingPoolName can't be blank.".to_owned())),
            Some(pool) => return Err(SesV2Error::BadRequest(format!("SendingPool <{}> doesn't exist", short(pool)))),
        }
        if self.shared_pool_delivery_mode.as_deref().is_some_and(|mode| mode != "ACCOUNT") {
            lacking("SharedPoolDeliveryMode")?;
        }
        let mut found = Violations::default();
        found.range(&format!("{path}maxDeliverySeconds"), self.max_delivery_seconds, TRIED_FOR);
        found.finish()?;
        Ok(self.tls_policy.as_deref().and_then(|word| word.parse().ok()))
    }
}

impl SuppressionOptions {
    /// The reasons. `path` leads to them where the block is part of a larger request: SES tells of it in other words then.
    ///
    /// # Errors
    /// A reason that SES does not have; validation of addresses.
    pub(super) fn read(self, path: Option<&str>) -> Result<Vec<Reason>, SesV2Error> {
        if self.validation_options.is_some() {
            lacking("ValidationOptions")?;
        }
        match self.suppression_scope.as_deref() {
            None | Some("ACCOUNT") => {}
            Some("TENANT") => lacking("SuppressionScope TENANT")?,
            Some(_) => return Err(SesV2Error::BadRequest("SuppressionScope is ACCOUNT or TENANT.".to_owned())),
        }
        let unknown = self.suppressed_reasons.iter().find(|text| text.parse::<Reason>().is_err());
        match (path, unknown) {
            (None, Some(reason)) => {
                let text = format!("Reason {} is invalid, must be one of [BOUNCE, COMPLAINT].", short(reason));
                Err(SesV2Error::BadRequest(text))
            }
            (path, _) => reasons(path.unwrap_or_default(), &self.suppressed_reasons),
        }
    }

    /// The block that says these reasons.
    pub(super) fn write(reasons: Vec<Reason>) -> Self {
        let suppressed_reasons = reasons.into_iter().map(|reason| reason.as_str().to_owned()).collect();
        Self { suppressed_reasons, suppression_scope: None, validation_options: None }
    }
}

impl TrackingOptions {
    /// Refuses tracking, which this server does not have; an empty block switches off what is not on. `path` leads to the
    /// members, with a dot at its end.
    ///
    /// # Errors
    /// See there.
    pub(super) async fn check(&self, services: &Services, caller: &Caller, path: &str) -> Result<(), SesV2Error> {
        let mut found = Violations::default();
        let policies = &["OPTIONAL", "REQUIRE", "REQUIRE_OPEN_ONLY"];
        found.one_of(&format!("{path}httpsPolicy"), self.https_policy.as_deref(), policies);
        found.finish()?;
        let domain = match (self.custom_redirect_domain.as_deref().map(str::trim), &self.https_policy) {
            (None, None) => return Ok(()),
            (None | Some(""), _) => {
                return Err(SesV2Error::BadRequest("CustomRedirectDomain must be specified.".to_owned()));
            }
            (Some(domain), _) => domain,
        };
        if verified(services, caller, domain).await? {
            return lacking("TrackingOptions");
        }
        let shown: String = domain.chars().take(253).collect();
        Err(SesV2Error::BadRequest(format!("Domain <{shown}> is not verified under this account.")))
    }
}

impl VdmOptions {
    /// Refuses what is to be switched on: this server does not have it.
    ///
    /// # Errors
    /// See there.
    pub(super) fn check(&self) -> Result<(), SesV2Error> {
        let dashboard = self.dashboard_options.as_ref().and_then(|options| options.engagement_metrics.as_deref());
        let guardian = self.guardian_options.as_ref().and_then(|options| options.optimized_shared_delivery.as_deref());
        let (mut found, states) = (Violations::default(), &["ENABLED", "DISABLED"]);
        found.one_of("vdmOptions.dashboardOptions.engagementMetrics", dashboard, states);
        found.one_of("vdmOptions.guardianOptions.optimizedSharedDelivery", guardian, states);
        found.finish()?;
        if [dashboard, guardian].into_iter().flatten().any(|state| state != "DISABLED") {
            return lacking("VdmOptions");
        }
        Ok(())
    }
}

impl ArchivingOptions {
    /// Refuses archives, which this server does not have.
    ///
    /// # Errors
    /// See there.
    pub(super) fn check(&self) -> Result<(), SesV2Error> {
        if self.archive_arn.is_some() { lacking("ArchivingOptions") } else { Ok(()) }
    }
}

/// Whether the domain, or one above it, is an identity that is verified.
async fn verified(services: &Services, caller: &Caller, domain: &str) -> Result<bool, SesV2Error> {
    let Ok(domain) = domain.parse::<Domain>() else { return Ok(false) };
    let mut name = domain.as_str();
    loop {
        match services.identities.get(&caller.account, &caller.region, name).await {
            Ok(found) if found.is_verified() => return Ok(true),
            Ok(_) | Err(identity::Error::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let Some((_, parent)) = name.split_once('.') else { return Ok(false) };
        name = parent;
    }
}

/// What comes back to the caller is bounded.
fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

fn lacking(what: &str) -> Result<(), SesV2Error> {
    Err(not_supported(what))
}

/// A configuration set, and one block of its options.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutOptions<T> {
    configuration_set_name: String,
    #[serde(flatten)]
    options: T,
}

/// The deliverability manager's options have a member of their own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutVdmOptions {
    vdm_options: Option<VdmOptions>,
}

/// Switches sending with a set on or off.
///
/// # Errors
/// A set that does not exist.
pub(super) async fn put_configuration_set_sending_options(
    services: &Services,
    caller: &Caller,
    input: PutOptions<SendingOptions>,
) -> Result<NoMembers, SesV2Error> {
    let (name, enabled) = (input.configuration_set_name, input.options.sending_enabled);
    services.configuration_sets.set_sending(&caller.account, &caller.region, &name, enabled).await?;
    Ok(NoMembers {})
}

/// Sets how mails are delivered.
///
/// # Errors
/// A set that does not exist; options that cannot be, or that this server does not have.
pub(super) async fn put_configuration_set_delivery_options(
    services: &Services,
    caller: &Caller,
    input: PutOptions<DeliveryOptions>,
) -> Result<NoMembers, SesV2Error> {
    let tls_policy = input.options.check("")?;
    let options = input.options;
    let change = move |set: &mut ConfigurationSet, _: &mut SetOptions| {
        set.tls_policy = tls_policy;
        set.max_delivery_seconds = options.max_delivery_seconds;
    };
    let (account, region) = (&caller.account, &caller.region);
    services.configuration_sets.change(account, region, &input.configuration_set_name, change).await?;
    Ok(NoMembers {})
}

/// Sets whether figures are kept.
///
/// # Errors
/// A set that does not exist.
pub(super) async fn put_configuration_set_reputation_options(
    services: &Services,
    caller: &Caller,
    input: PutOptions<ReputationOptions>,
) -> Result<NoMembers, SesV2Error> {
    let enabled = input.options.reputation_metrics_enabled;
    let change = move |_: &mut ConfigurationSet, kept: &mut SetOptions| kept.reputation_metrics = enabled;
    let (account, region) = (&caller.account, &caller.region);
    services.configuration_sets.change(account, region, &input.configuration_set_name, change).await?;
    Ok(NoMembers {})
}

/// Sets which reasons suppress, whatever the account says.
///
/// # Errors
/// A set that does not exist; a reason that SES does not have.
pub(super) async fn put_configuration_set_suppression_options(
    services: &Services,
    caller: &Caller,
    input: PutOptions<SuppressionOptions>,
) -> Result<NoMembers, SesV2Error> {
    let reasons = input.options.read(None)?;
    let change = move |_: &mut ConfigurationSet, kept: &mut SetOptions| kept.suppressed_reasons = Some(reasons);
    let (account, region) = (&caller.account, &caller.region);
    services.configuration_sets.change(account, region, &input.configuration_set_name, change).await?;
    Ok(NoMembers {})
}

/// Switches tracking off; there is none to be switched on.
///
/// # Errors
/// A set that does not exist; any option.
pub(super) async fn put_configuration_set_tracking_options(
    services: &Services,
    caller: &Caller,
    input: PutOptions<TrackingOptions>,
) -> Result<NoMembers, SesV2Error> {
    services.configuration_sets.get(&caller.account, &caller.region, &input.configuration_set_name).await?;
    input.options.check(services, caller, "").await?;
    Ok(NoMembers {})
}

/// Switches archiving off; there is none to be switched on.
///
/// # Errors
/// A set that does not exist; an archive.
pub(super) async fn put_configuration_set_archiving_options(
    services: &Services,
    caller: &Caller,
    input: PutOptions<ArchivingOptions>,
) -> Result<NoMembers, SesV2Error> {
    services.configuration_sets.get(&caller.account, &caller.region, &input.configuration_set_name).await?;
    input.options.check()?;
    Ok(NoMembers {})
}

/// Switches the deliverability manager off; there is none to be switched on.
///
/// # Errors
/// A set that does not exist; anything that is to be switched on.
pub(super) async fn put_configuration_set_vdm_options(
    services: &Services,
    caller: &Caller,
    input: PutOptions<PutVdmOptions>,
) -> Result<NoMembers, SesV2Error> {
    services.configuration_sets.get(&caller.account, &caller.region, &input.configuration_set_name).await?;
    input.options.vdm_options.unwrap_or_default().check()?;
    Ok(NoMembers {})
}
