//! The ways out that the settings open, besides queues and HTTP.
use std::sync::Arc;

use crate::base::{Arn, Reach};
use crate::outlets::{Barred, EventBuses, Functions, Gateway, Streams, barred};
use crate::topics::Error;
use crate::topics::endpoint::{self, Protocol};
use crate::topics::mailer::Mailer;

/// What stands behind each protocol. What is `None` is refused, at the latest when it is subscribed.
#[derive(Clone, Default)]
pub struct Ways {
    /// Behind `lambda`.
    pub functions: Option<Functions>,
    /// Behind `email` and `email-json`.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Behind `firehose`.
    pub streams: Option<Streams>,
    /// Where the events of mails go that are for event buses.
    pub buses: EventBuses,
    /// Behind `sms`.
    pub texts: Option<Texts>,
    /// Whether text messages go to verified numbers only.
    pub sms_sandbox: bool,
    /// Behind `application`.
    pub pushes: Option<Gateway>,
    /// Where webhooks may go.
    pub reach: Reach,
}

/// What takes text messages.
#[derive(Clone)]
pub enum Texts {
    /// A gateway.
    Gateway(Gateway),
    /// Nobody: they are shown as mails to `NUMBER@sms.invalid`, on a developer's machine.
    Captured,
}

impl Ways {
    /// Refuses an endpoint that has nothing behind it.
    pub(in crate::topics) fn check(&self, protocol: Protocol, endpoint: &str) -> Result<(), Error> {
        let (there, why) = match protocol {
            Protocol::Http | Protocol::Https | Protocol::Sqs => return Ok(()),
            Protocol::Lambda => {
                let function = endpoint::function(endpoint)?;
                let known = self.functions.as_ref().is_some_and(|functions| functions.knows(&function));
                (known, "no URL is configured for this function")
            }
            Protocol::Firehose => {
                let stream = endpoint::stream(endpoint)?;
                let known = self.streams.as_ref().is_some_and(|streams| streams.destination(&stream).is_some());
                (known, "no bucket is configured for this delivery stream")
            }
            Protocol::Email | Protocol::EmailJson => (self.mailer.is_some(), "this server sends no mail"),
            Protocol::Sms => (self.texts.is_some(), "no SMS gateway is configured"),
            Protocol::Application => (self.pushes.is_some(), "no push gateway is configured"),
        };
        if there { Ok(()) } else { Err(Error::NothingBehind(why)) }
    }

    /// Tells the operator of an endpoint on the web that nothing can be posted to: the subscriber is not told where this
    /// server may go.
    pub(in crate::topics) fn warn(&self, topic: &Arn, protocol: Protocol, endpoint: &str) {
        if let Some(barred) = Some(endpoint).filter(|_| protocol.is_web()).and_then(|url| Barred::of(&self.reach, url))
        {
            let Arn { account, region, .. } = topic;
            tracing::warn!(
                %account, %region, %topic, url = barred.url, setting = barred::SETTING,
                "subscribed an endpoint that cannot be reached: {}", barred::REFUSAL
            );
        }
    }
}
