//! Complaints of the providers whose loops are open to senders, through the front door: with our own field in the mail that came
//! back, and with nothing left but the return path in the report.
use postrider::config::Given;
use serde_json::{Value, json};

use crate::both_engines;
use crate::feedback::{World, original, world};
use crate::returned_mail::{self, Original};

const BOB: &str = "bob@there.example";
const COMPLAINTS: &str = "complaints@mx.postrider.example";

async fn complain(w: &World, report: &str) -> Vec<Value> {
    w.bounce("fbl@provider.example", COMPLAINTS, report).await
}

async fn forgive(w: &World) {
    w.watched.ses.delete_suppressed_destination().email_address(BOB).send().await.ok();
}

/// The mail as a provider gives it back that takes out what it does not know, and every address of the recipient.
fn redacted(mail: &Original) -> Original {
    let lines = mail.text.split("\r\n").filter(|line| !line.starts_with("X-Postrider-Id"));
    let text = lines.collect::<Vec<_>>().join("\r\n").replace(BOB, "redacted@there.example");
    Original { to: "redacted@there.example".to_owned(), return_path: mail.return_path.clone(), text }
}

fn objects(w: &World) -> usize {
    let folder = w.house.database.dir.path().join("data/objects/complaints");
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

both_engines! {
    async fn each_provider_is_understood_with_our_field_or_with_the_return_path_alone(engine: Engine) {
        let w = world(engine, Given::default()).await;
        for hidden in [false, true] {
            for n in 0.. {
                forgive(&w).await;
                let (id, mail) = w.send().await;
                let mail = original(&mail);
                let reports = returned_mail::providers(&if hidden { redacted(&mail) } else { mail });
                let Some((name, report, agent)) = reports.into_iter().nth(n) else { break };
                let names_path = ["<fb-", "fb-"].iter().any(|path| report.contains(&format!("Original-Mail-From: {path}")));
                let before = objects(&w);
                let events = complain(&w, &report).await;
                if hidden && !names_path {
                    // Nothing is left that names the mail: it stays for the operator.
                    assert!(events.is_empty() && objects(&w) == before + 1, "{name}: {events:?}");
                    continue;
                }
                let [event] = events.as_slice() else { panic!("{name}, hidden {hidden}: {events:?}") };
                assert_eq!((&event["eventType"], &event["mail"]["messageId"]), (&json!("Complaint"), &json!(id)), "{name}");
                let complaint = &event["complaint"];
                assert_eq!(complaint["complainedRecipients"], json!([{"emailAddress": BOB}]), "{name}");
                assert_eq!((complaint["complaintFeedbackType"].as_str(), complaint["userAgent"].as_str()), (Some("abuse"), agent), "{name}");
                let found = w.watched.ses.get_suppressed_destination().email_address(BOB).send().await.expect(name);
                assert_eq!(found.suppressed_destination.expect("it is there").reason().as_str(), "COMPLAINT", "{name}");
            }
        }
    }

    async fn a_report_in_base64_is_read_like_any_other(engine: Engine) {
        use base64::Engine as _;
        let w = world(engine, Given::default()).await;
        let (_, mail) = w.send().await;
        let mail = original(&mail);
        let arf = returned_mail::arf(&redacted(&mail));
        let (head, rest) = arf.split_once("Content-Type: message/feedback-report\n\n").expect("the part");
        let (machine, rest) = rest.split_once("\n--B0").expect("its end");
        let encoded = base64::engine::general_purpose::STANDARD.encode(machine);
        let report =
            format!("{head}Content-Type: message/feedback-report\nContent-Transfer-Encoding: base64\n\n{encoded}\n--B0{rest}");
        assert_eq!(complain(&w, &report).await.len(), 1);
    }

    async fn who_says_that_it_is_no_spam_may_still_complain(engine: Engine) {
        let w = world(engine, Given::default()).await;
        let (_, mail) = w.send().await;
        let abuse = returned_mail::arf(&original(&mail));
        for kind in ["not-spam", "auth-failure"] {
            let events = complain(&w, &abuse.replace("Feedback-Type: abuse", &format!("Feedback-Type: {kind}"))).await;
            assert_eq!(events[0]["complaint"]["complaintFeedbackType"], kind);
            assert!(w.watched.ses.get_suppressed_destination().email_address(BOB).send().await.is_err(), "{kind}");
        }
        assert_eq!(complain(&w, &abuse).await.len(), 1);
        assert!(w.watched.ses.get_suppressed_destination().email_address(BOB).send().await.is_ok());
        assert!(complain(&w, &abuse).await.is_empty(), "told before");
    }

    async fn a_letter_to_the_complaints_address_is_kept_also_when_it_quotes_a_mail(engine: Engine) {
        let w = world(engine, Given::default()).await;
        let (_, mail) = w.send().await;
        let letter = format!("From: eve@there.example\nSubject: please stop\n\nI got this:\n{}\n", original(&mail).text);
        assert!(complain(&w, &letter).await.is_empty());
        assert_eq!(objects(&w), 1);
    }
}
