//! Dead-letter queues by AWS's SDK: who may use one, who does, and the tasks that move messages out of one.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::MessageSystemAttributeName::{
    ApproximateReceiveCount, DeadLetterQueueSourceArn, SentTimestamp,
};
use aws_sdk_sqs::types::{ListMessageMoveTasksResultEntry, Message, QueueAttributeName};
use postrider::base::{AccountId, Clock, Region, Scope, Timestamp};
use postrider::queues::{Outgoing, Queues, Receive};
use postrider::store::{Error, Store};

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::house::House;

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn redrive_to(name: &str, count: u32) -> String {
    serde_json::json!({ "deadLetterTargetArn": arn(name), "maxReceiveCount": count }).to_string()
}

async fn queue(sqs: &Client, name: &str, attributes: &[(QueueAttributeName, String)]) -> String {
    let mut create = sqs.create_queue().queue_name(name);
    for (name, value) in attributes {
        create = create.attributes(name.clone(), value);
    }
    create.send().await.expect("a queue").queue_url.expect("its URL")
}

/// Queues `dead`, and `a` and `b`, whose messages go there after one receive.
async fn family(sqs: &Client) -> [String; 3] {
    let dead = queue(sqs, "dead", &[]).await;
    let policy = (QueueAttributeName::RedrivePolicy, redrive_to("dead", 1));
    let timeout = (QueueAttributeName::VisibilityTimeout, "1".to_owned());
    let both = [policy, timeout];
    [dead, queue(sqs, "a", &both).await, queue(sqs, "b", &both).await]
}

async fn receive(sqs: &Client, url: &str) -> Vec<Message> {
    let names = [ApproximateReceiveCount, DeadLetterQueueSourceArn, SentTimestamp];
    let asked = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .set_message_system_attribute_names(Some(names.to_vec()));
    asked.send().await.expect("answers").messages.unwrap_or_default()
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    let mut bodies: Vec<&str> = messages.iter().filter_map(Message::body).collect();
    bodies.sort_unstable();
    bodies
}

/// Sends `count` messages to the queue and lets them die.
async fn kill(house: &House, url: &str, mark: &str, count: usize) {
    let sqs = house.sqs();
    for n in 0..count {
        sqs.send_message().queue_url(url).message_body(format!("{mark}{n}")).send().await.expect("sent");
    }
    let mut received = 0;
    while received < count {
        received += receive(&sqs, url).await.len();
    }
    house.clock.advance(Duration::from_secs(2));
    assert!(receive(&sqs, url).await.is_empty());
}

async fn latest(sqs: &Client) -> ListMessageMoveTasksResultEntry {
    let listed = sqs.list_message_move_tasks().source_arn(arn("dead")).send().await.expect("a list");
    listed.results.expect("some").remove(0)
}

/// The error of a call: its code and text.
macro_rules! refused {
    ($call:expr) => {{
        let error = $call.send().await.expect_err("refused");
        (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
    }};
}

fn is(error: &(String, String), code: &str, text: &str) {
    assert!(error.0.ends_with(code) && error.1.contains(text), "{error:?} is not {code}: {text}");
}

both_engines! {
    async fn messages_go_back_to_where_they_came_from_as_new_ones(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let [dead, a, b] = family(&sqs).await;
        kill(&house, &a, "a", 3).await;
        kill(&house, &b, "b", 2).await;
        let before: Vec<String> = receive(&sqs, &dead).await.into_iter().filter_map(|m| m.message_id).collect();
        assert_eq!(before.len(), 5);
        house.clock.advance(Duration::from_secs(31));
        let handle = sqs.start_message_move_task().source_arn(arn("dead")).send().await.expect("started").task_handle;
        let running = latest(&sqs).await;
        assert_eq!((running.status(), running.task_handle()), (Some("RUNNING"), handle.as_deref()));
        house.work().await;
        let ended = latest(&sqs).await;
        assert_eq!((ended.status(), ended.task_handle(), ended.destination_arn()), (Some("COMPLETED"), None, None));
        assert_eq!(ended.approximate_number_of_messages_moved(), 5);
        assert_eq!(ended.approximate_number_of_messages_to_move(), Some(5));
        assert!(receive(&sqs, &dead).await.is_empty());
        let (from_a, from_b) = (receive(&sqs, &a).await, receive(&sqs, &b).await);
        assert_eq!((bodies(&from_a), bodies(&from_b)), (vec!["a0", "a1", "a2"], vec!["b0", "b1"]));
        let attributes = from_a[0].attributes().expect("some");
        assert_eq!(attributes[&ApproximateReceiveCount], "1");
        assert!(!attributes.contains_key(&DeadLetterQueueSourceArn));
        assert!(from_a.iter().all(|m| !before.contains(m.message_id.as_ref().expect("an id"))));
    }

    async fn a_task_keeps_its_rate_and_can_be_cancelled(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let [dead, a, _] = family(&sqs).await;
        kill(&house, &a, "a", 9).await;
        let elsewhere = queue(&sqs, "elsewhere", &[]).await;
        let start = || sqs.start_message_move_task().source_arn(arn("dead")).destination_arn(arn("elsewhere"))
            .max_number_of_messages_per_second(2);
        let handle = start().send().await.expect("started").task_handle.expect("a handle");
        is(&refused!(start()), "InvalidParameterValue", "There is already a task running.");
        house.work().await;
        assert_eq!(latest(&sqs).await.approximate_number_of_messages_moved(), 1);
        house.clock.advance(Duration::from_secs(1));
        house.work().await;
        assert_eq!(latest(&sqs).await.approximate_number_of_messages_moved(), 3);
        let cancel = || sqs.cancel_message_move_task().task_handle(&handle);
        assert_eq!(cancel().send().await.expect("cancelled").approximate_number_of_messages_moved(), 3);
        assert_eq!(latest(&sqs).await.status(), Some("CANCELLING"));
        is(&refused!(cancel()), "UnsupportedOperation", "Only active tasks can be cancelled.");
        house.work().await;
        let ended = latest(&sqs).await;
        assert_eq!((ended.status(), ended.task_handle()), (Some("CANCELLED"), None));
        assert_eq!((receive(&sqs, &elsewhere).await.len(), receive(&sqs, &dead).await.len()), (3, 6));
        // What was not moved keeps its count: one receive in `a`, and the one just now.
        house.clock.advance(Duration::from_secs(31));
        start().send().await.expect("a new task may start");
        house.clock.advance(Duration::from_secs(3));
        house.work().await;
        let list = sqs.list_message_move_tasks().source_arn(arn("dead")).max_results(10).send().await.expect("a list");
        let statuses: Vec<_> = list.results().iter().filter_map(|task| task.status()).collect();
        assert_eq!(statuses, ["RUNNING", "CANCELLED"]);
    }

    async fn a_task_goes_on_after_a_restart_where_it_was(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let scope = Scope { account: AccountId::development(), region: Region::default_region() };
        let open = async || {
            let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
            Queues::new(store, clock.clone())
        };
        let queues = open().await;
        let make = async |name: &str, attributes: &[(&str, &str)]| {
            let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            queues.create(&scope, name, attributes, BTreeMap::new()).await.expect("a queue");
        };
        make("dead", &[]).await;
        make("a", &[("RedrivePolicy", &redrive_to("dead", 1))]).await;
        let batch = |mark: &'static str| (0..250).map(move |n| Outgoing { body: format!("{mark}{n}"), ..Outgoing::default() });
        for mark in ["x", "y"] {
            let sent = queues.send(&scope, "dead", batch(mark).collect()).await.expect("sent");
            assert!(sent.iter().all(Result::is_ok));
        }
        let (dead, to) = (arn("dead").parse().expect("an ARN"), arn("a").parse().expect("an ARN"));
        queues.start_move(&scope, dead, Some(to), Some(250)).await.expect("started");
        let mut moved = vec![];
        for _ in 0..3 {
            // Each round is another process: what it knows is in the store.
            let queues = open().await;
            moved.push(queues.move_round().await.expect("a round"));
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(moved, [1, 250, 249]);
        let mut came = BTreeSet::new();
        loop {
            let wanted = Receive { count_max: Some(10), ..Receive::default() };
            let got = queues.receive(&scope, "a", wanted).await.expect("received");
            if got.is_empty() {
                break;
            }
            got.into_iter().for_each(|m| assert!(came.insert(m.body), "moved twice"));
        }
        assert_eq!(came.len(), 500);
    }

    async fn a_task_that_is_broken_stops_no_other(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let scope = Scope { account: AccountId::development(), region: Region::default_region() };
        let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
        let queues = Queues::new(store.clone(), clock.clone());
        for (dead, name) in [("first", "a"), ("second", "b")] {
            let attributes = BTreeMap::from([("RedrivePolicy".to_owned(), redrive_to(dead, 1))]);
            queues.create(&scope, dead, BTreeMap::new(), BTreeMap::new()).await.expect("a queue");
            queues.create(&scope, name, attributes, BTreeMap::new()).await.expect("a queue");
            let sent = queues.send(&scope, dead, vec![Outgoing { body: dead.to_owned(), ..Outgoing::default() }]).await;
            assert!(sent.expect("sent").iter().all(Result::is_ok));
            let parsed = |name: &str| arn(name).parse().expect("an ARN");
            queues.start_move(&scope, parsed(dead), Some(parsed(name)), None).await.expect("started");
        }
        let set = async |sql: &'static str| {
            let set: Result<u64, Error> = store.write(move |tx| Box::pin(async move { tx.run(sql, vec![]).await })).await;
            assert_eq!(set.expect("written"), 1);
        };
        let got = async |name: &str| {
            let got = queues.receive(&scope, name, Receive { count_max: Some(10), ..Receive::default() }).await;
            got.expect("received").into_iter().map(|message| message.body).collect::<Vec<_>>()
        };
        set("UPDATE move_tasks SET moved = -1 WHERE source LIKE '%:first'").await;
        let told = queues.move_round().await.expect_err("the operator hears of it").to_string();
        assert!(told.contains("move task"), "{told}");
        assert_eq!((got("a").await, got("b").await), (vec![], vec!["second".to_owned()]));
        set("UPDATE move_tasks SET moved = 0 WHERE source LIKE '%:first'").await;
        while queues.move_round().await.expect("a round") > 0 {}
        assert_eq!(got("a").await, ["first"]);
    }

    async fn a_task_fails_when_there_is_no_way_for_a_message(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let [dead, a, _] = family(&sqs).await;
        kill(&house, &a, "a", 2).await;
        sqs.send_message().queue_url(&dead).message_body("direct").send().await.expect("sent");
        sqs.start_message_move_task().source_arn(arn("dead")).send().await.expect("started");
        house.work().await;
        let failed = latest(&sqs).await;
        assert_eq!((failed.status(), failed.failure_reason()), (Some("FAILED"), Some("CouldNotDetermineMessageSource")));
        assert_eq!(failed.approximate_number_of_messages_moved(), 2);
        let left = receive(&sqs, &dead).await;
        assert_eq!(bodies(&left), ["direct"]);
        assert_eq!(left[0].attributes().expect("some")[&ApproximateReceiveCount], "1", "the task's claim does not count");

        house.clock.advance(Duration::from_secs(31));
        let elsewhere = queue(&sqs, "elsewhere", &[]).await;
        sqs.start_message_move_task().source_arn(arn("dead")).destination_arn(arn("elsewhere")).send().await.expect("started");
        sqs.delete_queue().queue_url(elsewhere).send().await.expect("deleted");
        house.work().await;
        let failed = latest(&sqs).await;
        assert_eq!(failed.failure_reason(), Some("AWS.SimpleQueueService.NonExistentQueue"));
        assert_eq!(bodies(&receive(&sqs, &dead).await), ["direct"]);
    }

    async fn a_task_that_cannot_be_is_refused_in_awss_words(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let [_, _, _] = family(&sqs).await;
        let start = |source: &str| sqs.start_message_move_task().source_arn(source);
        let dead = arn("dead");
        is(&refused!(start("x")), "InvalidParameterValue", "You must use this format to specify the SourceArn");
        is(&refused!(start(&arn("none"))), "ResourceNotFoundException", "specified for the SourceArn parameter doesn't exist");
        is(&refused!(start(&arn("a"))), "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.");
        is(&refused!(start(&dead).destination_arn(&dead)), "InvalidParameterValue", "cannot be the same");
        is(&refused!(start(&dead).destination_arn(arn("none"))), "ResourceNotFoundException", "DestinationArn");
        for rate in [0, 501] {
            let refused = refused!(start(&dead).max_number_of_messages_per_second(rate));
            is(&refused, "InvalidParameterValue", "between 1 and 500");
        }
        is(&refused!(sqs.list_message_move_tasks().source_arn(arn("none"))), "ResourceNotFoundException", "SourceArn");
        is(&refused!(sqs.list_message_move_tasks().source_arn(&dead).max_results(11)), "InvalidParameterValue", "1 and 10");
        let cancel = |handle: &str| sqs.cancel_message_move_task().task_handle(handle);
        is(&refused!(cancel("x")), "InvalidParameterValue", "Value for parameter TaskHandle is invalid.");
        use base64::Engine as _;
        let handle = |name| base64::engine::general_purpose::STANDARD
            .encode(serde_json::json!({ "taskId": "none", "sourceArn": arn(name) }).to_string());
        is(&refused!(cancel(&handle("none"))), "ResourceNotFoundException", "SourceArn");
        is(&refused!(cancel(&handle("dead"))), "ResourceNotFoundException", "Task does not exist.");
        assert!(sqs.list_message_move_tasks().source_arn(&dead).send().await.expect("a list").results().is_empty());
    }

    async fn a_dead_letter_queue_lists_its_sources_and_says_who_may_be_one(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let [dead, a, _] = family(&sqs).await;
        let list = || sqs.list_dead_letter_source_queues().queue_url(&dead);
        let ends = |urls: &[String], names: &[&str]| {
            urls.len() == names.len() && urls.iter().zip(names).all(|(url, name)| url.ends_with(&format!("/{name}")))
        };
        assert!(ends(list().send().await.expect("a list").queue_urls(), &["a", "b"]));
        let first = list().max_results(1).send().await.expect("a page");
        assert!(ends(first.queue_urls(), &["a"]));
        let second = list().max_results(1).next_token(first.next_token().expect("more")).send().await.expect("a page");
        assert!(ends(second.queue_urls(), &["b"]) && second.next_token().is_none());
        is(&refused!(list().max_results(0)), "InvalidParameterValue", "MaxResults");
        let empty = sqs.list_dead_letter_source_queues().queue_url(&a).send().await.expect("a list");
        assert!(empty.queue_urls().is_empty());

        let allow = |policy: String| sqs.set_queue_attributes().queue_url(&dead)
            .attributes(QueueAttributeName::RedriveAllowPolicy, policy);
        let name_it = |url: &str| sqs.set_queue_attributes().queue_url(url)
            .attributes(QueueAttributeName::RedrivePolicy, redrive_to("dead", 5));
        allow(serde_json::json!({ "redrivePermission": "denyAll" }).to_string()).send().await.expect("set");
        is(&refused!(name_it(&a)), "InvalidParameterValue", "for parameter RedrivePolicy is invalid");
        let by_queue = serde_json::json!({ "redrivePermission": "byQueue", "sourceQueueArns": [arn("a")] }).to_string();
        allow(by_queue.clone()).send().await.expect("set");
        name_it(&a).send().await.expect("a may");
        let refused = refused!(sqs.create_queue().queue_name("c")
            .attributes(QueueAttributeName::RedrivePolicy, redrive_to("dead", 5)));
        is(&refused, "InvalidParameterValue", "RedrivePolicy");
        let wanted = QueueAttributeName::RedriveAllowPolicy;
        let shown = sqs.get_queue_attributes().queue_url(&dead).attribute_names(wanted.clone()).send().await.expect("some");
        assert_eq!(shown.attributes().expect("some")[&wanted], by_queue);
        // A queue whose dead-letter queue is gone can still be changed.
        sqs.delete_queue().queue_url(&dead).send().await.expect("deleted");
        sqs.set_queue_attributes().queue_url(&a).attributes(QueueAttributeName::DelaySeconds, "1").send().await.expect("set");
        is(&refused!(name_it(&a)), "InvalidParameterValue", "Dead letter target does not exist.");
    }

    async fn a_chain_of_dead_letter_queues_delivers_in_each_and_counts_all_receives(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let last = queue(&sqs, "last", &[]).await;
        let timeout = (QueueAttributeName::VisibilityTimeout, "0".to_owned());
        let middle = queue(&sqs, "middle", &[(QueueAttributeName::RedrivePolicy, redrive_to("last", 1)), timeout.clone()]).await;
        let first = queue(&sqs, "first", &[(QueueAttributeName::RedrivePolicy, redrive_to("middle", 2)), timeout]).await;
        let sent = sqs.send_message().queue_url(&first).message_body("x").send().await.expect("sent");
        let mut seen = vec![];
        for url in [&first, &first, &first, &middle, &middle, &last] {
            for message in receive(&sqs, url).await {
                assert_eq!(message.message_id, sent.message_id);
                seen.push(message.attributes().expect("some")[&ApproximateReceiveCount].clone());
            }
        }
        assert_eq!(seen, ["1", "2", "3", "4"], "the receives that only moved it do not count");
    }

    async fn a_deleted_name_rests_for_a_minute_but_not_in_dev(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let url = queue(&sqs, "again", &[]).await;
        sqs.send_message().queue_url(&url).message_body("old").send().await.expect("sent");
        sqs.delete_queue().queue_url(&url).send().await.expect("deleted");
        let refused = refused!(sqs.create_queue().queue_name("again"));
        is(&refused, "QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.");
        house.clock.advance(Duration::from_secs(61));
        let queues = &house.app.parts().services.queues;
        queues.sweep_deleted().await.expect("swept");
        let url = queue(&sqs, "again", &[]).await;
        assert!(receive(&sqs, &url).await.is_empty());
        let dev = House::dev(engine).await;
        let sqs = dev.sqs();
        for _ in 0..2 {
            let url = queue(&sqs, "again", &[]).await;
            sqs.delete_queue().queue_url(&url).send().await.expect("deleted");
        }
    }
}
