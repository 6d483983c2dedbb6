//! Topics themselves: create, delete, list, attributes, tags.
use crate::base::{AccountId, Arn, Region};
use crate::store::topics::Topic;
use crate::store::{Tx, ended, replays, subscriptions, topics};
use crate::topics::attributes::{self, Attributes};
use crate::topics::delivery::policy;
use crate::topics::page::{self, NumberedPage};
use crate::topics::permission::default_policy;
use crate::topics::replay::status;
use crate::topics::rules::{Rules, SUFFIX};
use crate::topics::{Error, Topics, archive, large, protecting};

/// How many tags a topic may have (SNS).
const TAGS_MAX: usize = 50;

/// A topic to make.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Who owns it.
    pub account: AccountId,
    /// Where it lives.
    pub region: Region,
    /// 1 to 256 letters, digits, `_` and `-`; a FIFO topic's ends with `.fifo`.
    pub name: String,
    /// Attributes to set.
    pub attributes: Attributes,
    /// Tags to set.
    pub tags: Attributes,
}

impl Topics {
    /// Makes a topic, or finds the one that is there already with the same attributes and tags.
    pub async fn create(&self, new: NewTopic) -> Result<Arn, Error> {
        self.create_protected(new, "").await
    }

    /// Makes a topic with a data protection policy, or finds the one that is there already with the same.
    pub async fn create_protected(&self, mut new: NewTopic, protection: &str) -> Result<Arn, Error> {
        new.attributes.iter_mut().for_each(|(name, value)| attributes::make_plain(name, value));
        let fifo = match new.attributes.remove("FifoTopic").as_deref() {
            Some("true") => true,
            None | Some("false") => false,
            Some(_) => return Err(Error::AttributeValue("FifoTopic", "must be true or false".to_owned())),
        };
        if !name_ok(&new.name) || new.name.ends_with(SUFFIX) != fifo {
            return Err(Error::TopicName);
        }
        for (name, value) in &new.attributes {
            attributes::check_topic(name, value, fifo)?;
        }
        check_tags(&new.tags)?;
        new.attributes.retain(|name, value| !attributes::removes(name, value));
        if fifo {
            new.attributes.insert("FifoTopic".to_owned(), "true".to_owned());
        }
        // Publishing needs the key inside a transaction, where it cannot be made: so there is no topic without a key.
        self.signer().key().await?;
        let arn = Arn::new("sns", &new.region, &new.account, new.name.as_str());
        if let Some(policy) = self.checked_protection(&arn, protection)? {
            check_archive(&new.attributes, true)?;
            new.attributes.insert(protecting::NAME.to_owned(), policy);
        }
        let full = self.no_more_topics(&new.account, &new.region, fifo).await?;
        self.store().write(move |tx| Box::pin(async move { insert(tx, &new, full).await })).await?;
        Ok(arn)
    }

    /// Takes a topic away with its subscriptions. What was published before is delivered to who was subscribed then. A topic
    /// that is not there counts as taken away; one with an archive stays until its ArchivePolicy is taken away.
    pub async fn delete(&self, topic: &Arn) -> Result<(), Error> {
        let arn = topic.clone();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    match hold(tx, &arn).await {
                        Ok(topic) if Rules::of(&topic)?.archived_days.is_some() => Err(Error::Archived),
                        Ok(topic) => {
                            ended::keep_topic(tx, topic.id).await?;
                            subscriptions::delete_of_topic(tx, topic.id).await?;
                            topics::delete(tx, topic.id).await?;
                            Ok(())
                        }
                        Err(Error::TopicMissing) => Ok(()),
                        Err(error) => Err(error),
                    }
                })
            })
            .await
    }

    /// An account's topics in a region, oldest first.
    pub async fn list(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<i64>,
    ) -> Result<NumberedPage<Arn>, Error> {
        let after = after.unwrap_or(0);
        let (account, region) = (account.clone(), region.clone());
        let rows = self
            .store()
            .read(|tx| Box::pin(async move { topics::list(tx, &account, &region, after, page::ASK).await }))
            .await?;
        Ok(page::of(rows.into_iter().map(|topic| (topic.id, arn(&topic))).collect()))
    }

    /// A topic's attributes, as GetTopicAttributes names them.
    pub async fn attributes(&self, topic: &Arn) -> Result<Attributes, Error> {
        let wanted = topic.clone();
        let (topic, counts, since) = self
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let topic = find(tx, &wanted).await?;
                    let counts = subscriptions::counts(tx, topic.id).await?;
                    let since = match Rules::of(&topic)?.archived_days {
                        Some(days) => Some(archive::beginning(tx, topic.id, days).await?),
                        None => None,
                    };
                    Ok::<_, Error>((topic, counts, since))
                })
            })
            .await?;
        let mut all = attributes::read(&topic.attributes)?;
        all.remove(protecting::NAME);
        let delivery = policy::describe_topic(all.get("DeliveryPolicy").map(String::as_str));
        for (name, value) in [
            ("TopicArn", arn(&topic).to_string()),
            ("Owner", topic.account.to_string()),
            ("EffectiveDeliveryPolicy", delivery),
            ("SubscriptionsConfirmed", counts.confirmed.to_string()),
            ("SubscriptionsPending", counts.pending.to_string()),
            ("SubscriptionsDeleted", counts.unsubscribed.to_string()),
        ] {
            all.insert(name.to_owned(), value);
        }
        if let Some(since) = since {
            all.insert("BeginningArchiveTime".to_owned(), since.iso_millis());
        }
        if topic.name.ends_with(SUFFIX) {
            all.entry("ContentBasedDeduplication".to_owned()).or_insert_with(|| "false".to_owned());
        }
        all.entry("DisplayName".to_owned()).or_default();
        all.entry("Policy".to_owned()).or_insert_with(|| default_policy(&arn(&topic)));
        Ok(all)
    }

    /// Sets one attribute; an empty policy takes it away. Replays end with the archive.
    pub async fn set_attribute(&self, topic: &Arn, name: &str, value: &str) -> Result<(), Error> {
        let (arn, name, mut value) = (topic.clone(), name.to_owned(), value.to_owned());
        attributes::make_plain(&name, &mut value);
        attributes::check_topic(&name, &value, topic.resource.ends_with(SUFFIX))?;
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let topic = hold(tx, &arn).await?;
                    if name == "MaximumMessageSize" {
                        large::check_topic(tx, &topic, large::size(&value)?).await?;
                    }
                    let mut all = attributes::read(&topic.attributes)?;
                    if attributes::removes(&name, &value) {
                        all.remove(&name);
                        if name == "ArchivePolicy" {
                            replays::end_all(tx, topic.id, status::FAILED).await?;
                        }
                    } else {
                        all.insert(name, value);
                        check_archive(&all, all.contains_key(protecting::NAME))?;
                    }
                    topics::set_attributes(tx, topic.id, &attributes::write(&all)).await?;
                    Ok(())
                })
            })
            .await
    }

    /// A topic's tags.
    pub async fn tags(&self, topic: &Arn) -> Result<Attributes, Error> {
        let arn = topic.clone();
        let topic = self.store().read(|tx| Box::pin(async move { find(tx, &arn).await })).await?;
        Ok(attributes::read(&topic.tags)?)
    }

    /// Sets tags beside those that are there, and takes others away.
    pub async fn change_tags(&self, topic: &Arn, set: Attributes, remove: Vec<String>) -> Result<(), Error> {
        let arn = topic.clone();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let topic = hold(tx, &arn).await?;
                    let mut tags = attributes::read(&topic.tags)?;
                    tags.extend(set);
                    remove.iter().for_each(|key| drop(tags.remove(key)));
                    check_tags(&tags)?;
                    topics::set_tags(tx, topic.id, &attributes::write(&tags)).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Finds the topic that an ARN names.
pub(in crate::topics) async fn find(tx: &mut Tx, arn: &Arn) -> Result<Topic, Error> {
    // What cannot be a name is not looked for: PostgreSQL would not even read a NUL.
    if arn.service != "sns" || !name_ok(&arn.resource) {
        return Err(Error::TopicMissing);
    }
    topics::find(tx, &arn.account, &arn.region, &arn.resource).await?.ok_or(Error::TopicMissing)
}

/// Finds the topic that an ARN names, to change it.
pub(in crate::topics) async fn hold(tx: &mut Tx, arn: &Arn) -> Result<Topic, Error> {
    if name_ok(&arn.resource) {
        topics::hold(tx, &arn.account, &arn.region, &arn.resource).await?;
    }
    find(tx, arn).await
}

/// Finds the topic that an ARN names, and keeps it as it is until the transaction ends.
pub(in crate::topics) async fn keep(tx: &mut Tx, arn: &Arn) -> Result<Topic, Error> {
    if name_ok(&arn.resource) {
        topics::keep(tx, &arn.account, &arn.region, &arn.resource).await?;
    }
    find(tx, arn).await
}

/// A topic's ARN.
pub(in crate::topics) fn arn(topic: &Topic) -> Arn {
    Arn::new("sns", &topic.region, &topic.account, topic.name.as_str())
}

/// A topic has either an archive, which keeps messages as they were published, or a data protection policy. On AWS the first is
/// for FIFO topics, the second for standard ones.
fn check_archive(all: &Attributes, protected: bool) -> Result<(), Error> {
    if protected && all.contains_key("ArchivePolicy") {
        let why = "not supported for topics with a data protection policy".to_owned();
        return Err(Error::AttributeValue("ArchivePolicy", why));
    }
    Ok(())
}

async fn insert(tx: &mut Tx, new: &NewTopic, full: Option<Error>) -> Result<(), Error> {
    // One that is there is found all the same.
    if let Some(error) = full
        && topics::find(tx, &new.account, &new.region, &new.name).await?.is_none()
    {
        return Err(error);
    }
    let (given, tags) = (attributes::write(&new.attributes), attributes::write(&new.tags));
    if topics::insert(tx, &new.account, &new.region, &new.name, &given, &tags).await? {
        return Ok(());
    }
    let there = topics::find(tx, &new.account, &new.region, &new.name).await?.ok_or(Error::TopicMissing)?;
    let (set, tags) = (attributes::read(&there.attributes)?, attributes::read(&there.tags)?);
    // What a request leaves out does not differ.
    let differs = |(name, value): (&String, &String)| match set.get(name) {
        Some(there) => there != value,
        None => default_of(name) != Some(value.as_str()),
    };
    if new.attributes.iter().any(differs) {
        return Err(Error::TopicDiffers);
    }
    if new.tags.iter().any(|(key, value)| tags.get(key) != Some(value)) {
        return Err(Error::TagsDiffer);
    }
    Ok(())
}

fn name_ok(name: &str) -> bool {
    let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    name.len() <= 256 && !stem.is_empty() && stem.bytes().all(fine)
}

fn check_tags(tags: &Attributes) -> Result<(), Error> {
    if tags.len() > TAGS_MAX {
        return Err(Error::TooManyTags);
    }
    let chars = |text: &str| text.chars().count();
    let bad = tags.iter().any(|(key, value)| !(1..=128).contains(&chars(key)) || chars(value) > 256);
    if bad { Err(Error::Tag) } else { Ok(()) }
}

/// What a topic has of an attribute that was not set.
fn default_of(name: &str) -> Option<&'static str> {
    match name {
        "DisplayName" => Some(""),
        "ContentBasedDeduplication" => Some("false"),
        "FifoThroughputScope" => Some("Topic"),
        "MaximumMessageSize" => Some("262144"),
        "SignatureVersion" => Some("1"),
        "TracingConfig" => Some("PassThrough"),
        _ => None,
    }
}
