//! FIFO queues through AWS's client.
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry};

use crate::both_engines;
use crate::house::House;

both_engines! {
    async fn a_fifo_queue_through_awss_client(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let made = sqs
            .create_queue()
            .queue_name("orders.fifo")
            .attributes(QueueAttributeName::FifoQueue, "true")
            .attributes(QueueAttributeName::ContentBasedDeduplication, "true")
            .send()
            .await
            .expect("made");
        let url = made.queue_url().expect("a URL");
        let sent = sqs.send_message().queue_url(url).message_body("one").message_group_id("a").send().await.expect("sent");
        assert_eq!(sent.sequence_number().expect("a number").len(), 20);
        let again = sqs.send_message().queue_url(url).message_body("one").message_group_id("a").send().await.expect("sent");
        assert_eq!((again.message_id(), again.sequence_number()), (sent.message_id(), sent.sequence_number()));
        let entry = |n: usize| {
            SendMessageBatchRequestEntry::builder()
                .id(n.to_string())
                .message_body(n.to_string())
                .message_group_id("a")
                .message_deduplication_id(format!("id-{n}"))
                .build()
                .expect("an entry")
        };
        let batch = sqs.send_message_batch().queue_url(url).set_entries(Some((0..5).map(entry).collect()));
        let batch = batch.send().await.expect("sent");
        let numbers: Vec<_> = batch.successful().iter().map(|one| one.sequence_number()).collect();
        assert!(numbers.len() == 5 && numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");

        let receive = async || {
            let receive = sqs.receive_message().queue_url(url).max_number_of_messages(4).receive_request_attempt_id("try");
            let got = receive.message_system_attribute_names(MessageSystemAttributeName::All).send().await.expect("got");
            got.messages.unwrap_or_default()
        };
        let got = receive().await;
        assert_eq!(got.iter().filter_map(|m| m.body()).collect::<Vec<_>>(), ["one", "0", "1", "2"]);
        let attribute = |n: usize, name| got[n].attributes().and_then(|all| all.get(&name)).cloned();
        assert_eq!(attribute(1, MessageSystemAttributeName::MessageGroupId).as_deref(), Some("a"));
        assert_eq!(attribute(1, MessageSystemAttributeName::MessageDeduplicationId).as_deref(), Some("id-0"));
        assert_eq!(attribute(0, MessageSystemAttributeName::SequenceNumber).as_deref(), sent.sequence_number());
        assert_eq!(receive().await[0].receipt_handle(), got[0].receipt_handle(), "a repeated receive");

        house.clock.advance(std::time::Duration::from_secs(31));
        let late = sqs.delete_message().queue_url(url).receipt_handle(got[0].receipt_handle().expect("a handle"));
        let late = late.send().await.expect_err("its time is over");
        assert!(late.message().is_some_and(|text| text.ends_with("Reason: The receipt handle has expired.")), "{late:?}");

        let refused = sqs.send_message().queue_url(url).message_body("x").send().await.expect_err("no group");
        assert_eq!(refused.message(), Some("The request must contain the parameter MessageGroupId."));
        let all = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let all = all.send().await.expect("read").attributes.unwrap_or_default();
        for (name, value) in [
            (QueueAttributeName::FifoQueue, "true"),
            (QueueAttributeName::ContentBasedDeduplication, "true"),
            (QueueAttributeName::DeduplicationScope, "queue"),
            (QueueAttributeName::FifoThroughputLimit, "perQueue"),
            (QueueAttributeName::ApproximateNumberOfMessages, "6"),
        ] {
            assert_eq!(all.get(&name).map(String::as_str), Some(value), "{name:?}");
        }
        let refused = sqs.create_queue().queue_name("orders").attributes(QueueAttributeName::FifoQueue, "true");
        let refused = refused.send().await.expect_err("no suffix");
        assert!(refused.message().is_some_and(|text| text.contains("must end with .fifo suffix")), "{refused:?}");
    }
}
