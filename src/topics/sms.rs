//! Text messages to phones: settings, phone numbers that want none, publishing to one number.
use std::time::Duration;

use crate::base::{AccountId, Region, ids};
use crate::store::{Tx, sms};
use crate::topics::attributes::{self, Attributes};
use crate::topics::endpoint::{self, Protocol};
use crate::topics::job::{self, Direct, Job, Way};
use crate::topics::page::{self, NumberedPage};
use crate::topics::{Error, Publication, Topics, Value};

/// The most characters of a text message (SNS developer guide, "Publishing SMS messages to a mobile phone").
const MESSAGE_MAX: usize = 1_600;
/// What an account may spend in a month, in US dollars: that of a new account on AWS. Nobody here knows what a message costs, so it
/// is shown and cannot be changed.
const SPEND_LIMIT: &str = "1";
/// A phone number may be taken back in once in this time (SNS: 30 days).
const OPT_IN_EVERY: Duration = Duration::from_secs(30 * 86_400);

/// A message attribute of SNS, and what the gateway calls it.
const FOR_THE_GATEWAY: [(&str, &str); 6] = [
    ("AWS.SNS.SMS.SenderID", "sender"),
    ("AWS.SNS.SMS.SMSType", "type"),
    ("AWS.SNS.SMS.MaxPrice", "maxPrice"),
    ("AWS.MM.SMS.OriginationNumber", "originationNumber"),
    ("AWS.MM.SMS.EntityId", "entityId"),
    ("AWS.MM.SMS.TemplateId", "templateId"),
];

impl Topics {
    /// An account's settings for text messages, with the limit in US dollars that every account has.
    pub async fn sms_attributes(&self, account: &AccountId, region: &Region) -> Result<Attributes, Error> {
        let (account, region) = (account.clone(), region.clone());
        let set = self.store().read(|tx| Box::pin(async move { settings(tx, &account, &region).await }));
        let mut all: Attributes = set.await?;
        all.entry("MonthlySpendLimit".to_owned()).or_insert_with(|| SPEND_LIMIT.to_owned());
        Ok(all)
    }

    /// Sets some of an account's settings for text messages; an empty text takes one away.
    pub async fn set_sms_attributes(&self, account: &AccountId, region: &Region, set: Attributes) -> Result<(), Error> {
        for (name, value) in &set {
            check_setting(name, value)?;
        }
        let (account, region) = (account.clone(), region.clone());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let mut all = settings(tx, &account, &region).await?;
                    all.extend(set);
                    all.retain(|_, value| !value.is_empty());
                    sms::set_settings(tx, &account, &region, &attributes::write(&all)).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Sends a text message to one phone number, and returns its MessageId once that is durable. Errors: `Phone`,
    /// `NothingBehind` where no gateway is configured, `PhoneNotVerified` in the sandbox, and those of [`Publication`].
    pub async fn publish_text(
        &self,
        account: &AccountId,
        region: &Region,
        phone: &str,
        publication: Publication,
    ) -> Result<String, Error> {
        endpoint::phone(phone)?;
        self.ways().check(Protocol::Sms, phone)?;
        let message = publication.wordings()?.of(Protocol::Sms).to_owned();
        if message.chars().count() > MESSAGE_MAX {
            return Err(Error::MessageTooLong);
        }
        let direct = Direct {
            way: Way::Sms,
            id: ids::uuid(),
            account: account.clone(),
            region: region.clone(),
            to: phone.to_owned(),
            message,
            more: for_the_gateway(&publication)?,
        };
        let (id, sandbox) = (direct.id.clone(), self.ways().sms_sandbox);
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    if sandbox {
                        let number = sms::sandbox_find(tx, &direct.account, &direct.region, &direct.to).await?;
                        if !number.is_some_and(|number| number.verified) {
                            return Err(Error::PhoneNotVerified(direct.to));
                        }
                    }
                    job::enqueue(tx, &[Job::Direct(direct)]).await?;
                    Ok(())
                })
            })
            .await?;
        Ok(id)
    }

    /// Whether a phone number wants no messages of an account.
    pub async fn is_opted_out(&self, account: &AccountId, region: &Region, phone: &str) -> Result<bool, Error> {
        endpoint::phone(phone)?;
        let (account, region, phone) = (account.clone(), region.clone(), phone.to_owned());
        self.store()
            .read(|tx| Box::pin(async move { Ok(sms::opted_out(tx, &account, &region, &phone).await?.0) }))
            .await
    }

    /// The phone numbers that want no messages of an account.
    pub async fn opted_out(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<i64>,
    ) -> Result<NumberedPage<String>, Error> {
        let after = after.unwrap_or(0);
        let (account, region) = (account.clone(), region.clone());
        let listed = self
            .store()
            .read(|tx| Box::pin(async move { sms::list_opted_out(tx, &account, &region, after, page::ASK).await }));
        Ok(page::of(listed.await?))
    }

    /// Takes a phone number back in that wanted no messages: once in 30 days, since its owner may mean it.
    pub async fn opt_in(&self, account: &AccountId, region: &Region, phone: &str) -> Result<(), Error> {
        endpoint::phone(phone)?;
        let (account, region, phone) = (account.clone(), region.clone(), phone.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let (out, last) = sms::opted_out(tx, &account, &region, &phone).await?;
                    if out && last.is_some_and(|last| tx.now() < last + OPT_IN_EVERY) {
                        return Err(Error::OptedInLately);
                    }
                    sms::opt_in(tx, &account, &region, &phone).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// An account's settings.
pub(in crate::topics) async fn settings(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
) -> Result<Attributes, Error> {
    let kept = sms::settings(tx, account, region).await?;
    Ok(kept.map_or(Ok(Attributes::new()), |json| attributes::read(&json))?)
}

/// Settings that would change how messages are sent, but do not here, are refused: nobody here knows what a message costs,
/// and there are no usage reports.
fn check_setting(name: &str, value: &str) -> Result<(), Error> {
    let wrong = |name, why: &str| Err(Error::AttributeValue(name, why.to_owned()));
    match name {
        "DefaultSenderID" if !value.is_empty() && !sender_ok(value) => {
            wrong("DefaultSenderID", "must be 1 to 11 letters and digits, with at least one letter")
        }
        "DefaultSMSType" if !value.is_empty() && !type_ok(value) => {
            wrong("DefaultSMSType", "must be Promotional or Transactional")
        }
        "DeliveryStatusSuccessSamplingRate" if !value.is_empty() && value.parse::<u8>().is_ok_and(|n| n > 100) => {
            wrong("DeliveryStatusSuccessSamplingRate", "must be between 0 and 100")
        }
        "MonthlySpendLimit" if value == SPEND_LIMIT => Ok(()),
        "MonthlySpendLimit" => wrong("MonthlySpendLimit", "this server does not know what messages cost"),
        "UsageReportS3Bucket" => wrong("UsageReportS3Bucket", "this server writes no usage reports"),
        "DefaultSenderID" | "DefaultSMSType" | "DeliveryStatusIAMRole" | "DeliveryStatusSuccessSamplingRate"
            if value.len() <= 256 =>
        {
            Ok(())
        }
        _ => Err(Error::AttributeName(name.to_owned())),
    }
}

fn sender_ok(sender: &str) -> bool {
    (1..=11).contains(&sender.len())
        && sender.bytes().all(|b| b.is_ascii_alphanumeric())
        && sender.bytes().any(|b| b.is_ascii_alphabetic())
}

fn type_ok(kind: &str) -> bool {
    matches!(kind, "Promotional" | "Transactional")
}

/// What the gateway is told beside the message.
pub(in crate::topics) fn for_the_gateway(
    publication: &Publication,
) -> Result<std::collections::BTreeMap<String, String>, Error> {
    let mut more = std::collections::BTreeMap::new();
    for (name, called) in FOR_THE_GATEWAY {
        let Some(Value::Text(value)) = publication.attributes.get(name).map(|attribute| &attribute.value) else {
            continue;
        };
        let fine = match called {
            "sender" => sender_ok(value),
            "type" => type_ok(value),
            _ => value.len() <= 64 && value.bytes().all(|b| b.is_ascii_graphic()),
        };
        if !fine {
            return Err(Error::AttributeValue(name, "Invalid value".to_owned()));
        }
        more.insert(called.to_owned(), value.clone());
    }
    Ok(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        for (name, value) in
            [("DefaultSenderID", "Acme1"), ("DefaultSMSType", "Transactional"), ("DefaultSenderID", "")]
        {
            assert!(check_setting(name, value).is_ok(), "{name} {value}");
        }
        for (name, value) in [
            ("DefaultSenderID", "123"),
            ("DefaultSenderID", "longer than 11"),
            ("DefaultSMSType", "Urgent"),
            ("MonthlySpendLimit", "10"),
            ("DeliveryStatusSuccessSamplingRate", "101"),
        ] {
            assert!(matches!(check_setting(name, value), Err(Error::AttributeValue(..))), "{name} {value}");
        }
        assert!(matches!(check_setting("Colour", "blue"), Err(Error::AttributeName(_))));
    }
}
