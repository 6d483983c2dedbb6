//! Mail that real senders send and no standard has: odd addresses, hosts that take ASCII only, long words, doubled fields; and
//! what events tell of it.
use std::net::SocketAddr;

use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, EventDestinationDefinition, EventType, Message, MessageHeader,
    RawMessage, SnsDestination,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postrider::base::{AccountId, EmailAddress, Region};
use postrider::config::{Given, Mode};
use postrider::mail::identity::keys;
use postrider::mail::receiving::Routed;
use postrider::mail::receiving::rules::{Action, Rule};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::both_engines;
use crate::house::House;
use crate::receiving_bench::{HELLO, bench, rule, sns};
use crate::ses_house::{Watched, object};
use crate::smtp_sink::{FaultySmtp, Script};

/// Says the lines one after the other, and gives the last line of each answer; the greeting is the first.
pub(crate) async fn talk(address: SocketAddr, lines: &[&str]) -> Vec<String> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("a connection"));
    let mut answers = Vec::new();
    for line in std::iter::once(&"").chain(lines) {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).await.expect("written");
        }
        let mut answer = String::new();
        while answer.as_bytes().get(3) != Some(&b' ') {
            answer.clear();
            assert!(stream.read_line(&mut answer).await.expect("an answer") > 0, "closed after {line:?}");
        }
        answers.push(answer.trim_end().to_owned());
    }
    answers
}

/// The raw messages in the inbox, newest first.
async fn inbox(house: &House) -> Vec<Vec<u8>> {
    house.work().await;
    let inbox = format!("{}/_postrider/inbox", house.endpoint());
    let list = reqwest::get(&inbox).await.expect("answers").text().await.expect("text");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let mut raws = Vec::new();
    for mail in list.as_array().expect("a list") {
        let id = mail["id"].as_str().expect("an id");
        let raw = reqwest::get(format!("{inbox}/{id}/raw")).await.expect("answers").bytes().await.expect("bytes");
        raws.push(raw.to_vec());
    }
    raws
}

fn text(data: &str) -> Content {
    Content::builder().data(data).build().expect("a text")
}

fn simple(headers: Vec<MessageHeader>) -> EmailContent {
    let body = Body::builder().text(text("body")).build();
    let message = Message::builder().subject(text("hi")).body(body).set_headers(Some(headers)).build();
    EmailContent::builder().simple(message).build()
}

fn raw(message: &str) -> EmailContent {
    let message = RawMessage::builder().data(Blob::new(message.as_bytes())).build().expect("a message");
    EmailContent::builder().raw(message).build()
}

fn to(address: &str) -> Destination {
    Destination::builder().to_addresses(address).build()
}

both_engines! {
    async fn reverse_paths_that_can_be_answered_to_are_taken_and_answered(engine: Engine) {
        let b = bench(engine).await;
        let bounce = Action::Bounce {
            reply_code: "550".to_owned(),
            status: Some("5.1.1".to_owned()),
            message: "no such mailbox".to_owned(),
            sender: "mailer-daemon@here.example".parse().expect("an address"),
            topic: None,
        };
        b.activate(&b.owner, vec![rule("bounce", &[], vec![bounce])]).await;
        let long = format!("user+caf_={}=there.example@gmail.example", "x".repeat(120));
        let paths = [long.as_str(), "a..b.@docomo.example", ".x@docomo.example", "a@[192.0.2.9]", "a@-b.example"];
        for path in paths {
            let id = b.accept(Some(path), &["bob@here.example"], HELLO).await.expect("accepted");
            assert_eq!(b.round().await, 1);
            let sent = b.sent().await;
            let (.., data) = sent.iter().find(|(_, reverse, to, _)| reverse.is_empty() && to == path).expect(path);
            assert!(data.contains(&format!("\r\nTo: {path}\r\n")) || data.contains(&format!("\r\n {path}\r\n")), "{data}");
            assert!(!id.is_empty());
        }
        for recipient in ["a..b@here.example", ".a.@here.example", "x@sub.here.example"] {
            let recipient = EmailAddress::lenient(recipient).expect("an address");
            let client = postrider::mail::receiving::Client { peer: "192.0.2.7".parse().expect("an address"), tls: false };
            assert!(matches!(b.receiving.route(&recipient, client).await, Ok(Routed::To(_))), "{recipient}");
        }
    }

    async fn one_domain_has_two_forms(engine: Engine) {
        let b = bench(engine).await;
        b.verified(&b.owner, "xn--bcher-kva.example").await;
        b.verified(&b.owner, "größe.example").await;
        b.activate(&b.owner, vec![
            rule("ann", &["ann@xn--bcher-kva.example", "größe.example"], vec![]),
            rule("below", &[".bücher.example"], vec![]),
        ]).await;
        for (recipient, taken) in [
            ("ann@bücher.example", true),
            ("ann@BÜCHER.example", true),
            ("ann@xn--bcher-kva.example", true),
            ("any@post.xn--bcher-kva.example", true),
            ("any@xn--gre-6ka8i.example", true),
            ("bob@bücher.example", false),
            ("ann@bucher.example", false),
        ] {
            assert_eq!(b.route(recipient, false).await.is_some(), taken, "{recipient}");
        }
    }

    async fn a_host_that_takes_ascii_only_gets_ascii(engine: Engine) {
        let host = FaultySmtp::start("127.0.0.1:0", Script { offers: &["SIZE 1000000"], ..Script::default() }).await;
        let given = Given { delivery: Some(format!("relay://{}", host.address)), ..Given::default() };
        let house = House::start(Mode::Dev, engine, given).await;
        let watched = Watched::new(&house).await;
        let send = async |message: &str| {
            let sent = watched.ses.send_email().configuration_set_name(Watched::SET).destination(to("b@there.example"));
            sent.content(raw(message)).send().await.expect("accepted");
            watched.events(&house).await
        };
        let header = "From: ann@sender.example\r\nTo: b@there.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n";
        let part = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nViele Grüße = x\r\n";
        let both = format!(
            "{header}Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n{part}\r\n--m\r\n\
             Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\nÿÿ\r\n--m--\r\n"
        );
        let events = send(&both).await;
        assert!(object(&events, "delivery").is_some(), "{events:?}");
        let mail = host.mails().remove(0);
        assert!(mail.data.is_ascii() && !mail.eight_bit);
        let data = String::from_utf8(mail.data.clone()).expect("ascii");
        assert!(data.contains("\r\n\r\nViele Gr=C3=BC=C3=9Fe =3D x\r\n") && data.contains("\r\n\r\nw7/Dvw==\r\n"), "{data}");
        let (account, region) = (AccountId::development(), Region::default_region());
        let found = house.app.parts().services.identities.get(&account, &region, "sender.example").await.expect("there");
        let key = found.keys.iter().find(|key| data.contains(&format!("s={};", key.selector))).expect("its key");
        crate::dkim::judge(vec![json!({
            "mail": STANDARD.encode(&mail.data), "good": true,
            "name": format!("{}._domainkey.sender.example.", key.selector), "record": keys::record_value(key),
        })]);
        // What is ASCII goes as it is, and what is signed by its author comes back.
        assert!(object(&send(&format!("{header}\r\nplain\r\n")).await, "delivery").is_some());
        let signed = format!("{header}Content-Type: multipart/signed; boundary=m\r\n\r\n--m\r\n{part}\r\n--m--\r\n");
        let bounce = object(&send(&signed).await, "bounce").expect("a bounce");
        assert_eq!((&bounce["bounceType"], &bounce["bouncedRecipients"][0]["status"]), (&"Transient".into(), &"5.6.3".into()));
    }

    async fn long_lines_go_as_they_are_or_encoded(engine: Engine) {
        let long = "word ".repeat(300);
        let message = format!("From: ann@sender.example\r\nTo: b@there.example\r\nContent-Type: text/plain\r\n\r\n{long}\r\n");
        for (way, kept) in [(None, true), (Some("encode"), false)] {
            let host = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
            let delivery = Some(format!("relay://{}", host.address));
            let given = Given { delivery, long_lines: way.map(str::to_owned), ..Given::default() };
            let house = House::start(Mode::Dev, engine, given).await;
            let watched = Watched::new(&house).await;
            let sent = watched.ses.send_email().destination(to("b@there.example")).content(raw(&message));
            sent.send().await.expect("accepted");
            house.work().await;
            let data = String::from_utf8(host.mails().remove(0).data).expect("text");
            assert_eq!(data.contains(&long), kept, "{way:?}");
            assert_eq!(data.lines().all(|line| line.len() <= 998), !kept, "{way:?}");
        }
    }

    async fn a_long_link_in_a_header_goes_out_as_it_is(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        for length in [300, 900, 940] {
            let link = format!("<https://sender.example/u/{}>", "t".repeat(length));
            let header = MessageHeader::builder().name("List-Unsubscribe").value(&link).build().expect("a header");
            let sent = watched.ses.send_email().from_email_address(Watched::FROM).destination(to("b@there.example"));
            sent.content(simple(vec![header])).send().await.expect("accepted");
            let raw = String::from_utf8(inbox(&house).await.remove(0)).expect("text");
            assert!(raw.lines().all(|line| line.len() <= 998));
            assert!(raw.replace("\r\n ", " ").replace(":  ", ": ").contains(&format!("List-Unsubscribe: {link}")), "{raw}");
        }
    }

    async fn names_with_quotes_and_comments_are_read(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        for (from, field) in [
            ("John \"Jack\" Doe <ann@sender.example>", "From: John Jack Doe <ann@sender.example>"),
            ("\"Dr.\" Ann <ann@sender.example>", "From: \"Dr. Ann\" <ann@sender.example>"),
            ("ann@sender.example (Ann)", "From: Ann <ann@sender.example>"),
            ("Ann [Sales] <ann@sender.example>", "From: \"Ann [Sales]\" <ann@sender.example>"),
        ] {
            let sent = watched.ses.send_email().from_email_address(from).destination(to("b@there.example"));
            sent.content(simple(vec![])).send().await.expect(from);
            let raw = String::from_utf8(inbox(&house).await.remove(0)).expect("text");
            assert!(raw.contains(&format!("\r\n{field}\r\n")), "{raw}");
        }
    }

    async fn doubled_fields_and_multiparts_without_a_part_are_refused_in_sess_words(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        for (more, words) in [
            ("Subject: a\r\nsubject: b\r\n\r\nx", "Duplicate header 'Subject'."),
            ("Message-Id: <a@b>\r\nMessage-ID: <c@d>\r\n\r\nx", "Duplicate header 'Message-ID'."),
            ("DKIM-Signature: a=b\r\nDKIM-Signature: c=d\r\n\r\nx", "Duplicate header 'DKIM-Signature'."),
            ("Reply-To: a@b.example\r\nReply-To: c@d.example\r\n\r\nx", "Duplicate header 'Reply-To'."),
            ("Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx", "Duplicate header 'Content-Type'."),
            ("Content-Type: multipart/mixed; boundary=b\r\n\r\nno part", "Missing start boundary"),
        ] {
            let message = format!("From: ann@sender.example\r\nTo: b@there.example\r\n{more}");
            let sent = watched.ses.send_email().destination(to("b@there.example")).content(raw(&message));
            let refused = sent.send().await.expect_err(words).into_service_error();
            assert!(refused.is_bad_request_exception());
            assert_eq!(refused.meta().message(), Some(words));
            let raw = aws_sdk_ses::types::RawMessage::builder().data(aws_sdk_ses::primitives::Blob::new(message.as_bytes()));
            let sent = house.ses().send_raw_email().raw_message(raw.build().expect("a message")).send();
            let refused = sent.await.expect_err(words).into_service_error();
            assert_eq!((refused.meta().code(), refused.meta().message()), (Some("InvalidParameterValue"), Some(words)));
        }
    }

    async fn events_have_the_callers_own_fields_and_all_common_ones(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let many = (0..12).map(|n| format!("X-Long-{n}: {}\r\n", "v".repeat(950))).collect::<String>();
        let message = format!(
            "{many}Message-ID: <own@sender.example>\r\nDate: Fri, 2 Jan 2026 03:04:05 +0100\r\nX-SES-CONFIGURATION-SET: watched\r\n\
             From: Ann <ann@sender.example>\r\nTo: b@there.example\r\nSubject: hello\r\n\r\nbody"
        );
        let short = message.replace(&many, "");
        for (message, truncated) in [(short, false), (message, true)] {
            let sent = watched.ses.send_email().destination(to("b@there.example")).content(raw(&message));
            let id = sent.send().await.expect("accepted").message_id.expect("an id");
            let events = watched.events(&house).await;
            let mail = &events[0]["mail"];
            assert_eq!(mail["headersTruncated"], truncated);
            let names: Vec<&str> = mail["headers"].as_array().expect("headers").iter().filter_map(|h| h["name"].as_str()).collect();
            if !truncated {
                assert_eq!(names, ["Message-ID", "Date", "X-SES-CONFIGURATION-SET", "From", "To", "Subject"]);
                assert_eq!(mail["headers"][0]["value"], "<own@sender.example>");
            }
            let common = json!({
                "from": ["Ann <ann@sender.example>"], "to": ["b@there.example"], "subject": "hello", "messageId": id,
                "date": "Fri, 2 Jan 2026 03:04:05 +0100",
            });
            assert_eq!(mail["commonHeaders"], common);
        }
        // A key that is the account's number has a name.
        let number = house.sesv2_as(crate::house::credentials("000000000000", "any"));
        let sent = number.send_email().from_email_address(Watched::FROM).configuration_set_name(Watched::SET);
        sent.destination(to("b@there.example")).content(simple(vec![])).send().await.expect("accepted");
        let events = watched.events(&house).await;
        assert_eq!(events[0]["mail"]["tags"]["ses:caller-identity"], json!(["root"]));
    }

    async fn received_mail_is_told_by_its_header_and_by_its_envelope(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![sns(&topic)])]).await;
        let message = "From: Ann <ann@there.example>\r\nTo: List <list@lists.example>, carol@there.example\r\n\
                       Cc: dave@there.example\r\nBcc: eve@there.example\r\nSubject: x\r\n\r\nhi\r\n";
        b.accept(Some("ann@there.example"), &["bob@here.example"], message).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        let told = &b.told("mail").await[0];
        assert_eq!(told["mail"]["destination"], json!(["list@lists.example", "carol@there.example", "dave@there.example"]));
        assert_eq!(told["receipt"]["recipients"], json!(["bob@here.example"]));
    }

    async fn a_webhook_gets_what_can_be_decoded(engine: Engine) {
        let b = bench(engine).await;
        let hook = Action::Webhook {
            url: b.runtime.url("/hook"),
            secret: "a secret of more than 16".to_owned(),
            bucket: None,
            prefix: None,
            topic: None,
        };
        b.activate(&b.owner, vec![Rule { actions: vec![hook], ..rule("hook", &[], vec![]) }]).await;
        let part = |more: &str| format!("--m\r\nContent-Type: text/plain; charset=utf-8\r\n{more}\r\n");
        let message = format!(
            "From: =?utf-8?q?J=C3?= =?utf-8?q?=BCrgen?= <ann@there.example>\r\nTo: bob@here.example\r\n\
             Subject: =?utf-8?b?R3LD?=\r\n =?utf-8?b?vMOfZQ==?=\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=m\r\n\r\n{}{}{}--m--\r\n",
            part("Content-Transfer-Encoding: quoted-printable\r\n\r\n5=5 caf=C3=A9"),
            part("Content-Transfer-Encoding: base64\r\n\r\naGkh\r\n____\r\na list's footer"),
            "--m\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nGrüße\r\n",
        );
        b.accept(Some("ann@there.example"), &["bob@here.example"], &message).await.expect("accepted");
        while b.round().await > 0 {}
        let got = b.runtime.arrived()[0].json();
        assert_eq!(got["content"]["text"], "5=5 café\r\nhi!\r\nGrüße");
        assert_eq!(got["mail"]["commonHeaders"]["subject"], "Grüße");
        assert_eq!(got["mail"]["commonHeaders"]["from"], json!(["Jürgen <ann@there.example>"]));
    }

    async fn who_waits_for_events_that_never_come_is_told(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let topic = house.sns().create_topic().name("more").send().await.expect("a topic").topic_arn.expect("its ARN");
        let create = |name: &str, types: Vec<EventType>| {
            let target = SnsDestination::builder().topic_arn(&topic).build().expect("a destination");
            let definition = EventDestinationDefinition::builder().enabled(true).set_matching_event_types(Some(types));
            let create = watched.ses.create_configuration_set_event_destination().configuration_set_name(Watched::SET);
            create.event_destination_name(name).event_destination(definition.sns_destination(target).build()).send()
        };
        let refused = create("opens", vec![EventType::Open, EventType::Click]).await.expect_err("nothing is tracked");
        let refused = refused.into_service_error();
        assert!(refused.is_bad_request_exception());
        assert_eq!(refused.meta().message(), Some("Event type <OPEN> is not supported."));
        create("others", vec![EventType::Open, EventType::Delivery]).await.expect("the others come");
    }

    async fn a_form_is_the_query_protocol_whatever_else_is_said(engine: Engine) {
        let house = House::dev(engine).await;
        let call = reqwest::Client::new()
            .post(house.endpoint())
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("x-amz-target", "AmazonSQS.CreateQueue")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=dev/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00")
            .body("Action=CreateQueue&QueueName=perl&Version=2012-11-05");
        let answer = call.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let body = answer.text().await.expect("text");
        assert!(body.starts_with("<?xml") || body.starts_with("<CreateQueueResponse"), "{body}");
        assert!(house.sqs().get_queue_url().queue_name("perl").send().await.is_ok());
    }
}
