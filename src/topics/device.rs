//! Endpoints of platform applications: an app on a device, and publishing to it.
use crate::base::{Arn, ids};
use crate::store::platforms::{self, Application, Endpoint};
use crate::store::{self, Tx};
use crate::topics::attributes::{self, Attributes};
use crate::topics::endpoint;
use crate::topics::job::{self, Direct, Job, Way};
use crate::topics::page::{self, NumberedPage};
use crate::topics::platform::{self, enabled};
use crate::topics::{Error, Publication, Topics};

/// The most bytes of CustomUserData (SNS: 2 KB) and of a token.
const USER_DATA_MAX: usize = 2_048;
const TOKEN_MAX: usize = 4_096;

impl Topics {
    /// Makes an endpoint for a device, or finds the same one.
    pub async fn create_endpoint(&self, application: &Arn, token: &str, given: Attributes) -> Result<Arn, Error> {
        check_token(token)?;
        let kept = checked(given)?;
        let (arn, token) = (application.clone(), token.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let application = platform::find(tx, &arn).await?;
                    let (uuid, json) = (ids::uuid(), attributes::write(&kept));
                    if platforms::insert_endpoint(tx, application.id, &uuid, &token, &json).await? {
                        return Ok(endpoint_arn(&application, &uuid));
                    }
                    let there = platforms::endpoint_by_token(tx, application.id, &token).await?;
                    let there = there.ok_or(Error::DeviceMissing)?;
                    let arn = endpoint_arn(&application, &there.uuid);
                    let same = shown(&there)?;
                    let differs = kept.iter().any(|(name, value)| same.get(name) != Some(value));
                    if differs { Err(Error::DeviceDiffers(arn.to_string())) } else { Ok(arn) }
                })
            })
            .await
    }

    /// An endpoint's attributes.
    pub async fn endpoint_attributes(&self, endpoint: &Arn) -> Result<Attributes, Error> {
        let arn = endpoint.clone();
        let (_, row) = self.store().read(|tx| Box::pin(async move { find(tx, &arn).await })).await?;
        Ok(shown(&row)?)
    }

    /// Sets some of an endpoint's attributes: Token, Enabled, CustomUserData.
    pub async fn set_endpoint_attributes(&self, endpoint: &Arn, mut set: Attributes) -> Result<(), Error> {
        let token = set.remove("Token");
        token.as_deref().map_or(Ok(()), check_token)?;
        let (arn, set) = (endpoint.clone(), checked(set)?);
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let (application, row) = find(tx, &arn).await?;
                    let mut all = attributes::read(&row.attributes)?;
                    all.extend(set);
                    let token = token.unwrap_or_else(|| row.token.clone());
                    let other = platforms::endpoint_by_token(tx, application.id, &token).await?;
                    if let Some(other) = other.filter(|other| other.id != row.id) {
                        return Err(Error::DeviceDiffers(endpoint_arn(&application, &other.uuid).to_string()));
                    }
                    platforms::set_endpoint(tx, row.id, &token, &attributes::write(&all)).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Takes an endpoint away. One that is not there counts as taken away.
    pub async fn delete_endpoint(&self, endpoint: &Arn) -> Result<(), Error> {
        let arn = endpoint.clone();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    match find(tx, &arn).await {
                        Ok((_, row)) => Ok(platforms::delete_endpoint(tx, row.id).await.map(drop)?),
                        Err(Error::DeviceMissing) => Ok(()),
                        Err(error) => Err(error),
                    }
                })
            })
            .await
    }

    /// An application's endpoints, each with its attributes.
    pub async fn endpoints(
        &self,
        application: &Arn,
        after: Option<i64>,
    ) -> Result<NumberedPage<(Arn, Attributes)>, Error> {
        let (arn, after) = (application.clone(), after.unwrap_or(0));
        let (application, rows) = self
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let application = platform::find(tx, &arn).await?;
                    let rows = platforms::endpoints(tx, application.id, after, page::ASK).await?;
                    Ok::<_, Error>((application, rows))
                })
            })
            .await?;
        let listed = |row: &Endpoint| Ok((row.id, (endpoint_arn(&application, &row.uuid), shown(row)?)));
        Ok(page::of(rows.iter().map(listed).collect::<Result<_, store::Error>>()?))
    }

    /// Publishes to one device, and returns the MessageId once that is durable. Errors, in this order: `DeviceMissing`,
    /// `DeviceDisabled`, `ApplicationDisabled` (also where no push gateway is configured), and those of [`Publication`].
    pub async fn publish_push(&self, endpoint: &Arn, publication: Publication) -> Result<String, Error> {
        let (arn, behind) = (endpoint.clone(), self.ways().pushes.is_some());
        let named = arn.clone();
        self.store().read(|tx| Box::pin(async move { takes_messages(tx, &named, behind).await })).await?;
        let default = publication.wordings()?.of(endpoint::Protocol::Application).to_owned();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let application = takes_messages(tx, &arn, behind).await?;
                    let id = ids::uuid();
                    let direct = Direct {
                        way: Way::Push,
                        id: id.clone(),
                        account: arn.account.clone(),
                        region: arn.region.clone(),
                        to: arn.to_string(),
                        message: wording(&publication, &application.platform).unwrap_or(default),
                        more: publication.subject.map(|subject| ("subject".to_owned(), subject)).into_iter().collect(),
                    };
                    job::enqueue(tx, &[Job::Direct(direct)]).await?;
                    Ok(id)
                })
            })
            .await
    }
}

/// The application of an endpoint, if both take messages; `behind` says whether there is a gateway.
async fn takes_messages(tx: &mut Tx, endpoint: &Arn, behind: bool) -> Result<Application, Error> {
    let (application, row) = find(tx, endpoint).await?;
    if !enabled(&attributes::read(&row.attributes)?) {
        return Err(Error::DeviceDisabled);
    }
    if !behind || !enabled(&attributes::read(&application.attributes)?) {
        return Err(Error::ApplicationDisabled);
    }
    Ok(application)
}

/// The text that a structured message has for a platform.
fn wording(publication: &Publication, platform: &str) -> Option<String> {
    let json: serde_json::Value =
        serde_json::from_str(&publication.message).ok().filter(|_| publication.structure_json)?;
    json.get(platform)?.as_str().map(str::to_owned)
}

/// Finds the endpoint that an ARN names, and its application.
pub(in crate::topics) async fn find(tx: &mut Tx, arn: &Arn) -> Result<(Application, Endpoint), Error> {
    endpoint::device(&arn.to_string()).map_err(|_| Error::DeviceMissing)?;
    let (application, uuid) = arn.resource.rsplit_once('/').ok_or(Error::DeviceMissing)?;
    let resource = application.replacen("endpoint/", "app/", 1);
    let uuid_ok = uuid.len() <= 64 && uuid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let of = Arn { resource, ..arn.clone() };
    let application = match platform::find(tx, &of).await {
        Ok(application) if uuid_ok => application,
        Ok(_) | Err(Error::ApplicationMissing) => return Err(Error::DeviceMissing),
        Err(error) => return Err(error),
    };
    let row = platforms::endpoint_by_uuid(tx, application.id, uuid).await?.ok_or(Error::DeviceMissing)?;
    Ok((application, row))
}

fn endpoint_arn(application: &Application, uuid: &str) -> Arn {
    let resource = format!("endpoint/{}/{}/{uuid}", application.platform, application.name);
    Arn::new("sns", &application.region, &application.account, resource)
}

fn shown(row: &Endpoint) -> Result<Attributes, store::Error> {
    let mut all = attributes::read(&row.attributes)?;
    all.insert("Token".to_owned(), row.token.clone());
    all.entry("Enabled".to_owned()).or_insert_with(|| "true".to_owned());
    Ok(all)
}

fn check_token(token: &str) -> Result<(), Error> {
    let fine = (1..=TOKEN_MAX).contains(&token.len()) && !token.chars().any(char::is_control);
    if fine { Ok(()) } else { Err(Error::AttributeValue("Token", "Invalid value".to_owned())) }
}

fn checked(given: Attributes) -> Result<Attributes, Error> {
    let mut kept = Attributes::new();
    for (name, value) in given {
        match name.as_str() {
            "CustomUserData" if value.len() <= USER_DATA_MAX && !value.contains('\0') => drop(kept.insert(name, value)),
            "CustomUserData" => {
                return Err(Error::AttributeValue("CustomUserData", "must be at most 2048 bytes long".to_owned()));
            }
            "Enabled" => match value.to_ascii_lowercase().as_str() {
                known @ ("true" | "false") => drop(kept.insert(name, known.to_owned())),
                _ => return Err(Error::AttributeValue("Enabled", "must be true or false".to_owned())),
            },
            _ => return Err(Error::AttributeName(name)),
        }
    }
    Ok(kept)
}
