//! What comes back, through the front door: mail is sent through the API to a server of ours for tests, and that server's
//! bounces and complaints are delivered to our listener.
use std::net::SocketAddr;

use postrider::config::{Given, Mode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::both_engines;
use crate::engine::Engine as OneOf;
use crate::house::House;
use crate::returned_mail::{self, Original};
use crate::ses_house::{Watched, object};
use crate::smtp_sink::{FaultySmtp, Received, Script};

const BOB: &str = "bob@there.example";

pub(crate) struct World {
    pub house: House,
    pub watched: Watched,
    pub there: FaultySmtp,
}

pub(crate) async fn world(engine: OneOf, given: Given) -> World {
    let there = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
    let delivery = Some(format!("relay://{}", there.address));
    let house = House::start(Mode::Dev, engine, Given { delivery, ..given }).await;
    let watched = Watched::new(&house).await;
    World { house, watched, there }
}

impl World {
    /// Sends a mail to Bob, which arrives; gives its id, and the mail as it came to the other side.
    pub(crate) async fn send(&self) -> (String, Received) {
        let id = self.watched.send(&[BOB]).await;
        let events = self.events().await;
        assert!(object(&events, "delivery").is_some(), "{events:?}");
        let mails = self.there.mails();
        (id, mails.last().expect("arrived").clone())
    }

    pub(crate) async fn events(&self) -> Vec<Value> {
        self.watched.events(&self.house).await
    }

    /// Delivers a mail to our listener; gives the answers to RCPT and to the end of the data.
    pub(crate) async fn deliver(&self, from: &str, to: &str, data: &str) -> (String, String) {
        deliver(&self.house, from, to, data).await
    }

    pub(crate) async fn bounce(&self, from: &str, to: &str, data: &str) -> Vec<Value> {
        let (_, taken) = self.deliver(from, to, data).await;
        assert!(taken.starts_with("250"), "{taken}");
        self.events().await
    }

    async fn suppressed(&self) -> Option<String> {
        let found = self.watched.ses.get_suppressed_destination().email_address(BOB).send().await.ok()?;
        Some(found.suppressed_destination?.reason().as_str().to_owned())
    }
}

pub(crate) fn original(mail: &Received) -> Original {
    Original {
        to: BOB.to_owned(),
        return_path: mail.from.clone(),
        text: String::from_utf8_lossy(&mail.data).into_owned(),
    }
}

both_engines! {
    async fn a_bounce_that_comes_later_is_told_once_and_suppresses(engine: Engine) {
        let w = world(engine, Given::default()).await;
        let (id, mail) = w.send().await;
        assert!(mail.from.starts_with("fb-") && mail.from.ends_with("@mx.postrider.example"), "{}", mail.from);
        let dsn = returned_mail::postfix(&original(&mail));
        let events = w.bounce("", &mail.from, &dsn).await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((&event["eventType"], &event["mail"]["messageId"]), (&json!("Bounce"), &json!(id)));
        let bounce = &event["bounce"];
        let wanted = json!([{"emailAddress": BOB, "action": "failed", "status": "5.1.1", "diagnosticCode":
            "smtp; 550 5.1.1 <bob@there.example>: Recipient address rejected: User unknown in virtual mailbox table"}]);
        assert_eq!(bounce["bouncedRecipients"], wanted);
        assert_eq!((&bounce["bounceType"], &bounce["bounceSubType"]), (&json!("Permanent"), &json!("General")));
        assert_eq!(bounce["reportingMTA"], "dns; mx.there.example");
        assert!(bounce["feedbackId"].as_str().is_some_and(|id| id.len() == 60));
        assert_eq!(w.suppressed().await.as_deref(), Some("BOUNCE"));
        // The sender has a mail about it, from nobody.
        let notice = w.there.mails().pop().expect("a notice");
        assert_eq!((notice.from.as_str(), notice.to.as_slice()), ("", &["ann@sender.example".to_owned()][..]));
        assert!(String::from_utf8_lossy(&notice.data).contains("Auto-Submitted: auto-replied\r\n"));
        assert!(w.bounce("", &mail.from, &dsn).await.is_empty(), "told before");
    }

    async fn servers_that_do_not_follow_the_standard_are_understood(engine: Engine) {
        let w = world(engine, Given::default()).await;
        for (name, write, kind, status) in [
            ("exim", returned_mail::exim as fn(&Original) -> String, "Transient/MailboxFull", None),
            ("qmail", returned_mail::qmail, "Permanent/General", Some("5.1.1")),
            ("exchange", returned_mail::exchange, "Permanent/General", Some("5.1.10")),
            ("gmail", returned_mail::gmail, "Permanent/General", Some("5.1.1")),
        ] {
            w.watched.ses.delete_suppressed_destination().email_address(BOB).send().await.ok();
            let (_, mail) = w.send().await;
            let events = w.bounce("", &mail.from, &write(&original(&mail))).await;
            let bounce = object(&events, "bounce").unwrap_or_else(|| panic!("{name}: {events:?}"));
            let got = format!("{}/{}", bounce["bounceType"].as_str().unwrap_or_default(), bounce["bounceSubType"].as_str().unwrap_or_default());
            assert_eq!(got, kind, "{name}: {bounce}");
            let recipient = &bounce["bouncedRecipients"][0];
            assert_eq!((recipient["emailAddress"].as_str(), recipient["status"].as_str()), (Some(BOB), status), "{name}");
        }
    }

    async fn a_delay_is_told_as_one_and_a_success_is_not_told(engine: Engine) {
        let w = world(engine, Given::default()).await;
        let (_, mail) = w.send().await;
        let dsn = returned_mail::postfix(&original(&mail));
        let delay = dsn.replace("Action: failed", "Action: delayed").replace("5.1.1", "4.4.1");
        let events = w.bounce("", &mail.from, &delay).await;
        let told = object(&events, "deliveryDelay").expect("a delay");
        assert_eq!((&told["delayType"], &told["delayedRecipients"][0]["status"]), (&json!("TransientCommunicationFailure"), &json!("4.4.1")));
        assert!(w.bounce("", &mail.from, &delay).await.is_empty());
        let success = dsn.replace("Action: failed", "Action: delivered").replace("5.1.1", "2.0.0");
        assert!(w.bounce("", &mail.from, &success).await.is_empty());
        assert_eq!((w.suppressed().await, w.there.mails().len()), (None, 1));
        assert!(object(&w.bounce("", &mail.from, &dsn).await, "bounce").is_some(), "what is delayed may still fail");
    }

    async fn a_forged_return_path_is_no_mailbox_and_an_old_one_neither(engine: Engine) {
        let w = world(engine, Given::default()).await;
        let (_, mail) = w.send().await;
        let last = mail.from.as_bytes()[58];
        let other = if last == b'a' { "b" } else { "a" };
        let forged = format!("{}{other}{}", &mail.from[..58], &mail.from[59..]);
        let dsn = returned_mail::postfix(&original(&mail));
        let (refused, _) = w.deliver("", &forged, &dsn).await;
        assert!(refused.starts_with("550"), "{refused}");
        // Case is not kept everywhere, and identities have domains of their own.
        let shouted = format!("{}@bounce.sender.example", mail.from.split('@').next().unwrap_or_default().to_uppercase());
        assert!(w.deliver("", &shouted, &dsn).await.0.starts_with("250"));
        w.house.clock.advance(std::time::Duration::from_secs(31 * 86_400));
        let (refused, _) = w.deliver("", &mail.from, &dsn).await;
        assert!(refused.starts_with("550"), "{refused}");
    }

    async fn automatic_answers_and_letters_go_on_to_the_sender(engine: Engine) {
        let w = world(engine, Given::default()).await;
        let (_, mail) = w.send().await;
        for (from, header) in [("", "Auto-Submitted: auto-replied\nSubject: I am away"), (BOB, "Subject: Re: hi")] {
            let answer = format!("From: Bob <{BOB}>\nTo: <{}>\n{header}\n\n550 5.1.1 is my room.\n", mail.from);
            assert!(w.bounce(from, &mail.from, &answer).await.is_empty(), "no event");
            let onward = w.there.mails().pop().expect("it goes on");
            let text = String::from_utf8_lossy(&onward.data).into_owned();
            assert_eq!((onward.from.as_str(), onward.to.as_slice()), ("", &["ann@sender.example".to_owned()][..]));
            assert!(text.starts_with("Received: from mx.there.example ([127.0.0.1])\r\n") && text.contains("is my room"), "{text}");
        }
        assert_eq!(w.suppressed().await, None);
    }

    async fn complaints_are_tied_to_the_mail_by_its_own_field(engine: Engine) {
        let w = world(engine, Given::default()).await;
        for (name, write, agent) in [
            ("arf", returned_mail::arf as fn(&Original) -> String, Some("ExampleFBL/1.0")),
            ("redacted", returned_mail::redacted_arf, Some("ExampleFBL/2.0")),
            ("jmrp", returned_mail::jmrp, None),
        ] {
            w.watched.ses.delete_suppressed_destination().email_address(BOB).send().await.ok();
            let (id, mail) = w.send().await;
            let report = write(&original(&mail));
            let events = w.bounce("fbl@provider.example", "Complaints@mx.postrider.example", &report).await;
            let [event] = events.as_slice() else { panic!("{name}: {events:?}") };
            assert_eq!((&event["eventType"], &event["mail"]["messageId"]), (&json!("Complaint"), &json!(id)), "{name}");
            let complaint = &event["complaint"];
            assert_eq!(complaint["complainedRecipients"], json!([{"emailAddress": BOB}]), "{name}");
            assert_eq!((complaint["complaintFeedbackType"].as_str(), complaint["userAgent"].as_str()), (Some("abuse"), agent), "{name}");
            assert!(complaint["complaintSubType"].is_null());
            if name == "arf" {
                assert_eq!(complaint["arrivalDate"], "2027-01-15T08:00:00.000Z");
            }
            assert_eq!(w.suppressed().await.as_deref(), Some("COMPLAINT"), "{name}");
            let again = w.bounce("fbl@provider.example", "complaints@mx.postrider.example", &report).await;
            assert!(again.is_empty(), "{name}: told before");
        }
    }

    async fn what_names_no_mail_of_ours_stays_for_the_operator(engine: Engine) {
        let w = world(engine, Given::default()).await;
        let (_, mail) = w.send().await;
        let marked = original(&mail);
        let mark = mail.from.split('@').next().unwrap_or_default().to_owned();
        let forged = Original { text: marked.text.replace(&mark, &format!("fb-{}", "a".repeat(56))), ..marked };
        let events = w.bounce("fbl@provider.example", "complaints@mx.postrider.example", &returned_mail::redacted_arf(&forged)).await;
        assert!(events.is_empty() && w.suppressed().await.is_none());
        let folder = w.house.database.dir.path().join("data/objects/complaints");
        assert_eq!(std::fs::read_dir(folder).expect("the bucket").count(), 1);
    }

    async fn without_a_domain_for_it_the_senders_return_path_stays(engine: Engine) {
        let mut given = Given::default();
        given.feedback.feedback_domain = Some("none".to_owned());
        let w = world(engine, given).await;
        let (_, mail) = w.send().await;
        assert_eq!(mail.from, "ann@sender.example");
        let (refused, _) = w.deliver("", "complaints@mx.postrider.example", "Subject: x\n\nx").await;
        assert!(refused.starts_with("550"), "{refused}");
    }
}

/// Delivers a mail to the listener of a house; gives the answers to RCPT and to the end of the data.
pub(crate) async fn deliver(house: &House, from: &str, to: &str, data: &str) -> (String, String) {
    deliver_at(house.smtp(), from, to, data).await
}

/// The same to any listener.
pub(crate) async fn deliver_at(listener: SocketAddr, from: &str, to: &str, data: &str) -> (String, String) {
    let socket = TcpStream::connect(listener).await.expect("connected");
    let mut socket = BufReader::new(socket);
    let (from, to) = (format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>"));
    let data = format!("{}\r\n.", data.replace("\r\n", "\n").replace('\n', "\r\n").trim_end());
    let mut answers = Vec::new();
    for line in ["", "EHLO mx.there.example", &from, &to, "DATA", &data, "QUIT"] {
        if !line.is_empty() {
            socket.write_all(format!("{line}\r\n").as_bytes()).await.expect("written");
        }
        let mut answer = String::new();
        while answer.lines().last().is_none_or(|line| line.as_bytes().get(3) != Some(&b' ')) {
            assert!(socket.read_line(&mut answer).await.expect("an answer") > 0, "{answers:?}");
        }
        answers.push(answer);
        if answers.last().is_some_and(|answer| answer.starts_with('5')) {
            break;
        }
    }
    (answers.get(3).cloned().unwrap_or_default(), answers.get(5).cloned().unwrap_or_default())
}
