//! GetAccount.
use serde::{Deserialize, Serialize};

use crate::aws::call::Caller;
use crate::aws::service::Services;
use crate::aws::sesv2::error::SesV2Error;
use crate::store::suppressed::Reason;

/// No members.
#[derive(Debug, Deserialize)]
pub struct GetAccountRequest {}

/// What the account may send.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccountResponse {
    dedicated_ip_auto_warmup_enabled: bool,
    enforcement_status: &'static str,
    production_access_enabled: bool,
    send_quota: SendQuota,
    sending_enabled: bool,
    suppression_attributes: SuppressionAttributes,
}

/// Which reasons suppress.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SuppressionAttributes {
    suppressed_reasons: Vec<Reason>,
}

/// The limits (-1 is none) and what was sent.
#[derive(Debug, Serialize)]
pub struct SendQuota {
    #[serde(rename = "Max24HourSend")]
    max_24_hour_send: f64,
    #[serde(rename = "MaxSendRate")]
    max_send_rate: f64,
    #[serde(rename = "SentLast24Hours")]
    sent_last_24_hours: f64,
}

/// Tells how the account stands. It has no dedicated addresses, and nobody enforces anything but its owner.
///
/// # Errors
/// When the store fails.
pub async fn get_account(
    services: &Services,
    caller: &Caller,
    _: GetAccountRequest,
) -> Result<GetAccountResponse, SesV2Error> {
    let quota = services.sending.quota(&caller.account, &caller.region).await?;
    let settings = services.sending.settings(&caller.account, &caller.region).await?;
    Ok(GetAccountResponse {
        dedicated_ip_auto_warmup_enabled: false,
        enforcement_status: if quota.account.sending_enabled { "HEALTHY" } else { "SHUTDOWN" },
        production_access_enabled: quota.account.production_access,
        send_quota: SendQuota {
            max_24_hour_send: quota.account.max_24_hour as f64,
            max_send_rate: quota.account.max_per_second as f64,
            sent_last_24_hours: quota.sent_last_24_hours as f64,
        },
        sending_enabled: quota.account.sending_enabled,
        suppression_attributes: SuppressionAttributes { suppressed_reasons: settings.suppressed_reasons },
    })
}
