//! FIFO queues: order, deduplication, repeated receives, dead letters, and what only they refuse.
use std::collections::HashMap;
use std::sync::Mutex;

use postrider::queues::{Error, Outgoing, Queues, Receive};
use postrider::store::Store;

use crate::both_engines;
use crate::queue_bench::{QueueBench, grouped, ordered};

const Q: &str = "q.fifo";

both_engines! {
    async fn a_group_waits_while_one_of_its_messages_is_in_flight(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("VisibilityTimeout", "30")]).await;
        for (group, id) in [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4"), ("b", "5")] {
            b.send(Q, ordered(group, id, id)).await;
        }
        let first = b.receive(Q, 2).await;
        assert_eq!(first.iter().map(|m| m.body.as_str()).collect::<Vec<_>>(), ["1", "2"], "as many of one group as fit");
        assert_eq!(b.bodies(Q, 10).await, ["3", "5"], "the other group");
        assert!(b.bodies(Q, 10).await.is_empty());
        // Out of turn: the group still waits for the other one.
        b.delete(Q, &first[1].receipt_handle).await.expect("deleted");
        assert!(b.bodies(Q, 10).await.is_empty());
        b.delete(Q, &first[0].receipt_handle).await.expect("deleted");
        assert_eq!(b.bodies(Q, 10).await, ["4"]);
        b.pass(31);
        assert_eq!(b.bodies(Q, 10).await.len(), 3, "what was not deleted comes back");
    }

    async fn messages_that_come_back_come_first_and_in_order(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("VisibilityTimeout", "30")]).await;
        for id in ["1", "2", "3"] {
            b.send(Q, ordered("a", id, id)).await;
        }
        let got = b.receive(Q, 2).await;
        b.hide(Q, &got[1].receipt_handle, 0).await.expect("in flight");
        assert!(b.bodies(Q, 10).await.is_empty(), "1 is still in flight");
        b.hide(Q, &got[0].receipt_handle, 0).await.expect("in flight");
        assert_eq!(b.bodies(Q, 10).await, ["1", "2", "3"]);
    }

    async fn messages_before_one_in_flight_are_given_out_once_they_are_visible(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("VisibilityTimeout", "30")]).await;
        for id in ["1", "2", "3", "4"] {
            b.send(Q, ordered("a", id, id)).await;
        }
        let got = b.receive(Q, 3).await;
        b.hide(Q, &got[1].receipt_handle, 600).await.expect("in flight");
        b.hide(Q, &got[0].receipt_handle, 0).await.expect("in flight");
        let first = b.receive(Q, 10).await;
        assert_eq!(first.iter().map(|m| m.body.as_str()).collect::<Vec<_>>(), ["1"], "2 is in flight");
        assert!(b.bodies(Q, 10).await.is_empty());
        b.pass(31);
        let again = b.receive(Q, 10).await;
        assert_eq!(again.iter().map(|m| m.body.as_str()).collect::<Vec<_>>(), ["1"], "3 came back, but 2 did not");
        b.delete(Q, &again[0].receipt_handle).await.expect("in flight");
        assert!(b.bodies(Q, 10).await.is_empty(), "2 is the first now");
        b.hide(Q, &got[1].receipt_handle, 0).await.expect("in flight");
        assert_eq!(b.bodies(Q, 10).await, ["2", "3", "4"]);
    }

    async fn a_receive_gives_one_group_after_the_other(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[]).await;
        for (group, id) in [("b", "1"), ("a", "2"), ("b", "3"), ("c", "4"), ("a", "5"), ("b", "6")] {
            b.send(Q, ordered(group, id, id)).await;
        }
        let wanted = Receive { count_max: Some(5), attempt_id: Some("try".to_owned()), ..Receive::default() };
        for _ in 0..2 {
            let got = b.queues.receive(&b.scope, Q, wanted.clone()).await.expect("received");
            let bodies: Vec<_> = got.iter().map(|m| m.body.as_str()).collect();
            assert_eq!(bodies, ["1", "3", "6", "2", "5"], "as sent, group by group, also when it is repeated");
        }
        assert_eq!(b.bodies(Q, 5).await, ["4"]);
    }

    async fn another_delay_counts_for_messages_that_wait(engine: Engine) {
        let b = QueueBench::new(engine).await;
        let delay = async |seconds: &str| {
            let given = [("DelaySeconds".to_owned(), seconds.to_owned())].into();
            b.queues.set_attributes(&b.scope, Q, given).await.expect("set");
        };
        b.fifo(Q, &[("DelaySeconds", "100")]).await;
        b.send(Q, ordered("a", "1", "1")).await;
        b.send(Q, ordered("b", "2", "2")).await;
        b.pass(10);
        assert!(b.bodies(Q, 10).await.is_empty());
        delay("5").await;
        assert_eq!(b.bodies(Q, 1).await, ["1"]);
        delay("60").await;
        assert!(b.bodies(Q, 10).await.is_empty(), "2 is hidden again");
        b.pass(49);
        assert_eq!(b.bodies(Q, 10).await, ["1"], "what was received is not delayed");
        b.pass(1);
        assert_eq!(b.bodies(Q, 10).await, ["2"]);
    }

    async fn a_purge_forgets_what_was_sent(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("DeduplicationScope", "messageGroup")]).await;
        let first = b.send(Q, ordered("a", "1", "first")).await;
        b.pass(1);
        b.queues.purge(&b.scope, Q).await.expect("purged");
        b.pass(1);
        let again = b.send(Q, ordered("a", "1", "again")).await;
        assert_ne!(again.message_id, first.message_id);
        assert_eq!(b.send(Q, ordered("a", "1", "late")).await.message_id, again.message_id, "known anew");
        assert_eq!(b.bodies(Q, 10).await, ["again"]);
        b.pass(299);
        assert_eq!(b.send(Q, ordered("a", "1", "late")).await.message_id, again.message_id, "known for as long as ever");
    }

    async fn a_handle_whose_time_is_over_takes_nothing_away(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("VisibilityTimeout", "30")]).await;
        b.send(Q, ordered("a", "1", "one")).await;
        let got = b.receive(Q, 1).await;
        b.pass(31);
        assert!(matches!(b.delete(Q, &got[0].receipt_handle).await, Err(Error::HandleExpired(_))));
        let again = b.receive(Q, 1).await;
        assert!(matches!(b.delete(Q, &got[0].receipt_handle).await, Err(Error::HandleExpired(_))));
        b.delete(Q, &again[0].receipt_handle).await.expect("in flight");
        b.delete(Q, &again[0].receipt_handle).await.expect("gone already is no error");
    }

    async fn the_same_message_is_taken_once_in_five_minutes_also_after_its_delete(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("ContentBasedDeduplication", "true")]).await;
        let first = b.send(Q, grouped("a", "one")).await;
        let got = b.receive(Q, 10).await;
        assert_eq!(got[0].sequence_number, first.sequence_number);
        b.delete(Q, &got[0].receipt_handle).await.expect("deleted");
        b.pass(299);
        assert_eq!(b.send(Q, grouped("b", "one")).await, first, "the id and the number of the first");
        let given = Outgoing { deduplication_id: got[0].deduplication_id.clone(), ..grouped("a", "other") };
        assert_eq!(b.send(Q, given).await.message_id, first.message_id, "the id is the SHA-256 of the body");
        assert!(b.bodies(Q, 10).await.is_empty());
        b.pass(2);
        b.queues.sweep_expired().await.expect("swept");
        let later = b.send(Q, grouped("a", "one")).await;
        assert!(later.message_id != first.message_id && later.sequence_number > first.sequence_number);
        let batch = vec![grouped("a", "x"), grouped("a", "x"), grouped("b", "x")];
        let sent = b.queues.send(&b.scope, Q, batch).await.expect("sent");
        let ids: Vec<_> = sent.into_iter().map(|s| s.expect("taken").message_id).collect();
        assert!(ids[0] == ids[1] && ids[1] == ids[2], "also within a batch: {ids:?}");
        assert_eq!(b.bodies(Q, 10).await, ["one", "x"]);
    }

    async fn a_group_can_be_the_scope_of_deduplication(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("DeduplicationScope", "messageGroup"), ("FifoThroughputLimit", "perMessageGroupId")]).await;
        for group in ["a", "b", "a"] {
            b.send(Q, ordered(group, "same", group)).await;
        }
        assert_eq!(b.bodies(Q, 10).await, ["a", "b"]);
    }

    async fn a_receive_can_be_repeated_until_something_of_it_changes(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("VisibilityTimeout", "30")]).await;
        for id in ["1", "2", "3"] {
            b.send(Q, ordered("a", id, id)).await;
        }
        let receive = async || {
            let wanted = Receive { count_max: Some(2), attempt_id: Some("try".to_owned()), ..Receive::default() };
            let got = b.queues.receive(&b.scope, Q, wanted).await;
            got.map(|got| got.into_iter().map(|m| m.receipt_handle).collect::<Vec<_>>())
        };
        let first = receive().await.expect("received");
        b.pass(20);
        assert_eq!(receive().await.expect("repeated"), first);
        b.pass(20);
        assert!(b.receive(Q, 1).await.is_empty(), "the repeat hid them anew");
        b.hide(Q, &first[1], 5).await.expect("in flight");
        assert!(receive().await.expect("a new receive").is_empty(), "and the group waits");
        b.pass(31);
        let later = receive().await.expect("received");
        assert!(later.len() == 2 && !later.contains(&first[1]));
        b.delete(Q, &later[0]).await.expect("in flight");
        assert!(matches!(receive().await, Err(Error::AttemptOver(id)) if id == "try"));
        b.pass(301);
        assert_eq!(receive().await.expect("received").len(), 2, "the id is free again");
    }

    async fn dead_letters_keep_their_order_and_the_group_goes_on(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo("dead.fifo", &[]).await;
        let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead.fifo","maxReceiveCount":1}"#;
        b.fifo(Q, &[("VisibilityTimeout", "1"), ("RedrivePolicy", policy)]).await;
        for id in ["1", "2", "3", "4"] {
            b.send(Q, ordered("a", id, id)).await;
        }
        assert_eq!(b.bodies(Q, 3).await, ["1", "2", "3"]);
        b.pass(2);
        assert_eq!(b.bodies(Q, 3).await, ["4"], "passes over the dead letters");
        let dead = b.receive("dead.fifo", 10).await;
        assert_eq!(dead.iter().map(|m| m.body.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
        assert!(dead.windows(2).all(|pair| pair[0].sequence_number < pair[1].sequence_number));
        assert_eq!(dead[0].dead_letter_source.as_deref(), Some("arn:aws:sqs:us-east-1:000000000000:q.fifo"));
        assert_eq!(dead[0].deduplication_id.as_ref(), Some(&dead[0].message_id));
        b.create("plain", &[]).await;
        let policy = policy.replace("dead.fifo", "plain");
        let refused = b.try_create("r.fifo", &[("FifoQueue", "true"), ("RedrivePolicy", &policy)]).await;
        assert!(matches!(refused, Err(Error::RedrivePolicy { .. })), "{refused:?}");
    }

    async fn a_delayed_message_waits_behind_those_before_it(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("DelaySeconds", "10")]).await;
        b.send(Q, ordered("a", "1", "1")).await;
        b.pass(5);
        b.send(Q, ordered("a", "2", "2")).await;
        b.send(Q, ordered("b", "3", "3")).await;
        b.pass(5);
        let first = b.receive(Q, 10).await;
        assert_eq!(first.iter().map(|m| m.body.as_str()).collect::<Vec<_>>(), ["1"]);
        b.pass(5);
        assert_eq!(b.bodies(Q, 10).await, ["3"], "2 waits for 1");
        b.delete(Q, &first[0].receipt_handle).await.expect("in flight");
        assert_eq!(b.bodies(Q, 10).await, ["2"]);
    }

    async fn purge_and_retention_leave_no_group_waiting(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("MessageRetentionPeriod", "60"), ("VisibilityTimeout", "3600")]).await;
        b.send(Q, ordered("a", "1", "1")).await;
        assert_eq!(b.bodies(Q, 1).await, ["1"]);
        b.queues.purge(&b.scope, Q).await.expect("purged");
        b.send(Q, ordered("a", "2", "2")).await;
        assert_eq!(b.bodies(Q, 1).await, ["2"], "the group does not wait for what was purged");
        b.pass(61);
        b.queues.sweep_expired().await.expect("swept");
        b.send(Q, ordered("a", "3", "3")).await;
        assert_eq!(b.bodies(Q, 1).await, ["3"], "nor for what expired");
    }

    async fn what_only_a_fifo_queue_can_have_is_refused_elsewhere(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.create("plain", &[]).await;
        b.fifo(Q, &[]).await;
        let send = async |name: &str, message| b.queues.send_one(&b.scope, name, message).await;
        assert!(matches!(send(Q, ordered("a", "1", "x")).await, Ok(sent) if sent.sequence_number.is_some()));
        assert!(matches!(send(Q, grouped("a", "x")).await, Err(Error::DeduplicationMissing)));
        let no_group = Outgoing { group_id: None, ..ordered("a", "1", "x") };
        assert!(matches!(send(Q, no_group).await, Err(Error::GroupMissing)));
        let delayed = Outgoing { delay: Some(5), ..ordered("a", "2", "x") };
        assert!(matches!(send(Q, delayed).await, Err(Error::Parameter { name: "DelaySeconds", .. })));
        assert!(matches!(send(Q, ordered("a", &"x".repeat(129), "x")).await, Err(Error::Parameter { .. })));
        assert!(matches!(send("plain", ordered("a", "1", "x")).await, Err(Error::Parameter { .. })));
        assert!(matches!(b.try_create("x.fifo", &[]).await, Err(Error::QueueName(_))));
        assert!(matches!(b.try_create("x", &[("FifoQueue", "true")]).await, Err(Error::FifoQueueName(_))));
        assert!(matches!(b.try_create("x", &[("ContentBasedDeduplication", "true")]).await, Err(Error::AttributeName(_))));
        let wrong = [("FifoQueue", "true"), ("FifoThroughputLimit", "perMessageGroupId")];
        assert!(matches!(b.try_create("x.fifo", &wrong).await, Err(Error::LimitWithoutScope)));
        let change = [("FifoQueue".to_owned(), "false".to_owned())].into();
        assert!(matches!(b.queues.set_attributes(&b.scope, Q, change).await, Err(Error::AttributeRefused(..))));
    }

    async fn many_consumers_and_senders_on_two_nodes_keep_the_order_of_each_group(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[]).await;
        let other = match engine {
            Engine::Sqlite => b.store.clone(),
            Engine::Postgres => Store::open(&b.database.database(), b.clock.clone()).await.expect("a second node"),
        };
        let nodes = [b.queues.clone(), Queues::new(other, b.clock.clone())];
        let (groups, senders, each) = (3, 4, 12);
        let seen: Mutex<HashMap<String, Vec<(String, String)>>> = Mutex::default();
        let done = || seen.lock().expect("not poisoned").values().map(Vec::len).sum::<usize>() == senders * each;
        let sending = (0..senders).map(|sender| {
            let (queues, scope) = (&nodes[sender % 2], &b.scope);
            async move {
                for n in 0..each {
                    let id = format!("{sender}-{n:02}");
                    let message = ordered(&format!("g{}", n % groups), &id, &id);
                    queues.send_one(scope, Q, message).await.expect("taken");
                }
            }
        });
        let consuming = (0..4).map(|n| {
            let (queues, scope, seen, done) = (&nodes[n % 2], &b.scope, &seen, &done);
            async move {
                while !done() {
                    let wanted = Receive { count_max: Some(3), ..Receive::default() };
                    for m in queues.receive(scope, Q, wanted).await.expect("answers") {
                        let (group, number) = (m.group_id.expect("a group"), m.sequence_number.expect("a number"));
                        seen.lock().expect("not poisoned").entry(group).or_default().push((number, m.body));
                        let gone = queues.delete_messages(scope, Q, vec![m.receipt_handle]).await.expect("answers");
                        gone.into_iter().for_each(|one| one.expect("in flight"));
                    }
                    tokio::task::yield_now().await;
                }
            }
        });
        tokio::join!(futures::future::join_all(sending), futures::future::join_all(consuming));
        for (group, got) in seen.into_inner().expect("not poisoned") {
            assert!(got.windows(2).all(|pair| pair[0].0 < pair[1].0), "{group}: {got:?}");
            for sender in 0..senders {
                let own: Vec<_> = got.iter().filter(|(_, body)| body.starts_with(&format!("{sender}-"))).collect();
                assert!(own.windows(2).all(|pair| pair[0].1 < pair[1].1), "{group}: {own:?}");
            }
        }
    }
}
