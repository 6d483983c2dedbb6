//! The accept door: what is let in, what that leaves in the store, what is refused.
use bytes::Bytes;
use postrider::mail::content::{NewDestination, Target};
use postrider::mail::sending::{Limits, SendError};
use postrider::store::mails::{Kind, Status};
use serde_json::{Value, json};

use crate::both_engines;
use crate::ses_bench::bench;

both_engines! {
    async fn an_accepted_mail_is_in_the_store_with_a_job_for_each_recipient(engine: Engine) {
        let bench = bench(engine, Limits::Unlimited).await;
        bench.identity("x.example").await;
        let mut submission = bench.submission("ann@x.example", &["b@y.example", "c@z.example", "b@y.example"]);
        submission.return_path = Some("bounces@x.example".parse().expect("an address"));
        let id = bench.sending.accept(submission).await.expect("accepted");
        let (mail, raw, recipients) = bench.mail(&id).await;
        assert_eq!(
            raw,
            format!(
                "From: Ann <ann@x.example>\r\nTo: b@y.example\r\nSubject: hi\r\n\
                 Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nMessage-ID: <{id}@out.example>\r\n\r\nbody\r\n"
            )
        );
        assert_eq!((mail.source.as_str(), mail.return_path.as_str()), ("ann@x.example", "bounces@x.example"));
        assert_eq!((mail.kind, mail.identity.as_deref(), mail.recipient_count), (Kind::User, Some("x.example"), 2));
        assert_eq!(usize::try_from(mail.size), Ok(raw.len()));
        let found: Vec<_> = recipients.iter().map(|r| (r.n, r.address.as_str(), r.status)).collect();
        assert_eq!(found, [(0, "b@y.example", Status::Pending), (1, "c@z.example", Status::Pending)]);
        assert_eq!(bench.jobs().await, 2);
        let quota = bench.sending.quota(&bench.scope.account, &bench.scope.region).await.expect("a quota");
        assert_eq!((quota.account.max_24_hour, quota.sent_last_24_hours), (-1, 2));
    }

    async fn the_send_event_reaches_the_topic_in_the_form_of_ses(engine: Engine) {
        let bench = bench(engine, Limits::Unlimited).await;
        bench.identity("x.example").await;
        bench.configuration_set("set").await;
        let topic_arn = bench.topic("events").await;
        let destination = |name: &str, event_types: &[&str], enabled: bool| NewDestination {
            name: name.to_owned(),
            enabled,
            event_types: event_types.iter().map(|t| (*t).to_owned()).collect(),
            target: Target::Topic(topic_arn.clone()),
        };
        let (account, region) = (&bench.scope.account, &bench.scope.region);
        for new in [
            destination("all", &["SEND", "BOUNCE"], true),
            destination("others", &["DELIVERY"], true),
            destination("off", &["SEND"], false),
        ] {
            bench.sets.put_destination(account, region, "set", new, false).await.expect("a destination");
        }
        let validated = bench.received("events").await;
        assert_eq!(validated, vec!["Successfully validated SNS topic for Amazon SES event publishing."; 3]);
        let mut submission = bench.submission("ann@x.example", &["b@y.example"]);
        submission.configuration_set = Some("set".to_owned());
        let id = bench.sending.accept(submission).await.expect("accepted");
        let got = bench.received("events").await;
        assert_eq!(got.len(), 1, "{got:?}");
        let event: Value = serde_json::from_str(&got[0]).expect("JSON");
        let wanted = json!({
            "eventType": "Send",
            "send": {},
            "mail": {
                "timestamp": "2027-01-15T08:00:00.000Z",
                "source": "Ann <ann@x.example>",
                "sourceArn": "arn:aws:ses:us-east-1:000000000000:identity/x.example",
                "sendingAccountId": "000000000000",
                "messageId": id,
                "destination": ["b@y.example"],
                "headersTruncated": false,
                "headers": [
                    {"name": "From", "value": "Ann <ann@x.example>"},
                    {"name": "To", "value": "b@y.example"},
                    {"name": "Subject", "value": "hi"},
                ],
                "commonHeaders": {
                    "from": ["Ann <ann@x.example>"],
                    "to": ["b@y.example"],
                    "subject": "hi",
                    "messageId": id,
                },
                "tags": {
                    "campaign": ["one"],
                    "ses:configuration-set": ["set"],
                    "ses:source-ip": ["192.0.2.7"],
                    "ses:from-domain": ["x.example"],
                    "ses:operation": ["SendRawEmail"],
                    "ses:caller-identity": ["AKIDEXAMPLE"],
                },
            },
        });
        assert_eq!(event, wanted);
        let (mail, ..) = bench.mail(&id).await;
        assert_eq!(mail.expires_at.since(mail.accepted_at).as_secs(), 600);
    }

    async fn the_headers_of_ses_choose_set_and_tags_and_are_gone(engine: Engine) {
        let bench = bench(engine, Limits::Unlimited).await;
        bench.identity("x.example").await;
        bench.configuration_set("set").await;
        let mut submission = bench.submission("ann@x.example", &["b@y.example"]);
        let header = "X-SES-CONFIGURATION-SET: set\r\nX-SES-MESSAGE-TAGS: k=v, k2=v2\r\nFrom: ann@x.example\r\n\r\nbody";
        submission.raw = Bytes::from_static(header.as_bytes());
        submission.tags.clear();
        let id = bench.sending.accept(submission.clone()).await.expect("accepted");
        let (mail, raw, _) = bench.mail(&id).await;
        let tags = r#"[["k","v"],["k2","v2"],["ses:operation","SendRawEmail"]]"#;
        assert_eq!((mail.configuration_set.as_deref(), mail.tags.text()), (Some("set"), tags));
        assert!(!raw.contains("X-SES"));
        submission.configuration_set = Some("missing".to_owned());
        let refused = bench.sending.accept(submission).await;
        assert!(matches!(refused, Err(SendError::ConfigurationSetMissing(name)) if name == "missing"));
    }

    async fn senders_must_be_verified_in_the_envelope_and_in_the_header(engine: Engine) {
        let bench = bench(engine, Limits::Unlimited).await;
        bench.identity("x.example").await;
        bench.identity("only@z.example").await;
        assert!(bench.send("ann@sub.x.example", &["b@y.example"]).await.is_ok());
        assert!(bench.send("Only@z.example", &["b@y.example"]).await.is_ok());
        let refused = bench.send("other@z.example", &["b@y.example"]).await;
        assert!(matches!(refused, Err(SendError::NotVerified { identities, .. }) if identities == ["other@z.example"]));
        let mut spoofed = bench.submission("ann@x.example", &["b@y.example"]);
        spoofed.raw = Bytes::from_static(b"From: boss@bank.example\r\nSender: s@bank.example\r\n\r\n");
        spoofed.return_path = Some("r@elsewhere.example".parse().expect("an address"));
        let refused = bench.sending.accept(spoofed).await;
        let wanted = ["boss@bank.example", "s@bank.example", "r@elsewhere.example"];
        assert!(matches!(refused, Err(SendError::NotVerified { identities, .. }) if identities == wanted));
        assert_eq!(bench.jobs().await, 2);
    }

    async fn the_sandbox_sends_to_verified_recipients_and_the_simulator_only(engine: Engine) {
        let bench = bench(engine, Limits::Sandbox).await;
        bench.verified("short.example").await;
        let refused = bench.send("a@short.example", &["b@y.example", "c@short.example", "d@z.example"]).await;
        let wanted = ["b@y.example", "d@z.example"];
        assert!(matches!(refused, Err(SendError::NotVerified { identities, .. }) if identities == wanted));
        assert_eq!(bench.jobs().await, 0);
        assert!(bench.send("a@short.example", &["c@short.example", "success@simulator.amazonses.com"]).await.is_ok());
        assert_eq!(bench.jobs().await, 2);
    }

    async fn rate_and_daily_quota_are_counted_in_recipients(engine: Engine) {
        let bench = bench(engine, Limits::Unlimited).await;
        bench.identity("x.example").await;
        bench.limits(5, 2).await;
        assert!(bench.send("a@x.example", &["b@y.example", "c@y.example"]).await.is_ok());
        assert!(matches!(bench.send("a@x.example", &["b@y.example"]).await, Err(SendError::RateExceeded)));
        bench.clock.advance(std::time::Duration::from_secs(1));
        let four = ["b@y.example", "c@y.example", "d@y.example", "e@y.example"];
        assert!(matches!(bench.send("a@x.example", &four).await, Err(SendError::DailyQuotaExceeded)));
        assert!(bench.send("a@x.example", &four[..3]).await.is_ok());
        bench.clock.advance(std::time::Duration::from_secs(24 * 3600));
        assert!(bench.send("a@x.example", &four).await.is_ok());
        assert_eq!(bench.jobs().await, 9);
    }

    async fn parallel_calls_together_stay_within_the_quota(engine: Engine) {
        let bench = bench(engine, Limits::Unlimited).await;
        bench.identity("x.example").await;
        bench.limits(7, -1).await;
        let calls = (0..30).map(|_| bench.send("a@x.example", &["b@y.example"]));
        let results = futures::future::join_all(calls).await;
        let accepted = results.iter().filter(|r| r.is_ok()).count();
        let refused = results.iter().filter(|r| matches!(r, Err(SendError::DailyQuotaExceeded))).count();
        assert_eq!((accepted, refused), (7, 23));
        assert_eq!(bench.jobs().await, 7);
    }

    async fn what_is_too_much_or_broken_is_refused_and_leaves_nothing(engine: Engine) {
        let bench = bench(engine, Limits::Unlimited).await;
        bench.identity("x.example").await;
        assert!(matches!(bench.send("a@x.example", &[]).await, Err(SendError::NoRecipients)));
        let many: Vec<String> = (0..51).map(|n| format!("r{n}@y.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(bench.send("a@x.example", &many).await, Err(SendError::TooManyRecipients(51))));
        let with = |raw: &[u8]| {
            let mut submission = bench.submission("a@x.example", &["b@y.example"]);
            submission.raw = Bytes::copy_from_slice(raw);
            bench.sending.accept(submission)
        };
        assert!(matches!(with(b"no header").await, Err(SendError::Message(_))));
        let large = [b"From: a@x.example\r\n\r\n".as_slice(), &vec![b'x'; 40 * 1024 * 1024]].concat();
        assert!(matches!(with(&large).await, Err(SendError::TooLarge(_))));
        let mut tagged = bench.submission("a@x.example", &["b@y.example"]);
        tagged.tags = vec![("bad tag".to_owned(), "v".to_owned())];
        assert!(matches!(bench.sending.accept(tagged).await, Err(SendError::BadTag(_))));
        assert_eq!(bench.jobs().await, 0);
        assert!(bench.send("a@x.example", &many[..50]).await.is_ok());
        assert_eq!(bench.jobs().await, 50);
    }

    async fn a_list_or_a_tenant_that_the_header_names_is_refused_and_not_passed_over(engine: Engine) {
        let bench = bench(engine, Limits::Unlimited).await;
        bench.identity("x.example").await;
        let with = |field: &str| {
            let mut submission = bench.submission("a@x.example", &["b@y.example"]);
            submission.raw = Bytes::from(format!("From: a@x.example\r\n{field}\r\n\r\nbody"));
            bench.sending.accept(submission)
        };
        let refused = with("X-SES-LIST-MANAGEMENT-OPTIONS: friends; topic=news").await;
        assert!(matches!(refused, Err(SendError::ContactListMissing(list)) if list == "friends"));
        let refused = with("x-ses-tenant: one").await;
        assert!(matches!(refused, Err(SendError::TenantMissing(tenant)) if tenant == "one"));
        assert_eq!(bench.jobs().await, 0);
        assert!(with("X-SES-LIST-MANAGEMENT-OPTIONS: ").await.is_ok());
    }
}
