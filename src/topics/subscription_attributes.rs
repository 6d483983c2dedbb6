//! Attributes of subscriptions: shown and changed.
use crate::base::{AccountId, Arn};
use crate::store::subscriptions::{self, Authenticated, State, Subscription};
use crate::topics::attributes::{self, Attributes};
use crate::topics::delivery::policy;
use crate::topics::endpoint::{self, Protocol};
use crate::topics::filter_policy::PolicyScope;
use crate::topics::replay;
use crate::topics::sieve::check_policy;
use crate::topics::subscription::{find_subscription, hold_subscription, raw};
use crate::topics::topic::{self, hold};
use crate::topics::{Error, Topics};

impl Topics {
    /// A subscription's attributes, as GetSubscriptionAttributes names them.
    pub async fn subscription_attributes(&self, subscription: &Arn) -> Result<Attributes, Error> {
        let arn = subscription.clone();
        let (row, of) = self.store().read(|tx| Box::pin(async move { find_subscription(tx, &arn).await })).await?;
        let mut all = attributes::read(&row.attributes)?;
        let topic_attributes = attributes::read(&of.attributes)?;
        let delivery = |all: &Attributes| {
            let text = |attributes: &Attributes| attributes.get("DeliveryPolicy").cloned();
            policy::describe_subscription(text(&topic_attributes).as_deref(), text(all).as_deref())
        };
        if Protocol::parse(&row.protocol).is_some_and(Protocol::is_web) {
            let effective = delivery(&all);
            all.insert("EffectiveDeliveryPolicy".to_owned(), effective);
        }
        let (pending, authenticated) = (row.state == State::Pending, was_authenticated(&row));
        for (name, value) in [
            ("SubscriptionArn", subscription.to_string()),
            ("TopicArn", topic::arn(&of).to_string()),
            ("Owner", row.owner.to_string()),
            ("Protocol", row.protocol.clone()),
            ("Endpoint", endpoint::shown(&row.endpoint)),
            ("PendingConfirmation", pending.to_string()),
            ("ConfirmationWasAuthenticated", authenticated.to_string()),
            ("SubscriptionPrincipal", format!("arn:aws:iam::{}:root", row.owner)),
        ] {
            all.insert(name.to_owned(), value);
        }
        if let Some(status) = row.replay_status {
            all.insert("ReplayStatus".to_owned(), status);
        }
        all.entry("RawMessageDelivery".to_owned()).or_insert_with(|| "false".to_owned());
        if all.contains_key("FilterPolicy") {
            all.entry("FilterPolicyScope".to_owned()).or_insert_with(|| "MessageAttributes".to_owned());
        }
        Ok(all)
    }

    /// Who owns a subscription.
    ///
    /// # Errors
    /// `SubscriptionMissing`.
    pub async fn subscription_owner(&self, subscription: &Arn) -> Result<AccountId, Error> {
        let arn = subscription.clone();
        let (row, _) = self.store().read(|tx| Box::pin(async move { find_subscription(tx, &arn).await })).await?;
        Ok(row.owner)
    }

    async fn no_more_filter_policies_for(&self, subscription: &Arn) -> Result<Option<Error>, Error> {
        let arn = subscription.clone();
        let (row, of) = self.store().read(|tx| Box::pin(async move { find_subscription(tx, &arn).await })).await?;
        self.no_more_filter_policies(&topic::arn(&of), &row.owner).await
    }

    /// Sets one attribute; an empty policy takes it away.
    pub async fn set_subscription_attribute(&self, subscription: &Arn, name: &str, value: &str) -> Result<(), Error> {
        let full = match name {
            "FilterPolicy" if !value.is_empty() => self.no_more_filter_policies_for(subscription).await?,
            _ => None,
        };
        let (arn, name, value) = (subscription.clone(), name.to_owned(), value.to_owned());
        let checked = self.check_ahead(&arn, &name, &value).await?;
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    if name == "ReplayPolicy" {
                        // In the order in which others take them: the topic first.
                        let (_, of) = find_subscription(tx, &arn).await?;
                        hold(tx, &topic::arn(&of)).await?;
                    }
                    let (row, of) = hold_subscription(tx, &arn).await?;
                    let protocol =
                        Protocol::parse(&row.protocol).ok_or_else(|| Error::Protocol(row.protocol.clone()))?;
                    let value =
                        attributes::check_subscription(&name, &value, (protocol, &row.endpoint), &topic::arn(&of))?;
                    let mut all = attributes::read(&row.attributes)?;
                    if let Some(error) = full.filter(|_| !value.is_empty() && !all.contains_key(&name)) {
                        return Err(error);
                    }
                    if name == "ReplayPolicy" {
                        let policy = Some(value.as_str()).filter(|policy| !policy.is_empty());
                        replay::begin(tx, &of, row.id, policy).await?;
                    }
                    if value.is_empty() {
                        drop(all.remove(&name))
                    } else {
                        drop(all.insert(name, value))
                    }
                    if checked.as_ref() != Some(&all) {
                        // They changed meanwhile.
                        attributes::filter_policy(&all)?;
                    }
                    let filtered = all.contains_key("FilterPolicy");
                    subscriptions::set_attributes(tx, row.id, &attributes::write(&all), raw(&all), filtered).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Checks a filter policy before the transaction, since a large one takes time. Gives the attributes that it was checked
    /// with, where there are any.
    async fn check_ahead(&self, arn: &Arn, name: &str, value: &str) -> Result<Option<Attributes>, Error> {
        let policy = name == "FilterPolicy" && !value.is_empty();
        if !policy && (name != "FilterPolicyScope" || PolicyScope::parse(value).is_none()) {
            return Ok(None);
        }
        let of = arn.clone();
        let (row, _) = self.store().read(|tx| Box::pin(async move { find_subscription(tx, &of).await })).await?;
        let mut all = attributes::read(&row.attributes)?;
        all.insert(name.to_owned(), value.to_owned());
        check_policy(self.compute(), &arn.account, &all).await?;
        Ok(Some(all))
    }
}

/// Whether somebody who has shown who they are confirmed a subscription. What confirms itself was subscribed by the owner of the
/// endpoint; rows of earlier versions do not say so.
fn was_authenticated(row: &Subscription) -> bool {
    let by_itself = || {
        let protocol = Protocol::parse(&row.protocol);
        protocol.is_some_and(|protocol| !endpoint::is_asked(protocol, &row.endpoint, &row.owner))
    };
    row.authenticated != Authenticated::No || (row.state == State::Confirmed && by_itself())
}
