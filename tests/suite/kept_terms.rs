//! What was settled when a mail was accepted holds, whatever becomes of the rows that it came from; what cannot be read is said.
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, EventDestinationDefinition, EventType, Message, SnsDestination,
};
use postrider::base::{AccountId, Clock, Region, Timestamp};
use postrider::mail::content::ConfigurationSets;
use postrider::queues::Queues;
use postrider::store::mails::Status;
use postrider::store::{self, Store};
use postrider::topics::Topics;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::house::{KEY, SECRET, credentials, sesv2_at, sns_at};
use crate::outbound_bench::bench;
use crate::program::Program;
use crate::smtp_sink::{FaultySmtp, Script, SmtpSink};

/// Changes rows, as nothing of ours does.
async fn spoil(store: &Store, sql: &'static str) -> u64 {
    let changed = store.write(move |tx| Box::pin(async move { tx.run(sql, vec![]).await })).await;
    changed.map_err(|error: store::Error| error).expect("changed")
}

fn plain() -> EmailContent {
    let text = |data: &str| Content::builder().data(data).build().expect("a text");
    let message = Message::builder().subject(text("Hello")).body(Body::builder().text(text("Hello")).build());
    EmailContent::builder().simple(message.build()).build()
}

both_engines! {
    async fn a_mail_that_was_to_go_over_tls_does_not_go_in_the_clear_when_its_set_is_gone(engine: Engine) {
        let clear = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
        let b = bench(engine, &format!("relay://{}", clear.address), 25).await;
        let id = b.send_with("strict", &["b@there.example"]).await;
        let queues = Queues::new(b.store.clone(), b.clock.clone());
        let topics = Topics::new(b.store.clone(), b.clock.clone(), queues, None, "");
        let sets = ConfigurationSets::new(b.store.clone(), b.clock.clone(), topics);
        sets.delete(&AccountId::development(), &Region::default_region(), "strict").await.expect("deleted");
        assert_eq!(b.round().await, 1);
        let to = &b.recipients(&id).await[0];
        assert_eq!((to.status, clear.mails().len()), (Status::Pending, 0));
        assert!(to.last_reply.as_deref().is_some_and(|reply| reply.starts_with("smtp; 454 4.7.4 ")), "{to:?}");
    }

    async fn a_mail_whose_account_cannot_be_read_waits_and_does_not_go_out_unsigned(engine: Engine) {
        let sink = SmtpSink::start("127.0.0.1:0");
        let b = bench(engine, &format!("relay://{}", sink.address), 25).await;
        b.keys_in_dns().await;
        let id = b.send(&["b@there.example"]).await;
        assert_eq!(spoil(&b.store, "UPDATE mails SET account = 'nobody'").await, 1);
        b.round().await;
        assert_eq!((b.recipients(&id).await[0].status, sink.mails().len()), (Status::Pending, 0));
        assert_eq!(spoil(&b.store, "UPDATE mails SET account = '000000000000'").await, 1);
        b.clock.advance(std::time::Duration::from_secs(3_600));
        b.round().await;
        assert_eq!((b.recipients(&id).await[0].status, sink.mails().len()), (Status::Delivered, 1));
        assert!(sink.mails()[0].data.starts_with(b"DKIM-Signature: "));
    }

    async fn a_destination_that_cannot_be_read_is_said_and_others_get_their_events(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let mut program = Program::start("dev", &database.dir.path().join("data"), database.url(), &["--objects-shared"]);
        let ses = sesv2_at(&program.endpoint, credentials(KEY, SECRET));
        ses.create_email_identity().email_identity("sender.example").send().await.expect("an identity");
        ses.create_configuration_set().configuration_set_name("set").send().await.expect("a set");
        let sns = sns_at(&program.endpoint, credentials(KEY, SECRET));
        let topic = sns.create_topic().name("events").send().await.expect("a topic").topic_arn.expect("an arn");
        for name in ["one", "two"] {
            let sns = SnsDestination::builder().topic_arn(&topic).build().expect("a topic");
            let to = EventDestinationDefinition::builder().enabled(true).matching_event_types(EventType::Send).sns_destination(sns);
            let made = ses.create_configuration_set_event_destination().configuration_set_name("set");
            made.event_destination_name(name).event_destination(to.build()).send().await.expect("made");
        }
        let store = Store::open(&database.database(), Clock::manual(Timestamp::from_secs(1_800_000_000))).await.expect("a store");
        let sql = "UPDATE event_destinations SET details = '{\"Elsewhere\":1}' WHERE name = 'one'";
        assert_eq!(spoil(&store, sql).await, 1);
        let sent = ses.send_email().from_email_address("ann@sender.example").configuration_set_name("set");
        let sent = sent.destination(Destination::builder().to_addresses("b@y.example").build());
        let id = sent.content(plain()).send().await.expect("accepted").message_id.expect("an id");
        let said = program.heard(&["ERROR", "event not published"]);
        for part in [id.as_str(), "configuration_set=\"set\"", "destination=one"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let shown = ses.get_configuration_set_event_destinations().configuration_set_name("set").send().await;
        assert_eq!(shown.expect_err("it cannot be shown").raw_response().expect("an answer").status().as_u16(), 500);
        program.stop();
    }
}
