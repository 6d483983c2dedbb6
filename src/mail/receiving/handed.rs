//! What a rule hands to a later job of the inbound queue: webhooks to post and functions that nobody waits for. Each has
//! its own attempts, so that one endpoint that is down does not hold up the rest of a mail.
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::base::{AccountId, Arn, Clock, Region, Timestamp};
use crate::mail::receiving::accept::InboundJob;
use crate::mail::receiving::endpoints::Endpoints;
use crate::mail::receiving::own_rules;
use crate::outlets::functions::{Invocation, InvokeError};
use crate::outlets::signature;
use crate::outlets::{Functions, barred};
use crate::store::{self, Store};
use crate::topics::delivery::Poster;
use crate::topics::delivery::signed::{self, Ended};
use crate::workers::{Outcome, Reason};

/// A piece of work that was handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Posts a body.
    #[serde(rename = "Webhook")]
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
    #[serde(rename = "Function")]
    Function {
        /// The function.
        function: Arn,
        /// JSON.
        payload: String,
    },
}

impl Task {
    /// Who gets it, for an operator: a URL without what may be secret, or a function.
    pub fn to(&self) -> String {
        match self {
            Self::Webhook { url, .. } => barred::shown(url),
            Self::Function { function, .. } => function.to_string(),
        }
    }

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
    /// Does the task of a job. `again` is when it may be tried again, `None` on the last attempt. While who is asked
    /// rests the job comes again and no attempt counts, if it is `young`.
    pub(super) async fn work(
        &self,
        job: &InboundJob,
        task: &Task,
        (again, young): (Option<Timestamp>, bool),
    ) -> Outcome {
        let (account, mail) = (job.account.as_ref(), job.mail.as_str());
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
                tell_given_up(job, task, reason, &text);
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

/// What the operator has to know: whose rule it was, where it should have gone, and what would let it.
fn tell_given_up(job: &InboundJob, task: &Task, reason: Reason, cause: &str) {
    let rule = job.rule.as_ref();
    tracing::error!(
        message.id = %job.mail,
        account = job.account.as_ref().map(AccountId::as_str),
        region = job.region.as_ref().map(Region::as_str),
        rule_set = rule.map(|rule| rule.set.as_str()),
        rule = rule.map(|rule| rule.rule.as_str()),
        to = task.to(),
        cause,
        setting = (reason == Reason::Forbidden).then_some(barred::SETTING),
        "given up; the job is kept (admin jobs)"
    );
}
