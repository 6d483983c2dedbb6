//! What a rule hands to a later job of the inbound queue: webhooks to post and functions that nobody waits for. Each has
//! its own attempts, so that one endpoint that is down does not hold up the rest of a mail.
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::base::{AccountId, Arn, Clock, Timestamp};
use crate::mail::receiving::endpoints::Endpoints;
use crate::mail::receiving::own_rules;
use crate::outlets::Functions;
use crate::outlets::functions::{Invocation, InvokeError};
use crate::outlets::signature;
use crate::store::{self, Store};
use crate::topics::delivery::Poster;
use crate::topics::delivery::signed::{self, Ended};
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

/// How soon a job asks again whether who rests may be asked.
const REST_LOOK: Duration = Duration::from_secs(60);

/// Does what was handed over.
#[derive(Clone)]
pub(super) struct Hands {
    pub store: Store,
    pub clock: Clock,
    pub functions: Functions,
    pub poster: Poster,
    pub endpoints: Endpoints,
}

impl Hands {
    /// Does the work of an account. `again` is when it may be tried again, `None` on the last attempt. While who is asked
    /// rests the job comes again and no attempt counts, if it is `young`.
    pub async fn work(
        &self,
        (account, mail): (Option<&AccountId>, &str),
        task: &Task,
        (again, young): (Option<Timestamp>, bool),
    ) -> Outcome {
        let work = async {
            let ended = match task {
                Task::Webhook { url, secret, id, body } => self.post(url, secret, id, body).await,
                Task::Function { function, payload } => self.call(function, payload).await,
            };
            if matches!(ended, Ended::Later(Reason::Unreachable, _)) { Err(ended) } else { Ok(ended) }
        };
        let ended = match self.endpoints.ask(account, &task.group(), work).await {
            Ok(Ok(ended) | Err(ended)) => ended,
            Err(_) if young => return Outcome::PutOff(self.clock.now() + REST_LOOK),
            Err(rests) => Ended::Later(Reason::Unreachable, rests.to_string()),
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
        let (Ok(url), Some(key)) = (url.parse::<Url>(), signature::key(&secret)) else {
            return Ended::Never(Reason::Unreadable, "the webhook's url or secret cannot be used".to_owned());
        };
        signed::post(&self.poster, &self.clock, (url, &key), id, body).await.0
    }
}
