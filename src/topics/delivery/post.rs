//! One POST to an endpoint: to an address that may be reached, within 15 seconds, without following redirects, reading no
//! more of the answer than an operator wants to see.
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode, Url};

use crate::base::reach::address_of;
use crate::base::{Clock, Reach};
use crate::outlets::client;
use crate::topics::Error;
use crate::topics::delivery::challenge::{Credentials, Question};

/// How long an endpoint has to answer (SNS: 15 s).
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a name is looked up of which only a warning depends.
const LOOKUP: Duration = Duration::from_secs(2);
/// How much of an answer is kept, in bytes.
const ANSWER_BYTES: usize = 1_024;

/// Posts to endpoints. Cheap to clone.
#[derive(Clone)]
pub struct Poster {
    client: Client,
    clock: Clock,
    reach: Arc<Reach>,
    checked: Arc<Checked>,
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
        Self::with(clock, reach, &[], None)
    }

    /// The same, which trusts `authorities` besides the public ones, and looks names up with `lookup` where one is given,
    /// else with the system.
    pub fn with(
        clock: Clock,
        reach: Reach,
        authorities: &[Certificate],
        lookup: Option<Arc<dyn Lookup>>,
    ) -> Result<Self, Error> {
        let reach = Arc::new(reach);
        let checked = Arc::new(Checked { reach: reach.clone(), lookup });
        let mut builder = Client::builder();
        for authority in authorities {
            builder = builder.add_root_certificate(authority.clone());
        }
        let client = builder
            // A proxy of the environment would connect for us, to where nobody checked.
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .dns_resolver(checked.clone())
            .pool_max_idle_per_host(2)
            .user_agent("Amazon Simple Notification Service Agent")
            .build()
            .map_err(|why| Error::Client(why.to_string()))?;
        Ok(Self { client, clock, reach, checked })
    }

    /// Whether a POST to `url` would be refused now, since it leads to no address that may be reached. A name is looked
    /// up, for two seconds at the most; one that is not found says nothing.
    pub async fn bars(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        if address_of(host).is_some() || self.reach.bars(host) {
            return self.reach.bars(host);
        }
        let Ok(name) = host.parse::<Name>() else { return false };
        let found = self.clock.timeout(LOOKUP, self.checked.resolve(name)).await;
        matches!(found, Some(Err(why)) if why.is::<Forbidden>())
    }

    /// Posts `body` to `url`, with the name and password that stand in it.
    pub async fn post(&self, url: Url, headers: HeaderMap, body: impl Into<Bytes>) -> Posted {
        self.post_with(url, headers, body.into(), None).await
    }

    /// The same, where the name and password go out once the endpoint has asked for them with a 401, as on AWS.
    pub async fn post_when_asked(&self, mut url: Url, headers: HeaderMap, body: Bytes) -> Posted {
        let credentials = Credentials::take(&mut url);
        self.post_with(url, headers, body, credentials).await
    }

    async fn post_with(&self, url: Url, headers: HeaderMap, body: Bytes, credentials: Option<Credentials>) -> Posted {
        // A host that is an address is connected to without a look-up, so the resolver never sees it.
        if url.host_str().and_then(address_of).is_some_and(|address| !self.reach.allows(address)) {
            return Posted::Forbidden;
        }
        let exchange = async {
            let mut answer = self.client.post(url.clone()).headers(headers.clone()).body(body.clone()).send().await?;
            if let Some(authorization) = credentials.and_then(|c| authorization(&c, &answer, &url, &body)) {
                // Read, so that the connection can be used again.
                first_bytes(answer).await;
                let request = self.client.post(url).headers(headers).header(AUTHORIZATION, authorization);
                answer = request.body(body).send().await?;
            }
            Ok((answer.status().as_u16(), first_bytes(answer).await))
        };
        match self.clock.timeout(TIMEOUT, exchange).await {
            None => Posted::Silent,
            Some(Ok((status, text))) => Posted::Answer(status, text),
            Some(Err(why)) if is_forbidden(&why) => Posted::Forbidden,
            Some(Err(why)) => Posted::Unreachable(client::reason(why)),
        }
    }
}

/// What an endpoint is told that does not let us in without a name and password.
fn authorization(credentials: &Credentials, answer: &Response, url: &Url, body: &[u8]) -> Option<HeaderValue> {
    if answer.status() != StatusCode::UNAUTHORIZED {
        return None;
    }
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{}{query}", url.path());
    credentials.answer(&Question { headers: answer.headers(), target: &target, body })
}

/// What the answer starts with, as text without control characters. An answer that breaks off has what came.
async fn first_bytes(answer: reqwest::Response) -> String {
    let (bytes, _) = client::first_bytes(answer, ANSWER_BYTES).await;
    String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control() || *c == '\n').collect()
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

/// Looks up the addresses of a host: the configured name servers, from a floor above.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `host`; the text says why there are none.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, String>>;
}

/// Looks names up and drops the addresses that may not be reached. The connection goes to what is left, so a name that
/// changes between check and connection gains nothing.
struct Checked {
    reach: Arc<Reach>,
    lookup: Option<Arc<dyn Lookup>>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, lookup) = (self.reach.clone(), self.lookup.clone());
        Box::pin(async move {
            let found: Vec<SocketAddr> = match lookup {
                Some(lookup) => {
                    let found = lookup.addresses(name.as_str()).await?;
                    found.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
                }
                None => tokio::net::lookup_host((name.as_str(), 0)).await?.collect(),
            };
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
