//! Confirmation: an endpoint gets a token and shows it, so that nobody is subscribed against their will.
use serde::{Deserialize, Serialize};

use crate::base::{Arn, ids};
use crate::store::Tx;
use crate::store::subscriptions::{self, Authenticated, State};
use crate::topics::endpoint::{self, Protocol};
use crate::topics::envelope::confirmation_page;
use crate::topics::job::{self, Asking, Job, Target};
use crate::topics::mailer::{MailContent, Notice};
use crate::topics::subscription;
use crate::topics::topic::find;
use crate::topics::{Error, Topics, Ways, large};

/// What an endpoint is asked to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuestionKind {
    /// That it wants to be subscribed.
    #[serde(rename = "Subscribe")]
    Subscribe,
    /// That it wants to be subscribed again, after it was unsubscribed.
    #[serde(rename = "Unsubscribe")]
    Unsubscribe,
}

impl QuestionKind {
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
    /// from an UnsubscribeConfirmation restores the subscription. `by` says whether the request was signed, and who may end the
    /// subscription later.
    ///
    /// # Errors
    /// `Token`, `TopicMissing`; `Large` where the topic that it would come back to takes large messages by now.
    pub async fn confirm(&self, topic: &Arn, token: &str, by: Authenticated) -> Result<Arn, Error> {
        if !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Error::Token);
        }
        let (arn, token) = (topic.clone(), token.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    // A token that nobody has is told of first, whether or not the topic is there.
                    let seen = subscriptions::with_token(tx, &token).await?.ok_or(Error::Token)?;
                    // One that waits for its first confirmation counts among the topic's; one that comes back is one more.
                    let comes_back = seen.state == State::Unsubscribed;
                    let topic = if comes_back { large::find_to_join(tx, &arn).await? } else { find(tx, &arn).await? };
                    if seen.topic_id != topic.id {
                        return Err(Error::Token);
                    }
                    let row = subscriptions::by_token(tx, &token).await?.ok_or(Error::Token)?;
                    if row.state != State::Confirmed {
                        if row.token_expires_at <= tx.now() {
                            return Err(Error::Token);
                        }
                        if let Some(protocol) = Protocol::parse(&row.protocol).filter(|_| comes_back) {
                            large::check_subscription(tx, &topic, protocol).await?;
                        }
                        subscriptions::confirm(tx, row.id, by).await?;
                    }
                    Ok(subscription::arn(&arn, &row.uuid))
                })
            })
            .await
    }
}

/// A question to an endpoint.
pub(in crate::topics) struct Question<'a> {
    pub what: QuestionKind,
    /// The topic's ARN.
    pub topic: &'a Arn,
    /// The topic's name for people, if it has one.
    pub display_name: Option<String>,
    /// The last part of the subscription's ARN.
    pub subscription: &'a str,
    pub protocol: Protocol,
    pub endpoint: &'a str,
    pub token: &'a str,
    /// `scheme://host` of the links.
    pub base: String,
}

/// Asks an endpoint to confirm, once the transaction commits: by a delivery job, or by mail. Errors: `AskedTooOften`.
pub(in crate::topics) async fn ask(tx: &mut Tx, ways: &Ways, asked: Question<'_>) -> Result<(), Error> {
    if asked.protocol.is_mail() {
        return ask_by_mail(tx, ways, asked).await;
    }
    let asking = Asking {
        what: asked.what,
        subscription: asked.subscription.to_owned(),
        id: ids::uuid(),
        token: asked.token.to_owned(),
        at: tx.now().micros(),
        base: asked.base,
        target: Some(Target::of(&asked.topic.account, asked.protocol.as_str(), asked.endpoint)),
    };
    Ok(job::enqueue(tx, &[Job::Confirmation(asking)]).await?)
}

async fn ask_by_mail(tx: &mut Tx, ways: &Ways, asked: Question<'_>) -> Result<(), Error> {
    let mailer = ways.mailer.clone().ok_or(Error::NothingBehind("this server sends no mail"))?;
    let to = endpoint::address(asked.endpoint)?;
    if !mailer.may_ask(tx, &to).await? {
        // That it is unsubscribed is news that somebody can do without.
        return if asked.what == QuestionKind::Subscribe { Err(Error::AskedTooOften) } else { Ok(()) };
    }
    let topic = asked.topic.to_string();
    let link = confirmation_page(&asked.base, &topic, asked.token, asked.endpoint);
    let (subject, content) = match asked.what {
        QuestionKind::Subscribe => {
            ("AWS Notification - Subscription Confirmation", MailContent::Confirm { topic, link })
        }
        QuestionKind::Unsubscribe => {
            ("AWS Notification - Unsubscribe Confirmation", MailContent::Ended { topic, link })
        }
    };
    let notice = Notice {
        account: asked.topic.account.clone(),
        region: asked.topic.region.clone(),
        to,
        display_name: asked.display_name,
        subject: subject.to_owned(),
        content,
    };
    let queue = mailer.compose(&notice).map_err(Error::Mail)?;
    Ok(queue(tx).await?)
}
