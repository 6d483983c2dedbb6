//! What was published reaches who was subscribed then, though the subscription or its topic is deleted before it went out.
use std::time::Duration;

use aws_sdk_sesv2::types::{EventDestinationDefinition, EventType, SnsDestination};
use postrider::base::Arn;
use postrider::store::subscriptions::{self, NewSubscription, State};
use postrider::store::{self, ended, topics};
use postrider::topics::{Authenticated, By, Error, Publication};
use serde_json::Value as Json;

use crate::both_engines;
use crate::house::House;
use crate::ses_house::Watched;
use crate::topics_bench::{Bench, bench, body, text};
use crate::webhook::{Answer, Webhook};

fn uuid(subscription: &Arn) -> String {
    subscription.resource.split_once(':').expect("a subscription's ARN").1.to_owned()
}

/// Whether an ended subscription is kept for what is on its way to it.
async fn is_kept(b: &Bench, subscription: &Arn) -> bool {
    let uuid = uuid(subscription);
    let found: Result<_, store::Error> =
        b.store.read(|tx| Box::pin(async move { ended::subscription(tx, &uuid).await })).await;
    found.expect("an answer").is_some()
}

async fn publish_in(b: &Bench, topic: &Arn, message: &str) {
    let (topics, topic) = (b.topics.clone(), topic.clone());
    let publication = Publication { message: message.to_owned(), ..Publication::default() };
    let done: Result<String, Error> =
        b.store.write(move |tx| Box::pin(async move { topics.publish_in(tx, &topic, &publication).await })).await;
    done.expect("published");
}

async fn topic_id(b: &Bench, topic: &Arn) -> i64 {
    let topic = topic.clone();
    let found: Result<_, store::Error> = b
        .store
        .read(|tx| Box::pin(async move { topics::find(tx, &topic.account, &topic.region, &topic.resource).await }))
        .await;
    found.expect("an answer").expect("the topic").id
}

async fn is_topic_kept(b: &Bench, id: i64) -> bool {
    let found: Result<_, store::Error> = b.store.read(|tx| Box::pin(async move { ended::topic(tx, id).await })).await;
    found.expect("an answer").is_some()
}

/// The messages that arrived.
fn notified(hook: &Webhook) -> Vec<String> {
    let arrived = hook.arrived().into_iter().filter(|one| one.header("x-amz-sns-message-type") == "Notification");
    arrived.map(|one| text(&one.json(), "Message").to_owned()).collect()
}

async fn messages(house: &House, url: &str) -> Vec<Json> {
    let got = house.sqs().receive_message().queue_url(url).max_number_of_messages(10).send().await.expect("received");
    let bodies = got.messages().iter().filter_map(|message| message.body());
    bodies.map(|body| serde_json::from_str(body).expect("JSON")).collect()
}

both_engines! {
    async fn a_delivery_survives_the_end_of_its_topic_with_its_retries(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (hook, dead) = (Webhook::start().await, b.queue("dead").await);
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\"}}");
        let arn = b.hook(&topic, &hook, &[("RedrivePolicy", &redrive)]).await;
        hook.answer([500].map(Answer::status));
        let id = b.publish(&topic, "hello").await;
        b.topics.delete(&topic).await.expect("deleted");
        assert!(matches!(b.topics.subscription_attributes(&arn).await, Err(Error::SubscriptionMissing)));
        // Another topic of the same name has nothing to do with it.
        let again = b.topic("t", &[]).await;
        assert_eq!(again, topic);
        b.publish(&again, "for nobody").await;
        assert_eq!(b.round().await, 1);
        b.clock.advance(Duration::from_secs(20));
        assert_eq!(b.round().await, 1);
        let arrived = hook.arrived();
        assert_eq!(arrived.len(), 3, "the question and two attempts");
        assert_eq!(arrived[2].header("x-amz-sns-subscription-arn"), arn.to_string());
        let told = arrived[2].json();
        assert_eq!((text(&told, "Message"), text(&told, "MessageId")), ("hello", id.as_str()));
        assert_eq!(text(&told, "TopicArn"), topic.to_string());
        assert!(b.verify(&told).await);
        assert!(!b.kept(&id).await, "nothing refers to it any more");
        let statuses: Vec<_> = b.attempts(&arn).await.into_iter().skip(1).map(|(n, status, _)| (n, status)).collect();
        assert_eq!(statuses, [(1, Some(500)), (2, Some(200))]);
    }

    async fn what_nobody_takes_goes_to_the_dead_letters_of_an_ended_subscription(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (hook, dead) = (Webhook::start().await, b.queue("dead").await);
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\"}}");
        b.hook(&topic, &hook, &[("RedrivePolicy", &redrive)]).await;
        hook.answer([404].map(Answer::status));
        b.publish(&topic, "refused").await;
        b.topics.delete(&topic).await.expect("deleted");
        b.round().await;
        assert_eq!(text(&body(&b.received("dead").await[0]), "Message"), "refused");
    }

    async fn a_fan_out_to_many_goes_on_without_its_topic(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let mut queues = Vec::new();
        for n in 0..102 {
            let queue = b.queue(&format!("q{n}")).await;
            queues.push(b.subscribe(&topic, "sqs", &queue, &[("RawMessageDelivery", "true")]).await);
        }
        let hook = Webhook::start().await;
        b.hook(&topic, &hook, &[]).await;
        // One is gone before, one leaves after.
        b.topics.unsubscribe(&queues[0], By::Owner, None).await.expect("unsubscribed");
        b.clock.advance(Duration::from_secs(1));
        b.publish(&topic, "to many").await;
        b.topics.unsubscribe(&queues[1], By::Owner, None).await.expect("unsubscribed");
        b.topics.delete(&topic).await.expect("deleted");
        assert_eq!(b.received("q2").await.len(), 0, "a job does it");
        while b.fans.round().await.expect("a round") > 0 {}
        for n in 0..102 {
            assert_eq!(b.received(&format!("q{n}")).await.len(), usize::from(n > 0), "{n}");
        }
        b.round().await;
        assert_eq!(hook.arrived().last().map(|one| text(&one.json(), "Message").to_owned()).as_deref(), Some("to many"));
    }

    async fn an_event_reaches_who_was_subscribed(engine: Engine) {
        let b = bench(engine).await;
        for (name, whole) in [("topic", true), ("subscription", false)] {
            let topic = b.topic(name, &[]).await;
            let queue = b.queue(name).await;
            let subscription = b.subscribe(&topic, "sqs", &queue, &[]).await;
            publish_in(&b, &topic, "an event").await;
            if whole {
                b.topics.delete(&topic).await.expect("deleted");
            } else {
                b.topics.unsubscribe(&subscription, By::Owner, None).await.expect("unsubscribed");
            }
            b.round().await;
            let got = b.received(name).await;
            assert_eq!(got.len(), 1, "{name}");
            assert_eq!(text(&body(&got[0]), "Message"), "an event");
            assert!(b.verify(&body(&got[0])).await);
            b.clock.advance(Duration::from_secs(1));
        }
    }

    async fn who_is_told_of_the_end_gets_what_came_before(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let arn = b.hook(&topic, &hook, &[]).await;
        b.publish(&topic, "before").await;
        b.topics.unsubscribe(&arn, By::Owner, None).await.expect("unsubscribed");
        b.publish(&topic, "after").await;
        b.round().await;
        let mut kinds: Vec<String> =
            hook.arrived()[1..].iter().map(|one| one.header("x-amz-sns-message-type").to_owned()).collect();
        kinds.sort();
        assert_eq!(kinds, ["Notification", "UnsubscribeConfirmation"]);
        let of = |kind: &str| {
            let found = hook.arrived().into_iter().find(|one| one.header("x-amz-sns-message-type") == kind);
            found.expect("arrived").json()
        };
        assert_eq!(text(&of("Notification"), "Message"), "before");
        // Restored, it is served as ever, and once.
        b.topics.confirm(&topic, text(&of("UnsubscribeConfirmation"), "Token"), Authenticated::No).await.expect("restored");
        b.publish(&topic, "again").await;
        b.round().await;
        assert_eq!(hook.arrived().iter().filter(|one| one.body.contains("again")).count(), 1);
    }

    async fn what_was_ended_is_forgotten_when_nothing_is_on_its_way(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (busy, idle, queue) = (Webhook::start().await, Webhook::start().await, b.queue("q").await);
        let busy_arn = b.hook(&topic, &busy, &[]).await;
        b.publish(&topic, "waits").await;
        b.clock.advance(Duration::from_secs(1));
        let idle_arn = b.hook(&topic, &idle, &[]).await;
        let queue_arn = b.subscribe(&topic, "sqs", &queue, &[]).await;
        busy.answer([500].map(Answer::status));
        b.publish(&topic, "waits too").await;
        b.round().await;
        b.topics.delete(&topic).await.expect("deleted");
        for arn in [&busy_arn, &idle_arn, &queue_arn] {
            assert!(is_kept(&b, arn).await);
        }
        while b.topics.sweep().await.expect("swept") > 0 {}
        assert!(is_kept(&b, &idle_arn).await, "a transaction may be under way that saw it");
        b.clock.advance(Duration::from_secs(3_601));
        while b.topics.sweep().await.expect("swept") > 0 {}
        assert!(is_kept(&b, &busy_arn).await, "its retry is to come");
        assert!(!is_kept(&b, &idle_arn).await && !is_kept(&b, &queue_arn).await);
        while b.round().await > 0 {}
        while b.topics.sweep().await.expect("swept") > 0 {}
        assert!(!is_kept(&b, &busy_arn).await);
        assert_eq!(busy.arrived().iter().filter(|one| one.body.contains("waits too")).count(), 2);
    }

    async fn who_leaves_by_the_link_gets_no_more_though_it_had_ended_before(engine: Engine) {
        let b = bench(engine).await;
        for (name, whole) in [("topic", true), ("subscription", false)] {
            let topic = b.topic(name, &[]).await;
            let hook = Webhook::start().await;
            let arn = b.hook(&topic, &hook, &[]).await;
            hook.answer([500].map(Answer::status));
            b.publish(&topic, "on its way").await;
            b.round().await;
            if whole {
                b.topics.delete(&topic).await.expect("deleted");
            } else {
                b.topics.unsubscribe(&arn, By::Owner, None).await.expect("unsubscribed");
            }
            // A link of another topic of the name ends nothing.
            let other = Arn::new("sns", &arn.region, &arn.account, format!("other:{}", uuid(&arn)));
            b.topics.unsubscribe(&other, By::Link, None).await.expect("nothing");
            assert!(is_kept(&b, &arn).await, "{name}");
            b.topics.unsubscribe(&arn, By::Link, None).await.expect("done");
            assert!(!is_kept(&b, &arn).await, "{name}");
            b.clock.advance(Duration::from_secs(20));
            while b.round().await > 0 {}
            assert_eq!(notified(&hook), ["on its way"], "{name}");
        }
        // Only who asked for it closed the link.
        let (topic, hook) = (b.topic("closed", &[]).await, Webhook::start().await);
        let arn = b.subscribe(&topic, "http", &hook.url("/hook"), &[]).await;
        b.round().await;
        let asked = hook.arrived().pop().expect("asked").json();
        b.topics.confirm(&topic, text(&asked, "Token"), Authenticated::OwnersEnd).await.expect("confirmed");
        b.topics.delete(&topic).await.expect("deleted");
        assert!(matches!(b.topics.unsubscribe(&arn, By::Link, None).await, Err(Error::UnsubscribeNeedsOwner)));
        assert!(is_kept(&b, &arn).await);
    }

    async fn who_came_back_and_leaves_by_the_link_gets_no_more(engine: Engine) {
        let b = bench(engine).await;
        let (topic, hook) = (b.topic("t", &[]).await, Webhook::start().await);
        let arn = b.hook(&topic, &hook, &[]).await;
        b.topics.unsubscribe(&arn, By::Owner, None).await.expect("unsubscribed");
        b.round().await;
        let told = hook.arrived().pop().expect("told").json();
        b.topics.confirm(&topic, text(&told, "Token"), Authenticated::No).await.expect("restored");
        b.publish(&topic, "not wanted").await;
        b.topics.unsubscribe(&arn, By::Link, None).await.expect("unsubscribed");
        assert!(!is_kept(&b, &arn).await);
        while b.round().await > 0 {}
        assert!(notified(&hook).is_empty());
    }

    async fn who_subscribes_again_gets_what_came_before_once(engine: Engine) {
        let b = bench(engine).await;
        let (topic, queue) = (b.topic("t", &[]).await, b.queue("q").await);
        let arn = b.subscribe(&topic, "sqs", &queue, &[]).await;
        publish_in(&b, &topic, "before").await;
        b.clock.advance(Duration::from_secs(1));
        b.topics.unsubscribe(&arn, By::Owner, None).await.expect("unsubscribed");
        assert_ne!(b.subscribe(&topic, "sqs", &queue, &[]).await, arn);
        // Who is new gets what comes from now on.
        let new = b.queue("new").await;
        b.subscribe(&topic, "sqs", &new, &[]).await;
        b.round().await;
        assert_eq!((b.received("q").await.len(), b.received("new").await.len()), (1, 0));
        b.clock.advance(Duration::from_secs(1));
        publish_in(&b, &topic, "after").await;
        b.round().await;
        assert_eq!((b.received("q").await.len(), b.received("new").await.len()), (1, 1));
    }

    async fn a_fan_out_that_is_stuck_keeps_nothing_of_other_topics_and_nothing_for_ever(engine: Engine) {
        let b = bench(engine).await;
        let mut ended = Vec::new();
        for name in ["stuck", "other"] {
            let (topic, queue) = (b.topic(name, &[]).await, b.queue(name).await);
            ended.push((topic.clone(), topic_id(&b, &topic).await, b.subscribe(&topic, "sqs", &queue, &[]).await));
        }
        publish_in(&b, &ended[0].0, "nobody works").await;
        for (topic, ..) in &ended {
            b.topics.delete(topic).await.expect("deleted");
        }
        let kept = async || {
            b.topics.sweep().await.expect("swept");
            let mut kept = Vec::new();
            for (_, id, arn) in &ended {
                kept.push((is_kept(&b, arn).await, is_topic_kept(&b, *id).await));
            }
            kept
        };
        assert_eq!(kept().await, [(true, true), (true, true)]);
        b.clock.advance(Duration::from_secs(3_601));
        assert_eq!(kept().await, [(true, true), (false, false)]);
        b.clock.advance(Duration::from_secs(39 * 86_400));
        assert_eq!(kept().await, [(false, false), (false, false)]);
    }

    async fn one_sweep_forgets_many(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (id, account) = (topic_id(&b, &topic).await, b.scope.account.clone());
        let added: Result<(), store::Error> = b.store.write(move |tx| Box::pin(async move {
            for n in 0..1_001 {
                let new = NewSubscription {
                    topic_id: id,
                    uuid: format!("0-{n:x}"),
                    owner: account.clone(),
                    protocol: "http",
                    endpoint: format!("http://127.0.0.1:1/{n}"),
                    state: State::Confirmed,
                    raw: true,
                    attributes: "{}".to_owned(),
                    authenticated: Authenticated::No,
                    filtered: false,
                    token: format!("token{n}"),
                    token_expires_at: tx.now(),
                };
                assert!(subscriptions::insert(tx, &new).await?);
            }
            Ok(())
        })).await;
        added.expect("added");
        b.topics.delete(&topic).await.expect("deleted");
        b.clock.advance(Duration::from_secs(3_601));
        // All of them, and their topic.
        assert_eq!(b.topics.sweep().await.expect("swept"), 1_002);
        assert!(!is_topic_kept(&b, id).await);
    }

    async fn the_events_of_a_mail_are_delivered_though_their_topic_is_deleted(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let (sns, sqs) = (house.sns(), house.sqs());
        let topic = sns.create_topic().name("gone").send().await.expect("a topic").topic_arn.expect("its ARN");
        let url = sqs.create_queue().queue_name("late").send().await.expect("a queue").queue_url.expect("its URL");
        let queue = topic.replace(":sns:", ":sqs:").replace(":gone", ":late");
        sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue).send().await.expect("subscribed");
        let destination = SnsDestination::builder().topic_arn(&topic).build().expect("a destination");
        let definition = EventDestinationDefinition::builder().enabled(true).matching_event_types(EventType::Send);
        watched
            .ses
            .create_configuration_set_event_destination()
            .configuration_set_name(Watched::SET)
            .event_destination_name("gone")
            .event_destination(definition.sns_destination(destination).build())
            .send()
            .await
            .expect("a destination");
        house.work().await;
        messages(&house, &url).await;
        let id = watched.send(&["success@simulator.amazonses.com"]).await;
        sns.delete_topic().topic_arn(&topic).send().await.expect("deleted");
        house.work().await;
        let got = messages(&house, &url).await;
        assert_eq!(got.len(), 1);
        let event: Json = serde_json::from_str(got[0]["Message"].as_str().expect("a text")).expect("JSON");
        assert_eq!((&event["eventType"], &event["mail"]["messageId"]), (&Json::from("Send"), &Json::from(id)));
        house.stop().await;
    }
}
