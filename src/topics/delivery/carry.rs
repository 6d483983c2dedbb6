//! One attempt to carry a message to its subscriber, by the way of its protocol.
use reqwest::Url;
use serde_json::json;

use crate::base::Arn;
use crate::outlets::barred::REFUSAL;
use crate::outlets::functions::{Invocation, InvokeError};
use crate::outlets::gateway::GatewayReply;
use crate::outlets::streams::{self, Streams};
use crate::queues::{self, Outgoing};
use crate::topics::delivery::direct;
use crate::topics::delivery::function_event::{event, record};
use crate::topics::delivery::parcel::{Found, Parcel};
use crate::topics::delivery::post::{Posted, Poster};
use crate::topics::delivery::schedule::RetryPolicy;
use crate::topics::delivery::traffic::Came;
use crate::topics::delivery::verdict::{DeliveryVerdict, judge, judge_status};
use crate::topics::endpoint::{self, Protocol};
use crate::topics::envelope::{Notification, unsubscribe_page};
use crate::topics::mailer::{MailContent, Notice};
use crate::topics::rules::SUFFIX;
use crate::topics::signing::Key;
use crate::topics::subscription::display_name;
use crate::topics::topic;
use crate::topics::{Error, Topics};
use crate::workers::{Reason, Record};

/// How an attempt ended.
pub(super) struct Tried {
    pub verdict: DeliveryVerdict,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The first bytes of the answer, or what failed.
    pub answer: String,
    /// When it is tried again, where that is not the subscription's to say.
    pub retry: Option<RetryPolicy>,
    /// What is written with the end of the job: for ways that lead into the store.
    pub effect: Option<Record>,
}

impl Tried {
    pub(super) fn plain(verdict: DeliveryVerdict, status: Option<u16>, answer: impl Into<String>) -> Self {
        Self { verdict, status, answer: answer.into(), retry: None, effect: None }
    }

    /// What it says of who was to answer.
    pub(super) fn came(&self) -> Came {
        match (self.status, self.verdict) {
            (Some(429 | 503), _) => Came::TooMuch,
            (Some(_), _) => Came::Answer,
            (None, DeliveryVerdict::Again(Reason::Unreachable)) => Came::Nothing,
            (None, _) => Came::Unknown,
        }
    }

    fn with_effect(answer: &str, effect: Record) -> Self {
        Self { effect: Some(effect), ..Self::plain(DeliveryVerdict::Delivered, None, answer) }
    }

    fn on(self, retry: RetryPolicy) -> Self {
        Self { retry: Some(retry), ..self }
    }

    /// A gateway's answer.
    pub(super) fn said(said: GatewayReply) -> Self {
        let tried = match said {
            GatewayReply::Answer(status, text) => Self::plain(judge_status(status), Some(status), text),
            GatewayReply::Silent => {
                Self::plain(DeliveryVerdict::Again(Reason::Unreachable), None, "no answer within 15 seconds")
            }
            GatewayReply::Unreachable(why) => Self::plain(DeliveryVerdict::Again(Reason::Unreachable), None, why),
        };
        tried.on(RetryPolicy::customer())
    }
}

/// Carries a parcel to its subscriber.
pub(super) async fn carry(
    topics: &Topics,
    poster: &Poster,
    found: &Found,
    parcel: &Parcel,
    key: &Key,
) -> Result<Tried, Error> {
    let subscription = &found.subscription;
    let Some(protocol) = Protocol::parse(&subscription.protocol) else {
        return Ok(Tried::plain(DeliveryVerdict::Final(Reason::Unreadable), None, "an unknown protocol"));
    };
    if protocol.is_web() {
        return Ok(match endpoint::web(protocol, &subscription.endpoint) {
            Ok(url) => web(poster, url, parcel).await,
            Err(_) => Tried::plain(DeliveryVerdict::Final(Reason::Unreadable), None, "the endpoint is no URL"),
        });
    }
    if protocol == Protocol::Sqs {
        return queue(topics, found, parcel).await;
    }
    let Some(notification) = &parcel.notification else {
        let why = "only web endpoints and queues are asked by a job";
        return Ok(Tried::plain(DeliveryVerdict::Final(Reason::Unreadable), None, why));
    };
    match protocol {
        Protocol::Lambda => function(topics, found, notification, key).await,
        Protocol::Firehose => stream(topics, found, notification).await,
        Protocol::Email | Protocol::EmailJson => mail(topics, found, notification, parcel, protocol),
        Protocol::Sms => direct::text_to_subscriber(topics, found, notification).await,
        Protocol::Application => direct::push_to_subscriber(topics, found, notification).await,
        Protocol::Http | Protocol::Https | Protocol::Sqs => {
            Ok(Tried::plain(DeliveryVerdict::Final(Reason::Unreadable), None, "carried already"))
        }
    }
}

async fn web(poster: &Poster, url: Url, parcel: &Parcel) -> Tried {
    let posted = poster.post_when_asked(url, parcel.headers.clone(), parcel.body.clone()).await;
    let verdict = judge(&posted);
    match posted {
        Posted::Answer(status, text) => Tried::plain(verdict, Some(status), text),
        Posted::Unreachable(why) => Tried::plain(verdict, None, why),
        Posted::Silent => Tried::plain(verdict, None, "no answer within 15 seconds"),
        Posted::Forbidden => Tried::plain(verdict, None, REFUSAL),
    }
}

/// Asks a queue of another account whether it wants to be subscribed. What is published is there with the publish, by no job.
async fn queue(topics: &Topics, found: &Found, parcel: &Parcel) -> Result<Tried, Error> {
    let (topic, queue) = (topic::arn(&found.topic), endpoint::queue(&found.subscription.endpoint)?);
    if !topics.queues().takes_from(&mut topics.store().reader().await?, &topic, &queue).await? {
        let why = "the queue is not there, or its policy does not let the topic send to it";
        return Ok(Tried::plain(DeliveryVerdict::Final(Reason::Refused), None, why));
    }
    let fifo = queue.resource.ends_with(SUFFIX);
    let outgoing = Outgoing {
        body: parcel.text(),
        group_id: fifo.then(|| found.subscription.uuid.clone()),
        deduplication_id: fifo.then(|| parcel.message_id.clone()),
        sender: Some(topic.account.to_string()),
        ..Outgoing::default()
    };
    let queues = topics.queues().clone();
    let put: Record = Box::new(move |tx| {
        Box::pin(async move {
            match queues.deliver_for(tx, &topic, &queue, outgoing).await {
                Ok(_) => {}
                Err(queues::Error::Internal(error)) => return Err(error),
                Err(error) => tracing::warn!(%queue, %error, "a queue was not asked whether it wants to be subscribed"),
            }
            Ok(())
        })
    });
    Ok(Tried::with_effect("given to the queue", put))
}

/// What is gone from the settings may come back with the next start.
fn gone(why: &str) -> Tried {
    Tried::plain(DeliveryVerdict::Again(Reason::Missing), None, why).on(RetryPolicy::managed())
}

async fn function(topics: &Topics, found: &Found, notification: &Notification, key: &Key) -> Result<Tried, Error> {
    let function = endpoint::function(&found.subscription.endpoint)?;
    let Some(functions) = &topics.ways().functions else { return Ok(gone("no functions are configured")) };
    let payload = event(notification, key, &found.arn().to_string()).to_string().into_bytes();
    let tried = match functions.invoke(&function, Invocation::Event, payload).await {
        Ok(invoked) => {
            let text = String::from_utf8_lossy(&invoked.body);
            let text: String = text.chars().filter(|c| !c.is_control() || *c == '\n').take(1_024).collect();
            match invoked.function_error {
                // A runtime that queues events says 202 and never this; one that does not leaves Lambda's retries to us.
                Some(_) => {
                    return Ok(Tried::plain(DeliveryVerdict::Again(Reason::Refused), Some(invoked.status), text)
                        .on(RetryPolicy::of_failed_function()));
                }
                None => Tried::plain(judge_status(invoked.status), Some(invoked.status), text),
            }
        }
        Err(InvokeError::Unknown) => gone("no URL is configured for this function"),
        Err(error) => Tried::plain(DeliveryVerdict::Again(Reason::Unreachable), None, error.to_string()),
    };
    Ok(tried.on(RetryPolicy::managed()))
}

async fn stream(topics: &Topics, found: &Found, notification: &Notification) -> Result<Tried, Error> {
    let stream: Arn = endpoint::stream(&found.subscription.endpoint)?;
    let known = topics.ways().streams.as_ref().filter(|streams| streams.destination(&stream).is_some());
    let Some(streams) = known else { return Ok(gone("no bucket is configured for this delivery stream")) };
    if !streams.takes(&stream).await? {
        let why = "the object store is behind";
        return Ok(Tried::plain(DeliveryVerdict::Again(Reason::Deferred), None, why).on(RetryPolicy::customer()));
    }
    let record = if found.subscription.raw {
        notification.message.clone()
    } else {
        record(notification, &found.arn().to_string())
    };
    if record.len() >= streams::RECORD_BYTES {
        return Ok(Tried::plain(DeliveryVerdict::Final(Reason::Refused), None, "the record is longer than 1,000 KiB"));
    }
    let put: Record = Box::new(move |tx| Box::pin(async move { Streams::put(tx, &stream, &record).await }));
    Ok(Tried::with_effect("kept for the stream's next object", put))
}

fn mail(
    topics: &Topics,
    found: &Found,
    notification: &Notification,
    parcel: &Parcel,
    protocol: Protocol,
) -> Result<Tried, Error> {
    let Some(mailer) = &topics.ways().mailer else { return Ok(gone("this server sends no mail")) };
    let link = unsubscribe_page(&notification.base, &found.arn().to_string(), &found.subscription.endpoint);
    let content = match protocol {
        Protocol::EmailJson => MailContent::Plain(parcel.text()),
        _ => MailContent::Message { text: notification.message.clone(), link },
    };
    let topic = topic::arn(&found.topic);
    let notice = Notice {
        account: topic.account,
        region: topic.region,
        to: endpoint::address(&found.subscription.endpoint)?,
        display_name: display_name(&found.topic)?,
        subject: notification.subject.clone().unwrap_or_else(|| "AWS Notification Message".to_owned()),
        content,
    };
    Ok(match mailer.compose(&notice) {
        Ok(queue) => Tried::with_effect("given to mail", queue),
        Err(why) => Tried::plain(DeliveryVerdict::Final(Reason::Refused), None, why),
    })
}

/// What a gateway is told of a published message.
pub(super) fn gateway_message(notification: &Notification, found: &Found) -> serde_json::Value {
    json!({
        "id": notification.id,
        "account": found.topic.account,
        "region": found.topic.region,
        "topic": notification.topic,
        "message": notification.message,
        "subject": notification.subject,
    })
}
