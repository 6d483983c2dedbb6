//! Functions: what stands for AWS Lambda. The settings say where each function's runtime listens, and a function is invoked
//! with Lambda's Invoke request. Source: AWS Lambda API reference, "Invoke".
use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Url};

use crate::base::{Arn, Clock};
use crate::config::Settings;
use crate::outlets::client;

/// How long a function has to answer.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of an answer that are read. Lambda's own limit is 6 MB; nobody here needs more than a short verdict.
pub const ANSWER_BYTES: usize = 262_144;

/// Whether the caller waits for the function to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// It does not: the runtime queues the event.
    Event,
    /// It does, and gets what the function gives back.
    RequestResponse,
}

impl Invocation {
    /// The value of `X-Amz-Invocation-Type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "Event",
            Self::RequestResponse => "RequestResponse",
        }
    }
}

/// What a runtime answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoked {
    /// 202 for an event, 200 for a function that ended; others are refusals of the runtime.
    pub status: u16,
    /// `X-Amz-Function-Error`: the function itself failed, and the body says how.
    pub function_error: Option<String>,
    /// What the function gave back, up to [`ANSWER_BYTES`].
    pub body: Vec<u8>,
    /// Whether the body is whole.
    pub complete: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// The settings name no such function.
    #[error("no URL is configured for this function")]
    Unknown,
    /// No answer within [`TIMEOUT`].
    #[error("no answer within 30 seconds")]
    Silent,
    /// No connection, or a broken one.
    #[error("{0}")]
    Unreachable(String),
}

/// The functions of the settings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Functions {
    client: Client,
    clock: Clock,
    urls: BTreeMap<String, Url>,
}

impl Functions {
    /// Functions by name or ARN, each with the URL of its runtime: a base to which Lambda's path is added, or a whole URL
    /// that ends in `/invocations`.
    pub fn new(client: Client, clock: Clock, urls: BTreeMap<String, Url>) -> Self {
        Self { client, clock, urls }
    }

    /// The functions that the settings name.
    ///
    /// # Errors
    /// A line for the operator when a URL or the file of authorities cannot be used.
    pub fn from_settings(settings: &Settings, clock: Clock) -> Result<Self, String> {
        let authorities = client::authorities(settings.webhook_ca.as_deref()).map_err(|why| why.to_string())?;
        let client = client::plain(&authorities).map_err(|why| why.to_string())?;
        let url = |(name, url): (&String, &String)| match url.parse() {
            Ok(url) => Ok((name.clone(), url)),
            Err(why) => Err(format!("functions: {name}: {url:?} is not a URL: {why}")),
        };
        let urls = settings.functions.0.iter().map(url).collect::<Result<_, String>>()?;
        Ok(Self::new(client, clock, urls))
    }

    /// Whether the settings say where this function is.
    pub fn knows(&self, function: &Arn) -> bool {
        self.url(function).is_some()
    }

    /// Invokes a function with `payload`, which is JSON. What a function does may happen twice when its answer is lost.
    ///
    /// # Errors
    /// When there is no answer; an answer that refuses is an [`Invoked`].
    pub async fn invoke(&self, function: &Arn, how: Invocation, payload: Vec<u8>) -> Result<Invoked, InvokeError> {
        let url = self.url(function).ok_or(InvokeError::Unknown)?;
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("X-Amz-Invocation-Type", how.as_str())
            .body(payload);
        let exchange = async {
            let answer = request.send().await.map_err(|why| InvokeError::Unreachable(client::reason(why)))?;
            let (status, function_error) = (answer.status().as_u16(), function_error(answer.headers()));
            let (body, complete) = client::first_bytes(answer, ANSWER_BYTES).await;
            Ok(Invoked { status, function_error, body, complete })
        };
        self.clock.timeout(TIMEOUT, exchange).await.unwrap_or(Err(InvokeError::Silent))
    }

    /// Where to post to. The settings may name a function by its ARN, or by its bare name.
    fn url(&self, function: &Arn) -> Option<Url> {
        let (name, qualifier) = name_of(function)?;
        let whole = function.to_string();
        let unqualified = qualifier.and_then(|q| whole.strip_suffix(q)).and_then(|text| text.strip_suffix(':'));
        let candidates = [Some(whole.as_str()), unqualified, Some(name)];
        let mut url = candidates.into_iter().flatten().find_map(|key| self.urls.get(key))?.clone();
        if !url.path().ends_with("/invocations") {
            let base = url.path().trim_end_matches('/');
            let path = format!("{base}/2015-03-31/functions/{name}/invocations");
            url.set_path(&path);
            if let Some(qualifier) = qualifier {
                url.query_pairs_mut().append_pair("Qualifier", qualifier);
            }
        }
        Some(url)
    }
}

/// The name in a function's ARN (`…:function:NAME[:QUALIFIER]`), and its version or alias. `None` for any other ARN.
pub fn name_of(function: &Arn) -> Option<(&str, Option<&str>)> {
    let rest = function.resource.strip_prefix("function:").filter(|_| function.service == "lambda")?;
    let (name, qualifier) = rest.split_once(':').map_or((rest, None), |(name, q)| (name, Some(q)));
    let word = |text: &str, max: usize, more: &[u8]| {
        (1..=max).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || more.contains(&b))
    };
    let fine = word(name, 64, b"") && qualifier.is_none_or(|q| word(q, 128, b"$"));
    fine.then_some((name, qualifier))
}

fn function_error(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-amz-function-error")?;
    Some(String::from_utf8_lossy(value.as_bytes()).chars().filter(|c| !c.is_control()).take(100).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(pairs: &[(&str, &str)]) -> Functions {
        let urls = pairs.iter().map(|(name, url)| ((*name).to_owned(), url.parse().expect("a URL"))).collect();
        Functions::new(client::plain(&[]).expect("a client"), Clock::system(), urls)
    }

    fn arn(text: &str) -> Arn {
        text.parse().expect("an ARN")
    }

    #[test]
    fn a_function_is_found_by_its_arn_or_its_name() {
        let functions = functions(&[
            ("resize", "http://127.0.0.1:9000/"),
            ("arn:aws:lambda:eu-west-1:123456789012:function:resize", "http://127.0.0.1:9001/base"),
            ("rie", "http://127.0.0.1:9002/2015-03-31/functions/function/invocations"),
        ]);
        let url = |text: &str| functions.url(&arn(text)).map(String::from);
        for (function, wanted) in [
            (
                "arn:aws:lambda:us-east-1:123456789012:function:resize",
                "http://127.0.0.1:9000/2015-03-31/functions/resize/invocations",
            ),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:resize:live",
                "http://127.0.0.1:9001/base/2015-03-31/functions/resize/invocations?Qualifier=live",
            ),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:rie:$LATEST",
                "http://127.0.0.1:9002/2015-03-31/functions/function/invocations",
            ),
        ] {
            assert_eq!(url(function).as_deref(), Some(wanted));
        }
        for other in [
            "arn:aws:lambda:us-east-1:123456789012:function:other",
            "arn:aws:lambda:us-east-1:123456789012:layer:resize",
            "arn:aws:sqs:us-east-1:123456789012:function:resize",
            "arn:aws:lambda:us-east-1:123456789012:function:",
            "arn:aws:lambda:us-east-1:123456789012:function:a/../b",
        ] {
            assert_eq!(url(other), None, "{other}");
        }
    }
}
