//! The account's quota.
use serde::{Deserialize, Serialize};

use crate::aws::call::Caller;
use crate::aws::service::Services;
use crate::aws::ses::error::SesError;

/// No members.
#[derive(Debug, Deserialize)]
pub struct GetSendQuotaRequest {}

/// What the account may send, and what it has sent.
#[derive(Debug, Serialize)]
pub struct GetSendQuotaResponse {
    #[serde(rename = "Max24HourSend")]
    max_24_hour_send: f64,
    #[serde(rename = "MaxSendRate")]
    max_send_rate: f64,
    #[serde(rename = "SentLast24Hours")]
    sent_last_24_hours: f64,
}

/// Tells the quota.
///
/// # Errors
/// When the store fails.
pub async fn get_send_quota(
    services: &Services,
    caller: &Caller,
    _: GetSendQuotaRequest,
) -> Result<GetSendQuotaResponse, SesError> {
    let quota = services.sending.quota(&caller.account, &caller.region).await?;
    Ok(GetSendQuotaResponse {
        max_24_hour_send: quota.account.max_24_hour as f64,
        max_send_rate: quota.account.max_per_second as f64,
        sent_last_24_hours: quota.sent_last_24_hours as f64,
    })
}
