//! The whole server, called by AWS's SDK for Rust: queues, topics, mail and who may see what.
use std::time::Duration;

use aws_sdk_sesv2::types::{
    Attachment, Body, Content, Destination, EmailContent, EventDestinationDefinition, EventType, Message, RawMessage,
    SnsDestination,
};
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};

use crate::both_engines;
use crate::house::{House, KEY, credentials};

async fn queue(sqs: &aws_sdk_sqs::Client, name: &str) -> (String, String) {
    let url = sqs.create_queue().queue_name(name).send().await.expect("a queue").queue_url.expect("its URL");
    let wanted = QueueAttributeName::QueueArn;
    let asked = sqs.get_queue_attributes().queue_url(&url).attribute_names(wanted.clone()).send().await;
    let arn = asked.expect("attributes").attributes.expect("some")[&wanted].clone();
    (url, arn)
}

async fn queue_of_anybody(house: &House, name: &str) {
    house.sqs_as(credentials("dev", "dev")).create_queue().queue_name(name).send().await.expect("a queue");
}

/// Takes all messages of a queue away and gives their bodies.
async fn drain(sqs: &aws_sdk_sqs::Client, url: &str) -> Vec<String> {
    let mut bodies = vec![];
    loop {
        let received = sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await.expect("answers");
        if received.messages().is_empty() {
            return bodies;
        }
        for message in received.messages() {
            bodies.push(message.body().expect("a body").to_owned());
            let handle = message.receipt_handle().expect("a handle");
            sqs.delete_message().queue_url(url).receipt_handle(handle).send().await.expect("deleted");
        }
    }
}

fn parse(text: impl AsRef<str>) -> serde_json::Value {
    serde_json::from_str(text.as_ref()).expect("JSON")
}

/// The `Message` of each SNS envelope, parsed.
fn unwrapped(bodies: &[String]) -> Vec<serde_json::Value> {
    bodies.iter().map(|body| parse(parse(body)["Message"].as_str().expect("a message"))).collect()
}

async fn verified(house: &House, name: &str) {
    let (root, region) = (postrider::base::AccountId::development(), postrider::base::Region::default_region());
    house.sesv2().create_email_identity().email_identity(name).send().await.expect("an identity");
    let name = name.to_owned();
    let verify = house.app.store().write(move |tx| {
        Box::pin(async move {
            let identity = postrider::store::identities::find(tx, &root, &region, &name).await?.expect("it is there");
            postrider::store::identities::set_status(
                tx,
                &identity,
                postrider::store::identities::Standing::Success,
                None,
            )
            .await
        })
    });
    verify.await.map(drop).expect("verified");
}

both_engines! {
    async fn a_nul_is_refused_or_kept_but_breaks_nothing(engine: Engine) {
        let (dev, serve) = (House::dev(engine).await, House::serve(engine).await);
        let client = reqwest::Client::new();
        let status = async |request: reqwest::RequestBuilder| request.send().await.expect("an answer").status().as_u16();
        let (url, json) = (dev.endpoint(), "{\"QueueName\":\"\\u0000\"}");
        let target = client.post(&url).header("x-amz-target", "AmazonSQS.GetQueueUrl");
        assert_eq!(status(target.body(json)).await, 400);
        let form = "Action=GetQueueUrl&Version=2012-11-05&QueueName=%00";
        assert_eq!(status(client.post(&url).body(form)).await, 404);
        assert_eq!(status(client.get(format!("{url}/v2/email/identities/%00"))).await, 400);
        let claim = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%00/20260102/us-east-1/sqs/aws4_request";
        assert_eq!(status(client.get(format!("{}{claim}", serve.endpoint()))).await, 400);

        verified(&dev, "sender.example").await;
        let raw = "From: ann@sender.example\r\nTo: b@there.example\r\nSubject: =?utf-8?q?a=00b?=\r\n\r\nx";
        let raw = RawMessage::builder().data(aws_sdk_sesv2::primitives::Blob::new(raw)).build().expect("valid");
        let content = EmailContent::builder().raw(raw).build();
        dev.sesv2().send_email().content(content).send().await.expect("accepted");
        dev.work().await;
        let inbox = reqwest::get(format!("{url}/_postrider/inbox")).await.expect("an answer");
        let inbox: serde_json::Value = serde_json::from_str(&inbox.text().await.expect("a text")).expect("JSON");
        assert_eq!(inbox[0]["subject"], "a b");
    }

    async fn what_shows_everything_to_anybody_is_there_in_dev_only(engine: Engine) {
        let status = async |house: &House, page: &str| {
            let asked = reqwest::get(format!("{}{page}", house.endpoint())).await;
            asked.expect("an answer").status().as_u16()
        };
        let (dev, serve) = (House::dev(engine).await, House::serve(engine).await);
        let queue = "/_aws/sqs/messages?QueueUrl=http://h/000000000000/jobs";
        queue_of_anybody(&dev, "jobs").await;
        for page in ["/_postrider/inbox", "/_aws/ses", queue] {
            assert_eq!(status(&dev, page).await, 200, "{page}");
            // Mail is captured there too.
            assert_eq!(status(&serve, page).await, 400, "{page}");
        }
    }

    async fn a_queue_serves_the_sdk_with_attributes_batches_and_errors(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let (url, arn) = queue(&sqs, "jobs").await;
        assert_eq!(arn, "arn:aws:sqs:us-east-1:000000000000:jobs");
        let colour = MessageAttributeValue::builder().data_type("String").string_value("red").build().expect("valid");
        // The SDK compares the MD5s itself.
        sqs.send_message().queue_url(&url).message_body("one").message_attributes("colour", colour).send().await
            .expect("sent");
        let received = sqs.receive_message().queue_url(&url).message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount).send().await
            .expect("received");
        let message = &received.messages()[0];
        assert_eq!(message.message_attributes().expect("some")["colour"].string_value(), Some("red"));
        assert_eq!(message.attributes().expect("some")[&MessageSystemAttributeName::ApproximateReceiveCount], "1");

        let entry = |id: &str, body: &str| {
            SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().expect("valid")
        };
        let batch = sqs.send_message_batch().queue_url(&url).entries(entry("a", "two")).entries(entry("b", "bad \u{1}"))
            .send().await.expect("answers");
        assert_eq!((batch.successful()[0].id(), batch.failed()[0].id()), ("a", "b"));
        assert_eq!(batch.failed()[0].code(), "InvalidMessageContents");
        assert_eq!(drain(&sqs, &url).await, ["two"]);

        queue(&sqs, "jobs-2").await;
        queue(&sqs, "other").await;
        let mut pages = sqs.list_queues().queue_name_prefix("jobs").max_results(1).into_paginator().send();
        let mut listed = vec![];
        while let Some(page) = pages.next().await {
            listed.extend(page.expect("a page").queue_urls().to_vec());
        }
        assert!(listed.len() == 2 && listed[0].ends_with("/jobs") && listed[1].ends_with("/jobs-2"), "{listed:?}");

        let missing = sqs.get_queue_url().queue_name("nothing").send().await.expect_err("no such queue");
        assert!(missing.as_service_error().expect("of the service").is_queue_does_not_exist());
        let wrong = sqs.receive_message().queue_url(&url).max_number_of_messages(11).send().await.expect_err("too many");
        assert_eq!(wrong.code(), Some("InvalidParameterValue"));
    }

    async fn only_known_keys_get_in_and_accounts_do_not_see_each_other(engine: Engine) {
        let house = House::serve(engine).await;
        let (url, _) = queue(&house.sqs(), "mine").await;
        let (account, theirs) = house.other_account().await;
        let sqs = house.sqs_as(theirs);
        assert!(sqs.list_queues().send().await.expect("answers").queue_urls().is_empty());
        let denied = sqs.receive_message().queue_url(&url).send().await.expect_err("not theirs");
        assert!(denied.code().is_some_and(|code| code.contains("AccessDenied")), "{denied:?}");
        let (own, _) = queue(&sqs, "mine").await;
        assert!(own.contains(account.as_str()));

        for (who, code) in [
            (credentials(KEY, "wrong"), "SignatureDoesNotMatch"),
            (credentials("AKIAUNKNOWNUNKNOWN00", "x"), "InvalidClientTokenId"),
        ] {
            let refused = house.sqs_as(who).list_queues().send().await.expect_err("refused");
            assert_eq!(refused.code(), Some(code));
        }
        house.clock.advance(Duration::from_secs(16 * 60));
        let late = house.sqs().list_queues().send().await.expect_err("its clock is off");
        assert_eq!(late.code(), Some("SignatureDoesNotMatch"), "AWS's word for a signature that expired");
    }

    async fn a_publish_reaches_every_queue_that_subscribed(engine: Engine) {
        let house = House::serve(engine).await;
        let (sqs, sns) = (house.sqs(), house.sns());
        let topic = sns.create_topic().name("news").send().await.expect("a topic").topic_arn.expect("its ARN");
        let (enveloped, enveloped_arn) = queue(&sqs, "enveloped").await;
        let (raw, raw_arn) = queue(&sqs, "raw").await;
        sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(enveloped_arn).send().await.expect("subscribed");
        sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(raw_arn).attributes("RawMessageDelivery", "true")
            .send().await.expect("subscribed");
        sns.publish().topic_arn(&topic).subject("Hello").message("{\"a\":1}").send().await.expect("published");
        let bodies = drain(&sqs, &enveloped).await;
        let envelope: serde_json::Value = serde_json::from_str(&bodies[0]).expect("JSON");
        assert_eq!((&envelope["Type"], &envelope["Subject"]), (&"Notification".into(), &"Hello".into()));
        assert_eq!(unwrapped(&bodies), [serde_json::json!({"a": 1})]);
        assert_eq!(drain(&sqs, &raw).await, ["{\"a\":1}"]);
    }

    async fn a_mail_is_accepted_delivered_and_its_events_come_through_the_topic(engine: Engine) {
        let house = House::serve(engine).await;
        let (sqs, sns, ses) = (house.sqs(), house.sns(), house.sesv2());
        let topic = sns.create_topic().name("events").send().await.expect("a topic").topic_arn.expect("its ARN");
        let (url, arn) = queue(&sqs, "events").await;
        sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn).send().await.expect("subscribed");
        ses.create_configuration_set().configuration_set_name("set").send().await.expect("a set");
        let definition = EventDestinationDefinition::builder()
            .enabled(true)
            .matching_event_types(EventType::Send)
            .matching_event_types(EventType::Delivery)
            .sns_destination(SnsDestination::builder().topic_arn(&topic).build().expect("valid"))
            .build();
        ses.create_configuration_set_event_destination().configuration_set_name("set").event_destination_name("sns")
            .event_destination(definition).send().await.expect("a destination");
        house.work().await;
        let _ = drain(&sqs, &url).await;

        let mail = |to: &str| {
            let text = |text: &str| Content::builder().data(text).build().expect("valid");
            let attachment = Attachment::builder().file_name("a.txt").raw_content(b"attached".to_vec().into())
                .build().expect("valid");
            let message = Message::builder().subject(text("Grüße")).attachments(attachment)
                .body(Body::builder().text(text("plain")).html(text("<p>rich</p>")).build()).build();
            ses.send_email().from_email_address("Ann <ann@example.com>").configuration_set_name("set")
                .destination(Destination::builder().to_addresses(to).build())
                .content(EmailContent::builder().simple(message).build()).send()
        };
        let refused = mail("bob@example.com").await.expect_err("the sender is not verified");
        assert_eq!(refused.code(), Some("MessageRejected"));
        assert!(refused.message().is_some_and(|text| text.contains("ann@example.com")), "{refused:?}");
        verified(&house, "example.com").await;
        let refused = mail("bob@elsewhere.example").await.expect_err("the sandbox");
        assert!(refused.message().is_some_and(|text| text.contains("bob@elsewhere.example")), "{refused:?}");

        let id = mail("bob@example.com").await.expect("accepted").message_id.expect("an id");
        house.work().await;
        let events = unwrapped(&drain(&sqs, &url).await);
        let types: Vec<&str> = events.iter().filter_map(|event| event["eventType"].as_str()).collect();
        assert_eq!(types, ["Send", "Delivery"]);
        assert!(events.iter().all(|event| event["mail"]["messageId"] == id.as_str()), "{events:?}");
        assert_eq!(events[1]["delivery"]["recipients"], serde_json::json!(["bob@example.com"]));
        let quota = ses.get_account().send().await.expect("answers");
        assert!(!quota.production_access_enabled());
        assert_eq!(quota.send_quota().map(|q| (q.max24_hour_send(), q.sent_last24_hours())), Some((200.0, 1.0)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_dev_anybody_may_call_and_an_identity_verifies_at_once() {
    let house = House::dev(crate::engine::Engine::Sqlite).await;
    let sqs = house.sqs_as(credentials("123456789012", "anything"));
    let (url, arn) = queue(&sqs, "q").await;
    assert!(url.ends_with("/123456789012/q") && arn.contains(":123456789012:"), "{url} {arn}");
    sqs.send_message().queue_url(&url).message_body("seen").send().await.expect("sent");
    let page = format!("{}/_aws/sqs/messages?QueueUrl={url}", house.endpoint());
    let shown: serde_json::Value = reqwest::get(&page).await.expect("answers").text().await.map(parse).expect("a page");
    let shown = &shown["ReceiveMessageResponse"]["ReceiveMessageResult"]["Message"];
    assert_eq!((&shown[0]["Body"], &shown[1]), (&"seen".into(), &serde_json::Value::Null));
    assert_eq!(drain(&sqs, &url).await, ["seen"], "looking takes nothing");
    let made = house.sesv2().create_email_identity().email_identity("a@example.com").send().await.expect("made");
    assert!(made.verified_for_sending_status());
}
