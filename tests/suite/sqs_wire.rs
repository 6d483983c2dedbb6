//! A developer's server whose SQS is called by hand, on both of its wires.
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::house::House;

/// What came back.
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, text: answer.text().await.expect("a text") }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// Query code and text of an error on either wire.
    pub(crate) fn error(&self) -> (String, String) {
        assert!(self.status >= 400, "{}", self.text);
        if let Some(code) = self.headers.get("x-amzn-query-error") {
            let code = code.to_str().expect("a text").split(';').next().expect("a code").to_owned();
            return (code, self.json()["message"].as_str().expect("a message").to_owned());
        }
        let part = |name: &str| {
            let (_, rest) = self.text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{}", self.text));
            rest.split('<')
                .next()
                .expect("a value")
                .replace("&quot;", "\"")
                .replace("&apos;", "'")
                .replace("&#x27;", "'")
                .replace("&gt;", ">")
                .replace("&lt;", "<")
                .replace("&amp;", "&")
        };
        (part("Code"), part("Message"))
    }
}

/// A developer's server, called by hand.
pub(crate) struct Wire {
    pub house: House,
    pub client: reqwest::Client,
}

impl Wire {
    pub(crate) async fn new(engine: crate::engine::Engine) -> Self {
        Self { house: House::dev(engine).await, client: reqwest::Client::new() }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/000000000000/{name}", self.house.endpoint())
    }

    pub(crate) fn to_json(&self, action: &str, body: &Value) -> reqwest::RequestBuilder {
        let request = self.client.post(self.house.endpoint()).header("x-amz-target", format!("AmazonSQS.{action}"));
        request.header("content-type", "application/x-amz-json-1.0").body(body.to_string())
    }

    pub(crate) async fn json(&self, action: &str, body: Value) -> Answer {
        Answer::of(self.to_json(action, &body)).await
    }

    /// Where it must go well.
    pub(crate) async fn done(&self, action: &str, body: Value) -> Value {
        let answer = self.json(action, body).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.text);
        answer.json()
    }

    pub(crate) fn to_query(&self, parameters: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Version", "2012-11-05").extend_pairs(parameters);
        let request = self.client.post(self.house.endpoint());
        request.header("content-type", "application/x-www-form-urlencoded").body(form.finish())
    }

    pub(crate) async fn query(&self, parameters: &[(&str, &str)]) -> Answer {
        Answer::of(self.to_query(parameters)).await
    }

    pub(crate) async fn queue(&self, name: &str, attributes: Value) -> String {
        self.done("CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await;
        self.url(name)
    }

    pub(crate) async fn set(&self, url: &str, attributes: Value) -> Answer {
        self.json("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": attributes })).await
    }

    /// Bodies and handles.
    pub(crate) async fn receive(&self, url: &str) -> Vec<(String, String)> {
        let got = self.done("ReceiveMessage", json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 })).await;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let all = got["Messages"].as_array().cloned().unwrap_or_default();
        all.iter().map(|m| (text(&m["Body"]), text(&m["ReceiptHandle"]))).collect()
    }

    pub(crate) async fn bodies(&self, url: &str) -> Vec<String> {
        self.receive(url).await.into_iter().map(|(body, _)| body).collect()
    }

    pub(crate) async fn ordered(&self, url: &str, group: &str, id: &str) -> Value {
        let message = json!({
            "QueueUrl": url, "MessageBody": id, "MessageGroupId": group, "MessageDeduplicationId": id
        });
        self.done("SendMessage", message).await
    }

    /// The error of the same call on both wires, which must be the same.
    pub(crate) async fn both(&self, action: &str, members: &[(&str, &str)]) -> (String, String) {
        let body: Value =
            members.iter().map(|(n, v)| ((*n).to_owned(), v.parse::<i64>().map_or(json!(v), |n| json!(n)))).collect();
        let on_json = self.json(action, body).await.error();
        let parameters: Vec<_> = [&[("Action", action)], members].concat();
        assert_eq!(self.query(&parameters).await.error(), on_json, "{action}");
        on_json
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.house.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn error(code: &str, text: impl Into<String>) -> (String, String) {
    (code.to_owned(), text.into())
}
