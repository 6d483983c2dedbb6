//! What the tests of sending stand on that call a whole server: a verified sender whose events all reach a queue.
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, EventDestinationDefinition, EventType, Message, SnsDestination,
};
use serde_json::Value;

use crate::house::House;

/// A verified sender and a configuration set; the events of its mails are in a queue.
pub(crate) struct Watched {
    pub ses: aws_sdk_sesv2::Client,
    sqs: aws_sdk_sqs::Client,
    url: String,
}

impl Watched {
    pub(crate) const SET: &str = "watched";
    pub(crate) const FROM: &str = "ann@sender.example";

    /// In a server in `dev`, where identities are verified at once.
    pub(crate) async fn new(house: &House) -> Self {
        let (ses, sqs, sns) = (house.sesv2(), house.sqs(), house.sns());
        ses.create_email_identity().email_identity("sender.example").send().await.expect("an identity");
        ses.create_configuration_set().configuration_set_name(Self::SET).send().await.expect("a set");
        let url = sqs.create_queue().queue_name("events").send().await.expect("a queue").queue_url.expect("its URL");
        let topic = sns.create_topic().name("events").send().await.expect("a topic").topic_arn.expect("its ARN");
        let account = topic.split(':').nth(4).expect("an account");
        let queue = format!("arn:aws:sqs:us-east-1:{account}:events");
        let subscribed = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue);
        subscribed.attributes("RawMessageDelivery", "true").send().await.expect("a subscription");
        let definition = EventDestinationDefinition::builder()
            .enabled(true)
            .set_matching_event_types(Some(all_types()))
            .sns_destination(SnsDestination::builder().topic_arn(&topic).build().expect("a destination"));
        ses.create_configuration_set_event_destination()
            .configuration_set_name(Self::SET)
            .event_destination_name("all")
            .event_destination(definition.build())
            .send()
            .await
            .expect("a destination");
        let watched = Self { ses, sqs, url };
        watched.drain().await;
        watched
    }

    /// Sends a small mail to these recipients.
    pub(crate) async fn send(&self, to: &[&str]) -> String {
        let content = |text: &str| Content::builder().data(text).build().expect("a text");
        let message =
            Message::builder().subject(content("hi")).body(Body::builder().text(content("body")).build()).build();
        let destination = Destination::builder().set_to_addresses(Some(to.iter().map(|t| (*t).to_owned()).collect()));
        let sent = self.ses.send_email().from_email_address(Self::FROM).configuration_set_name(Self::SET);
        let sent = sent.destination(destination.build()).content(EmailContent::builder().simple(message).build());
        sent.send().await.expect("accepted").message_id.expect("an id")
    }

    /// Works until nothing is left, and gives the events since the last call, in the order of their times.
    pub(crate) async fn events(&self, house: &House) -> Vec<Value> {
        house.work().await;
        let mut events: Vec<Value> =
            self.drain().await.iter().map(|body| serde_json::from_str(body).expect("JSON")).collect();
        // Two recipients' jobs end in any order: by place in the mail's list, then as they came.
        events.sort_by_key(|event| (event["eventType"] != "Send", place(event)));
        events
    }

    async fn drain(&self) -> Vec<String> {
        let mut bodies = vec![];
        loop {
            let got = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(10).send().await;
            let got = got.expect("answers");
            if got.messages().is_empty() {
                return bodies;
            }
            for message in got.messages() {
                bodies.push(message.body().expect("a body").to_owned());
                let handle = message.receipt_handle().expect("a handle");
                self.sqs.delete_message().queue_url(&self.url).receipt_handle(handle).send().await.expect("deleted");
            }
        }
    }
}

/// Where the recipient that an event is about stands in its mail's list.
fn place(event: &Value) -> Option<usize> {
    let address = event["bounce"]["bouncedRecipients"][0]["emailAddress"]
        .as_str()
        .or(event["complaint"]["complainedRecipients"][0]["emailAddress"].as_str())
        .or(event["delivery"]["recipients"][0].as_str())?;
    event["mail"]["destination"].as_array()?.iter().position(|to| to == address)
}

/// The first object of this name in the events.
pub(crate) fn object(events: &[Value], name: &str) -> Option<Value> {
    events.iter().find_map(|event| event.get(name).cloned())
}

fn all_types() -> Vec<EventType> {
    use EventType as T;
    vec![T::Send, T::Delivery, T::Bounce, T::Complaint, T::Reject, T::RenderingFailure, T::DeliveryDelay]
}
