//! HTTP gateways: what takes text messages and push messages to the outside. One POST with a JSON body per message.
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde_json::Value as Json;

use crate::base::{Clock, Secret};
use crate::outlets::client;

/// How long a gateway has to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The most bytes of an answer that are read.
const ANSWER_BYTES: usize = 4_096;

/// A gateway of the settings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway {
    client: Client,
    clock: Clock,
    url: Url,
    token: Option<Secret>,
}

/// What a gateway said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayReply {
    /// Its status and the first bytes as text.
    Answer(u16, String),
    /// Nothing within 15 seconds.
    Silent,
    /// No connection, or a broken one.
    Unreachable(String),
}

impl Gateway {
    /// A gateway at `url`; `token` goes into each request as `Authorization: Bearer`.
    pub fn new(client: Client, clock: Clock, url: Url, token: Option<Secret>) -> Self {
        Self { client, clock, url, token }
    }

    /// Gives a message to the gateway. The same `id` may come twice.
    pub async fn send(&self, message: &Json) -> GatewayReply {
        let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        let exchange = async {
            let answer = request.body(message.to_string()).send().await.map_err(client::reason)?;
            let status = answer.status().as_u16();
            let (bytes, _) = client::first_bytes(answer, ANSWER_BYTES).await;
            let text = String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control() || *c == '\n').collect();
            Ok::<_, String>((status, text))
        };
        match self.clock.timeout(TIMEOUT, exchange).await {
            None => GatewayReply::Silent,
            Some(Ok((status, text))) => GatewayReply::Answer(status, text),
            Some(Err(why)) => GatewayReply::Unreachable(why),
        }
    }
}
