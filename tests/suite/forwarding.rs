//! Received mail that goes on and does not arrive, through the front door: its sender is told, once, and nothing goes in circles.
use postrider::base::{AccountId, Region, Scope};
use postrider::config::Given;
use postrider::mail::receiving::rules::Action;

use crate::both_engines;
use crate::dns::TestDns;
use crate::engine::Engine as OneOf;
use crate::feedback::{World, world};
use crate::receiving_bench::{address, rule};
use crate::returned_mail::{self, Original};
use crate::smtp_sink::Received;

const ANN: &str = "ann@far.example";
const MAIL: &str =
    "From: Ann <ann@far.example>\nTo: bob@here.example\nMessage-ID: <1@far.example>\nSubject: hello\n\nhi\n";

/// A server whose mail for Bob goes on to these addresses.
async fn forwarding(engine: OneOf, to: &[&str]) -> (World, TestDns) {
    let dns = TestDns::start().await;
    let w = world(engine, Given { dns: Some(vec![dns.address]), ..Given::default() }).await;
    w.watched.ses.create_email_identity().email_identity("here.example").send().await.expect("an identity");
    let owner = Scope { account: AccountId::development(), region: Region::default_region() };
    let receiving = &w.house.app.parts().services.receiving;
    receiving.create_rule_set(&owner, "set").await.expect("a rule set");
    let forward = Action::Forward { to: to.iter().map(|text| address(text)).collect(), topic: None };
    receiving
        .create_rule(&owner, "set", rule("bob", &["bob@here.example"], vec![forward]), None)
        .await
        .expect("a rule");
    receiving.set_active_rule_set(&owner, Some("set")).await.expect("active");
    (w, dns)
}

async fn take(w: &World, from: &str, to: &str, data: &str) {
    let (_, taken) = w.deliver(from, to, data).await;
    assert!(taken.starts_with("250"), "{taken}");
    w.house.work().await;
}

/// The mails that a sender got.
fn told(w: &World, to: &str) -> Vec<(String, String)> {
    let mails = w.there.mails().into_iter().filter(|mail| mail.to == [to]);
    mails.map(|mail| (mail.from, String::from_utf8_lossy(&mail.data).into_owned())).collect()
}

fn went_on(w: &World, to: &str) -> Received {
    w.there.mails().into_iter().find(|mail| mail.to == [to]).expect("it went on")
}

both_engines! {
    async fn its_sender_is_told_once_of_the_address_that_he_wrote_to(engine: Engine) {
        let (w, _dns) = forwarding(engine, &["permfail@gone.example", "carol@else.example", "permfail@else.example"]).await;
        take(&w, ANN, "bob@here.example", MAIL).await;
        let told = told(&w, ANN);
        let [(from, text)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(from, "", "the null reverse path");
        for line in ["Auto-Submitted: auto-replied", "Final-Recipient: rfc822; bob@here.example", "Action: failed", "Status: 5.1.1",
            "To: ann@far.example", "Subject: hello"] {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
        }
        assert!(text.to_ascii_lowercase().contains("message-id: <1@far.example>"), "{text}");
        assert!(!text.contains("permfail@") && !text.contains("carol@"), "where it went on is not told: {text}");
        assert_eq!(went_on(&w, "carol@else.example").to.len(), 1);
    }

    async fn a_bounce_that_comes_later_is_told_too_and_not_sent_on(engine: Engine) {
        let (w, _dns) = forwarding(engine, &["carol@else.example"]).await;
        take(&w, ANN, "bob@here.example", MAIL).await;
        let mail = went_on(&w, "carol@else.example");
        assert!(mail.from.starts_with("fb-") && mail.from.ends_with("@mx.postrider.example"), "{}", mail.from);
        let text = String::from_utf8_lossy(&mail.data).into_owned();
        assert!(!text.contains("X-Postrider-Id"), "the author's mail is not changed: {text}");
        let original = Original { to: "carol@else.example".to_owned(), return_path: mail.from.clone(), text };
        let dsn = returned_mail::postfix(&original);
        for _ in 0..2 {
            take(&w, "", &mail.from, &dsn).await;
        }
        let all = told(&w, ANN);
        let [(from, text)] = all.as_slice() else { panic!("{all:?}") };
        assert!(from.is_empty() && text.contains("\r\nFinal-Recipient: rfc822; bob@here.example\r\n"), "{text}");
        assert_eq!(told(&w, "carol@else.example").len(), 1, "the bounce did not go on");
        let suppressed = w.watched.ses.get_suppressed_destination().email_address("carol@else.example").send().await;
        assert!(suppressed.is_err(), "nobody is put on a list");
    }

    async fn an_automatic_answer_goes_to_its_sender(engine: Engine) {
        let (w, _dns) = forwarding(engine, &["carol@else.example"]).await;
        take(&w, ANN, "bob@here.example", MAIL).await;
        let mail = went_on(&w, "carol@else.example");
        let away = "From: carol@else.example\nAuto-Submitted: auto-replied\nSubject: I am away\n\nback soon\n";
        take(&w, "", &mail.from, away).await;
        let told = told(&w, ANN);
        assert!(told.len() == 1 && told[0].0.is_empty() && told[0].1.contains("back soon"), "{told:?}");
    }

    async fn nobody_is_told_of_a_bounce_a_programs_mail_and_a_forged_sender(engine: Engine) {
        let (w, dns) = forwarding(engine, &["permfail@gone.example"]).await;
        dns.txt("forged.example", "v=spf1 -all");
        take(&w, "", "bob@here.example", MAIL).await;
        take(&w, ANN, "bob@here.example", &format!("Auto-Submitted: auto-generated\n{MAIL}")).await;
        take(&w, "ann@forged.example", "bob@here.example", MAIL).await;
        assert_eq!(w.there.mails(), vec![], "nothing arrived, and nobody was told");
        take(&w, ANN, "bob@here.example", MAIL).await;
        assert_eq!(told(&w, ANN).len(), 1);
    }
}
