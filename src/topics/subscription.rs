//! Subscriptions: subscribe, list, attributes.
use std::time::Duration;

use crate::base::{AccountId, Arn, Region, Timestamp, ids};
use crate::store::subscriptions::{self, Authenticated, NewSubscription, State, Subscription};
use crate::store::topics::Topic;
use crate::store::{Tx, topics};
use crate::topics::attributes::{self, Attributes};
use crate::topics::confirmation::{self, Question, QuestionKind};
use crate::topics::endpoint::{self, Protocol};
use crate::topics::page::{self, NumberedPage};
use crate::topics::replay;
use crate::topics::rules::SUFFIX;
use crate::topics::sieve::check_policy;
use crate::topics::topic::{find, hold};
use crate::topics::{Error, Topics, Ways, large};

/// How long a token holds (SNS: two days).
pub(in crate::topics) const TOKEN_VALID: Duration = Duration::from_secs(2 * 86_400);
/// The most subscriptions of a FIFO topic (SNS quotas).
const FIFO_MAX: u32 = 100;

/// A wish to subscribe.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Who subscribes.
    pub owner: AccountId,
    /// To which topic.
    pub topic: Arn,
    /// SNS's name of the protocol.
    pub protocol: String,
    /// Where to deliver to.
    pub endpoint: Option<String>,
    /// Attributes to set.
    pub attributes: Attributes,
    /// `scheme://host` as the caller named this server, for the links in the confirmation.
    pub base_url: Option<String>,
}

/// A subscription as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSubscription {
    /// Its ARN.
    pub arn: Arn,
    /// Whether it waits for confirmation.
    pub pending: bool,
    /// Who subscribed.
    pub owner: AccountId,
    /// SNS's name of the protocol.
    pub protocol: String,
    /// Where it delivers to, without a password.
    pub endpoint: String,
    /// Its topic.
    pub topic: Arn,
}

impl Topics {
    /// Subscribes an endpoint. HTTP endpoints, mail addresses and queues of others than the subscriber get a message that they
    /// have to confirm; all others are confirmed at once. An endpoint that is subscribed already keeps its subscription, unless
    /// `attributes` differ.
    pub async fn subscribe(&self, wish: Wish) -> Result<ListedSubscription, Error> {
        // That there is no such topic is told before anything of the endpoint, and that there is none before anything of the
        // protocol.
        self.id(&wish.topic).await?;
        let target = wish.endpoint.clone().filter(|endpoint| !endpoint.is_empty()).ok_or(Error::EndpointMissing)?;
        let protocol = Protocol::parse(&wish.protocol).ok_or_else(|| Error::Protocol(wish.protocol.clone()))?;
        endpoint::check(protocol, &target)?;
        let fifo = wish.topic.resource.ends_with(SUFFIX);
        if fifo && protocol != Protocol::Sqs {
            return Err(Error::FifoProtocol(wish.protocol));
        }
        if protocol == Protocol::Sqs {
            let queue = endpoint::queue(&target)?;
            if queue.resource.ends_with(SUFFIX) && !fifo {
                return Err(Error::EndpointFifo);
            }
        } else {
            self.check_owner(&wish.topic, protocol, &target).await?;
        }
        self.ways().check(protocol, &target)?;
        let mut kept = Attributes::new();
        for (name, value) in &wish.attributes {
            kept.insert(name.clone(), attributes::check_subscription(name, value, (protocol, &target), &wish.topic)?);
        }
        kept.retain(|_, value| !value.is_empty());
        if protocol == Protocol::Firehose && !kept.contains_key("SubscriptionRoleArn") {
            let why = "required for subscriptions to delivery streams".to_owned();
            return Err(Error::AttributeValue("SubscriptionRoleArn", why));
        }
        check_policy(self.compute(), &wish.topic.account, &kept).await?;
        let full = self.no_more(&wish, protocol, kept.contains_key("FilterPolicy")).await?;
        let (base, ways) = (self.base_for(protocol, wish.base_url.as_deref()), self.ways().clone());
        let (topic, endpoint) = (wish.topic.clone(), target.clone());
        let listed = self
            .store()
            .write(move |tx| {
                Box::pin(async move { subscribe(tx, &ways, &wish, (protocol, target), kept, (base, full)).await })
            })
            .await?;
        self.ways().warn(&topic, protocol, &endpoint);
        Ok(listed)
    }

    /// Why there may be no more such subscriptions, if so.
    async fn no_more(&self, wish: &Wish, protocol: Protocol, filtered: bool) -> Result<Option<Error>, Error> {
        let endpoint = wish.endpoint.as_deref().unwrap_or_default();
        let pending = endpoint::is_asked(protocol, endpoint, &wish.owner);
        match self.no_more_subscriptions(&wish.topic, &wish.owner, pending).await? {
            None if filtered => self.no_more_filter_policies(&wish.topic, &wish.owner).await,
            full => Ok(full),
        }
    }

    /// Functions, streams and devices belong to the topic's own account; a device is one that is there.
    async fn check_owner(&self, topic: &Arn, protocol: Protocol, endpoint: &str) -> Result<(), Error> {
        let arn = match protocol {
            Protocol::Lambda => endpoint::function(endpoint)?,
            Protocol::Firehose => endpoint::stream(endpoint)?,
            Protocol::Application => endpoint::device(endpoint)?,
            _ => return Ok(()),
        };
        if arn.account != topic.account {
            return Err(Error::EndpointForeign);
        }
        if protocol == Protocol::Application {
            self.endpoint_attributes(&arn).await?;
        }
        Ok(())
    }

    /// An account's subscriptions to topics of a region, oldest first.
    pub async fn subscriptions(
        &self,
        owner: &AccountId,
        region: &Region,
        after: Option<i64>,
    ) -> Result<NumberedPage<ListedSubscription>, Error> {
        let after = after.unwrap_or(0);
        let (owner, region) = (owner.clone(), region.clone());
        let in_region = region.clone();
        let rows = self
            .store()
            .read(|tx| Box::pin(async move { subscriptions::of_owner(tx, &owner, &region, after, page::ASK).await }))
            .await?;
        let listed = |(row, account, name): (Subscription, AccountId, String)| {
            (row.id, listed(&row, &Arn::new("sns", &in_region, &account, name)))
        };
        Ok(page::of(rows.into_iter().map(listed).collect()))
    }

    /// A topic's subscriptions, oldest first.
    pub async fn subscriptions_of(
        &self,
        topic: &Arn,
        after: Option<i64>,
    ) -> Result<NumberedPage<ListedSubscription>, Error> {
        let after = after.unwrap_or(0);
        let arn = topic.clone();
        let rows = self
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let topic = find(tx, &arn).await?;
                    Ok::<_, Error>(subscriptions::of_topic(tx, topic.id, after, page::ASK).await?)
                })
            })
            .await?;
        Ok(page::of(rows.iter().map(|row| (row.id, listed(row, topic))).collect()))
    }
}

/// Finds the subscription that an ARN names, and its topic. Ended ones are not found.
pub(in crate::topics) async fn find_subscription(tx: &mut Tx, arn: &Arn) -> Result<(Subscription, Topic), Error> {
    let (name, uuid) = arn.resource.split_once(':').ok_or(Error::SubscriptionMissing)?;
    if !uuid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
        return Err(Error::SubscriptionMissing);
    }
    let row = subscriptions::by_uuid(tx, uuid).await?.ok_or(Error::SubscriptionMissing)?;
    let topic = topics::by_id(tx, row.topic_id).await?.ok_or(Error::SubscriptionMissing)?;
    let same = topic.name == name && topic.account == arn.account && topic.region == arn.region;
    if same && arn.service == "sns" && row.state != State::Unsubscribed {
        Ok((row, topic))
    } else {
        Err(Error::SubscriptionMissing)
    }
}

/// Finds the subscription that an ARN names, to change it.
pub(in crate::topics) async fn hold_subscription(tx: &mut Tx, arn: &Arn) -> Result<(Subscription, Topic), Error> {
    if let Some((_, uuid)) = arn.resource.split_once(':') {
        subscriptions::hold(tx, uuid).await?;
    }
    find_subscription(tx, arn).await
}

/// The ARN of a topic's subscription.
pub(in crate::topics) fn arn(topic: &Arn, uuid: &str) -> Arn {
    Arn::new("sns", &topic.region, &topic.account, format!("{}:{uuid}", topic.resource))
}

fn listed(row: &Subscription, topic: &Arn) -> ListedSubscription {
    ListedSubscription {
        arn: arn(topic, &row.uuid),
        pending: row.state == State::Pending,
        owner: row.owner.clone(),
        protocol: row.protocol.clone(),
        endpoint: endpoint::shown(&row.endpoint),
        topic: topic.clone(),
    }
}

async fn subscribe(
    tx: &mut Tx,
    ways: &Ways,
    wish: &Wish,
    (protocol, endpoint): (Protocol, String),
    kept: Attributes,
    (base, full): (String, Option<Error>),
) -> Result<ListedSubscription, Error> {
    let policy = kept.get("ReplayPolicy").cloned();
    // The archive must not grow between the look at it and the subscription.
    let topic =
        if policy.is_some() { hold(tx, &wish.topic).await? } else { large::find_to_join(tx, &wish.topic).await? };
    let until = tx.now() + TOKEN_VALID;
    let display_name = display_name(&topic)?;
    let asked = |subscription, endpoint, token| Question {
        what: QuestionKind::Subscribe,
        topic: &wish.topic,
        display_name: display_name.clone(),
        subscription,
        protocol,
        endpoint,
        token,
        base: base.clone(),
    };
    let there = subscriptions::by_endpoint(tx, topic.id, protocol.as_str(), &endpoint).await?;
    let is_asked = endpoint::is_asked(protocol, &endpoint, &wish.owner);
    match there {
        // Ended; or others asked a queue whose owner now subscribes it, and so need not be answered.
        Some(row) if row.state == State::Unsubscribed || (row.state == State::Pending && !is_asked) => {
            subscriptions::delete(tx, row.id).await?;
        }
        Some(row) => {
            if attributes::differ(&kept, &attributes::read(&row.attributes)?) {
                return Err(Error::SubscriptionDiffers);
            }
            if row.state == State::Pending {
                subscriptions::extend(tx, row.id, until).await?;
                confirmation::ask(tx, ways, asked(&row.uuid, &endpoint, &row.token)).await?;
            }
            return Ok(listed(&row, &wish.topic));
        }
        None => {}
    }
    if let Some(error) = full.or(no_more_of_fifo(tx, &topic).await?) {
        return Err(error);
    }
    large::check_subscription(tx, &topic, protocol).await?;
    let new = new_subscription(topic.id, wish, (protocol, endpoint), &kept, until);
    if subscriptions::insert(tx, &new).await? && is_asked {
        confirmation::ask(tx, ways, asked(&new.uuid, &new.endpoint, &new.token)).await?;
    }
    // Where another node subscribed the endpoint since we looked, this is its subscription.
    let row = subscriptions::by_endpoint(tx, topic.id, new.protocol, &new.endpoint).await?;
    let row = row.ok_or(Error::SubscriptionMissing)?;
    if policy.is_some() {
        replay::begin(tx, &topic, row.id, policy.as_deref()).await?;
    }
    Ok(listed(&row, &wish.topic))
}

fn new_subscription(
    topic_id: i64,
    wish: &Wish,
    (protocol, endpoint): (Protocol, String),
    kept: &Attributes,
    until: Timestamp,
) -> NewSubscription {
    let (state, authenticated) = match endpoint::is_asked(protocol, &endpoint, &wish.owner) {
        true => (State::Pending, Authenticated::No),
        false => (State::Confirmed, Authenticated::Yes),
    };
    NewSubscription {
        topic_id,
        uuid: ids::uuid(),
        owner: wish.owner.clone(),
        protocol: protocol.as_str(),
        endpoint,
        state,
        raw: raw(kept),
        attributes: attributes::write(kept),
        authenticated,
        filtered: kept.contains_key("FilterPolicy"),
        token: new_token(),
        token_expires_at: until,
    }
}

/// Why a FIFO topic may have no more subscriptions, if so.
async fn no_more_of_fifo(tx: &mut Tx, topic: &Topic) -> Result<Option<Error>, Error> {
    if !topic.name.ends_with(SUFFIX) {
        return Ok(None);
    }
    let full = subscriptions::count_of_topic(tx, topic.id, FIFO_MAX).await? >= FIFO_MAX;
    Ok(full.then_some(Error::TooManySubscriptions))
}

/// A topic's name for people, if it has one.
pub(in crate::topics) fn display_name(topic: &Topic) -> Result<Option<String>, Error> {
    Ok(attributes::read(&topic.attributes)?.remove("DisplayName").filter(|name| !name.is_empty()))
}

/// Whether messages come without an envelope.
pub(in crate::topics) fn raw(attributes: &Attributes) -> bool {
    attributes.get("RawMessageDelivery").is_some_and(|value| value == "true")
}

/// A token that nobody can guess: 128 letters and digits.
pub(in crate::topics) fn new_token() -> String {
    ids::token(128)
}
