//! Empties the store of everything that programs have made in it, for a developer's tests: of one account, or of all. What
//! there is of accounts, their keys, and the server's own keys stays.
//!
//! Which table is whose stands here once, and a test compares it with the schema. Jobs of the system's queues name no account in
//! a column of its own, so they are found by what they say.
use std::time::Duration;

use sqlx::AssertSqlSafe;

use crate::base::{AccountId, Clock};
use crate::store::{Error, Store, Tx, args};

/// Tables whose rows stay: accounts and their keys, the server's own keys, the mark of the database, and the engines' own notes.
pub const KEPT: [&str; 9] = [
    "_sqlx_migrations",
    "access_keys",
    "accounts",
    "feedback_keys",
    "lineage",
    "master_key_in_use",
    "master_keys_before",
    "signing_keys",
    "sqlite_sequence",
];

/// How long it waits for who works on a table: shorter than PostgreSQL waits before it ends one of two that wait for each
/// other, so that it is always the reset that gives way.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '300ms'";
const NO_LOCK_WAIT: &str = "SET LOCAL lock_timeout = DEFAULT";
/// How often it is tried, and after which pause.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Tables with a column `account`, without those that others are found by.
const BY_ACCOUNT: [&str; 28] = [
    "account_settings",
    "captured",
    "configuration_sets",
    "dkim_keys",
    "email_templates",
    "event_destinations",
    "idempotent_sends",
    "identities",
    "identity_notifications",
    "identity_policies",
    "import_jobs",
    "inbound_mails",
    "mails",
    "move_tasks",
    "receipt_active_rule_sets",
    "receipt_filters",
    "receipt_rule_sets",
    "sending_accounts",
    "sending_outcomes",
    "sending_use",
    "sms_opted_out",
    "sms_sandbox",
    "sms_settings",
    "suppressed_addresses",
    "verification_links",
    "verification_templates",
    "deleted_queues",
    "queues",
];

const QUEUES: &str = "SELECT id FROM queues WHERE account = $1";
const MAILS: &str = "mail_id IN (SELECT id FROM mails WHERE account = $1)";
const TOPICS: &str = "SELECT id FROM topics WHERE account = $1 UNION SELECT id FROM ended_topics WHERE account = $1";
/// Jobs of each of the system's queues, and those that were given up, as `SystemQueue` numbers them.
const OUTBOUND: &str = "queue_id IN (-1, -101) AND body IN (SELECT '{\"mail\":\"' || r.mail_id || '\",\"recipient\":' \
     || CAST(r.n AS TEXT) || '}' FROM recipients r JOIN mails m ON m.id = r.mail_id WHERE m.account = $1)";
const INBOUND: &str = "queue_id IN (-2, -102) AND EXISTS (SELECT 1 FROM inbound_mails i WHERE i.account = $1 \
     AND body LIKE '{\"mail\":\"' || i.id || '\"%')";
const DELIVERY: &str = "queue_id IN (-3, -103) AND (body LIKE '%\"account\":\"' || $1 || '\"%' \
     OR body LIKE '%\"bus\":\"arn:%:' || $1 || ':%')";
/// A raw message may be of mails of several accounts.
const RAW: &str = "id IN (SELECT id FROM mails WHERE account = $1) OR id IN (SELECT mail_id FROM captured WHERE account = $1) \
     OR (id IN (SELECT raw_id FROM inbound_mails WHERE account = $1) \
     AND id NOT IN (SELECT raw_id FROM inbound_mails WHERE account <> $1))";

/// What is emptied: each table, and which of its rows are of the account `$1`; `None` where no row says whose it is. Those come
/// first that are found by others.
fn emptied() -> Vec<(&'static str, Option<String>)> {
    let queued = format!("queue_id IN ({QUEUES})");
    let of_topics = format!("topic_id IN ({TOPICS})");
    let subscribed = format!("{of_topics} OR owner = $1");
    let uuids = format!(
        "SELECT uuid FROM subscriptions WHERE {subscribed} UNION SELECT uuid FROM ended_subscriptions WHERE {subscribed}"
    );
    let messages = format!(
        "{queued} OR queue_id IN (SELECT queue_id FROM deleted_queues WHERE account = $1) OR ({OUTBOUND}) OR ({INBOUND}) \
         OR ({DELIVERY}) OR (queue_id IN (-4, -104) \
         AND body IN (SELECT message_id FROM fan_outs WHERE {of_topics}))"
    );
    let grouped = "NOT EXISTS (SELECT 1 FROM messages m WHERE m.queue_id = message_groups.queue_id \
                   AND m.group_id = message_groups.group_id)";
    let published = "NOT EXISTS (SELECT 1 FROM messages m WHERE m.queue_id IN (-3, -103) \
                     AND m.body LIKE '%\"message\":\"' || publications.message_id || '\"%')";
    let stream = "stream LIKE 'arn:%:' || $1 || ':%'";
    let first: [(&'static str, Option<String>); 23] = [
        ("messages", Some(messages)),
        ("message_groups", Some(grouped.to_owned())),
        ("publications", Some(published.to_owned())),
        ("deduplications", Some(queued.clone())),
        ("receive_attempts", Some(queued.clone())),
        ("purges", Some(queued)),
        ("fan_outs", Some(of_topics.clone())),
        ("topic_archive", Some(of_topics.clone())),
        ("topic_deduplications", Some(of_topics.clone())),
        ("topic_groups", Some(of_topics)),
        ("throttles", Some(format!("subscription IN ({uuids})"))),
        ("delivery_attempts", Some(format!("subscription IN ({uuids}) OR subscription LIKE 'arn:%:' || $1 || ':%'"))),
        ("subscriptions", Some(subscribed.clone())),
        ("ended_subscriptions", Some(subscribed)),
        (
            "platform_endpoints",
            Some("application_id IN (SELECT id FROM platform_applications WHERE account = $1)".to_owned()),
        ),
        ("stream_records", Some(stream.to_owned())),
        ("stream_batches", Some(stream.to_owned())),
        ("asked_addresses", None),
        ("raw_messages", Some(RAW.to_owned())),
        ("attempts", Some(MAILS.to_owned())),
        ("recipients", Some(MAILS.to_owned())),
        ("feedback", Some(MAILS.to_owned())),
        ("forwards", Some(MAILS.to_owned())),
    ];
    let last = ["topics", "ended_topics", "platform_applications"].into_iter().chain(BY_ACCOUNT);
    let last = last.map(|table| (table, Some("account = $1".to_owned())));
    first.into_iter().chain(last).collect()
}

/// The tables that are emptied.
pub fn emptied_tables() -> Vec<&'static str> {
    emptied().into_iter().map(|(table, _)| table).collect()
}

impl Store {
    /// Takes away everything that `account` has made, or that all accounts have; gives how many rows. Once it returns it is done,
    /// and no job of it is left: the outcome of one that a worker still holds is not kept.
    ///
    /// # Errors
    /// When the store fails, or others work on its tables without a pause.
    pub async fn reset(&self, clock: &Clock, account: Option<AccountId>) -> Result<u64, Error> {
        for _ in 1..TRIES {
            match self.try_reset(account.clone()).await {
                Err(error) if error.is_of_a_lock() => clock.sleep(PAUSE).await,
                done => return done,
            }
        }
        self.try_reset(account).await
    }

    async fn try_reset(&self, account: Option<AccountId>) -> Result<u64, Error> {
        self.write(move |tx| Box::pin(async move { reset(tx, account.as_ref()).await })).await
    }
}

async fn reset(tx: &mut Tx, account: Option<&AccountId>) -> Result<u64, Error> {
    let all = emptied();
    if tx.engine().has_other_writers() {
        let tables: Vec<&str> = all.iter().map(|(table, _)| *table).collect();
        tx.run(LOCK_WAIT, vec![]).await?;
        // Whoever is at work on them ends first, and nobody begins.
        tx.run(AssertSqlSafe(format!("LOCK TABLE {} IN EXCLUSIVE MODE", tables.join(", "))), vec![]).await?;
        tx.run(NO_LOCK_WAIT, vec![]).await?;
    }
    // Queues are among what nodes keep, too.
    tx.settings_changed();
    let mut gone = 0;
    for (table, of_account) in all {
        gone += match (account, of_account) {
            (None, _) => tx.run(AssertSqlSafe(format!("DELETE FROM {table}")), vec![]).await?,
            (Some(account), Some(condition)) => {
                let sql = format!("DELETE FROM {table} WHERE {condition}");
                let values = if condition.contains("$1") { args![account.as_str()] } else { vec![] };
                tx.run(AssertSqlSafe(sql), values).await?
            }
            (Some(_), None) => 0,
        };
    }
    Ok(gone)
}
