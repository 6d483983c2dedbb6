//! Where the parts of SQS meet: move tasks and FIFO queues, encryption, policies; backlogs and what is too old.
use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use aws_sdk_sqs::types::{ListMessageMoveTasksResultEntry, Message, MessageSystemAttributeName};
use postrider::base::Clock;
use postrider::config::{Encryption, Given, KmsKey, KmsState, Mode};
use postrider::queues::MoveError;
use postrider::queues::{Error, Outgoing, Queues, Receive};
use postrider::store::Store;

use crate::both_engines;
use crate::house::House;
use crate::queue_bench::{QueueBench, grouped, ordered};

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn redrive_to(name: &str, count: u32) -> String {
    serde_json::json!({ "deadLetterTargetArn": arn(name), "maxReceiveCount": count }).to_string()
}

async fn make(sqs: &Client, name: &str, attributes: &[(Name, &str)]) -> String {
    let create = sqs.create_queue().queue_name(name);
    let create = attributes.iter().fold(create, |create, (name, value)| create.attributes(name.clone(), *value));
    create.send().await.expect("made").queue_url.expect("a URL")
}

async fn receive(sqs: &Client, url: &str) -> Vec<Message> {
    let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    receive.send().await.expect("received").messages.unwrap_or_default()
}

async fn latest(sqs: &Client, source: &str) -> ListMessageMoveTasksResultEntry {
    let listed = sqs.list_message_move_tasks().source_arn(arn(source)).send().await.expect("a list");
    listed.results.expect("some").remove(0)
}

async fn start(sqs: &Client, source: &str, destination: Option<&str>) {
    let start = sqs.start_message_move_task().source_arn(arn(source)).set_destination_arn(destination.map(arn));
    start.send().await.expect("started");
}

fn with_key(state: KmsState) -> Given {
    let key = KmsKey { id: "orders".to_owned(), aliases: vec!["alias/orders".to_owned()], state };
    Given { encryption: Encryption { kms_keys: vec![key], ..Encryption::default() }, ..Given::default() }
}

async fn restarted(house: House, state: KmsState) -> House {
    let database = house.stop().await;
    let started = House::start_on(database, Mode::Serve, with_key(state)).await;
    started.unwrap_or_else(|(_, problem)| panic!("{problem}"))
}

both_engines! {
    async fn a_fifo_dead_letter_queue_is_emptied_in_order_and_sealed_anew(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let fifo = (Name::FifoQueue, "true");
        let dead = make(&sqs, "dead.fifo", &[fifo.clone(), (Name::KmsMasterKeyId, "alias/aws/sqs")]).await;
        let redrive = redrive_to("dead.fifo", 1);
        let url = make(&sqs, "q.fifo", &[fifo, (Name::RedrivePolicy, &redrive)]).await;
        let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for n in 0..37 {
            let (group, body) = (if n % 3 == 0 { "b" } else { "a" }, format!("{n:02}"));
            let send = sqs.send_message().queue_url(&dead).message_body(&body).message_group_id(group);
            // The destination knows some of these ids: what moves is another message all the same.
            send.message_deduplication_id(&body).send().await.expect("sent");
            sent.entry(group.to_owned()).or_default().push(body);
        }
        let known = sqs.send_message().queue_url(&url).message_body("first").message_group_id("a");
        known.message_deduplication_id("05").send().await.expect("sent");
        sent.get_mut("a").expect("it").insert(0, "first".to_owned());
        start(&sqs, "dead.fifo", Some("q.fifo")).await;
        house.work().await;
        let ended = latest(&sqs, "dead.fifo").await;
        assert_eq!((ended.status(), ended.approximate_number_of_messages_moved()), (Some("COMPLETED"), 37));
        let mut got: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for _ in 0..20 {
            for message in receive(&sqs, &url).await {
                let group = message.attributes().expect("some")[&MessageSystemAttributeName::MessageGroupId].clone();
                got.entry(group).or_default().push(message.body().expect("a body").to_owned());
                let handle = message.receipt_handle().expect("a handle");
                sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.expect("deleted");
            }
        }
        assert_eq!(got, sent);
        assert!(receive(&sqs, &dead).await.is_empty());
    }

    async fn a_task_whose_messages_cannot_be_read_or_sealed_fails_and_holds_nobody_up(engine: Engine) {
        let house = House::start(Mode::Serve, engine, with_key(KmsState::Enabled)).await;
        let sqs = house.sqs();
        let key = (Name::KmsMasterKeyId, "alias/orders");
        let urls = [
            make(&sqs, "sealed", std::slice::from_ref(&key)).await,
            make(&sqs, "open", &[]).await,
            make(&sqs, "fine", &[]).await,
        ];
        let fifo = make(&sqs, "sealed.fifo", &[key.clone(), (Name::FifoQueue, "true")]).await;
        make(&sqs, "locked", &[key]).await;
        for (source, url) in ["sealed", "open", "fine"].iter().zip(&urls) {
            make(&sqs, &format!("of-{source}"), &[(Name::RedrivePolicy, &redrive_to(source, 1))]).await;
            for n in 0..3 {
                sqs.send_message().queue_url(url).message_body(format!("{source}{n}")).send().await.expect("sent");
            }
        }
        let redrive = redrive_to("sealed.fifo", 1);
        make(&sqs, "of.fifo", &[(Name::RedrivePolicy, &redrive), (Name::FifoQueue, "true")]).await;
        for n in ["0", "1", "2"] {
            let send = sqs.send_message().queue_url(&fifo).message_body(n).message_group_id("a");
            send.message_deduplication_id(n).send().await.expect("sent");
        }

        let house = restarted(house, KmsState::Disabled).await;
        let sqs = house.sqs();
        // Put into the queue without the key, this one could be read; but it must not overtake the others.
        let fifo = format!("{}/000000000000/sealed.fifo", house.endpoint());
        sqs.set_queue_attributes().queue_url(&fifo).attributes(Name::SqsManagedSseEnabled, "true").send().await.expect("set");
        let send = sqs.send_message().queue_url(&fifo).message_body("3").message_group_id("a");
        send.message_deduplication_id("3").send().await.expect("sent");
        start(&sqs, "sealed", Some("of-sealed")).await;
        start(&sqs, "open", Some("locked")).await;
        start(&sqs, "sealed.fifo", Some("of.fifo")).await;
        start(&sqs, "fine", Some("of-fine")).await;
        house.work().await;
        for source in ["sealed", "open", "sealed.fifo"] {
            let failed = latest(&sqs, source).await;
            assert_eq!((failed.status(), failed.failure_reason()), (Some("FAILED"), Some("KMS.DisabledException")), "{source}");
            assert_eq!(failed.approximate_number_of_messages_moved(), 0, "{source}");
        }
        assert_eq!(latest(&sqs, "fine").await.status(), Some("COMPLETED"));
        assert_eq!(house.app.round().await.expect("the store works"), 0);

        let house = restarted(house, KmsState::Enabled).await;
        let sqs = house.sqs();
        for (source, count) in [("sealed", 3), ("open", 3), ("sealed.fifo", 4)] {
            let got = receive(&sqs, &format!("{}/000000000000/{source}", house.endpoint())).await;
            assert_eq!(got.len(), count, "{source}");
            for message in got {
                let receives = &message.attributes().expect("some")[&MessageSystemAttributeName::ApproximateReceiveCount];
                assert_eq!(receives, "1", "a task's claims do not count");
            }
        }
    }

    async fn a_policy_binds_who_moves_messages_and_who_asks_for_sources(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, credentials) = house.other_account().await;
        let (ours, theirs) = (house.sqs(), house.sqs_as(credentials));
        let dead = make(&ours, "dead", &[]).await;
        let url = make(&ours, "jobs", &[(Name::RedrivePolicy, &redrive_to("dead", 1))]).await;
        let list = || theirs.list_dead_letter_source_queues().queue_url(&dead);
        assert_eq!(list().send().await.expect_err("refused").code(), Some("AccessDenied"));
        let permit = ours.add_permission().queue_url(&dead).label("look").aws_account_ids(account.as_str());
        permit.actions("ListDeadLetterSourceQueues").send().await.expect("permitted");
        assert_eq!(list().send().await.expect("listed").queue_urls(), std::slice::from_ref(&url));

        let deny = async |url: &str, action: &str| {
            let statement = serde_json::json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"});
            let policy = if action.is_empty() { String::new() } else { serde_json::json!({"Statement": statement}).to_string() };
            let set = ours.set_queue_attributes().queue_url(url).attributes(Name::Policy, policy);
            set.send().await.expect("set");
        };
        let start = || ours.start_message_move_task().source_arn(arn("dead")).destination_arn(arn("jobs"));
        for action in ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
            deny(&dead, &format!("sqs:{action}")).await;
            assert_eq!(start().send().await.expect_err("refused").code(), Some("AccessDenied"), "{action}");
        }
        deny(&dead, "").await;
        deny(&url, "sqs:SendMessage").await;
        assert_eq!(start().send().await.expect_err("refused").code(), Some("AccessDenied"));
        deny(&url, "").await;
        let handle = start().send().await.expect("started").task_handle.expect("a handle");
        deny(&dead, "sqs:*Message*Task*").await;
        let asked = ours.list_message_move_tasks().source_arn(arn("dead")).send().await;
        assert_eq!(asked.expect_err("refused").code(), Some("AccessDenied"));
        let cancelled = ours.cancel_message_move_task().task_handle(&handle).send().await;
        assert_eq!(cancelled.expect_err("refused").code(), Some("AccessDenied"));
        // Nobody else learns of tasks, whatever the policy says.
        let asked = theirs.list_message_move_tasks().source_arn(arn("dead")).send().await;
        assert_eq!(asked.expect_err("refused").code(), Some("ResourceNotFoundException"));
    }

    async fn a_fifo_queue_is_found_again_by_the_attributes_that_are_given(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let fifo = (Name::FifoQueue, "true");
        let all = [fifo.clone(), (Name::ContentBasedDeduplication, "true"), (Name::DeduplicationScope, "messageGroup")];
        let url = make(&sqs, "q.fifo", &all).await;
        assert_eq!(make(&sqs, "q.fifo", std::slice::from_ref(&fifo)).await, url);
        assert_eq!(make(&sqs, "q.fifo", &[fifo.clone(), all[1].clone()]).await, url);
        let other = sqs.create_queue().queue_name("q.fifo").attributes(fifo.0, fifo.1);
        let other = other.attributes(Name::ContentBasedDeduplication, "false").send().await.expect_err("refused");
        assert_eq!(other.code(), Some("QueueAlreadyExists"));
        assert!(other.message().is_some_and(|text| text.ends_with("attribute ContentBasedDeduplication")), "{other:?}");
    }

    async fn failing_consumers_and_a_redrive_do_not_get_into_each_others_way(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo("dead.fifo", &[]).await;
        for name in ["a.fifo", "b.fifo"] {
            b.fifo(name, &[("RedrivePolicy", &redrive_to("dead.fifo", 1)), ("VisibilityTimeout", "0")]).await;
            for n in 0..40 {
                b.send(name, ordered(&format!("g{}", n % 4), &n.to_string(), &format!("{name} {n}"))).await;
            }
        }
        let other = match engine {
            Engine::Sqlite => b.store.clone(),
            Engine::Postgres => Store::open(&b.database.database(), b.clock.clone()).await.expect("a second node"),
        };
        let nodes = [b.queues.clone(), Queues::new(other, b.clock.clone())];
        let consuming = (0..4).map(|n| {
            let (queues, scope) = (&nodes[n % 2], &b.scope);
            async move {
                for _ in 0..60 {
                    let wanted = Receive { count_max: Some(10), ..Receive::default() };
                    queues.receive(scope, if n < 2 { "a.fifo" } else { "b.fifo" }, wanted).await.expect("answers");
                    tokio::task::yield_now().await;
                }
            }
        });
        let moving = async {
            for _ in 0..40 {
                let source = arn("dead.fifo").parse().expect("an ARN");
                match b.queues.start_move(&b.scope, source, None, None).await {
                    Ok(_) | Err(Error::Move(MoveError::AlreadyRunning)) => {}
                    Err(error) => panic!("{error}"),
                }
                b.queues.move_round().await.expect("a round");
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(futures::future::join_all(consuming), moving);
        let mut left = 0;
        for name in ["a.fifo", "b.fifo", "dead.fifo"] {
            let wanted = ["ApproximateNumberOfMessages".to_owned()];
            let counts = b.queues.attributes(&b.scope, name, &wanted).await.expect("counted");
            left += counts["ApproximateNumberOfMessages"].parse::<usize>().expect("a number");
        }
        assert_eq!(left, 80, "none is lost and none is there twice");
    }

    async fn a_receive_does_not_work_off_a_backlog_that_is_too_old(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.create("plain", &[("MessageRetentionPeriod", "60")]).await;
        b.fifo("q.fifo", &[("MessageRetentionPeriod", "60")]).await;
        for (name, count) in [("plain", 1_500), ("q.fifo", 300)] {
            let old = (0..count).map(|n| match name {
                "plain" => Outgoing { body: "old".to_owned(), ..Outgoing::default() },
                _ => ordered("g", &n.to_string(), "old"),
            });
            for sent in b.queues.send(&b.scope, name, old.collect()).await.expect("sent") {
                sent.expect("taken");
            }
        }
        b.pass(61);
        b.send("plain", Outgoing { body: "new".to_owned(), ..Outgoing::default() }).await;
        b.send("q.fifo", ordered("g", "new", "new")).await;
        for (name, at_least) in [("plain", 500), ("q.fifo", 200)] {
            assert!(b.bodies(name, 10).await.is_empty());
            let wanted = ["ApproximateNumberOfMessages".to_owned()];
            let counts = b.queues.attributes(&b.scope, name, &wanted).await.expect("counted");
            let left: usize = counts["ApproximateNumberOfMessages"].parse().expect("a number");
            assert!(left >= at_least, "one receive left only {left}");
            let mut got = vec![];
            for _ in 0..20 {
                got.extend(b.bodies(name, 10).await);
            }
            assert_eq!(got, ["new"], "{name}");
        }
    }

    async fn a_receive_can_be_repeated_while_the_clock_goes_on(engine: Engine) {
        // No two looks at this clock say the same.
        let b = QueueBench::with_clock(engine, Clock::system()).await;
        b.fifo("q.fifo", &[]).await;
        for id in ["1", "2"] {
            b.send("q.fifo", ordered("a", id, id)).await;
        }
        let receive = async || {
            let wanted = Receive { count_max: Some(10), attempt_id: Some("try".to_owned()), ..Receive::default() };
            let got = b.queues.receive(&b.scope, "q.fifo", wanted).await.expect("answers");
            got.into_iter().map(|m| m.receipt_handle).collect::<Vec<_>>()
        };
        let first = receive().await;
        assert_eq!(first.len(), 2);
        assert_eq!(receive().await, first);
        assert_eq!(receive().await, first, "a repeat can be repeated");
    }

    async fn a_purge_ends_though_its_caller_goes_away_or_there_is_much_to_do(engine: Engine) {
        let b = QueueBench::new(engine).await;
        let plain = |n: usize| (0..n).map(|_| Outgoing { body: "x".to_owned(), ..Outgoing::default() }).collect();
        let count = async |name: &str| -> usize {
            let wanted = ["ApproximateNumberOfMessages".to_owned()];
            let counts = b.queues.attributes(&b.scope, name, &wanted).await.expect("counted");
            counts["ApproximateNumberOfMessages"].parse().expect("a number")
        };
        for name in ["left", "long"] {
            b.create(name, &[]).await;
        }
        b.queues.send(&b.scope, "left", plain(20)).await.expect("sent");
        b.queues.send(&b.scope, "long", plain(6_000)).await.expect("sent");
        let mut purging = Box::pin(b.queues.purge(&b.scope, "left"));
        assert!(futures::poll!(purging.as_mut()).is_pending());
        drop(purging);
        b.queues.purge(&b.scope, "long").await.expect("purged");
        assert_eq!(count("long").await, 1_000);
        // What was left alone has been noted once the next one is refused.
        while b.queues.purge(&b.scope, "left").await.is_ok() {
            b.pass(60);
            b.queues.send(&b.scope, "left", plain(20)).await.expect("sent");
        }
        b.pass(1);
        b.send("long", Outgoing { body: "new".to_owned(), ..Outgoing::default() }).await;
        b.queues.purge_round().await.expect("a round");
        assert_eq!((count("left").await, count("long").await), (0, 1));
        assert_eq!(b.queues.purge_round().await.expect("a round"), 0, "nothing is left to do");
    }

    async fn a_deleted_queue_leaves_no_group_behind(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.create("dead", &[]).await;
        b.create("fair", &[("RedrivePolicy", &redrive_to("dead", 1)), ("VisibilityTimeout", "0")]).await;
        b.send("fair", grouped("a", "x")).await;
        assert_eq!(b.bodies("fair", 1).await, ["x"]);
        assert!(b.bodies("fair", 1).await.is_empty(), "it moves");
        b.send("fair", grouped("b", "y")).await;
        b.queues.delete(&b.scope, "fair").await.expect("deleted");
        b.queues.sweep_deleted().await.expect("swept");
        let mut reader = b.store.reader().await.expect("a reader");
        let left = reader.all("SELECT queue_id FROM message_groups", vec![]).await.expect("rows");
        assert_eq!(left.len(), 1, "the one of the dead-letter queue");
    }
}
