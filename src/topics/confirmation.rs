//! Confirmation: an endpoint gets a token and shows it, so that nobody is subscribed against their will.
use serde::{Deserialize, Serialize};

use crate::base::{Arn, ids};
use crate::store::Tx;
use crate::store::subscriptions::{self, State};
use crate::topics::job::{self, Asking, Job};
use crate::topics::subscription;
use crate::topics::topic::find;
use crate::topics::{Error, Topics};

/// What an endpoint is asked to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// That it wants to be subscribed.
    Subscribe,
    /// That it wants to be subscribed again, after it was unsubscribed.
    Unsubscribe,
}

impl Kind {
    /// The message's Type.
    pub fn message_type(self) -> &'static str {
        match self {
            Self::Subscribe => "SubscriptionConfirmation",
            Self::Unsubscribe => "UnsubscribeConfirmation",
        }
    }

    /// The text for a person, in SNS's words.
    pub fn text(self, topic: &Arn, subscription: &Arn) -> String {
        match self {
            Self::Subscribe => format!(
                "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the SubscribeURL \
                 included in this message."
            ),
            Self::Unsubscribe => format!(
                "You have chosen to deactivate subscription {subscription}.\nTo cancel this operation and restore the \
                 subscription, visit the SubscribeURL included in this message."
            ),
        }
    }
}

impl Topics {
    /// Confirms the subscription that a token belongs to, and gives its ARN. Confirming twice does nothing more. A token
    /// from an UnsubscribeConfirmation restores the subscription. With `authenticated` only the owner may end it later.
    pub async fn confirm(&self, topic: &Arn, token: &str, authenticated: bool) -> Result<Arn, Error> {
        if !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Error::Token);
        }
        let (arn, token) = (topic.clone(), token.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let topic = find(tx, &arn).await?;
                    let row = subscriptions::by_token(tx, &token).await?.ok_or(Error::Token)?;
                    if row.topic_id != topic.id {
                        return Err(Error::Token);
                    }
                    if row.state != State::Confirmed {
                        if row.token_expires_at <= tx.now() {
                            return Err(Error::Token);
                        }
                        subscriptions::confirm(tx, row.id, authenticated).await?;
                    }
                    Ok(subscription::arn(&arn, &row.uuid))
                })
            })
            .await
    }
}

/// Sends an endpoint the message that asks it to confirm, once the transaction commits.
pub(in crate::topics) async fn ask(
    tx: &mut Tx,
    what: Kind,
    subscription: &str,
    endpoint: &str,
    token: &str,
    base: String,
) -> Result<(), Error> {
    let asking = Asking {
        what,
        subscription: subscription.to_owned(),
        id: ids::uuid(),
        token: token.to_owned(),
        at: tx.now().micros(),
        base,
    };
    job::enqueue(tx, &[(Job::Confirmation(asking), endpoint)]).await?;
    Ok(())
}
