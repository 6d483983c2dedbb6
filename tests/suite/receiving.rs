//! Receiving below SMTP: who receives, what is accepted, and what the rules do with it.
use std::time::Duration;

use postrider::mail::receiving::rules::{Action, Rule, TlsPolicy};
use postrider::mail::receiving::{Error, MAX_HOPS, Route};
use postrider::store;
use postrider::store::inbound_mails::State;
use postrider::workers::{self, Job, SystemQueue};

use crate::both_engines;
use crate::receiving_bench::{HELLO, account, address, bench, rule, s3, sns};

both_engines! {
    async fn only_verified_domains_with_a_rule_in_the_active_set_receive(engine: Engine) {
        let b = bench(engine).await;
        let ours = Some(Route { account: b.owner.account.clone(), region: b.owner.region.clone(), feedback: false });
        let route = async |text: &str, tls: bool| b.route(text, tls).await;
        assert_eq!(route("bob@here.example", true).await, None, "no rule set is active");
        let disabled = Rule { enabled: false, ..rule("off", &["off@here.example"], vec![]) };
        let secure = Rule { tls: TlsPolicy::Require, ..rule("tls", &["tls@here.example"], vec![]) };
        let rules = vec![rule("bob", &["bob@here.example", ".here.example", "other.example"], vec![]), disabled, secure];
        b.activate(&b.owner, rules).await;
        for (text, tls, routed) in [
            ("bob@here.example", false, true),
            ("Bob+label@HERE.example", false, true),
            ("eve@here.example", false, false),
            ("any@sub.here.example", false, true),
            ("off@here.example", true, false),
            ("tls@here.example", false, false),
            ("tls@here.example", true, true),
            ("bob@other.example", true, false),
            ("bob@example", true, false),
        ] {
            assert_eq!(route(text, tls).await.is_some(), routed, "{text} {tls}");
        }
        assert_eq!(route("bob@here.example", false).await, ours);
        b.receiving.set_active_rule_set(&b.owner, None).await.expect("none active");
        assert_eq!(route("bob@here.example", false).await, None);
    }

    async fn of_several_accounts_the_first_that_verified_the_domain_receives(engine: Engine) {
        let b = bench(engine).await;
        b.clock.advance(Duration::from_secs(60));
        let (second, third) = (account('2'), account('3'));
        b.verified(&second, "here.example").await;
        b.verified(&third, "deep.here.example").await;
        b.activate(&second, vec![rule("all", &[], vec![])]).await;
        let route = async |text: &str| {
            b.route(text, false).await.map(|route| route.account)
        };
        assert_eq!(route("bob@here.example").await, Some(second.account.clone()), "the first has no rule");
        b.activate(&b.owner, vec![rule("bob", &["bob@here.example"], vec![])]).await;
        assert_eq!(route("bob@here.example").await, Some(b.owner.account.clone()));
        assert_eq!(route("eve@here.example").await, Some(second.account.clone()));
        assert_eq!(route("bob@deep.here.example").await, Some(second.account.clone()));
        b.activate(&third, vec![rule("all", &[], vec![])]).await;
        assert_eq!(route("bob@deep.here.example").await, Some(third.account.clone()), "the nearest domain wins");
    }

    async fn a_mail_goes_to_the_bucket_and_to_the_topic(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        let header = Action::AddHeader { name: "X-Rule".to_owned(), value: "one".to_owned() };
        let stop = Action::Stop { topic: None };
        let first = rule("first", &["bob@here.example"], vec![header, s3("my-mail", Some(&topic)), sns(&topic), stop]);
        b.activate(&b.owner, vec![first, rule("second", &[], vec![s3("other", None)])]).await;
        b.dns.txt("there.example", "v=spf1 ip4:192.0.2.7 -all");
        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.state(&id).await.0, State::Waiting);
        b.clock.advance(Duration::from_millis(1_500));
        assert_eq!(b.round().await, 1);
        assert_eq!(b.state(&id).await, (State::Done, "processed".to_owned()));

        let object = b.object("my-mail", &format!("in/{id}")).expect("the object");
        assert!(object.starts_with("Return-Path: <ann@there.example>\r\nReceived: from client.there.example ([192.0.2.7])"));
        assert!(object.contains("X-SES-Spam-Verdict: DISABLED\r\n") && object.contains("\r\nReceived-SPF: pass "));
        assert!(object.contains("\r\nAuthentication-Results: mx.here.example;") && object.contains("X-Rule: one\r\n"));
        assert!(object.ends_with(HELLO));
        assert_eq!(b.object("other", &format!("in/{id}")), None, "the first rule stops the set");

        let told = b.told("mail").await;
        assert_eq!(told.len(), 2);
        let of = |kind: &str| told.iter().find(|t| t["receipt"]["action"]["type"] == kind).expect("told").clone();
        let (put, mail) = (of("S3"), of("SNS"));
        assert_eq!(put["receipt"]["action"]["objectKey"], format!("in/{id}"));
        assert_eq!(put["receipt"]["action"]["bucketName"], "my-mail");
        assert!(put.get("content").is_none());
        assert_eq!((&mail["mail"]["messageId"], &mail["mail"]["source"]), (&id.clone().into(), &"ann@there.example".into()));
        assert_eq!(mail["receipt"]["recipients"][0], "bob@here.example");
        assert_eq!(mail["receipt"]["spfVerdict"]["status"], "PASS");
        assert_eq!(mail["receipt"]["dkimVerdict"]["status"], "GRAY");
        assert_eq!(mail["receipt"]["dmarcVerdict"]["status"], "GRAY");
        assert_eq!(mail["receipt"]["processingTimeMillis"], 1_500);
        assert_eq!(mail["mail"]["commonHeaders"]["from"][0], "Ann <ann@there.example>");
        assert_eq!(mail["content"].as_str().expect("the mail"), object);
        assert_eq!(b.round().await, 0);
    }

    async fn each_account_gets_its_own_mail_from_one_message(engine: Engine) {
        let b = bench(engine).await;
        let second = account('2');
        b.verified(&second, "second.example").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![s3("first-mail", None)])]).await;
        b.activate(&second, vec![rule("all", &[], vec![s3("second-mail", None)])]).await;
        let to = ["bob@here.example", "eve@second.example", "tom@here.example", "bob@here.example"];
        let id = b.accept(Some("ann@there.example"), &to, HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 2);
        assert!(b.object("first-mail", &format!("in/{id}")).is_some());
        let folder = b.database.dir.path().join("objects/second-mail/in");
        let names: Vec<_> = std::fs::read_dir(folder).expect("the folder").map(|e| e.expect("an entry").file_name()).collect();
        assert!(names.len() == 1 && names[0] != id.as_str());
        let raws = b.store.read(|tx| Box::pin(async move { tx.all("SELECT id FROM raw_messages", vec![]).await })).await;
        assert_eq!(raws.map_err(|e: store::Error| e).expect("the store reads").len(), 1);
    }

    async fn loops_and_mails_without_recipients_are_refused_and_leave_nothing(engine: Engine) {
        let b = bench(engine).await;
        b.activate(&b.owner, vec![rule("all", &[], vec![])]).await;
        let looped = "Received: from a by b; x\r\n".repeat(MAX_HOPS + 1) + HELLO;
        let refused = b.accept(Some("ann@there.example"), &["bob@here.example"], &looped).await;
        assert!(matches!(refused, Err(Error::TooManyHops)));
        assert!(matches!(b.accept(None, &[], HELLO).await, Err(Error::NoRecipients)));
        assert_eq!(b.round().await, 0);
        let many = "Received: from a by b; x\r\n".repeat(MAX_HOPS) + HELLO;
        b.accept(Some("ann@there.example"), &["bob@here.example"], &many).await.expect("accepted");
    }

    async fn an_action_that_fails_for_now_is_tried_again_and_tells_once(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![s3("my-mail", Some(&topic)), sns(&topic)])]).await;
        // A file where the bucket's folder should be.
        let objects = b.database.dir.path().join("objects");
        std::fs::create_dir_all(&objects).expect("a folder");
        std::fs::write(objects.join("my-mail"), "in the way").expect("a file");
        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        for _ in 0..3 {
            assert_eq!(b.round().await, 1);
            assert_eq!(b.round().await, 0, "it waits");
            b.clock.advance(Duration::from_secs(60));
        }
        assert!(b.told("mail").await.is_empty(), "nothing is told before all is done");
        std::fs::remove_file(objects.join("my-mail")).expect("removed");
        assert_eq!(b.round().await, 1);
        assert_eq!(b.told("mail").await.len(), 2);
        assert_eq!(b.state(&id).await.0, State::Done);
    }

    async fn an_action_that_fails_for_good_is_kept_for_the_operator_and_the_others_run(engine: Engine) {
        let b = bench(engine).await;
        let (gone, topic) = (b.topic("gone").await, b.topic("mail").await);
        b.activate(&b.owner, vec![rule("all", &[], vec![sns(&gone), s3("my-mail", None), sns(&topic)])]).await;
        b.topics.delete(&gone).await.expect("deleted");
        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        assert_eq!(b.told("mail").await.len(), 1);
        assert!(b.object("my-mail", &format!("in/{id}")).is_some());
        let (state, note) = b.state(&id).await;
        assert!(state == State::Failed && note.contains("does not exist any more"), "{note}");
        assert_eq!(b.waiting(SystemQueue::Inbound.dead_letters_id()).await, 1);

        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        std::fs::remove_dir_all(b.database.dir.path().join("objects")).expect("removed");
        std::fs::write(b.database.dir.path().join("objects"), "in the way").expect("a file");
        let mut attempts = 0;
        while b.state(&id).await.0 == State::Waiting {
            attempts += b.round().await;
            b.clock.advance(Duration::from_secs(3_600));
            assert!(attempts < 100, "it is not tried for ever");
        }
        assert_eq!(b.state(&id).await.0, State::Failed);
        assert_eq!(b.told("mail").await.len(), 1, "the other action still ran, once");
        assert_eq!(b.waiting(SystemQueue::Inbound.dead_letters_id()).await, 2);
    }

    async fn a_job_that_is_put_back_runs_the_rules_again_and_old_mails_go(engine: Engine) {
        let b = bench(engine).await;
        let (gone, topic) = (b.topic("gone").await, b.topic("mail").await);
        b.activate(&b.owner, vec![rule("all", &[], vec![sns(&gone), sns(&topic)])]).await;
        b.topics.delete(&gone).await.expect("deleted");
        let failed = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        b.round().await;
        assert_eq!(b.told("mail").await.len(), 1);
        b.receiving.update_rule(&b.owner, "set", rule("all", &[], vec![sns(&topic)])).await.expect("mended");
        let job = Job { body: format!("{{\"mail\":\"{failed}\"}}"), group: None, visible_at: b.clock.now() };
        let jobs = [job.clone(), job];
        b.write(move |tx| Box::pin(async move { workers::enqueue(tx, SystemQueue::Inbound, &jobs).await })).await;
        assert_eq!(b.round().await, 2);
        assert_eq!(b.state(&failed).await.0, State::Done);
        assert!(!b.told("mail").await.is_empty());
        // Done is done, whatever job comes.
        let job = Job { body: format!("{{\"mail\":\"{failed}\"}}"), group: None, visible_at: b.clock.now() };
        b.write(move |tx| Box::pin(async move { workers::enqueue(tx, SystemQueue::Inbound, &[job]).await })).await;
        assert_eq!(b.round().await, 1);
        assert!(b.told("mail").await.is_empty());

        let waiting = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.receiving.sweep().await.expect("swept"), 0);
        b.clock.advance(Duration::from_secs(15 * 24 * 3600));
        assert_eq!(b.receiving.sweep().await.expect("swept"), 1);
        assert_eq!(b.state(&waiting).await.0, State::Waiting, "what waits is never swept");
        b.round().await;
        assert_eq!(b.told("mail").await.len(), 1);
    }

    async fn the_bounce_action_answers_people_and_never_programs(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        let bounce = Action::Bounce {
            reply_code: "550".to_owned(),
            status: Some("5.1.1".to_owned()),
            message: "No such box, désolé".to_owned(),
            sender: address("mailer-daemon@here.example"),
            topic: Some(topic.clone()),
        };
        b.activate(&b.owner, vec![rule("all", &[], vec![bounce])]).await;
        let automatic = format!("Auto-Submitted: auto-replied\r\n{HELLO}");
        b.accept(None, &["bob@here.example"], HELLO).await.expect("accepted");
        b.accept(Some("ann@there.example"), &["bob@here.example"], &automatic).await.expect("accepted");
        assert_eq!(b.round().await, 2);
        assert!(b.sent().await.is_empty());
        assert_eq!(b.told("mail").await.len(), 2);

        b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        let sent = b.sent().await;
        let [(source, return_path, recipient, message)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(source, "mailer-daemon@here.example");
        assert_eq!((return_path.as_str(), recipient.as_str()), ("", "ann@there.example"));
        assert_eq!(b.waiting(SystemQueue::Outbound.id()).await, 1);
        let parsed = mail_parser::MessageParser::default().parse(message.as_bytes()).expect("a mail");
        assert_eq!(parsed.attachments().count() + parsed.text_body_count(), 3, "{message}");
        assert!(message.contains("report-type=delivery-status") && message.is_ascii());
        assert!(message.contains("Auto-Submitted: auto-replied\r\n") && message.contains("Message-ID: <"));
        assert!(message.contains("Final-Recipient: rfc822; bob@here.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
        assert!(message.contains("Diagnostic-Code: smtp; 550 5.1.1 No such box, d?sol?\r\n"));
        assert!(message.contains("\r\nSubject: hello\r\n"), "the original's header comes back");
        assert!(parsed.body_text(0).expect("a text").contains("désolé"));
        let told = b.told("mail").await;
        assert_eq!(told[0]["receipt"]["action"]["smtpReplyCode"], "550");
    }

    async fn a_mail_too_large_for_sns_bounces(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![sns(&topic), s3("my-mail", None)])]).await;
        let large = format!("{HELLO}{}", "0123456789 abcdef\r\n".repeat(9_000));
        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], &large).await.expect("accepted");
        // Within SES's limit, but its escapes do not fit a notification.
        let escaped = format!("{HELLO}{}", "\u{1}".repeat(100_000));
        b.accept(Some("ann@there.example"), &["bob@here.example"], &escaped).await.expect("accepted");
        assert_eq!(b.round().await, 2);
        assert!(b.told("mail").await.is_empty());
        let sent = b.sent().await;
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|(_, _, to, text)| to == "ann@there.example" && text.contains("Status: 5.3.4\r\n")));
        assert_eq!(b.object("my-mail", &format!("in/{id}")).map(|text| text.ends_with(&large)), Some(true));
    }
}
