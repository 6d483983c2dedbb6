//! Ending subscriptions: by the owner, after whom what was published before is delivered still, or by the link in a message, after
//! which nothing comes any more.
use crate::base::Arn;
use crate::store::subscriptions::{self, Authenticated, State};
use crate::store::{Tx, ended, topics};
use crate::topics::confirmation::{self, Question, QuestionKind};
use crate::topics::endpoint::Protocol;
use crate::topics::subscription::{TOKEN_VALID, display_name, hold_subscription, new_token};
use crate::topics::topic;
use crate::topics::{Error, Topics};

/// Who ends a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Its owner, or the topic's owner, who has shown who they are.
    Owner,
    /// Whoever has the link.
    Link,
}

impl Topics {
    /// Ends a subscription. An HTTP endpoint or mail address is told, with a token that restores the subscription within two days. One
    /// that is not there counts as ended. What was published before is delivered still, unless the endpoint itself wants no
    /// more.
    pub async fn unsubscribe(&self, subscription: &Arn, by: By, base_url: Option<&str>) -> Result<(), Error> {
        let (topics, arn, named) = (self.clone(), subscription.clone(), base_url.map(str::to_owned));
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let (there, topic) = match hold_subscription(tx, &arn).await {
                        Ok(found) => found,
                        // It ended before, and something may be on its way all the same.
                        Err(Error::SubscriptionMissing) if by == By::Link => return leave(tx, &arn).await,
                        Err(Error::SubscriptionMissing) => return Ok(()),
                        Err(error) => return Err(error),
                    };
                    if by == By::Link && there.authenticated == Authenticated::OwnersEnd {
                        return Err(Error::UnsubscribeNeedsOwner);
                    }
                    match by {
                        By::Owner => ended::keep_subscription(tx, there.id).await?,
                        // What is kept of it from before it was restored.
                        By::Link => drop(ended::discard(tx, &there.uuid).await?),
                    }
                    let asks = Protocol::parse(&there.protocol).filter(|protocol| protocol.needs_confirmation());
                    let Some(protocol) = asks.filter(|_| there.state == State::Confirmed) else {
                        subscriptions::delete(tx, there.id).await?;
                        return Ok(());
                    };
                    let token = new_token();
                    let until = tx.now() + TOKEN_VALID;
                    subscriptions::unsubscribe(tx, there.id, &token, until).await?;
                    let asked = Question {
                        what: QuestionKind::Unsubscribe,
                        topic: &topic::arn(&topic),
                        display_name: display_name(&topic)?,
                        subscription: &there.uuid,
                        protocol,
                        endpoint: &there.endpoint,
                        token: &token,
                        base: topics.base_for(protocol, named.as_deref()),
                    };
                    confirmation::ask(tx, topics.ways(), asked).await
                })
            })
            .await
    }
}

/// Takes away what is kept of a subscription that has ended already, by its owner or with its topic.
async fn leave(tx: &mut Tx, arn: &Arn) -> Result<(), Error> {
    let Some((name, uuid)) = arn.resource.split_once(':') else { return Ok(()) };
    // PostgreSQL would not even read a NUL.
    if !uuid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
        return Ok(());
    }
    let Some(kept) = ended::subscription(tx, uuid).await? else { return Ok(()) };
    let topic = match topics::by_id(tx, kept.topic_id).await? {
        None => ended::topic(tx, kept.topic_id).await?,
        there => there,
    };
    let same =
        topic.is_none_or(|topic| topic.name == name && topic.account == arn.account && topic.region == arn.region);
    if !same || arn.service != "sns" {
        return Ok(());
    }
    if kept.authenticated == Authenticated::OwnersEnd {
        return Err(Error::UnsubscribeNeedsOwner);
    }
    ended::discard(tx, uuid).await?;
    Ok(())
}
