//! Platform applications: apps whose devices get push messages. The credential of the platform is asked for, as on AWS, but not
//! kept: what speaks to the platform is the operator's gateway.
use crate::base::{AccountId, Arn, Region};
use crate::store::platforms::{self, Application};
use crate::store::{self, Tx};
use crate::topics::attributes::{self, Attributes};
use crate::topics::page::{self, NumberedPage};
use crate::topics::{Error, Topics};

/// SNS's platforms.
const PLATFORMS: [&str; 11] = [
    "ADM",
    "APNS",
    "APNS_SANDBOX",
    "APNS_VOIP",
    "APNS_VOIP_SANDBOX",
    "BAIDU",
    "GCM",
    "MACOS",
    "MACOS_SANDBOX",
    "MPNS",
    "WNS",
];
/// The longest name.
const NAME_MAX: usize = 256;
/// The most bytes of an attribute's value.
const VALUE_MAX: usize = 8_192;

impl Topics {
    /// Makes an application, or finds the same one.
    pub async fn create_application(
        &self,
        account: &AccountId,
        region: &Region,
        platform: &str,
        name: &str,
        given: Attributes,
    ) -> Result<Arn, Error> {
        if let Some(why) = name_fault(name) {
            return Err(Error::ApplicationName(name.chars().take(NAME_MAX + 1).collect(), why));
        }
        if !PLATFORMS.contains(&platform) {
            return Err(Error::Platform(platform.chars().take(100).collect()));
        }
        let missing = |name: &str| given.get(name).is_none_or(String::is_empty);
        let (credential, principal) = ("PlatformCredential", "PlatformPrincipal");
        let alone = match (missing(credential), missing(principal)) {
            (false, true) if !matches!(platform, "GCM" | "MPNS") => Some((credential, principal)),
            (true, false) => Some((principal, credential)),
            _ => None,
        };
        if let Some((given, missing)) = alone {
            return Err(Error::HalfCredential(given, missing));
        }
        if missing(credential) {
            return Err(Error::AttributeValue(credential, "Invalid value: cannot be empty".to_owned()));
        }
        let kept = checked(given)?;
        let arn = Arn::new("sns", region, account, format!("app/{platform}/{name}"));
        let (account, region) = (account.clone(), region.clone());
        let (platform, name) = (platform.to_owned(), name.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let json = attributes::write(&kept);
                    if platforms::insert(tx, &account, &region, &platform, &name, &json).await? {
                        return Ok(());
                    }
                    let there = platforms::find(tx, &account, &region, &platform, &name).await?;
                    // A default that is spelled out does not differ.
                    let set = shown(&there.ok_or(Error::ApplicationMissing)?)?;
                    if kept.iter().all(|(name, value)| set.get(name) == Some(value)) {
                        Ok(())
                    } else {
                        Err(Error::ApplicationDiffers)
                    }
                })
            })
            .await?;
        Ok(arn)
    }

    /// An application's attributes.
    pub async fn application_attributes(&self, application: &Arn) -> Result<Attributes, Error> {
        let arn = application.clone();
        let row = self.store().read(|tx| Box::pin(async move { find(tx, &arn).await })).await?;
        Ok(shown(&row)?)
    }

    /// Sets some of an application's attributes.
    pub async fn set_application_attributes(&self, application: &Arn, set: Attributes) -> Result<(), Error> {
        let (arn, set) = (application.clone(), checked(set)?);
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let row = find(tx, &arn).await?;
                    let mut all = attributes::read(&row.attributes)?;
                    all.extend(set);
                    all.retain(|_, value| !value.is_empty());
                    platforms::set_attributes(tx, row.id, &attributes::write(&all)).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Takes an application and its endpoints away. One that is not there counts as taken away.
    pub async fn delete_application(&self, application: &Arn) -> Result<(), Error> {
        let arn = application.clone();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    match find(tx, &arn).await {
                        Ok(row) => Ok(platforms::delete(tx, row.id).await.map(drop)?),
                        Err(Error::ApplicationMissing) => Ok(()),
                        Err(error) => Err(error),
                    }
                })
            })
            .await
    }

    /// An account's applications, each with its attributes.
    pub async fn applications(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<i64>,
    ) -> Result<NumberedPage<(Arn, Attributes)>, Error> {
        let after = after.unwrap_or(0);
        let (account, region) = (account.clone(), region.clone());
        let rows: Vec<Application> = self
            .store()
            .read(|tx| Box::pin(async move { platforms::list(tx, &account, &region, after, page::ASK).await }))
            .await?;
        let listed = |row: &Application| Ok((row.id, (arn(row), shown(row)?)));
        Ok(page::of(rows.iter().map(listed).collect::<Result<_, store::Error>>()?))
    }
}

/// Finds the application that an ARN names.
pub(in crate::topics) async fn find(tx: &mut Tx, arn: &Arn) -> Result<Application, Error> {
    let mut parts = arn.resource.split('/');
    let (Some("app"), Some(platform), Some(name), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Error::ApplicationMissing);
    };
    if arn.service != "sns" || !PLATFORMS.contains(&platform) || name_fault(name).is_some() {
        return Err(Error::ApplicationMissing);
    }
    platforms::find(tx, &arn.account, &arn.region, platform, name).await?.ok_or(Error::ApplicationMissing)
}

/// An application's ARN.
pub(in crate::topics) fn arn(row: &Application) -> Arn {
    Arn::new("sns", &row.region, &row.account, format!("app/{}/{}", row.platform, row.name))
}

/// Whether an application or endpoint takes messages.
pub(in crate::topics) fn enabled(attributes: &Attributes) -> bool {
    attributes.get("Enabled").is_none_or(|value| value != "false")
}

fn shown(row: &Application) -> Result<Attributes, store::Error> {
    let mut all = attributes::read(&row.attributes)?;
    all.entry("Enabled".to_owned()).or_insert_with(|| "true".to_owned());
    Ok(all)
}

fn name_fault(name: &str) -> Option<&'static str> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    match name {
        "" => Some("cannot be empty"),
        long if long.len() > NAME_MAX => Some("must be at most 256 characters long"),
        odd if !odd.bytes().all(fine) => {
            Some("must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'")
        }
        _ => None,
    }
}

/// What is kept of the attributes. Topics for events of endpoints are refused: nothing would be published to them.
fn checked(given: Attributes) -> Result<Attributes, Error> {
    let mut kept = Attributes::new();
    for (name, value) in given {
        let wrong = |name, why: &str| Err(Error::AttributeValue(name, why.to_owned()));
        match name.as_str() {
            _ if value.len() > VALUE_MAX => return wrong("Attributes", "a value is too long"),
            "PlatformCredential" | "PlatformPrincipal" => continue,
            "Enabled" if !["true", "false"].contains(&value.to_ascii_lowercase().as_str()) => {
                return wrong("Enabled", "must be true or false");
            }
            "SuccessFeedbackSampleRate" if value.parse::<u8>().map_or(true, |rate| rate > 100) => {
                return wrong("SuccessFeedbackSampleRate", "must be between 0 and 100");
            }
            "EventEndpointCreated" | "EventEndpointDeleted" | "EventEndpointUpdated" | "EventDeliveryFailure"
                if !value.is_empty() =>
            {
                return wrong("Event topics", "not supported by this server");
            }
            "Enabled" => drop(kept.insert(name, value.to_ascii_lowercase())),
            "SuccessFeedbackRoleArn"
            | "FailureFeedbackRoleArn"
            | "SuccessFeedbackSampleRate"
            | "ApplePlatformTeamID"
            | "ApplePlatformBundleID"
            | "EventEndpointCreated"
            | "EventEndpointDeleted"
            | "EventEndpointUpdated"
            | "EventDeliveryFailure" => drop(kept.insert(name, value)),
            _ => return Err(Error::AttributeName(name)),
        }
    }
    Ok(kept)
}
