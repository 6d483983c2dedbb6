//! A deleted account leaves nothing behind, and takes nothing of others with it.
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ses::types::{AddHeaderAction, ReceiptAction, ReceiptRule};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, SuppressionListReason};
use postrider::access;
use postrider::base::AccountId;
use postrider::store::Error;
use postrider::store::account_removal::{self, KEYS};
use postrider::store::messages::{self, NewMessage};
use postrider::store::publications;
use postrider::workers::SystemQueue;

use crate::both_engines;
use crate::house::{House, credentials};
use crate::keys_off::{done, refused};
use crate::odd_mail::talk;
use crate::schema::{Raw, Table};

const GOES: &str = "111111111111";
const STAYS: &str = "222222222222";
/// What names an account whose the row is.
const OWNERS: [&str; 2] = ["account", "owner"];

impl Table {
    fn owners(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str()).filter(|name| OWNERS.contains(name))
    }
}

/// How many rows each table has for an account.
async fn owned(raw: &mut Raw, account: &str) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for table in raw.tables().await {
        for column in table.owners() {
            let sql = format!("SELECT COUNT(*) FROM {} WHERE {column} = '{account}'", table.name);
            *counts.entry(table.name.clone()).or_insert(0) += raw.number(sql).await;
        }
    }
    counts
}

/// How many rows each table has. Deleted queues are remembered for a while, without a name or an owner; groups of jobs outlive
/// their last job until a worker looks at them, but nobody looks at those of jobs that were given up; what was sent is counted
/// anew whenever a process opens the store.
async fn all(raw: &mut Raw) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for table in raw.tables().await {
        let some = if table.name == "message_groups" { " WHERE queue_id < -100" } else { "" };
        if !["deleted_queues", "sending_use"].contains(&table.name.as_str()) {
            let count = raw.number(format!("SELECT COUNT(*) FROM {}{some}", table.name)).await;
            counts.insert(table.name, count);
        }
    }
    counts
}

/// Adds a job of each kind that the delivery queue has, as it waits and as it was given up, and what is kept for it. Without
/// a look at its text no worker, and no deletion, knows whose it is.
async fn queue_deliveries(house: &House, account: &str) {
    let target = serde_json::json!({ "account": account, "at": "https://else.example:443" });
    let jobs = [
        serde_json::json!({ "kind": "event", "bus": format!("arn:aws:events:us-east-1:{account}:event-bus/b"), "id": "e",
            "body": "{}" }),
        serde_json::json!({ "kind": "notification", "message": format!("m-{account}"), "subscription": "s", "target": target }),
        serde_json::json!({ "kind": "confirmation", "what": "Subscribe", "subscription": "s", "id": "c", "token": "t", "at": 0,
            "base": "http://here.example", "target": target }),
        serde_json::json!({ "kind": "direct", "way": "sms", "id": "d", "account": account, "region": "us-east-1",
            "to": "+4912345", "message": "hi", "more": {} }),
    ];
    let publication = format!("m-{account}");
    let queued = house.app.store().write(move |tx| {
        Box::pin(async move {
            // For the job that waits and the one that was given up.
            publications::insert(tx, &publication, "{}", 2).await?;
            let visible_at = tx.now() + Duration::from_secs(365 * 86_400);
            for queue_id in [SystemQueue::TopicDelivery.id(), SystemQueue::TopicDelivery.dead_letters_id()] {
                let message = |(n, job): (usize, &serde_json::Value)| NewMessage {
                    message_id: format!("{publication}-{n}"),
                    visible_at,
                    group_id: Some(format!("{publication}-{n}")),
                    deduplication_id: None,
                    sender: None,
                    attributes: None,
                    trace_header: None,
                    body: job.to_string(),
                };
                let messages: Vec<NewMessage> = jobs.iter().enumerate().map(message).collect();
                messages::insert(tx, queue_id, &messages).await?;
            }
            Ok::<_, Error>(())
        })
    });
    queued.await.expect("queued");
}

/// Gives an account a row in each table whose rows are an account's. What nobody could have made by a call of the API too: a table
/// that is added later is among them.
async fn fill(raw: &mut Raw, account: &str) {
    for table in raw.tables().await {
        let owners: Vec<&str> = table.owners().collect();
        if owners.is_empty() {
            continue;
        }
        let needed: Vec<_> = table.columns.iter().filter(|c| c.needed || owners.contains(&c.name.as_str())).collect();
        let value = |column: &crate::schema::Column| match (column.name.as_str(), column.kind.as_str()) {
            (name, _) if OWNERS.contains(&name) => format!("'{account}'"),
            // Of the topic of another: what is the account's own goes with its topics.
            ("topic_id", _) => "(SELECT MIN(id) FROM topics WHERE account = '000000000000')".to_owned(),
            // Of a queue that was not deleted long ago.
            ("deleted_at", _) => "900000000000000000".to_owned(),
            (_, "TEXT") => format!("'fill {account}'"),
            (_, "BLOB") => format!("x'{account}'"),
            (_, "BYTEA") => format!("'\\x{account}'"),
            _ => account.trim_start_matches('0').to_owned(),
        };
        let names: Vec<&str> = needed.iter().map(|c| c.name.as_str()).collect();
        let values: Vec<String> = needed.iter().map(|c| value(c)).collect();
        let sql = format!("INSERT INTO {} ({}) VALUES ({})", table.name, names.join(", "), values.join(", "));
        // Some have theirs by a call.
        raw.run(format!("{sql} ON CONFLICT DO NOTHING")).await;
    }
}

async fn send(ses: &aws_sdk_sesv2::Client, from: &str) {
    let text = |data: &str| Content::builder().data(data).build().expect("a text");
    let message = Message::builder().subject(text("hello")).body(Body::builder().text(text("x")).build()).build();
    let to = Destination::builder().to_addresses("ann@else.example").build();
    let content = EmailContent::builder().simple(message).build();
    ses.send_email().from_email_address(from).destination(to).content(content).send().await.expect("accepted");
}

/// Makes an account and, by calls, what hangs on other rows.
async fn furnish(house: &House, account: &str, domain: &str) {
    let id: AccountId = account.parse().expect("an account");
    access::create_account(house.app.store(), Some(id.clone()), "shop").await.expect("an account");
    access::create_key(house.app.store(), &id).await.expect("a key");
    let key = credentials(account, "any");
    let (sqs, sns) = (house.sqs_as(key.clone()), house.sns_as(key.clone()));
    for n in 0..3 {
        let made = sqs.create_queue().queue_name(format!("q{n}")).send().await.expect("made");
        let url = made.queue_url.expect("a URL");
        for body in ["a", "b", "c"] {
            let send = sqs.send_message().queue_url(&url).message_body(body).message_group_id("tenant");
            send.send().await.expect("sent");
        }
        sqs.receive_message().queue_url(&url).send().await.expect("received");
    }
    let topic = sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    subscribe.endpoint(format!("arn:aws:sqs:us-east-1:{account}:q0")).send().await.expect("subscribed");
    let asked =
        |n: u32| sns.subscribe().topic_arn(&topic).protocol("http").endpoint(format!("http://192.168.7.{n}/in")).send();
    asked(1).await.expect("subscribed");
    let ses = house.sesv2_as(key.clone());
    ses.create_email_identity().email_identity(domain).send().await.expect("an identity");
    let reason = SuppressionListReason::Bounce;
    ses.put_suppressed_destination().email_address("x@y.example").reason(reason).send().await.expect("put");
    let v1 = house.ses_as(key);
    v1.create_receipt_rule_set().rule_set_name("set").send().await.expect("a rule set");
    let action = AddHeaderAction::builder().header_name("X-Test").header_value("1").build().expect("an action");
    let action = ReceiptAction::builder().add_header_action(action).build();
    let rule = ReceiptRule::builder().name("all").enabled(true).actions(action).build().expect("a rule");
    v1.create_receipt_rule().rule_set_name("set").rule(rule).send().await.expect("a rule");
    v1.set_active_receipt_rule_set().rule_set_name("set").send().await.expect("active");
    let from = format!("us@{domain}");
    send(&ses, &from).await;
    house.work().await;
    // These wait, the question to an endpoint that may not be reached too; the first one was given up.
    send(&ses, &from).await;
    asked(2).await.expect("subscribed");
    queue_deliveries(house, account).await;
    let to = format!("RCPT TO:<us@{domain}>");
    let said =
        talk(house.smtp(), &["EHLO x", "MAIL FROM:<a@b.example>", &to, "DATA", "From: a@b.example\r\n\r\nhi\r\n."])
            .await;
    assert!(said[5].starts_with("250 "), "{said:?}");
}

/// How many jobs an operator is shown that were given up.
fn dead_letters(house: &House) -> usize {
    done(house, &["jobs", "list"]).lines().count()
}

both_engines! {
    async fn an_account_goes_with_all_that_it_has_and_nothing_of_others(engine: Engine) {
        let house = House::dev(engine).await;
        house.sns().create_topic().name("root").send().await.expect("made");
        furnish(&house, STAYS, "stays.example").await;
        house.work().await;
        assert_eq!(dead_letters(&house), 6, "as many as there are of one account alone");
        let mut raw = Raw::open(&house.database).await;
        let mut before = all(&mut raw).await;
        furnish(&house, GOES, "goes.example").await;
        // What it is filled with no worker could work.
        let furnished = all(&mut raw).await;
        send(&house.sesv2_as(credentials(STAYS, "any")), "us@stays.example").await;
        fill(&mut raw, STAYS).await;
        for (table, count) in all(&mut raw).await {
            *before.entry(table.clone()).or_default() += count - furnished[&table];
        }
        fill(&mut raw, GOES).await;
        let (full, goes) = (all(&mut raw).await, owned(&mut raw, GOES).await);
        let lacking: Vec<_> = goes.iter().filter(|(_, count)| **count == 0).collect();
        assert!(lacking.is_empty() && goes.len() > 30, "{lacking:?}");

        let delete = ["account", "delete", "--account", GOES];
        let said = done(&house, &delete);
        let stays = owned(&mut raw, STAYS).await;
        for line in ["us-east-1", "  queues: 3", "  messages in queues: 9", "  identities: 1", "  topics: 1", "  access keys: 2",
            "  sent mails that still wait for a recipient: 1", "  received mails: 1", "  suppressed addresses: 1"] {
            assert!(said.lines().any(|l| l == line), "{line}: {said}");
        }
        assert!(said.contains("nothing was deleted") && said.contains(&format!("--confirm {GOES}")), "{said}");
        let wrong = refused(&house, &[&delete[..], &["--confirm", STAYS]].concat());
        assert!(wrong.contains("nothing was deleted"), "{wrong}");
        assert_eq!(all(&mut raw).await, full);

        let said = done(&house, &[&delete[..], &["--confirm", GOES]].concat());
        assert!(said.contains(&format!("account {GOES} and all of this was deleted")), "{said}");
        let left: Vec<_> = owned(&mut raw, GOES).await.into_iter().filter(|(_, count)| *count > 0).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(owned(&mut raw, STAYS).await, stays);
        assert_eq!(all(&mut raw).await, before);
        assert_eq!(dead_letters(&house), 6);
        assert!(refused(&house, &delete).contains("there is no account"));
        let root = refused(&house, &["account", "delete", "--account", "000000000000", "--confirm", "000000000000"]);
        assert!(root.contains("root account") && root.contains("cannot be deleted"), "{root}");
        house.stop().await;
    }

    async fn a_deletion_that_was_stopped_half_way_goes_on(engine: Engine) {
        let house = House::dev(engine).await;
        house.sns().create_topic().name("root").send().await.expect("made");
        let mut raw = Raw::open(&house.database).await;
        let before = all(&mut raw).await;
        furnish(&house, GOES, "goes.example").await;
        let id: AccountId = GOES.parse().expect("an account");
        let store = house.app.store();
        access::begin_deletion(store, &id).await.expect("begun");
        let of = id.clone();
        let first = store.write(move |tx| Box::pin(async move {
            account_removal::delete(tx, &KEYS, &of, 1).await?;
            account_removal::delete_queues(tx, &of, 1).await?;
            Ok::<_, Error>(())
        }));
        first.await.expect("deleted");

        for refused_now in [&["account", "resume", "--account", GOES][..], &["account", "suspend", "--account", GOES],
            &["key", "create", "--account", GOES]] {
            assert!(refused(&house, refused_now).contains("is being deleted"), "{refused_now:?}");
        }
        assert!(done(&house, &["account", "list"]).contains(&format!("{GOES} shop deleting")));
        let said = done(&house, &["account", "delete", "--account", GOES]);
        assert!(said.contains("was begun before") && said.contains("  queues: 2"), "{said}");
        let said = done(&house, &["account", "delete", "--account", GOES, "--confirm", GOES]);
        assert!(said.contains("was deleted"), "{said}");
        assert_eq!(all(&mut raw).await, before);
        house.stop().await;
    }
}
