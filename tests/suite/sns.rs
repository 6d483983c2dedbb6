//! SNS through the front door, by AWS's own client: subscribe, confirm by link, publish, unsubscribe by link, other accounts.
use aws_sdk_sns::error::ProvideErrorMetadata;
use serde_json::Value as Json;

use crate::both_engines;
use crate::house::House;
use crate::webhook::Webhook;

async fn get(url: &str) -> u16 {
    reqwest::get(url).await.expect("an answer").status().as_u16()
}

both_engines! {
    async fn an_endpoint_subscribes_and_leaves_by_links_alone(engine: Engine) {
        let house = House::serve(engine).await;
        let (sns, sqs, hook) = (house.sns(), house.sqs(), Webhook::start().await);
        let topic = sns.create_topic().name("orders").send().await.expect("made").topic_arn.expect("an ARN");
        let queue = sqs.create_queue().queue_name("q").send().await.expect("made").queue_url.expect("a URL");
        let queue_arn = topic.replace(":sns:", ":sqs:").replace(":orders", ":q");
        for (protocol, endpoint) in [("sqs", queue_arn), ("http", hook.url("/hook"))] {
            sns.subscribe().topic_arn(&topic).protocol(protocol).endpoint(endpoint).send().await.expect("subscribed");
        }
        house.work().await;
        let asked = hook.arrived()[0].json();
        let link = |json: &Json, key: &str| json[key].as_str().expect("a link").to_owned();
        assert!(link(&asked, "SubscribeURL").starts_with(&house.endpoint()));
        assert_eq!(get(&link(&asked, "SubscribeURL")).await, 200);

        let id = sns.publish().topic_arn(&topic).message("hello").send().await.expect("published").message_id;
        house.work().await;
        let told = hook.arrived()[1].json();
        assert_eq!((told["Message"].as_str(), told["MessageId"].as_str()), (Some("hello"), id.as_deref()));
        let pem = reqwest::get(link(&told, "SigningCertURL")).await.expect("an answer").text().await.expect("a text");
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
        let got = sqs.receive_message().queue_url(&queue).send().await.expect("received").messages.unwrap_or_default();
        let body: Json = serde_json::from_str(got[0].body().unwrap_or_default()).expect("JSON");
        assert_eq!(body["MessageId"].as_str(), id.as_deref());

        // Whoever has the link opens it; where the endpoint is then sent to is not theirs to say.
        let leave = reqwest::Client::new().get(link(&told, "UnsubscribeURL")).header("host", "evil.example");
        assert_eq!(leave.send().await.expect("an answer").status().as_u16(), 200);
        house.work().await;
        let farewell = hook.arrived()[2].json();
        assert_eq!(farewell["Type"], "UnsubscribeConfirmation");
        assert!(link(&farewell, "SubscribeURL").starts_with(&house.endpoint()), "{farewell}");
        let left = sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.expect("listed");
        assert_eq!(left.subscriptions().len(), 1);
        // The links are the only thing that needs no signature.
        let list = format!("{}/?Action=ListTopics&Version=2010-03-31", house.endpoint());
        assert_eq!(get(&list).await, 403);
    }

    async fn another_account_cannot_use_a_topic(engine: Engine) {
        let house = House::serve(engine).await;
        let topic = house.sns().create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");
        let (_, credentials) = house.other_account().await;
        let config = house.sns().config().to_builder().credentials_provider(credentials);
        let other = aws_sdk_sns::Client::from_conf(config.build());
        let refused = other.publish().topic_arn(&topic).message("m").send().await.expect_err("refused");
        assert_eq!(refused.code(), Some("AuthorizationError"));
        let refused = other.delete_topic().topic_arn(&topic).send().await.expect_err("refused");
        assert_eq!(refused.code(), Some("AuthorizationError"));
        assert!(other.list_topics().send().await.expect("listed").topics().is_empty());
    }
}
