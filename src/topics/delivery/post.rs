//! One POST to an endpoint: to an address that may be reached, within 15 seconds, without following redirects, reading no
//! more of the answer than an operator wants to see.
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::base::Clock;
use crate::topics::Error;
use crate::topics::delivery::Reach;

/// How long an endpoint has to answer (SNS: 15 s).
const TIMEOUT: Duration = Duration::from_secs(15);
/// How much of an answer is kept, in bytes.
const ANSWER_BYTES: usize = 1_024;

/// Posts to endpoints. Cheap to clone.
#[derive(Clone)]
pub struct Poster {
    client: Client,
    clock: Clock,
    reach: Arc<Reach>,
}

/// How a POST ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The endpoint answered: status and the first bytes as text.
    Answer(u16, String),
    /// No answer within the time.
    Silent,
    /// No connection, or a broken one; the text says what failed.
    Unreachable(String),
    /// The endpoint's address may not be reached.
    Forbidden,
}

impl Poster {
    /// A poster that connects only to where `reach` allows.
    pub fn new(clock: Clock, reach: Reach) -> Result<Self, Error> {
        let reach = Arc::new(reach);
        let client = Client::builder()
            // A proxy of the environment would connect for us, to where nobody checked.
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .dns_resolver(Arc::new(Checked(reach.clone())))
            .pool_max_idle_per_host(2)
            .user_agent("Amazon Simple Notification Service Agent")
            .build()
            .map_err(|why| Error::Client(why.to_string()))?;
        Ok(Self { client, clock, reach })
    }

    /// Posts `body` to `url`.
    pub async fn post(&self, url: Url, headers: HeaderMap, body: String) -> Posted {
        // A host that is an address is connected to without a look-up, so the resolver never sees it.
        let host = url.host_str().unwrap_or_default();
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        if literal.is_some_and(|address| !self.reach.allows(address)) {
            return Posted::Forbidden;
        }
        let exchange = async {
            let answer = self.client.post(url).headers(headers).body(body).send().await?;
            Ok((answer.status().as_u16(), first_bytes(answer).await))
        };
        match self.clock.timeout(TIMEOUT, exchange).await {
            None => Posted::Silent,
            Some(Ok((status, text))) => Posted::Answer(status, text),
            Some(Err(why)) if is_forbidden(&why) => Posted::Forbidden,
            Some(Err(why)) => Posted::Unreachable(causes(&why.without_url())),
        }
    }
}

/// What the answer starts with, as text without control characters. An answer that breaks off has what came.
async fn first_bytes(mut answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            _ => break,
        }
    }
    bytes.truncate(ANSWER_BYTES);
    String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        below = cause.source();
    }
    text
}

fn is_forbidden(error: &reqwest::Error) -> bool {
    let mut below: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = below {
        if cause.is::<Forbidden>() {
            return true;
        }
        below = cause.source();
    }
    false
}

/// A name that leads only to addresses that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address that may be reached")]
struct Forbidden;

/// Looks names up and drops the addresses that may not be reached. The connection goes to what is left, so a name that
/// changes between check and connection gains nothing.
struct Checked(Arc<Reach>);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
