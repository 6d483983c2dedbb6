//! Both SES APIs as bytes: what a client sends and what it reads.
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::aws::caller::Caller;
use crate::aws::protocol::reply::Reply;
use crate::aws::registry::RequestTarget;
use crate::aws::request::sample::request;
use crate::aws::services::Services;
use crate::base::{AccountId, Clock, LongWait, Region, Timestamp};

struct Client {
    services: Services,
    _folder: tempfile::TempDir,
}

impl Client {
    async fn new() -> Self {
        let (services, folder) = Services::for_test(Clock::manual(Timestamp::from_secs(1_800_000_000))).await;
        let client = Self { services, _folder: folder };
        let (status, made) = client.v2("POST", "/identities", json!({"EmailIdentity": "ann@x.example"})).await;
        assert_eq!((status, made["VerifiedForSendingStatus"].as_bool()), (200, Some(true)), "{made}");
        client
    }

    async fn reply(&self, method: &str, path: &str, headers: &[(&'static str, &str)], body: &str) -> Reply {
        let request = request(method, path, headers, body);
        let caller = Caller {
            account: AccountId::development(),
            region: Region::default_region(),
            access_key: "AKID".to_owned(),
            key: None,
            endpoint: "http://localhost:4566".to_owned(),
            queues_at: "http://localhost:4566".to_owned(),
            request_id: "id-1".to_owned(),
            source_ip: IpAddr::from([127, 0, 0, 1]),
            once: None,
            trace_header: None,
            long_wait: LongWait::default(),
        };
        let target = RequestTarget::find(&request).expect("a service");
        let found = target.operation(&request).expect("an operation");
        found.run(&self.services, &caller, Box::new(request)).await
    }

    async fn v2(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.reply(method, &format!("/v2/email{path}"), &[], &body).await;
        let mut read: Value = serde_json::from_str(&reply.body).expect("JSON");
        if let Some((_, code)) = reply.headers.iter().find(|(name, _)| *name == "x-amzn-errortype") {
            read["code"] = code.as_str().into();
        }
        (reply.status, read)
    }

    /// Sends a good mail, with some of its members changed.
    async fn send(&self, change: Value) -> (u16, Value) {
        let mut body = json!({
            "FromEmailAddress": "ann@x.example",
            "Destination": {"ToAddresses": ["b@y.example"]},
            "Content": {"Simple": {"Subject": {"Data": "hi"}, "Body": {"Text": {"Data": "text"}}}},
        });
        for (name, value) in change.as_object().expect("members") {
            body[name] = value.clone();
        }
        self.v2("POST", "/outbound-emails", body).await
    }

    async fn v1(&self, action: &str, members: &[(&str, &str)]) -> (u16, String) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", "2010-12-01");
        let reply = self.reply("POST", "/", &[], &form.extend_pairs(members).finish()).await;
        (reply.status, reply.body)
    }
}

#[tokio::test]
async fn mails_are_accepted_in_every_form() {
    let client = Client::new().await;
    let raw = STANDARD.encode("From: ann@x.example\r\nTo: b@y.example\r\n\r\nbody");
    let attachment = json!([{"RawContent": STANDARD.encode([0, 255]), "FileName": "a.bin", "ContentId": "c"}]);
    for change in [
        json!({}),
        json!({"Content": {"Raw": {"Data": raw}}}),
        json!({"Content": {"Raw": {"Data": raw}}, "FromEmailAddress": null, "Destination": null}),
        json!({"Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Html": {"Data": "<p>", "Charset": "UTF-8"}},
            "Attachments": attachment, "Headers": [{"Name": "X-A", "Value": "b"}]}}}),
    ] {
        let (status, reply) = client.send(change.clone()).await;
        assert!(status == 200 && reply["MessageId"].as_str().is_some_and(|id| id.len() == 60), "{change} {reply}");
    }
    let mail = [("Source", "ann@x.example"), ("Destination.ToAddresses.member.1", "b@y.example")];
    let text = [("Message.Subject.Data", "hi"), ("Message.Body.Text.Data", "text")];
    let (status, xml) = client.v1("SendEmail", &[mail, text].concat()).await;
    assert!(status == 200 && xml.contains("<SendEmailResult><MessageId>01"), "{xml}");
    let (status, xml) = client.v1("SendRawEmail", &[("RawMessage.Data", &raw)]).await;
    assert!(status == 200 && xml.contains("<SendRawEmailResult><MessageId>01"), "{xml}");
    let (_, account) = client.v2("GET", "/account", Value::Null).await;
    assert_eq!(account["SendQuota"], json!({"Max24HourSend": -1.0, "MaxSendRate": 10_000.0, "SentLast24Hours": 6.0}));
    let (_, xml) = client.v1("GetSendQuota", &[]).await;
    assert!(xml.contains("<Max24HourSend>-1"), "{xml}");
}

#[tokio::test]
async fn refusals_have_the_codes_and_texts_of_ses() {
    let client = Client::new().await;
    let unverified = "Email address is not verified. The following identities failed the check in region US-EAST-1: ";
    for (change, status, code, message) in [
        (json!({"FromEmailAddress": "z@y.example"}), 400, "MessageRejected", format!("{unverified}z@y.example")),
        (json!({"FromEmailAddress": "nobody"}), 400, "BadRequestException", "Missing final '@domain'".to_owned()),
        (json!({"Destination": {}}), 400, "BadRequestException", "Missing required header 'To'.".to_owned()),
        (
            json!({"Destination": {"ToAddresses": vec!["b@y.example"; 51]}}),
            400,
            "BadRequestException",
            "Recipient count exceeds 50.".to_owned(),
        ),
        (
            json!({"ConfigurationSetName": "none"}),
            404,
            "NotFoundException",
            "Configuration set <none> does not exist.".to_owned(),
        ),
        (
            json!({"Content": {"Template": {"TemplateName": "T"}}}),
            404,
            "NotFoundException",
            "Template T does not exist.".to_owned(),
        ),
        (
            json!({"Content": {"Simple": {"Subject": {"Data": "a\r\nBcc: x@y.example"},
                "Body": {"Text": {"Data": "t"}}}}}),
            400,
            "BadRequestException",
            "Control character in Subject.".to_owned(),
        ),
    ] {
        let (got, reply) = client.send(change.clone()).await;
        assert_eq!((got, reply["code"].as_str(), reply["message"].as_str()), (status, Some(code), Some(&*message)));
    }
    let mail = [("Source", "z@y.example"), ("Destination.ToAddresses.member.1", "b@y.example")];
    let text = [("Message.Subject.Data", "hi"), ("Message.Body.Text.Data", "text")];
    let (status, xml) = client.v1("SendEmail", &[mail, text].concat()).await;
    assert_eq!(status, 400);
    assert!(xml.contains("<Code>MessageRejected</Code>") && xml.contains(unverified), "{xml}");
    let large = STANDARD.encode(vec![b'x'; 10 * 1024 * 1024 + 1]);
    let (_, xml) = client.v1("SendRawEmail", &[("Source", "ann@x.example"), ("RawMessage.Data", &large)]).await;
    assert!(xml.contains("<Code>InvalidParameterValue</Code>"), "{}", &xml[..200.min(xml.len())]);
}

#[tokio::test]
async fn identities_and_sets_are_made_listed_and_deleted_on_old_and_new_routes() {
    let client = Client::new().await;
    for (method, path, body) in
        [("GET", "/identities?PageSize=1", Value::Null), ("POST", "/list-identities", json!({"PageSize": 1}))]
    {
        let (status, list) = client.v2(method, path, body).await;
        let wanted = json!([{"IdentityType": "EMAIL_ADDRESS", "IdentityName": "ann@x.example", "SendingEnabled": true,
            "VerificationStatus": "SUCCESS"}]);
        assert_eq!((status, &list["EmailIdentities"], list.get("NextToken")), (200, &wanted, None));
    }
    let (_, found) = client.v2("GET", "/identities/ann%40x.example", Value::Null).await;
    assert_eq!(
        (&found["VerificationStatus"], &found["DkimAttributes"]["Status"]),
        (&json!("SUCCESS"), &json!("NOT_STARTED"))
    );
    let (status, exists) = client.v2("POST", "/identities", json!({"EmailIdentity": "Ann@X.example"})).await;
    assert_eq!((status, exists["code"].as_str()), (400, Some("AlreadyExistsException")));
    assert_eq!(client.v2("DELETE", "/identities/ann%40x.example", Value::Null).await.0, 200);
    assert_eq!(client.v2("DELETE", "/identities/ann%40x.example", Value::Null).await.0, 404);

    let set = json!({"ConfigurationSetName": "set", "DeliveryOptions": {"TlsPolicy": "REQUIRE"}});
    assert_eq!(client.v2("POST", "/configuration-sets", set.clone()).await.0, 200);
    assert_eq!(client.v2("POST", "/configuration-sets", set).await.1["code"], "AlreadyExistsException");
    let (_, got) = client.v2("GET", "/configuration-sets/set", Value::Null).await;
    assert_eq!(got["DeliveryOptions"], json!({"TlsPolicy": "REQUIRE"}));
    let tracking = json!({"ConfigurationSetName": "t", "TrackingOptions": {"CustomRedirectDomain": "t.example"}});
    assert_eq!(client.v2("POST", "/configuration-sets", tracking).await.1["code"], "BadRequestException");
    for (method, path) in [("GET", "/configuration-sets"), ("POST", "/list-configuration-sets")] {
        assert_eq!(client.v2(method, path, Value::Null).await.1["ConfigurationSets"], json!(["set"]));
    }
    let destination = json!({"EventDestinationName": "d", "EventDestination": {"Enabled": true,
        "MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": "arn:aws:sns:us-east-1:000000000000:none"}}});
    let (status, refused) = client.v2("POST", "/configuration-sets/set/event-destinations", destination).await;
    assert_eq!((status, refused["code"].as_str()), (400, Some("BadRequestException")), "{refused}");
    assert_eq!(client.v2("DELETE", "/configuration-sets/set", Value::Null).await.0, 200);
    assert_eq!(client.v2("GET", "/configuration-sets/set/event-destinations", Value::Null).await.0, 404);
}
