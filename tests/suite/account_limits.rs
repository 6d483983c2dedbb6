//! How many topics, subscriptions, filter policies and queues an account may have, in AWS's words.
use aws_sdk_sns::error::ProvideErrorMetadata;
use postrider::base::{AccountId, Region};
use postrider::config::{Given, Mode};
use postrider::store::subscriptions::{self, Authenticated, NewSubscription, State};
use postrider::store::{self, topics};
use postrider::topics::{Error, Limits};

use crate::both_engines;
use crate::house::{House, credentials};
use crate::topics_bench::bench;

const POLICY: &str = "{\"a\":[\"b\"]}";

macro_rules! code {
    ($call:expr) => {
        $call.send().await.expect_err("refused").code().unwrap_or_default().to_owned()
    };
}

/// Fills a topic of the root account with subscriptions.
async fn fill(house: &House, topic: &str, state: State, filtered: bool, count: usize) {
    let name = topic.rsplit(':').next().expect("a name").to_owned();
    let attributes = if filtered { serde_json::json!({ "FilterPolicy": POLICY }).to_string() } else { "{}".to_owned() };
    let filled: Result<(), store::Error> = house
        .app
        .store()
        .write(move |tx| {
            Box::pin(async move {
                let (owner, region) = (AccountId::development(), Region::default_region());
                let row = topics::find(tx, &owner, &region, &name).await?.expect("the topic");
                for n in 0..count {
                    let new = NewSubscription {
                        topic_id: row.id,
                        uuid: format!("{}-{n:08x}", row.id),
                        owner: owner.clone(),
                        protocol: "http",
                        endpoint: format!("http://x.example/{n}"),
                        state,
                        raw: false,
                        attributes: attributes.clone(),
                        authenticated: Authenticated::No,
                        filtered,
                        token: format!("{}-{n}", row.id),
                        token_expires_at: tx.now() + std::time::Duration::from_secs(86_400),
                    };
                    assert!(subscriptions::insert(tx, &new).await?);
                }
                Ok(())
            })
        })
        .await;
    filled.expect("filled");
}

async fn topic(house: &House, name: &str) -> String {
    house.sns().create_topic().name(name).send().await.expect("made").topic_arn.expect("an ARN")
}

both_engines! {
    async fn an_account_has_a_thousand_fifo_topics_at_the_most(engine: Engine) {
        let house = House::serve(engine).await;
        // With the first topic comes the key.
        topic(&house, "t").await;
        let filled: Result<(), store::Error> = house.app.store().write(|tx| Box::pin(async move {
            let (owner, region) = (AccountId::development(), Region::default_region());
            for n in 0..1_000 {
                topics::insert(tx, &owner, &region, &format!("t{n}.fifo"), "{\"FifoTopic\":\"true\"}", "{}").await?;
            }
            Ok(())
        })).await;
        filled.expect("filled");
        let sns = house.sns();
        let fifo = |name: &str| sns.create_topic().name(name).attributes("FifoTopic", "true");
        assert_eq!(code!(fifo("more.fifo")), "TopicLimitExceeded");
        fifo("t7.fifo").send().await.expect("one that is there is found");
        topic(&house, "standard").await;
        let (_, credentials) = house.other_account().await;
        let other = house.sns_as(credentials);
        other.create_topic().name("more.fifo").attributes("FifoTopic", "true").send().await.expect("another account's");
        let gone = "arn:aws:sns:us-east-1:000000000000:t7.fifo";
        sns.delete_topic().topic_arn(gone).send().await.expect("deleted");
        fifo("more.fifo").send().await.expect("there is room again");
    }

    async fn five_thousand_subscriptions_wait_for_confirmation_at_the_most(engine: Engine) {
        let house = House::serve(engine).await;
        let (full, second) = (topic(&house, "t").await, topic(&house, "second").await);
        fill(&house, &full, State::Pending, false, 5_000).await;
        let sns = house.sns();
        let subscribe = |protocol: &str, endpoint: &str| {
            sns.subscribe().topic_arn(&second).protocol(protocol).endpoint(endpoint)
        };
        assert_eq!(code!(subscribe("http", "http://x.example/more")), "SubscriptionLimitExceeded");
        let again = sns.subscribe().topic_arn(&full).protocol("http").endpoint("http://x.example/7");
        again.send().await.expect("one that is there is asked again");
        house.sqs().create_queue().queue_name("q").send().await.expect("made");
        let queue = "arn:aws:sqs:us-east-1:000000000000:q";
        subscribe("sqs", queue).send().await.expect("what needs no confirmation does not wait for it");
    }

    async fn a_topic_has_two_hundred_filter_policies_at_the_most(engine: Engine) {
        let house = House::serve(engine).await;
        let (full, second) = (topic(&house, "t").await, topic(&house, "second").await);
        fill(&house, &full, State::Confirmed, true, 200).await;
        house.sqs().create_queue().queue_name("q").send().await.expect("made");
        let (sns, queue) = (house.sns(), "arn:aws:sqs:us-east-1:000000000000:q");
        let subscribe = |topic: &str| sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(queue);
        assert_eq!(code!(subscribe(&full).attributes("FilterPolicy", POLICY)), "FilterPolicyLimitExceeded");
        let made = subscribe(&full).send().await.expect("without one").subscription_arn.expect("an ARN");
        let set = |arn: &str, value: &str| {
            sns.set_subscription_attributes().subscription_arn(arn).attribute_name("FilterPolicy").attribute_value(value)
        };
        assert_eq!(code!(set(&made, POLICY)), "FilterPolicyLimitExceeded");
        subscribe(&second).attributes("FilterPolicy", POLICY).send().await.expect("another topic's");
        let listed = sns.list_subscriptions_by_topic().topic_arn(&full).send().await.expect("listed");
        let one = listed.subscriptions()[0].subscription_arn().expect("an ARN");
        set(one, "{\"a\":[\"c\"]}").send().await.expect("one in the place of another");
        set(one, "").send().await.expect("taken away");
        set(&made, POLICY).send().await.expect("there is room again");
    }

    async fn the_limits_that_are_too_high_for_a_test_hold_as_well(engine: Engine) {
        let mut b = bench(engine).await;
        let some = Limits { topics: 2, subscriptions: 2, filter_policies: 1, ..Limits::default() };
        b.topics = b.topics.with_limits(some);
        let (one, two) = (b.topic("one", &[]).await, b.topic("two", &[]).await);
        assert_eq!(b.topic("one", &[]).await, one, "one that is there is found");
        let new = postrider::topics::NewTopic {
            account: b.scope.account.clone(), region: b.scope.region.clone(), name: "three".to_owned(),
            attributes: Default::default(), tags: Default::default(),
        };
        assert!(matches!(b.topics.create(new).await, Err(Error::TooManyTopics)));
        let mut queues = Vec::new();
        for name in ["a", "b", "c"] {
            queues.push(b.queue(name).await);
        }
        b.subscribe(&one, "sqs", &queues[0], &[("FilterPolicy", POLICY)]).await;
        b.subscribe(&one, "sqs", &queues[1], &[]).await;
        let third = b.topics.subscribe(b.wish(&one, "sqs", &queues[2], &[])).await;
        assert!(matches!(third, Err(Error::TooManySubscriptions)), "{third:?}");
        b.subscribe(&one, "sqs", &queues[1], &[]).await;
        let filtered = b.topics.subscribe(b.wish(&two, "sqs", &queues[0], &[("FilterPolicy", POLICY)])).await;
        assert!(matches!(filtered, Err(Error::TooManyFilterPolicies)), "{filtered:?}");
    }

    async fn an_account_has_as_many_queues_as_the_operator_says(engine: Engine) {
        let house = House::start(Mode::Dev, engine, Given { queues_per_account: Some(2), ..Given::default() }).await;
        let sqs = house.sqs();
        for name in ["a", "b", "a"] {
            sqs.create_queue().queue_name(name).send().await.expect("made, or found");
        }
        assert_eq!(code!(sqs.create_queue().queue_name("c")), "OverLimit");
        let form = "Action=CreateQueue&Version=2012-11-05&QueueName=c";
        let answer = reqwest::Client::new().post(house.endpoint()).body(form).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 403);
        let text = answer.text().await.expect("a text");
        assert!(text.contains("<Code>OverLimit</Code>"), "{text}");
        let other = house.sqs_as(credentials("111122223333", "any"));
        other.create_queue().queue_name("c").send().await.expect("another account's");
    }
}
