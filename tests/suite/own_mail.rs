//! Our own mail to our own domains: out through SMTP and in again on the same server, without a loop.
use std::net::SocketAddr;

use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use postrider::base::{AccountId, Region, Scope};
use postrider::config::{Given, Mode};
use postrider::mail::receiving::rules::Action;
use postrider::store::Error;

use crate::both_engines;
use crate::dns::TestDns;
use crate::engine::Engine as OneOf;
use crate::house::House;
use crate::receiving_bench::{address, rule};

const MAILS: &str = "SELECT COUNT(*) AS total FROM mails";
const INBOUND: &str = "SELECT COUNT(*) AS total FROM inbound_mails";
const MESSAGES: &str = "SELECT COUNT(*) AS total FROM messages";

/// A server that hands all its mail to its own listener.
async fn house(engine: OneOf) -> (House, TestDns) {
    // It knows nothing, and says so at once.
    let dns = TestDns::start().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let smtp: SocketAddr = free.local_addr().expect("bound");
    drop(free);
    let delivery = Some(format!("relay://{smtp}"));
    let servers = Some(vec![dns.address]);
    let given = Given { smtp: Some(smtp.into()), delivery, dns: servers, ..Given::default() };
    (House::start(Mode::Dev, engine, given).await, dns)
}

async fn rules(house: &House, rules: Vec<(&str, Action)>) {
    let owner = Scope { account: AccountId::development(), region: Region::default_region() };
    let receiving = &house.app.parts().services.receiving;
    receiving.create_rule_set(&owner, "set").await.expect("a rule set");
    for (name, action) in rules {
        let recipient = format!("{name}@here.example");
        let rule = rule(name, &[&recipient], vec![action]);
        receiving.create_rule(&owner, "set", rule, None).await.expect("a rule");
    }
    receiving.set_active_rule_set(&owner, Some("set")).await.expect("active");
}

async fn send(house: &House, to: &str) {
    let ses = house.sesv2();
    ses.create_email_identity().email_identity("here.example").send().await.expect("an identity");
    let text = |text: &str| Content::builder().data(text).build().expect("content");
    let message = Message::builder().subject(text("hello")).body(Body::builder().text(text("hi")).build()).build();
    ses.send_email()
        .from_email_address("ann@here.example")
        .destination(Destination::builder().to_addresses(to).build())
        .content(EmailContent::builder().simple(message).build())
        .send()
        .await
        .expect("sent");
}

/// What a query counts.
async fn count(house: &House, sql: &'static str) -> i64 {
    let row = house.app.store().read(move |tx| Box::pin(async move { tx.one(sql, vec![]).await })).await;
    row.map_err(|error: Error| error).expect("the store reads").expect("a row").int("total").expect("a number")
}

both_engines! {
    async fn a_mail_to_ourselves_arrives(engine: Engine) {
        let (house, _dns) = house(engine).await;
        let s3 = Action::S3 { bucket: "my-mail".to_owned(), prefix: None, topic: None, role: None, kms: None };
        rules(&house, vec![("bob", s3)]).await;
        send(&house, "bob@here.example").await;
        house.work().await;
        let folder = house.database.dir.path().join("data/objects/my-mail");
        let names: Vec<_> = std::fs::read_dir(folder).expect("the bucket").map(|entry| entry.expect("an entry").path()).collect();
        let [object] = names.as_slice() else { panic!("{names:?}") };
        let text = std::fs::read_to_string(object).expect("the mail");
        assert!(text.contains("Subject: hello\r\n") && text.contains("Return-Path: <fb-"), "{text}");
        house.stop().await;
    }

    async fn two_that_forward_to_each_other_come_to_an_end(engine: Engine) {
        let (house, _dns) = house(engine).await;
        let to = |name: &str| Action::Forward { to: vec![address(name)], topic: None };
        rules(&house, vec![("bob", to("eve@here.example")), ("eve", to("bob@here.example"))]).await;
        send(&house, "bob@here.example").await;
        house.work().await;
        let (sent, received) = (count(&house, MAILS).await, count(&house, INBOUND).await);
        assert!((3..=8).contains(&sent) && (3..=8).contains(&received), "{sent} sent, {received} received");
        assert_eq!(count(&house, MESSAGES).await, 0, "nothing is under way any more");
        house.stop().await;
    }

    /// The bounce comes back to the mail's return path, and its sender is told by a mail; that one makes no other.
    async fn a_bounce_of_our_own_to_ourselves_makes_no_other(engine: Engine) {
        let (house, _dns) = house(engine).await;
        let bounce = |name: &str| Action::Bounce {
            reply_code: "550".to_owned(),
            status: None,
            message: "no".to_owned(),
            sender: address(name),
            topic: None,
        };
        send(&house, "bob@here.example").await;
        rules(&house, vec![("bob", bounce("bob@here.example")), ("ann", bounce("ann@here.example"))]).await;
        house.work().await;
        assert_eq!((count(&house, MAILS).await, count(&house, INBOUND).await), (3, 3));
        assert_eq!(count(&house, MESSAGES).await, 0);
        house.stop().await;
    }
}
