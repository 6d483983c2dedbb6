//! `postrider admin transcript`: whose a mail is, what became of it, and what comes next.
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, EmailTemplateContent, Message, SuppressionListReason, Template,
};
use postrider::app::admin::{Admin, Place, Whose};
use postrider::base::Timestamp;
use postrider::config::{Given, Mode};
use postrider::mail::own::jobs::LIFETIME;
use postrider::mail::sending::history::{self, History, Next};
use postrider::store::mails::Status;

use crate::both_engines;
use crate::held::release;
use crate::house::{House, credentials};
use crate::keys_off::done;

const FROM: &str = "Änn <ann@sender.example>";

/// Sends a mail with a subject outside of ASCII, and gives its id.
async fn send(house: &House, to: &str) -> String {
    let content = |text: &str| Content::builder().data(text).build().expect("a text");
    let body = Body::builder().text(content("hello")).build();
    let message = Message::builder().subject(content("Grüße \u{1f600}")).body(body).build();
    sent(house, to, EmailContent::builder().simple(message).build()).await
}

async fn sent(house: &House, to: &str, content: EmailContent) -> String {
    let call = house.sesv2().send_email().from_email_address(FROM).content(content);
    let call = call.destination(Destination::builder().to_addresses(to).build());
    call.send().await.expect("accepted").message_id.expect("an id")
}

async fn sender(house: &House) {
    house.sesv2().create_email_identity().email_identity("sender.example").send().await.expect("an identity");
}

async fn printed(house: &House, id: &str) -> Vec<String> {
    let data_dir = Some(house.database.dir.path().join("data"));
    let given = Given { data_dir, database_url: Some(house.database.url.clone()), ..Given::default() };
    let place = Place::of(given, None).expect("good settings");
    Admin::open(&place, &Whose::default()).await.expect("it opens").transcript(id).await.expect("there is such a mail")
}

async fn values(house: &House, id: &str) -> History {
    let mut reader = house.app.store().reader().await.expect("a reader");
    history::history(&mut reader, id).await.expect("the store reads").expect("a mail")
}

/// The time that stands behind these words.
fn time_in(lines: &[String], words: &str) -> Timestamp {
    let after = lines.iter().find_map(|line| line.split_once(words)).unwrap_or_else(|| panic!("{words}: {lines:#?}")).1;
    let text: String = after.trim_start().chars().take_while(|c| !c.is_whitespace() && *c != ',').collect();
    Timestamp::parse_rfc3339(&text).unwrap_or_else(|| panic!("{text:?} is a time"))
}

both_engines! {
    async fn a_mail_that_waits_says_when_it_is_tried_and_until_when(engine: Engine) {
        // Nobody listens there.
        let given = Given { delivery: Some("relay://127.0.0.1:1".to_owned()), ..Given::default() };
        let house = House::start(Mode::Dev, engine, given).await;
        sender(&house).await;
        let id = send(&house, "b@there.example").await;
        let begun = house.clock.now();
        assert_eq!(values(&house, &id).await.recipients[0].next, Some(Next::From(begun)));
        house.work().await;

        let lines = printed(&house, &format!("<{id}@email.amazonses.com>")).await;
        let head = [
            &format!("message {id}"), "from Änn <ann@sender.example>", "subject Grüße \u{1f600}",
            "account 000000000000 in us-east-1",
        ];
        assert_eq!(lines[..4], head);
        assert_eq!(lines[5], "b@there.example Pending");
        assert!(lines.iter().any(|line| line.contains("attempt 1 ")), "{lines:#?}");
        let minutes = |at: Timestamp| at.since(begun).as_secs_f64() / 60.0;
        assert!((0.8..=1.3).contains(&minutes(time_in(&lines, "next attempt"))), "{lines:#?}");
        let lifetime = time_in(&lines, "gives up").since(time_in(&lines, "accepted"));
        assert_eq!(lifetime, LIFETIME);
    }

    async fn a_mail_that_is_not_tried_says_what_it_waits_for(engine: Engine) {
        let given = Given { hold_delivery: Some(true), ..Given::default() };
        let house = House::start(Mode::Dev, engine, given).await;
        sender(&house).await;
        let held = send(&house, "b@there.example").await;
        house.work().await;
        let lines = printed(&house, &held).await;
        let waits = |lines: &[String], why: &str| lines.iter().any(|line| line.starts_with(why) && line.contains("gives up "));
        assert!(waits(&lines, "  waits: delivery is held (admin release)"), "{lines:#?}");
        release(&house.database, &[]);
        assert!(matches!(values(&house, &held).await.recipients[0].next, Some(Next::From(_))));

        let (shop, account) = ("111111111111", "111111111111".parse().expect("an account"));
        postrider::access::create_account(house.app.store(), Some(account), "shop").await.expect("an account");
        let ses = house.sesv2_as(credentials(shop, "any"));
        ses.create_email_identity().email_identity("sender.example").send().await.expect("an identity");
        let content = Content::builder().data("hello").build().expect("a text");
        let message = Message::builder().subject(content.clone()).body(Body::builder().text(content).build()).build();
        let call = ses.send_email().from_email_address(FROM).content(EmailContent::builder().simple(message).build());
        let sent = call.destination(Destination::builder().to_addresses("c@there.example").build()).send().await;
        let suspended = sent.expect("accepted").message_id.expect("an id");
        done(&house, &["account", "suspend", "--account", shop]);
        let lines = printed(&house, &suspended).await;
        assert!(waits(&lines, "  waits: the account is suspended"), "{lines:#?}");
        done(&house, &["account", "resume", "--account", shop]);
        assert!(matches!(values(&house, &suspended).await.recipients[0].next, Some(Next::From(_))));
    }

    async fn a_suppressed_recipient_says_why_and_since_when(engine: Engine) {
        let house = House::dev(engine).await;
        sender(&house).await;
        let put = house.sesv2().put_suppressed_destination().email_address("b@y.example");
        put.reason(SuppressionListReason::Complaint).send().await.expect("put");
        let since = house.clock.now();
        house.clock.advance(std::time::Duration::from_secs(7));
        let id = send(&house, "B@y.example").await;
        house.work().await;
        let lines = printed(&house, &id).await;
        assert_eq!(lines[5], "B@y.example Suppressed");
        assert_eq!(lines[6], format!("  on the suppression list for COMPLAINT since {since}"));
        house.sesv2().delete_suppressed_destination().email_address("b@y.example").send().await.expect("deleted");
        let lines = printed(&house, &id).await;
        assert!(lines[6].starts_with("  not on the suppression list any more; then: Amazon SES did not send"), "{lines:#?}");
    }

    async fn a_template_that_cannot_be_rendered_leaves_its_reason(engine: Engine) {
        let house = House::dev(engine).await;
        sender(&house).await;
        let parts = EmailTemplateContent::builder().subject("Hi {{name}}").text("{{name}}").build();
        let made = house.sesv2().create_email_template().template_name("welcome").template_content(parts);
        made.send().await.expect("made");
        let template = Template::builder().template_name("welcome").template_data(r#"{"other": "x"}"#).build();
        let id = sent(&house, "b@y.example", EmailContent::builder().template(template).build()).await;
        let told = values(&house, &id).await;
        assert_eq!((told.subject.as_deref(), told.recipients[0].recipient.status), (None, Status::Rejected));
        let lines = printed(&house, &id).await;
        assert_eq!(lines[5], "b@y.example Rejected");
        assert_eq!(lines[6], "  because: Attribute 'name' is not present in the rendering data.");
    }
}
