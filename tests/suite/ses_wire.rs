//! A developer's server whose SES is called by hand, on both of its wires.
use serde_json::Value;

use crate::house::House;
use crate::sqs_wire::Answer;

/// A developer's server, called by hand.
pub(crate) struct SesWire {
    pub house: House,
    client: reqwest::Client,
}

impl SesWire {
    pub(crate) async fn new(engine: crate::engine::Engine) -> Self {
        Self { house: House::dev(engine).await, client: reqwest::Client::new() }
    }

    /// A call of the first API.
    pub(crate) async fn v1(&self, action: &str, members: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Version", "2010-12-01").append_pair("Action", action).extend_pairs(members);
        let request = self.client.post(self.house.endpoint());
        Answer::of(request.header("content-type", "application/x-www-form-urlencoded").body(form.finish())).await
    }

    /// A call of the second API; `call` is a method and a path below `/v2/email`.
    pub(crate) async fn v2(&self, call: &str, body: Value) -> Answer {
        let (method, path) = call.split_once(' ').expect("a method and a path");
        let url = format!("{}/v2/email/{path}", self.house.endpoint());
        let request = self.client.request(method.parse().expect("a method"), url);
        let request = if body.is_null() { request } else { request.header("content-type", "application/json") };
        Answer::of(if body.is_null() { request } else { request.body(body.to_string()) }).await
    }

    /// Where a call of the first API must go well.
    pub(crate) async fn done_v1(&self, action: &str, members: &[(&str, &str)]) -> String {
        let answer = self.v1(action, members).await;
        assert_eq!(answer.status, 200, "{action} {members:?}: {}", answer.text);
        answer.text
    }

    /// Where a call of the second API must go well.
    pub(crate) async fn done_v2(&self, call: &str, body: Value) -> Value {
        let answer = self.v2(call, body).await;
        assert_eq!(answer.status, 200, "{call}: {}", answer.text);
        answer.json()
    }

    /// `CODE: text` of a call of the first API that fails.
    pub(crate) async fn no_v1(&self, action: &str, members: &[(&str, &str)]) -> String {
        let answer = self.v1(action, members).await;
        assert_eq!(answer.status, 400, "{action} {members:?}: {}", answer.text);
        let (code, text) = answer.error();
        format!("{code}: {}", text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    }

    /// `STATUS CODE: text` of a call of the second API that fails.
    pub(crate) async fn no_v2(&self, call: &str, body: Value) -> String {
        let answer = self.v2(call, body).await;
        assert!(answer.status >= 400, "{call}: {}", answer.text);
        let code = answer.headers["x-amzn-errortype"].to_str().expect("a code");
        format!("{} {code}: {}", answer.status, answer.json()["message"].as_str().expect("a text"))
    }

    /// The newest captured mail to an address, as it is.
    pub(crate) async fn captured(&self, to: &str) -> String {
        self.house.work().await;
        let get = async |path: String| {
            let url = format!("{}/_postrider/inbox{path}", self.house.endpoint());
            reqwest::get(url).await.expect("answers").text().await.expect("a text")
        };
        let list: Value = serde_json::from_str(&get(String::new()).await).expect("JSON");
        let found = list.as_array().expect("a list").iter().find(|one| one["to"] == to).expect("a mail");
        get(format!("/{}/raw", found["id"].as_str().expect("an id"))).await
    }
}

/// The text of a request that breaks constraints: `what` is each violation, after `Value at `.
pub(crate) fn violated(what: &[(&str, &str)]) -> String {
    let errors = if what.len() == 1 { "error" } else { "errors" };
    let each = what.iter().map(|(path, why)| format!("Value at '{path}' failed to satisfy constraint: {why}"));
    format!("{} validation {errors} detected: {}", what.len(), each.collect::<Vec<_>>().join("; "))
}
