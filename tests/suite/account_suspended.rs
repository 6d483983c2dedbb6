//! A suspended account does nothing, loses nothing, and goes on when it is resumed.
use std::time::Duration;

use aws_sdk_ses::types::{AddHeaderAction, ReceiptAction, ReceiptRule};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_sdk_sqs::error::ProvideErrorMetadata;
use postrider::access;
use postrider::base::AccountId;
use postrider::store::Error;
use postrider::store::mails::{self, Recipient, Status};

use crate::both_engines;
use crate::house::{House, credentials};
use crate::keys_off::{done, refused};
use crate::odd_mail::talk;
use crate::schema::Raw;

const BOUND: Duration = Duration::from_secs(1);
const SHOP: &str = "111111111111";

/// An account that a developer's machine knows by its number, with a verified domain.
async fn shop(house: &House) -> aws_sdk_sesv2::Client {
    let id: AccountId = SHOP.parse().expect("an account");
    access::create_account(house.app.store(), Some(id), "shop").await.expect("an account");
    let ses = house.sesv2_as(credentials(SHOP, "any"));
    ses.create_email_identity().email_identity("shop.example").send().await.expect("an identity");
    ses
}

async fn send(ses: &aws_sdk_sesv2::Client, from: &str) -> String {
    let text = |data: &str| Content::builder().data(data).build().expect("a text");
    let message = Message::builder().subject(text("hello")).body(Body::builder().text(text("x")).build()).build();
    let to = Destination::builder().to_addresses("ann@else.example").build();
    let sent = ses.send_email().from_email_address(from).destination(to);
    let sent = sent.content(EmailContent::builder().simple(message).build()).send().await.expect("accepted");
    sent.message_id.expect("an id")
}

async fn recipient(house: &House, mail: &str) -> Recipient {
    let mail = mail.to_owned();
    let read = house.app.store().read(|tx| {
        Box::pin(async move { Ok::<_, Error>(mails::recipient(tx, &mail, 0).await?.expect("a recipient")) })
    });
    read.await.expect("the store")
}

both_engines! {
    async fn the_keys_of_a_suspended_account_are_refused_until_it_is_resumed(engine: Engine) {
        let house = House::serve(engine).await;
        let ((account, key), (_, others)) = (house.other_account().await, house.other_account().await);
        let call = async |credentials| house.sqs_as(credentials).list_queues().send().await;
        call(key.clone()).await.expect("it works");
        assert!(done(&house, &["account", "suspend", "--account", account.as_str()]).contains("is suspended"));
        house.clock.advance(BOUND);
        assert_eq!(call(key.clone()).await.expect_err("suspended").code(), Some("InvalidClientTokenId"));
        call(others).await.expect("another account goes on");
        let listed = done(&house, &["account", "list"]);
        assert!(listed.contains(&format!("{account} other suspended")), "{listed}");
        assert!(done(&house, &["account", "suspend", "--account", account.as_str()]).contains("already"));

        assert!(done(&house, &["account", "resume", "--account", account.as_str()]).contains("active again"));
        call(key).await.expect("it works again");
        assert!(done(&house, &["account", "resume", "--account", account.as_str()]).contains("was not suspended"));

        let root = refused(&house, &["account", "suspend", "--account", "000000000000"]);
        assert!(root.contains("root account") && root.contains("cannot be suspended"), "{root}");
        let nobody = refused(&house, &["account", "suspend", "--account", "999999999999"]);
        assert!(nobody.contains("there is no account 999999999999"), "{nobody}");
        assert!(refused(&house, &["account", "suspend"]).contains("--account"));
        house.stop().await;
    }

    async fn mail_of_a_suspended_account_waits_without_an_attempt_and_leaves_when_it_is_resumed(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = shop(&house).await;
        let waits = send(&ses, "us@shop.example").await;
        done(&house, &["account", "suspend", "--account", SHOP]);
        house.clock.advance(BOUND);
        let root = house.sesv2();
        root.create_email_identity().email_identity("root.example").send().await.expect("an identity");
        let goes = send(&root, "us@root.example").await;
        for _ in 0..5 {
            house.work().await;
            house.clock.advance(Duration::from_secs(600));
        }
        let found = recipient(&house, &waits).await;
        assert_eq!((found.status, found.attempts), (Status::Pending, 0));
        assert_eq!(recipient(&house, &goes).await.status, Status::Delivered, "another account's mail to the same domain");

        let said = done(&house, &["account", "resume", "--account", SHOP]);
        assert!(said.contains("leaves now"), "{said}");
        house.work().await;
        let found = recipient(&house, &waits).await;
        assert_eq!((found.status, found.attempts), (Status::Delivered, 1), "nobody has to wait until it is looked at again");
        house.stop().await;
    }

    async fn mail_of_a_suspended_account_is_looked_at_ever_more_seldom(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = shop(&house).await;
        send(&ses, "us@shop.example").await;
        done(&house, &["account", "suspend", "--account", SHOP]);
        house.clock.advance(BOUND);
        let mut raw = Raw::open(&house.database).await;
        let (mut looks, mut at) = (0, 0);
        // Thirteen hours, in steps of a minute.
        for _ in 0..13 * 60 {
            let waits = house.clock.now().micros() < at;
            if !waits {
                house.work().await;
                at = raw.number("SELECT visible_at FROM messages WHERE queue_id = -1".to_owned()).await;
                looks += 1;
                assert!(at > house.clock.now().micros(), "it waits");
            }
            house.clock.advance(Duration::from_secs(60));
        }
        assert!((12..=25).contains(&looks), "{looks}");
        house.stop().await;
    }

    async fn what_is_not_a_resumed_accounts_waits_on(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = shop(&house).await;
        let waits = send(&ses, "us@shop.example").await;
        let other: AccountId = "222222222222".parse().expect("an account");
        access::create_account(house.app.store(), Some(other), "other").await.expect("an account");
        done(&house, &["account", "suspend", "--account", "222222222222"]);
        done(&house, &["account", "suspend", "--account", SHOP]);
        house.clock.advance(Duration::from_secs(3_600));
        house.work().await;
        let mut raw = Raw::open(&house.database).await;
        let place = "SELECT visible_at FROM messages WHERE queue_id = -1".to_owned();
        let before = raw.number(place.clone()).await;
        done(&house, &["account", "resume", "--account", "222222222222"]);
        assert_eq!(raw.number(place).await, before);
        house.work().await;
        assert_eq!(recipient(&house, &waits).await.status, Status::Pending);
        house.stop().await;
    }

    async fn mail_of_an_account_that_stays_suspended_bounces_when_its_time_is_over(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = shop(&house).await;
        let mail = send(&ses, "us@shop.example").await;
        done(&house, &["account", "suspend", "--account", SHOP]);
        house.clock.advance(Duration::from_secs(13 * 3600));
        house.work().await;
        assert_eq!(recipient(&house, &mail).await.status, Status::Pending);
        house.clock.advance(Duration::from_secs(2 * 3600));
        house.work().await;
        let found = recipient(&house, &mail).await;
        assert_eq!(found.status, Status::Bounced);
        let reply = found.last_reply.unwrap_or_default();
        assert!(reply.contains("Message expired") && reply.contains("suspended"), "{reply}");
        house.stop().await;
    }

    async fn mail_for_a_suspended_account_is_put_off(engine: Engine) {
        let house = House::dev(engine).await;
        shop(&house).await;
        let v1 = house.ses_as(credentials(SHOP, "any"));
        v1.create_receipt_rule_set().rule_set_name("set").send().await.expect("a rule set");
        let action = AddHeaderAction::builder().header_name("X-Test").header_value("1").build().expect("an action");
        let action = ReceiptAction::builder().add_header_action(action).build();
        let rule = ReceiptRule::builder().name("all").enabled(true).actions(action).build().expect("a rule");
        v1.create_receipt_rule().rule_set_name("set").rule(rule).send().await.expect("a rule");
        v1.set_active_receipt_rule_set().rule_set_name("set").send().await.expect("active");
        let deliver = ["EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<us@shop.example>"];
        assert!(talk(house.smtp(), &deliver).await[3].starts_with("250 "));

        done(&house, &["account", "suspend", "--account", SHOP]);
        house.clock.advance(BOUND);
        let said = talk(house.smtp(), &deliver).await;
        assert!(said[3].starts_with("450 4.2.1 "), "{said:?}");
        done(&house, &["account", "resume", "--account", SHOP]);
        house.clock.advance(BOUND);
        assert!(talk(house.smtp(), &deliver).await[3].starts_with("250 "));
        house.stop().await;
    }
}
