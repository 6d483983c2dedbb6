//! Subscribing through AWS's client: who is asked, who confirms, what counts as the same, and endpoints with a password.
use aws_sdk_sns::Client;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use serde_json::{Value as Json, json};

use crate::both_engines;
use crate::house::House;
use crate::webhook::{Answer, Webhook};

const OURS: &str = "000000000000";

fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> (String, String) {
    let error = answer.expect_err("refused");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

async fn make(sns: &Client, name: &str) -> String {
    sns.create_topic().name(name).send().await.expect("made").topic_arn.expect("an ARN")
}

/// Subscribes, and gives the ARN even of what waits for its confirmation.
async fn subscribe(sns: &Client, topic: &str, protocol: &str, endpoint: &str) -> String {
    let subscribe =
        sns.subscribe().topic_arn(topic).protocol(protocol).endpoint(endpoint).return_subscription_arn(true);
    subscribe.send().await.expect("subscribed").subscription_arn.expect("an ARN")
}

async fn attribute(sns: &Client, subscription: &str, name: &str) -> String {
    let got = sns.get_subscription_attributes().subscription_arn(subscription).send().await.expect("attributes");
    got.attributes().and_then(|all| all.get(name).cloned()).unwrap_or_default()
}

async fn received(sqs: &aws_sdk_sqs::Client, url: &str) -> Vec<Message> {
    let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10).visibility_timeout(600);
    let receive = receive.message_system_attribute_names("All".into());
    receive.send().await.expect("received").messages.unwrap_or_default()
}

fn body(message: &Message) -> Json {
    serde_json::from_str(message.body().unwrap_or_default()).expect("JSON")
}

async fn let_in(sqs: &aws_sdk_sqs::Client, url: &str, queue: &str, topic: &str) {
    let policy = json!({"Statement": {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": queue, "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }});
    let set = sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::Policy, policy.to_string());
    set.send().await.expect("set");
}

both_engines! {
    async fn it_is_told_whether_a_confirmation_was_signed(engine: Engine) {
        let house = House::serve(engine).await;
        let (sns, hook) = (house.sns(), Webhook::start().await);
        let topic = make(&sns, "t").await;
        house.sqs().create_queue().queue_name("q").send().await.expect("made");
        let own = subscribe(&sns, &topic, "sqs", &format!("arn:aws:sqs:us-east-1:{OURS}:q")).await;
        assert_eq!(attribute(&sns, &own, "ConfirmationWasAuthenticated").await, "true");

        for (path, owners_end, expected) in [("/a", None, "true"), ("/b", Some("true"), "true"), ("/c", Some("false"), "true")] {
            let arn = subscribe(&sns, &topic, "http", &hook.url(path)).await;
            assert_eq!(attribute(&sns, &arn, "ConfirmationWasAuthenticated").await, "false", "nobody confirmed yet");
            house.work().await;
            let token = hook.arrived().pop().expect("asked").json()["Token"].as_str().expect("a token").to_owned();
            let confirm = sns.confirm_subscription().topic_arn(&topic).token(&token);
            let confirmed = confirm.set_authenticate_on_unsubscribe(owners_end.map(str::to_owned)).send().await;
            assert_eq!(confirmed.expect("confirmed").subscription_arn(), Some(arn.as_str()));
            assert_eq!(attribute(&sns, &arn, "ConfirmationWasAuthenticated").await, expected, "{path}");
            // Only who asked for it closed the link.
            let link = format!("{}/?Action=Unsubscribe&SubscriptionArn={arn}", house.endpoint());
            let status = reqwest::get(link).await.expect("an answer").status().as_u16();
            assert_eq!(status, if owners_end == Some("true") { 403 } else { 200 }, "{path}");
            house.work().await;
        }
        let by_link = subscribe(&sns, &topic, "http", &hook.url("/d")).await;
        house.work().await;
        let asked = hook.arrived().pop().expect("asked").json();
        let opened = reqwest::get(asked["SubscribeURL"].as_str().expect("a link")).await.expect("an answer");
        assert_eq!(opened.status().as_u16(), 200);
        assert_eq!(attribute(&sns, &by_link, "ConfirmationWasAuthenticated").await, "false");
        assert_eq!(attribute(&sns, &by_link, "PendingConfirmation").await, "false");
    }

    async fn a_token_does_not_go_to_who_subscribed(engine: Engine) {
        let house = House::serve(engine).await;
        let (sns, sqs, hook) = (house.sns(), house.sqs(), Webhook::start().await);
        let topic = make(&sns, "t").await;
        let dead = sqs.create_queue().queue_name("dead").send().await.expect("made").queue_url.expect("a URL");
        let redrive = format!("{{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:{OURS}:dead\"}}");
        hook.answer([Answer::status(404)]);
        let subscribe = sns.subscribe().topic_arn(&topic).protocol("http").endpoint(hook.url("/victim"));
        subscribe.attributes("RedrivePolicy", redrive).send().await.expect("subscribed");
        house.work().await;
        assert_eq!(hook.arrived().len(), 1, "asked");
        assert!(received(&sqs, &dead).await.is_empty(), "whoever has the token confirms");
    }

    async fn a_queue_of_another_account_is_asked_by_a_message(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, credentials) = house.other_account().await;
        let (ours, theirs, sqs) = (house.sns(), house.sns_as(credentials.clone()), house.sqs_as(credentials));
        let topic = make(&ours, "news").await;
        let url = sqs.create_queue().queue_name("q").send().await.expect("made").queue_url.expect("a URL");
        let queue = format!("arn:aws:sqs:us-east-1:{account}:q");

        // A queue whose policy does not let the topic in is not asked, and gets nothing.
        let plain = ours.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&queue).send().await.expect("subscribed");
        assert_eq!(plain.subscription_arn(), Some("pending confirmation"));
        house.work().await;
        assert!(received(&sqs, &url).await.is_empty());
        let_in(&sqs, &url, &queue, &topic).await;
        let arn = subscribe(&ours, &topic, "sqs", &queue).await;
        assert!(arn.starts_with(&format!("{topic}:")), "{arn}");
        house.work().await;
        let got = received(&sqs, &url).await;
        assert_eq!(got.len(), 1);
        let text = got[0].body().unwrap_or_default();
        let asked = body(&got[0]);
        let token = asked["Token"].as_str().expect("a token");
        let link = format!("{}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}", house.endpoint());
        for (key, value) in [
            ("Type", "SubscriptionConfirmation"),
            ("TopicArn", topic.as_str()),
            ("SubscribeURL", link.as_str()),
            ("SignatureVersion", "1"),
            (
                "Message",
                &*format!(
                    "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the SubscribeURL \
                     included in this message."
                ),
            ),
        ] {
            assert_eq!(asked[key].as_str(), Some(value), "{key}");
        }
        let keys: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
        let order = "Type MessageId Token TopicArn Message SubscribeURL Timestamp SignatureVersion Signature SigningCertURL";
        assert_eq!(keys.join(" "), order);

        let listed = ours.list_subscriptions_by_topic().topic_arn(&topic).send().await.expect("listed");
        assert_eq!(listed.subscriptions()[0].subscription_arn(), Some("PendingConfirmation"));
        ours.publish().topic_arn(&topic).message("too early").send().await.expect("published");
        house.work().await;
        assert!(received(&sqs, &url).await.is_empty());
        theirs.confirm_subscription().topic_arn(&topic).token(token).send().await.expect("confirmed");
        assert_eq!(attribute(&ours, &arn, "ConfirmationWasAuthenticated").await, "true");
        ours.publish().topic_arn(&topic).message("now").send().await.expect("published");
        let got = received(&sqs, &url).await;
        assert_eq!((got.len(), body(&got[0])["Message"].as_str()), (1, Some("now")));
    }

    async fn who_owns_the_queue_need_not_be_asked(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, credentials) = house.other_account().await;
        let (ours, theirs, sqs) = (house.sns(), house.sns_as(credentials.clone()), house.sqs_as(credentials));
        let topic = make(&ours, "news").await;
        let policy = json!({"Statement": {
            "Effect": "Allow", "Principal": {"AWS": account.as_str()}, "Action": "SNS:Subscribe", "Resource": topic,
        }});
        let set = ours.set_topic_attributes().topic_arn(&topic).attribute_name("Policy").attribute_value(policy.to_string());
        set.send().await.expect("set");
        let url = sqs.create_queue().queue_name("q").send().await.expect("made").queue_url.expect("a URL");
        let queue = format!("arn:aws:sqs:us-east-1:{account}:q");
        let_in(&sqs, &url, &queue, &topic).await;
        let pending = subscribe(&ours, &topic, "sqs", &queue).await;
        // Its owner does not wait for the question that another asked.
        let own = theirs.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&queue).send().await.expect("subscribed");
        let own = own.subscription_arn.expect("an ARN");
        assert_ne!(own, pending);
        assert_eq!(attribute(&theirs, &own, "Owner").await, account.as_str());
        assert_eq!(attribute(&theirs, &own, "ConfirmationWasAuthenticated").await, "true");
        house.work().await;
        ours.publish().topic_arn(&topic).message("m").send().await.expect("published");
        let got = received(&sqs, &url).await;
        assert_eq!((got.len(), body(&got[0])["Type"].as_str()), (1, Some("Notification")));
        // And a queue of ours is not filled because somebody may subscribe.
        house.sqs().create_queue().queue_name("ours").send().await.expect("made");
        let asked = theirs.subscribe().topic_arn(&topic).protocol("sqs").endpoint(format!("arn:aws:sqs:us-east-1:{OURS}:ours"));
        assert_eq!(asked.send().await.expect("subscribed").subscription_arn(), Some("pending confirmation"));
    }

    async fn a_fifo_queue_of_another_account_is_asked_too(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, credentials) = house.other_account().await;
        let (ours, sqs) = (house.sns(), house.sqs_as(credentials));
        let create = ours.create_topic().name("t.fifo").attributes("FifoTopic", "true");
        let topic = create.send().await.expect("made").topic_arn.expect("an ARN");
        let made = sqs.create_queue().queue_name("q.fifo").attributes(QueueAttributeName::FifoQueue, "true").send().await;
        let (url, queue) = (made.expect("made").queue_url.expect("a URL"), format!("arn:aws:sqs:us-east-1:{account}:q.fifo"));
        let_in(&sqs, &url, &queue, &topic).await;
        subscribe(&ours, &topic, "sqs", &queue).await;
        house.work().await;
        assert_eq!(body(&received(&sqs, &url).await[0])["Type"], "SubscriptionConfirmation");
    }

    async fn defaults_that_are_spelled_out_are_the_same_subscription(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let topic = make(&sns, "t").await;
        house.sqs().create_queue().queue_name("q").send().await.expect("made");
        let queue = format!("arn:aws:sqs:us-east-1:{OURS}:q");
        let wish = async |attributes: &[(&str, &str)]| {
            let wish = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&queue);
            let wish = attributes.iter().fold(wish, |wish, (name, value)| wish.attributes(*name, *value));
            wish.send().await.map(|made| made.subscription_arn.unwrap_or_default())
        };
        let arn = wish(&[]).await.expect("subscribed");
        let differs = "Invalid parameter: Attributes Reason: Subscription already exists with different attributes";
        for same in [
            &[("RawMessageDelivery", "false")][..],
            &[("RawMessageDelivery", "False"), ("FilterPolicyScope", "MessageAttributes")],
            &[("FilterPolicy", ""), ("RedrivePolicy", "")],
            &[("FilterPolicy", "{}")],
        ] {
            assert_eq!(wish(same).await.expect("the same"), arn, "{same:?}");
        }
        for other in [
            &[("RawMessageDelivery", "true")][..],
            &[("FilterPolicyScope", "MessageBody")],
            &[("FilterPolicy", r#"{"a":["b"]}"#)],
        ] {
            assert_eq!(refused(wish(other).await), ("InvalidParameter".to_owned(), differs.to_owned()), "{other:?}");
        }
        let set = sns.set_subscription_attributes().subscription_arn(&arn).attribute_name("FilterPolicy");
        set.attribute_value(r#"{"a": ["b"]}"#).send().await.expect("set");
        assert_eq!(wish(&[("FilterPolicy", r#"{"a":["b"]}"#)]).await.expect("the same"), arn);
        assert_eq!(wish(&[]).await.expect("the same"), arn);
    }

    async fn a_password_is_told_to_who_asks_and_shown_to_nobody(engine: Engine) {
        let house = House::dev(engine).await;
        let (sns, hook) = (house.sns(), Webhook::start().await);
        let topic = make(&sns, "t").await;
        let endpoint = |path: &str| hook.url(path).replace("http://", "http://ann:s3cret@");
        let shown = hook.url("/hook").replace("http://", "http://ann:****@");
        let basic = Answer::Header(401, ("www-authenticate", "Basic realm=\"hooks\""), String::new());
        hook.answer([basic.clone()]);
        let arn = subscribe(&sns, &topic, "http", &endpoint("/hook")).await;
        house.work().await;
        let arrived = hook.arrived();
        assert_eq!(arrived.iter().map(|a| a.header("authorization")).collect::<Vec<_>>(), ["", "Basic YW5uOnMzY3JldA=="]);
        assert_eq!((arrived[0].body.as_str(), arrived[1].header("x-amz-sns-message-type")), (arrived[1].body.as_str(), "SubscriptionConfirmation"));
        let token = arrived[1].json()["Token"].as_str().expect("a token").to_owned();
        sns.confirm_subscription().topic_arn(&topic).token(token).send().await.expect("confirmed");

        // Who does not ask is not told; who asks twice is not let in.
        sns.publish().topic_arn(&topic).message("one").send().await.expect("published");
        house.work().await;
        assert_eq!(hook.arrived().pop().expect("a request").header("authorization"), "");
        hook.answer([basic.clone(), basic]);
        sns.publish().topic_arn(&topic).message("two").send().await.expect("published");
        house.work().await;
        assert_eq!(hook.arrived().len(), 5, "one message, tried once");
        let challenge = "Digest realm=\"hooks\", nonce=\"n0\", qop=\"auth\", opaque=\"o\"";
        hook.answer([Answer::Header(401, ("www-authenticate", challenge), String::new())]);
        sns.publish().topic_arn(&topic).message("three").send().await.expect("published");
        house.work().await;
        let last = hook.arrived().pop().expect("a request");
        let digest = last.header("authorization");
        assert!(digest.starts_with("Digest username=\"ann\"") && digest.contains("uri=\"/hook\""), "{digest}");
        assert!(!digest.contains("s3cret"));

        assert_eq!(attribute(&sns, &arn, "Endpoint").await, shown);
        let by_topic = sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.expect("listed");
        let all = sns.list_subscriptions().send().await.expect("listed");
        for listed in [by_topic.subscriptions(), all.subscriptions()] {
            assert_eq!(listed[0].endpoint(), Some(shown.as_str()));
        }
        assert!(!format!("{arrived:?}{by_topic:?}{all:?}").contains("s3cret"));
        // Nor does the history, which says what failed, tell it where nobody listens.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let lost = subscribe(&sns, &topic, "http", &format!("http://ann:s3cret@{closed}/hook")).await;
        house.work().await;
        let url = format!("{}/_postrider/deliveries?to={lost}", house.endpoint());
        let history = reqwest::get(url).await.expect("an answer").text().await.expect("a text");
        assert!(history.contains("\"unreachable\"") && !history.contains("s3cret"), "{history}");
        assert_eq!(subscribe(&sns, &topic, "http", &endpoint("/hook")).await, arn, "the same endpoint");
        // A question that cannot be sent is not told with the password either.
        let bad = sns.subscribe().topic_arn(&topic).protocol("https").endpoint(endpoint("/x")).send().await;
        assert!(!refused(bad).1.contains("s3cret"));
    }
}
