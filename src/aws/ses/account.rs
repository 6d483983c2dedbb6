//! The account's quota, its switch and its figures.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::mail::sending::Quota;

/// What the account may send (-1 is no limit for a day), and what it has sent. Both APIs have these members.
#[derive(Debug, Serialize)]
pub struct SendQuota {
    #[serde(rename = "Max24HourSend")]
    max_24_hour_send: f64,
    #[serde(rename = "MaxSendRate")]
    max_send_rate: f64,
    #[serde(rename = "SentLast24Hours")]
    sent_last_24_hours: f64,
}

/// What an account without a rate limit is told. SES has -1 for a day's quota without limit, but not for the rate: programs
/// that keep below it (django-ses) reckon with the number, and a negative one stops them.
const UNLIMITED_RATE: f64 = 10_000.0;

impl SendQuota {
    /// How it is told.
    pub fn of(quota: &Quota) -> Self {
        let rate = quota.account.max_per_second;
        Self {
            max_24_hour_send: quota.account.max_24_hour as f64,
            max_send_rate: if rate < 0 { UNLIMITED_RATE } else { rate as f64 },
            sent_last_24_hours: quota.sent_last_24_hours as f64,
        }
    }
}

/// Tells the quota.
///
/// # Errors
/// When the store fails.
pub async fn get_send_quota(services: &Services, caller: &Caller, _: NoMembers) -> Result<SendQuota, SesError> {
    let quota = services.sending.quota(&caller.account, &caller.region).await?;
    Ok(SendQuota::of(&quota))
}

/// Whether the account may send.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccountSendingEnabledResponse {
    enabled: bool,
}

/// Tells whether the account may send.
///
/// # Errors
/// When the store fails.
pub async fn get_account_sending_enabled(
    services: &Services,
    caller: &Caller,
    _: NoMembers,
) -> Result<GetAccountSendingEnabledResponse, SesError> {
    let quota = services.sending.quota(&caller.account, &caller.region).await?;
    Ok(GetAccountSendingEnabledResponse { enabled: quota.account.sending_enabled })
}

/// Whether the account is to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAccountSendingEnabledRequest {
    #[serde(default)]
    enabled: bool,
}

/// Switches the account's sending on or off.
///
/// # Errors
/// When the store fails.
pub async fn update_account_sending_enabled(
    services: &Services,
    caller: &Caller,
    input: UpdateAccountSendingEnabledRequest,
) -> Result<(), SesError> {
    Ok(services.sending.set_enabled(&caller.account, &caller.region, input.enabled).await?)
}

/// The last two weeks, in spans of 15 minutes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetSendStatisticsResponse {
    send_data_points: Vec<SendDataPoint>,
}

/// 15 minutes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendDataPoint {
    timestamp: Time,
    delivery_attempts: i64,
    bounces: i64,
    complaints: i64,
    rejects: i64,
}

/// Tells what became of the account's mails.
///
/// # Errors
/// When the store fails.
pub async fn get_send_statistics(
    services: &Services,
    caller: &Caller,
    _: NoMembers,
) -> Result<GetSendStatisticsResponse, SesError> {
    let figures = services.sending.figures(&caller.account, &caller.region).await?;
    let point = |f: crate::store::mail_figures::Figures| SendDataPoint {
        timestamp: Time(f.at),
        delivery_attempts: f.attempts,
        bounces: f.bounces,
        complaints: f.complaints,
        rejects: f.rejects,
    };
    Ok(GetSendStatisticsResponse { send_data_points: figures.into_iter().map(point).collect() })
}
