//! Topics themselves: create, delete, list, attributes, tags.
use serde_json::json;

use crate::base::{AccountId, Arn, Region};
use crate::store::topics::Topic;
use crate::store::{Tx, subscriptions, topics};
use crate::topics::attributes::{self, Attributes};
use crate::topics::delivery::policy;
use crate::topics::page::{self, Page};
use crate::topics::{Error, Topics};

/// How many tags a topic may have (SNS).
const TAGS_MAX: usize = 50;

/// A topic to make.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Who owns it.
    pub account: AccountId,
    /// Where it lives.
    pub region: Region,
    /// 1 to 256 letters, digits, `_` and `-`.
    pub name: String,
    /// Attributes to set.
    pub attributes: Attributes,
    /// Tags to set.
    pub tags: Attributes,
}

impl Topics {
    /// Makes a topic, or finds the one that is there already with the same attributes and tags.
    pub async fn create(&self, mut new: NewTopic) -> Result<Arn, Error> {
        if new.name.ends_with(".fifo") || new.attributes.get("FifoTopic").is_some_and(|fifo| fifo == "true") {
            return Err(Error::Fifo);
        }
        new.attributes.remove("FifoTopic");
        if !name_ok(&new.name) {
            return Err(Error::TopicName);
        }
        for (name, value) in &new.attributes {
            attributes::check_topic(name, value)?;
        }
        check_tags(&new.tags)?;
        // Publishing needs the key inside a transaction, where it cannot be made: so there is no topic without a key.
        self.signer().key().await?;
        let arn = Arn::new("sns", &new.region, &new.account, new.name.as_str());
        self.store().write(move |tx| Box::pin(async move { insert(tx, &new).await })).await?;
        Ok(arn)
    }

    /// Takes a topic away with its subscriptions. Deliveries under way find their subscription gone and end. A topic that
    /// is not there counts as taken away.
    pub async fn delete(&self, topic: &Arn) -> Result<(), Error> {
        let arn = topic.clone();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    match find(tx, &arn).await {
                        Ok(topic) => {
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
    pub async fn list(&self, account: &AccountId, region: &Region, token: Option<&str>) -> Result<Page<Arn>, Error> {
        let after = page::after(token)?;
        let (account, region) = (account.clone(), region.clone());
        let rows = self
            .store()
            .read(|tx| Box::pin(async move { topics::list(tx, &account, &region, after, page::ASK).await }))
            .await?;
        Ok(Page::of(rows.into_iter().map(|topic| (topic.id, arn(&topic))).collect()))
    }

    /// A topic's attributes, as GetTopicAttributes names them.
    pub async fn attributes(&self, topic: &Arn) -> Result<Attributes, Error> {
        let wanted = topic.clone();
        let (topic, counts) = self
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let topic = find(tx, &wanted).await?;
                    let counts = subscriptions::counts(tx, topic.id).await?;
                    Ok::<_, Error>((topic, counts))
                })
            })
            .await?;
        let mut all = attributes::read(&topic.attributes)?;
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
        all.entry("DisplayName".to_owned()).or_default();
        all.entry("Policy".to_owned()).or_insert_with(|| default_policy(&arn(&topic)));
        Ok(all)
    }

    /// Sets one attribute; an empty DeliveryPolicy takes it away.
    pub async fn set_attribute(&self, topic: &Arn, name: &str, value: &str) -> Result<(), Error> {
        attributes::check_topic(name, value)?;
        let (arn, name, value) = (topic.clone(), name.to_owned(), value.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let topic = hold(tx, &arn).await?;
                    let mut all = attributes::read(&topic.attributes)?;
                    if name == "DeliveryPolicy" && value.is_empty() {
                        all.remove(&name);
                    } else {
                        all.insert(name, value);
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
async fn hold(tx: &mut Tx, arn: &Arn) -> Result<Topic, Error> {
    if name_ok(&arn.resource) {
        topics::hold(tx, &arn.account, &arn.region, &arn.resource).await?;
    }
    find(tx, arn).await
}

/// A topic's ARN.
pub(in crate::topics) fn arn(topic: &Topic) -> Arn {
    Arn::new("sns", &topic.region, &topic.account, topic.name.as_str())
}

async fn insert(tx: &mut Tx, new: &NewTopic) -> Result<(), Error> {
    let (given, tags) = (attributes::write(&new.attributes), attributes::write(&new.tags));
    if topics::insert(tx, &new.account, &new.region, &new.name, &given, &tags).await? {
        return Ok(());
    }
    let there = topics::find(tx, &new.account, &new.region, &new.name).await?.ok_or(Error::TopicMissing)?;
    let (set, tags) = (attributes::read(&there.attributes)?, attributes::read(&there.tags)?);
    // What a request leaves out does not differ.
    if new.attributes.iter().any(|(name, value)| set.get(name) != Some(value)) {
        return Err(Error::TopicDiffers);
    }
    if new.tags.iter().any(|(key, value)| tags.get(key) != Some(value)) {
        return Err(Error::TagsDiffer);
    }
    Ok(())
}

fn name_ok(name: &str) -> bool {
    (1..=256).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn check_tags(tags: &Attributes) -> Result<(), Error> {
    if tags.len() > TAGS_MAX {
        return Err(Error::TooManyTags);
    }
    let chars = |text: &str| text.chars().count();
    let bad = tags.iter().any(|(key, value)| !(1..=128).contains(&chars(key)) || chars(value) > 256);
    if bad { Err(Error::Tag) } else { Ok(()) }
}

/// The policy of a topic that was given none: its owner may do everything (SNS's own text).
fn default_policy(topic: &Arn) -> String {
    let actions = [
        "SNS:GetTopicAttributes",
        "SNS:SetTopicAttributes",
        "SNS:AddPermission",
        "SNS:RemovePermission",
        "SNS:DeleteTopic",
        "SNS:Subscribe",
        "SNS:ListSubscriptionsByTopic",
        "SNS:Publish",
    ];
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": actions,
            "Resource": topic.to_string(),
            "Condition": {"StringEquals": {"AWS:SourceOwner": topic.account.as_str()}},
        }],
    })
    .to_string()
}
