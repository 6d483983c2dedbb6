//! Topics over HTTP: confirmation, signed notifications, retries, what may be reached.
use std::time::Duration;

use postrider::base::Reach;
use postrider::topics::{Authenticated, By, Error};

use crate::both_engines;
use crate::topics_bench::{bench, bench_reaching, body, text};
use crate::webhook::{Answer, Webhook};

both_engines! {
    async fn an_endpoint_confirms_and_then_gets_signed_notifications(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let listed = b.topics.subscribe(b.wish(&topic, "http", &hook.url("/hook"), &[])).await.expect("subscribed");
        assert!(listed.pending);
        b.publish(&topic, "too early").await;
        b.round().await;
        let asked = hook.arrived();
        assert_eq!(asked.len(), 1, "nothing but the question before it is confirmed");
        assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("POST", "/hook"));
        assert_eq!(asked[0].header("x-amz-sns-message-type"), "SubscriptionConfirmation");
        assert_eq!(asked[0].header("x-amz-sns-topic-arn"), topic.to_string());
        assert_eq!(asked[0].header("content-type"), "text/plain; charset=UTF-8");
        assert_eq!(asked[0].header("user-agent"), "Amazon Simple Notification Service Agent");
        let question = asked[0].json();
        assert!(b.verify(&question).await);
        let token = text(&question, "Token");
        assert_eq!(
            text(&question, "SubscribeURL"),
            format!("http://postrider.example/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}")
        );
        assert!(matches!(b.topics.confirm(&topic, "wrong", Authenticated::No).await, Err(Error::Token)));
        let arn = b.topics.confirm(&topic, token, Authenticated::No).await.expect("confirmed");
        assert_eq!(arn, listed.arn);
        assert_eq!(b.topics.confirm(&topic, token, Authenticated::No).await.expect("twice is once"), arn);

        let id = b.publish(&topic, "hello").await;
        assert!(b.kept(&id).await);
        assert_eq!(b.round().await, 1);
        let arrived = hook.arrived();
        let notification = arrived[1].json();
        assert_eq!((text(&notification, "Message"), text(&notification, "MessageId")), ("hello", id.as_str()));
        assert_eq!(arrived[1].header("x-amz-sns-message-type"), "Notification");
        assert_eq!(arrived[1].header("x-amz-sns-message-id"), id);
        assert_eq!(arrived[1].header("x-amz-sns-subscription-arn"), arn.to_string());
        assert!(b.verify(&notification).await);
        assert!(!b.kept(&id).await, "nothing refers to it any more");
        let delivered = "delivered".to_owned();
        assert_eq!(b.attempts(&arn).await, [(1, Some(200), delivered.clone()), (1, Some(200), delivered)]);
    }

    async fn a_token_is_good_for_two_days(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        b.subscribe(&topic, "http", &hook.url("/hook"), &[]).await;
        b.round().await;
        let question = hook.arrived()[0].json();
        b.clock.advance(Duration::from_secs(2 * 86_400));
        assert!(matches!(b.topics.confirm(&topic, text(&question, "Token"), Authenticated::No).await, Err(Error::Token)));
        assert_eq!(b.topics.sweep().await.expect("swept"), 1);
        assert!(b.topics.subscriptions_of(&topic, None).await.expect("a page").items.is_empty());
    }

    async fn failures_are_retried_on_schedule_and_then_given_up(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (hook, dead) = (Webhook::start().await, b.queue("dead").await);
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\"}}");
        let arn = b.hook(&topic, &hook, &[("RedrivePolicy", &redrive)]).await;

        hook.answer([500, 429, 503].map(Answer::status));
        b.publish(&topic, "third time lucky").await;
        assert_eq!(b.round().await, 1);
        assert_eq!(b.round().await, 0, "not before its time");
        for _ in 0..3 {
            b.clock.advance(Duration::from_secs(20));
            assert_eq!(b.round().await, 1);
        }
        assert!(b.received("dead").await.is_empty());
        let statuses: Vec<_> = b.attempts(&arn).await.into_iter().skip(1).map(|(n, status, _)| (n, status)).collect();
        assert_eq!(statuses, [(1, Some(500)), (2, Some(429)), (3, Some(503)), (4, Some(200))]);

        hook.answer([500; 4].map(Answer::status));
        b.publish(&topic, "never").await;
        for _ in 0..4 {
            assert_eq!(b.round().await, 1);
            b.clock.advance(Duration::from_secs(20));
        }
        assert_eq!(b.round().await, 0);
        assert_eq!(text(&body(&b.received("dead").await[0]), "Message"), "never");

        // What the endpoint refuses for good is not tried again, and a redirect is not followed.
        let elsewhere = Webhook::start().await;
        for answer in [Answer::status(404), Answer::Redirect(elsewhere.url("/stolen"))] {
            hook.answer([answer]);
            let id = b.publish(&topic, "refused").await;
            b.round().await;
            b.clock.advance(Duration::from_secs(20));
            assert_eq!((b.round().await, b.received("dead").await.len(), b.kept(&id).await), (0, 1, false));
        }
        assert!(elsewhere.arrived().is_empty());
    }

    async fn a_delivery_policy_changes_the_schedule_and_the_content_type(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let policy = r#"{"healthyRetryPolicy":{"numRetries":2,"numNoDelayRetries":1,"minDelayTarget":5,
            "maxDelayTarget":5},"requestPolicy":{"headerContentType":"application/json"}}"#;
        b.hook(&topic, &hook, &[("DeliveryPolicy", policy), ("RawMessageDelivery", "true")]).await;
        hook.answer([500, 500, 500].map(Answer::status));
        b.publish(&topic, "{\"a\":1}").await;
        assert_eq!((b.round().await, b.round().await, b.round().await), (1, 1, 0));
        b.clock.advance(Duration::from_secs(5));
        assert_eq!(b.round().await, 1);
        b.clock.advance(Duration::from_secs(3_600));
        assert_eq!(b.round().await, 0);
        let last = hook.arrived().pop().expect("a request");
        assert_eq!((last.body.as_str(), last.header("content-type")), ("{\"a\":1}", "application/json"));
        assert_eq!(last.header("x-amz-sns-rawdelivery"), "true");
    }

    async fn a_silent_endpoint_is_given_fifteen_seconds(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let arn = b.hook(&topic, &hook, &[]).await;
        hook.answer([Answer::Silence]);
        b.publish(&topic, "hello?").await;
        let (round, moved) = tokio::join!(b.round(), async {
            hook.wait_for(2).await;
            b.clock.advance(Duration::from_secs(15));
        });
        assert_eq!((round, moved), (1, ()));
        assert_eq!(b.attempts(&arn).await[1], (1, None, "unreachable".to_owned()));
        b.clock.advance(Duration::from_secs(20));
        b.round().await;
        assert_eq!(text(&hook.arrived()[2].json(), "Message"), "hello?");
    }

    async fn an_unsubscribed_endpoint_is_told_and_can_come_back(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let arn = b.hook(&topic, &hook, &[]).await;
        b.publish(&topic, "on its way").await;
        b.topics.unsubscribe(&arn, By::Link, None).await.expect("unsubscribed");
        b.round().await;
        let told = hook.arrived();
        assert_eq!(told.len(), 2, "what was on its way is not wanted any more");
        assert_eq!(told[1].header("x-amz-sns-message-type"), "UnsubscribeConfirmation");
        let told = told[1].json();
        assert!(b.verify(&told).await);
        assert!(matches!(b.topics.subscription_attributes(&arn).await, Err(Error::SubscriptionMissing)));
        b.topics.unsubscribe(&arn, By::Link, None).await.expect("twice is once");
        let back = b.topics.confirm(&topic, text(&told, "Token"), Authenticated::OwnersEnd).await.expect("restored");
        assert_eq!(back, arn);
        assert!(matches!(b.topics.unsubscribe(&arn, By::Link, None).await, Err(Error::UnsubscribeNeedsOwner)));
        b.topics.delete(&topic).await.expect("deleted");
        assert!(matches!(b.topics.subscription_attributes(&arn).await, Err(Error::SubscriptionMissing)));
        assert!(matches!(b.topics.attributes(&topic).await, Err(Error::TopicMissing)));
    }

    async fn who_comes_back_finds_no_place_where_messages_are_large_by_now(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let arn = b.hook(&topic, &hook, &[]).await;
        b.topics.unsubscribe(&arn, By::Owner, None).await.expect("unsubscribed");
        b.round().await;
        let told = hook.arrived().pop().expect("told").json();
        let come_back = async || b.topics.confirm(&topic, text(&told, "Token"), Authenticated::No).await;
        b.topics.set_attribute(&topic, "MaximumMessageSize", "300000").await.expect("set");
        assert!(matches!(come_back().await, Err(Error::Large(_))));
        assert!(matches!(b.topics.subscription_attributes(&arn).await, Err(Error::SubscriptionMissing)));
        b.topics.set_attribute(&topic, "MaximumMessageSize", "262144").await.expect("set");
        assert_eq!(come_back().await.expect("restored"), arn);
    }

    async fn an_address_that_may_not_be_reached_is_not_reached(engine: Engine) {
        let b = bench_reaching(engine, Reach::default()).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let port = hook.address.port();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
            let arn = b.subscribe(&topic, "http", &format!("http://{host}:{port}/hook"), &[]).await;
            assert_eq!(b.round().await, 1);
            assert_eq!(b.attempts(&arn).await, [(1, None, "forbidden".to_owned())], "{host}");
        }
        assert!(hook.arrived().is_empty());
    }
}
