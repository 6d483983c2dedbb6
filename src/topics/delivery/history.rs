//! The attempts to deliver, for an operator to read.
use rand::Rng;

use crate::base::Arn;
use crate::outlets::buses;
use crate::store::publications::{self, Attempt};
use crate::store::{self, Tx, subscriptions};
use crate::topics::endpoint::phone;
use crate::topics::{Error, Topics};

/// The newest attempts of a subscription that are kept, and how many attempts go by until the older ones are dropped.
const ATTEMPTS_KEPT: u32 = 1_000;
const TRIM_EVERY: u32 = 100;

/// Keeps an attempt.
pub(in crate::topics) async fn keep(tx: &mut Tx, attempt: &Attempt) -> Result<(), store::Error> {
    publications::insert_attempt(tx, attempt).await?;
    if rand::rng().random_ratio(1, TRIM_EVERY) {
        publications::trim_attempts(tx, &attempt.subscription, ATTEMPTS_KEPT).await?;
    }
    Ok(())
}

impl Topics {
    /// Whether messages could be delivered to `to`, named as in [`Topics::deliveries`]: a subscription or a device's endpoint that is
    /// there, any phone number, any event bus.
    pub async fn is_subscriber(&self, to: &str) -> Result<bool, Error> {
        if to.chars().any(char::is_control) {
            return Ok(false);
        }
        let Ok(arn) = to.parse::<Arn>() else { return Ok(phone(to).is_ok()) };
        if buses::name_of(&arn).is_some() {
            return Ok(true);
        }
        if arn.resource.starts_with("endpoint/") {
            return match self.endpoint_attributes(&arn).await {
                Ok(_) => Ok(true),
                Err(error @ Error::Internal(_)) => Err(error),
                Err(_) => Ok(false),
            };
        }
        let Some((_, uuid)) = arn.resource.split_once(':') else { return Ok(false) };
        let uuid = uuid.to_owned();
        let found = self.store().read(|tx| Box::pin(async move { subscriptions::by_uuid(tx, &uuid).await })).await?;
        Ok(found.is_some())
    }

    /// The newest attempts to deliver to `to` (a subscription's ARN, a phone number, the ARN of a device's endpoint or of an
    /// event bus), newest
    /// first. A week of them is kept, and about the newest thousand of each.
    pub async fn deliveries(&self, to: &str, limit: u32) -> Result<Vec<Attempt>, Error> {
        // What cannot be a name is not looked for: PostgreSQL would not even read a NUL.
        if to.len() > 2_048 || to.chars().any(char::is_control) {
            return Ok(vec![]);
        }
        let to = match to.parse::<Arn>() {
            // The buses of events go by their whole names.
            Ok(arn) if arn.service == "events" => to.to_owned(),
            Ok(arn) => arn.resource.split_once(':').map_or_else(|| to.to_owned(), |(_, uuid)| uuid.to_owned()),
            Err(_) => to.to_owned(),
        };
        Ok(self.store().read(|tx| Box::pin(async move { publications::attempts(tx, &to, limit).await })).await?)
    }
}
