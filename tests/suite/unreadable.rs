//! What cannot be read in a row is an error that is told, never a default, and no stranger's row waits for it (ARCHITECTURE.md, "What
//! cannot be read").
use aws_sdk_sesv2::config::http::HttpResponse;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::types::{SuppressionListReason, Tag};
use postrider::mail::receiving::{Error as ReceivingError, Routed};
use postrider::mail::sending::suppress;
use postrider::store::inbound_mails::State;
use postrider::store::mails::{self, Status};
use postrider::store::suppressed::{self, Reason};
use postrider::store::{self, Store};

use crate::both_engines;
use crate::house::House;
use crate::receiving_bench::{HELLO, account, rule};
use crate::smtp_sink::SmtpSink;
use crate::{outbound_bench, receiving_bench, ses_bench};

/// Changes rows, as nothing of ours does.
async fn spoil(store: &Store, sql: &'static str) -> u64 {
    let changed = store.write(move |tx| Box::pin(async move { tx.run(sql, vec![]).await })).await;
    changed.map_err(|error: store::Error| error).expect("changed")
}

fn status<T, E>(answer: Result<T, SdkError<E, HttpResponse>>) -> u16 {
    let Err(error) = answer else { return 200 };
    error.raw_response().expect("an answer").status().as_u16()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag")
}

both_engines! {
    async fn a_mail_waits_while_its_suppression_setting_cannot_be_read_and_others_go(engine: Engine) {
        let sink = SmtpSink::start("127.0.0.1:0");
        let b = outbound_bench::bench(engine, &format!("relay://{}", sink.address), 25).await;
        let listed: Result<bool, store::Error> = b.store.write(|tx| Box::pin(async move {
            let (account, region) = (postrider::base::AccountId::development(), postrider::base::Region::default_region());
            let (address, updated_at) = ("b@there.example".to_owned(), tx.now());
            let entry = suppressed::Suppressed { address, reason: Reason::Bounce, feedback_id: None, message_id: None, updated_at };
            suppressed::put(tx, &account, &region, &entry).await.map(|()| true)
        })).await;
        assert!(listed.expect("on the list"));
        let waits = b.send_with("set", &["b@there.example"]).await;
        let goes = b.send_with("strict", &["b@there.example"]).await;
        assert_eq!(spoil(&b.store, "UPDATE configuration_sets SET options = '{\"suppressed_reasons\":1}' WHERE name = 'set'").await, 1);
        b.round().await;
        // Not sent to who must get nothing, and not dropped either.
        assert_eq!((b.recipients(&waits).await[0].status, sink.mails().len()), (Status::Pending, 0));
        assert_eq!(b.recipients(&goes).await[0].status, Status::Suppressed);
        assert_eq!(spoil(&b.store, "UPDATE configuration_sets SET options = '{}' WHERE name = 'set'").await, 1);
        b.clock.advance(std::time::Duration::from_secs(3_600));
        b.round().await;
        assert_eq!(b.recipients(&waits).await[0].status, Status::Suppressed);
    }

    async fn a_bounce_is_written_down_though_the_suppression_setting_cannot_be_read(engine: Engine) {
        let sink = SmtpSink::start("127.0.0.1:0");
        let b = outbound_bench::bench(engine, &format!("relay://{}", sink.address), 25).await;
        let id = b.send_with("set", &["b@there.example"]).await;
        assert_eq!(spoil(&b.store, "UPDATE configuration_sets SET options = '' WHERE name = 'set'").await, 1);
        let put: Result<_, store::Error> = b.store.write(move |tx| Box::pin(async move {
            let mail = mails::find(tx, &id).await?.expect("the mail");
            let put = suppress(tx, &mail, "B@there.example", Reason::Bounce, "feedback").await?;
            Ok((put, suppressed::find(tx, &mail.account, &mail.region, "b@there.example").await?.map(|entry| entry.reason)))
        })).await;
        assert_eq!(put.expect("the store works"), (true, Some(Reason::Bounce)));
    }

    async fn tags_and_settings_that_cannot_be_read_are_a_500_and_stay_as_they_are(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        let arn = |name: &str| format!("arn:aws:ses:us-east-1:000000000000:configuration-set/{name}");
        for name in ["bad", "good"] {
            ses.create_configuration_set().configuration_set_name(name).tags(tag("a", "1")).send().await.expect("made");
        }
        let store = house.app.store();
        assert_eq!(spoil(store, "UPDATE configuration_sets SET options = '{\"tags\":[[\"a\"]]}' WHERE name = 'bad'").await, 1);
        assert_eq!(status(ses.list_tags_for_resource().resource_arn(arn("bad")).send().await), 500);
        assert_eq!(status(ses.tag_resource().resource_arn(arn("bad")).tags(tag("b", "2")).send().await), 500);
        assert_eq!(status(ses.get_configuration_set().configuration_set_name("bad").send().await), 500);
        let reasons = ses.put_configuration_set_suppression_options().configuration_set_name("bad");
        assert_eq!(status(reasons.suppressed_reasons(SuppressionListReason::Bounce).send().await), 500);
        assert_eq!(spoil(store, "UPDATE configuration_sets SET name = name WHERE options = '{\"tags\":[[\"a\"]]}'").await, 1);
        ses.tag_resource().resource_arn(arn("good")).tags(tag("b", "2")).send().await.expect("tagged");
        let tags = ses.list_tags_for_resource().resource_arn(arn("good")).send().await.expect("tags");
        assert_eq!(tags.tags(), [tag("a", "1"), tag("b", "2")]);
        // What nobody can read can be made anew.
        ses.delete_configuration_set().configuration_set_name("bad").send().await.expect("deleted");
        ses.create_configuration_set().configuration_set_name("bad").send().await.expect("made");
        assert_eq!(status(ses.get_configuration_set().configuration_set_name("bad").send().await), 200);
        let reasons = || ses.put_account_suppression_attributes().suppressed_reasons(SuppressionListReason::Bounce);
        reasons().send().await.expect("set");
        assert_eq!(spoil(store, "UPDATE account_settings SET suppressed_reasons = '[\"SPAM\"]'").await, 1);
        assert_eq!(status(ses.get_account().send().await), 500);
        reasons().send().await.expect("set anew");
        assert_eq!(status(ses.get_account().send().await), 200);
    }

    async fn a_mail_whose_headers_cannot_be_read_waits_and_others_go(engine: Engine) {
        let sink = SmtpSink::start("127.0.0.1:0");
        let b = outbound_bench::bench(engine, &format!("relay://{}", sink.address), 25).await;
        let waits = b.send(&["b@there.example"]).await;
        let goes = b.send(&["c@there.example"]).await;
        let kept = "UPDATE mails SET identity = headers";
        assert_eq!(spoil(&b.store, kept).await, 2);
        let sql = "UPDATE mails SET headers = '[' WHERE id = (SELECT mail_id FROM recipients WHERE address = 'b@there.example')";
        assert_eq!(spoil(&b.store, sql).await, 1);
        b.round().await;
        // Who wrote it is not known, so neither is which key signs.
        assert_eq!((b.recipients(&waits).await[0].status, sink.mails().len()), (Status::Pending, 1));
        assert_eq!(b.recipients(&goes).await[0].status, Status::Delivered);
        assert_eq!(spoil(&b.store, "UPDATE mails SET headers = identity").await, 2);
        b.clock.advance(std::time::Duration::from_secs(3_600));
        b.round().await;
        assert_eq!(b.recipients(&waits).await[0].status, Status::Delivered);
    }

    async fn a_mail_whose_tags_cannot_be_read_is_delivered_once_and_its_events_are_not_told(engine: Engine) {
        let sink = SmtpSink::start("127.0.0.1:0");
        let b = outbound_bench::bench(engine, &format!("relay://{}", sink.address), 25).await;
        let id = b.send(&["b@there.example"]).await;
        let other = b.send(&["c@there.example"]).await;
        b.events().await;
        let sql = "UPDATE mails SET tags = '{}' WHERE id = (SELECT mail_id FROM recipients WHERE address = 'b@there.example')";
        assert_eq!(spoil(&b.store, sql).await, 1);
        b.round().await;
        b.round().await;
        assert_eq!((b.recipients(&id).await[0].status, b.attempts(&id, 0).await.len()), (Status::Delivered, 1));
        let told: Vec<_> = b.events().await.iter().map(|event| event["mail"]["messageId"].clone()).collect();
        assert_eq!(told, [other]);
    }

    async fn mails_of_an_account_wait_for_a_rule_set_that_cannot_be_read_and_others_run(engine: Engine) {
        let b = receiving_bench::bench(engine).await;
        let other = account('2');
        b.verified(&other, "other.example").await;
        for owner in [&b.owner, &other] {
            b.activate(owner, vec![rule("all", &[], vec![])]).await;
        }
        let waits = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        let runs = b.accept(Some("ann@there.example"), &["bob@other.example"], HELLO).await.expect("accepted");
        let sql = "UPDATE receipt_rule_sets SET rules = '[{}]' WHERE account = '000000000000'";
        assert_eq!(spoil(&b.store, sql).await, 1);
        b.round().await;
        assert_eq!((b.state(&waits).await.0, b.state(&runs).await.0), (State::Waiting, State::Done));
        // What nobody of ours wrote counts within a second.
        b.clock.advance(std::time::Duration::from_secs(2));
        // Who receives for an address is not known while its rules cannot be read: it is put off, and nobody else's.
        let peer = postrider::mail::receiving::Client { peer: "192.0.2.7".parse().expect("an address"), tls: false };
        let asked = b.receiving.route(&"bob@here.example".parse().expect("an address"), peer).await;
        assert!(matches!(asked, Err(ReceivingError::Internal(_))));
        assert!(matches!(b.routed("bob@other.example", "192.0.2.7", false).await, Routed::To(_)));
        // A start goes on, too.
        let sql = "UPDATE receipt_rule_sets SET rules = '[\"\\u0001\"]' WHERE account = '000000000000'";
        assert_eq!(spoil(&b.store, sql).await, 1);
        b.receiving.seal_secrets().await.expect("the others are sealed");
        assert_eq!(spoil(&b.store, "UPDATE receipt_rule_sets SET rules = '[]' WHERE account = '000000000000'").await, 1);
        b.clock.advance(std::time::Duration::from_secs(3_600));
        b.round().await;
        assert_eq!(b.state(&waits).await.0, State::Done);
    }

    async fn who_verified_first_keeps_its_mail_though_a_later_ones_rules_cannot_be_read(engine: Engine) {
        let b = receiving_bench::bench(engine).await;
        let later = account('2');
        b.clock.advance(std::time::Duration::from_secs(60));
        b.verified(&later, "here.example").await;
        for owner in [&b.owner, &later] {
            b.activate(owner, vec![rule("all", &[], vec![])]).await;
        }
        let sql = "UPDATE receipt_rule_sets SET rules = '[{}]' WHERE account <> '000000000000'";
        assert_eq!(spoil(&b.store, sql).await, 1);
        b.clock.advance(std::time::Duration::from_secs(2));
        assert!(matches!(b.routed("bob@here.example", "192.0.2.7", false).await, Routed::To(_)));
    }

    async fn identities_are_looked_at_though_one_cannot_be_read(engine: Engine) {
        let b = ses_bench::bench(engine, postrider::mail::sending::Limits::Sandbox).await;
        for name in ["a.short.example", "b.short.example", "c.short.example"] {
            b.identity(name).await;
        }
        assert_eq!(spoil(&b.store, "UPDATE identities SET status = 'ODD' WHERE name = 'a.short.example'").await, 1);
        assert_eq!(spoil(&b.store, "UPDATE dkim_keys SET state = 'ODD' WHERE domain = 'b.short.example'").await, 3);
        assert_eq!(b.identities.check_pending().await.expect("a round"), 1);
        let (account, region) = (&b.scope.account, &b.scope.region);
        let found = b.identities.get(account, region, "c.short.example").await.expect("there");
        assert!(found.identity.checked_at.is_some());
        // A list is whole, or it is none.
        assert!(b.identities.list(account, region, None, "", 10).await.is_err());
        assert!(b.identities.list(account, region, None, "a.short.example", 10).await.is_ok());
    }
}
