//! What a rule hands to a later job of the inbound queue: webhooks to post and functions that nobody waits for. Each has
//! its own attempts, so that one endpoint that is down does not hold up the rest of a mail.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::base::{Arn, Clock, Timestamp};
use crate::mail::receiving::own_rules;
use crate::outlets::Functions;
use crate::outlets::functions::{Invocation, InvokeError};
use crate::store::{self, Store};
use crate::topics::delivery::{Posted, Poster};
use crate::workers::{Outcome, Reason};

/// A piece of work that was handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Posts a body.
    Webhook {
        /// Where to.
        url: String,
        /// The secret, sealed.
        secret: String,
        /// What the receiver knows it by: the same at each attempt.
        id: String,
        /// JSON.
        body: String,
    },
    /// Calls a function.
    Function {
        /// The function.
        function: Arn,
        /// JSON.
        payload: String,
    },
}

impl Task {
    /// Who gets it, for fairness among the jobs.
    pub(super) fn group(&self) -> String {
        let text = match self {
            Self::Webhook { url, .. } => {
                url.parse::<Url>().ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
            }
            Self::Function { function, .. } => function.to_string(),
        };
        text.chars().filter(|c| c.is_ascii_graphic()).take(128).collect()
    }
}

/// Does what was handed over.
#[derive(Clone)]
pub(super) struct Hands {
    pub store: Store,
    pub clock: Clock,
    pub functions: Functions,
    pub poster: Poster,
}

/// How it ended.
enum Ended {
    Done,
    Later(Reason, String),
    Never(Reason, String),
}

impl Hands {
    /// Does the work. `again` is when it may be tried again, `None` on the last attempt.
    pub async fn work(&self, mail: &str, task: &Task, again: Option<Timestamp>) -> Outcome {
        let ended = match task {
            Task::Webhook { url, secret, id, body } => self.post(url, secret, id, body).await,
            Task::Function { function, payload } => self.call(function, payload).await,
        };
        match (ended, again) {
            (Ended::Done, _) => {
                tracing::info!(message.id = %mail, to = %task.group(), "handed over");
                Outcome::Done
            }
            (Ended::Later(reason, text), Some(at)) => {
                tracing::warn!(message.id = %mail, to = %task.group(), cause = %text, "not handed over yet");
                Outcome::RetryAt(at, reason)
            }
            (Ended::Later(reason, text) | Ended::Never(reason, text), _) => {
                tracing::error!(message.id = %mail, to = %task.group(), cause = %text, "given up; the job is kept");
                Outcome::GiveUp(reason)
            }
        }
    }

    async fn call(&self, function: &Arn, payload: &str) -> Ended {
        match self.functions.invoke(function, Invocation::Event, payload.as_bytes().to_vec()).await {
            Ok(invoked) if (200..300).contains(&invoked.status) => Ended::Done,
            Ok(invoked) => {
                let text = format!("the runtime answered {}", invoked.status);
                match invoked.status {
                    404 | 408 | 409 | 429 | 500.. => Ended::Later(Reason::Deferred, text),
                    _ => Ended::Never(Reason::Refused, text),
                }
            }
            Err(error @ InvokeError::Unknown) => Ended::Later(Reason::Missing, error.to_string()),
            Err(error) => Ended::Later(Reason::Unreachable, error.to_string()),
        }
    }

    async fn post(&self, url: &str, secret: &str, id: &str, body: &str) -> Ended {
        let stored = secret.to_owned();
        let opened = self.store.read(move |tx| Box::pin(async move { own_rules::open_secret(tx, stored) })).await;
        let secret = match opened.map_err(|error: store::Error| error.to_string()) {
            Ok(secret) => secret,
            Err(error) => return Ended::Later(Reason::Internal, error),
        };
        let signed = own_rules::key(&secret).and_then(|key| headers(&key, id, self.clock.now(), body));
        let (Ok(url), Some(headers)) = (url.parse::<Url>(), signed) else {
            return Ended::Never(Reason::Unreadable, "the webhook's url or secret cannot be used".to_owned());
        };
        match self.poster.post(url, headers, body.to_owned()).await {
            Posted::Answer(200..=299, _) => Ended::Done,
            // The receiver says that it is gone for good.
            Posted::Answer(410, text) => Ended::Never(Reason::Refused, format!("answered 410: {text}")),
            Posted::Answer(status, text) => Ended::Later(Reason::Deferred, format!("answered {status}: {text}")),
            Posted::Silent => Ended::Later(Reason::Unreachable, "no answer in time".to_owned()),
            Posted::Unreachable(text) => Ended::Later(Reason::Unreachable, text),
            Posted::Forbidden => Ended::Never(Reason::Forbidden, "the address may not be reached".to_owned()),
        }
    }
}

/// The header fields of the Standard Webhooks: HMAC-SHA256 over `id.time.body`, so that a receiver can refuse what is
/// forged, changed, or old.
fn headers(key: &[u8], id: &str, at: Timestamp, body: &str) -> Option<HeaderMap> {
    let time = at.secs().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [id, ".", &time, ".", body] {
        mac.update(part.as_bytes());
    }
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Postrider/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in [("webhook-id", id), ("webhook-timestamp", time.as_str()), ("webhook-signature", &signature)] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard_webhooks() {
        // The example of the specification.
        let key = own_rules::key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let body = "{\"test\": 2432232314}";
        let at = Timestamp::from_secs(1_614_265_330);
        let headers = headers(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body).expect("headers");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
