//! Takes away what an account holds, lot by lot, so that nobody waits long for a transaction. Whoever adds a table with an account
//! adds the table here: a test looks into the schema.
use sqlx::AssertSqlSafe;

use crate::base::{AccountId, Timestamp};
use crate::store::access::accounts::ACCOUNTS;
use crate::store::engine::rows::placeholders;
use crate::store::queue::queues;
use crate::store::{Error, Row, Tx, Value, args};

/// A table whose rows are an account's, and can be found by it.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    name: &'static str,
    key: &'static str,
    of: Of,
}

/// How the rows of an account are found.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// This column holds the account.
    Column(&'static str),
    /// This column holds the id of a row of this table, which has the account.
    Parent(&'static str, &'static str),
}

impl Table {
    /// The condition of an account's rows; the account is `$1`.
    fn whose(&self) -> String {
        match self.of {
            Of::Column(column) => format!("{column} = $1"),
            Of::Parent(column, parent) => format!("{column} IN (SELECT id FROM {parent} WHERE account = $1)"),
        }
    }
}

const fn of(name: &'static str, key: &'static str) -> Table {
    Table { name, key, of: Of::Column("account") }
}

const fn below(name: &'static str, key: &'static str, column: &'static str, parent: &'static str) -> Table {
    Table { name, key, of: Of::Parent(column, parent) }
}

/// Subscriptions, which go before all other tables: what is kept of their deliveries is known by them.
pub const SUBSCRIBED: [Table; 4] = [
    below("subscriptions", "id", "topic_id", "topics"),
    Table { name: "subscriptions", key: "id", of: Of::Column("owner") },
    below("ended_subscriptions", "id", "topic_id", "ended_topics"),
    Table { name: "ended_subscriptions", key: "id", of: Of::Column("owner") },
];

/// The keys, which go before all else.
pub const KEYS: Table = of("access_keys", "id");

/// What goes in lots without more ado; what hangs on another row goes before it.
pub const TABLES: [Table; 30] = [
    below("topic_archive", "id", "topic_id", "topics"),
    below("topic_groups", "topic_id, group_id", "topic_id", "topics"),
    below("topic_deduplications", "sequence", "topic_id", "topics"),
    below("fan_outs", "message_id", "topic_id", "topics"),
    below("platform_endpoints", "id", "application_id", "platform_applications"),
    below("receive_attempts", "queue_id, attempt_id", "queue_id", "queues"),
    below("deduplications", "queue_id, group_id, deduplication_id", "queue_id", "queues"),
    below("purges", "queue_id", "queue_id", "queues"),
    of("topics", "id"),
    of("platform_applications", "id"),
    of("identity_policies", "account, region, identity, name"),
    of("identity_notifications", "account, region, identity, kind"),
    of("verification_links", "token"),
    of("dkim_keys", "account, region, domain, selector"),
    of("identities", "account, region, name"),
    of("event_destinations", "account, region, configuration_set, name"),
    of("configuration_sets", "account, region, name"),
    of("email_templates", "account, region, name"),
    of("verification_templates", "account, region, name"),
    of("receipt_active_rule_sets", "account, region"),
    of("receipt_rule_sets", "account, region, name"),
    of("receipt_filters", "account, region, name"),
    of("suppressed_addresses", "account, region, address"),
    of("import_jobs", "n"),
    of("idempotent_sends", "account, region, key"),
    of("sms_settings", "account, region"),
    of("sms_opted_out", "id"),
    of("sms_sandbox", "id"),
    of("account_settings", "account, region"),
    of("sending_accounts", "account, region"),
];

/// What is left of the account's sending, which goes last: mails that go count there.
pub const FIGURES: [Table; 2] =
    [of("sending_outcomes", "account, region, kind, recipients, at"), of("sending_use", "account, region")];

/// Deletes up to `limit` rows of an account from a table; gives how many went.
pub async fn delete(tx: &mut Tx, table: &Table, account: &AccountId, limit: u32) -> Result<u64, Error> {
    // Some of them are kept.
    tx.settings_changed();
    tx.run(AssertSqlSafe(delete_sql(table)), args![account, limit]).await
}

fn delete_sql(table: &Table) -> String {
    let Table { name, key, .. } = table;
    format!("DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} WHERE {} LIMIT $2)", table.whose())
}

/// Up to `limit` subscriptions of an account, by the last parts of their ARNs.
pub async fn find_subscriptions(
    tx: &mut Tx,
    table: &Table,
    account: &AccountId,
    limit: u32,
) -> Result<Vec<Value>, Error> {
    let rows = tx.all(AssertSqlSafe(subscriptions_sql(table)), args![account, limit]).await?;
    rows.iter().map(|row| row.text("uuid").map(Value::from)).collect()
}

fn subscriptions_sql(table: &Table) -> String {
    format!("SELECT uuid FROM {} WHERE {} LIMIT $2", table.name, table.whose())
}

/// Deletes up to `limit` attempts to deliver to some subscriptions; gives how many went.
pub async fn delete_attempts(tx: &mut Tx, uuids: Vec<Value>, limit: u32) -> Result<u64, Error> {
    let sql = format!(
        "DELETE FROM delivery_attempts WHERE id IN \
         (SELECT id FROM delivery_attempts WHERE subscription IN ({}) LIMIT ${})",
        placeholders(1, uuids.len()),
        uuids.len() + 1
    );
    tx.run(AssertSqlSafe(sql), uuids.into_iter().chain([limit.into()]).collect()).await
}

/// Deletes subscriptions, with what they had of their throttles; gives how many went.
pub async fn delete_subscriptions(tx: &mut Tx, table: &Table, uuids: Vec<Value>) -> Result<u64, Error> {
    let placeholders = placeholders(1, uuids.len());
    tx.run(AssertSqlSafe(format!("DELETE FROM throttles WHERE subscription IN ({placeholders})")), uuids.clone())
        .await?;
    tx.run(AssertSqlSafe(format!("DELETE FROM {} WHERE uuid IN ({placeholders})", table.name)), uuids).await
}

/// A table that has no index by account: what is to go is looked for first, where nobody waits.
#[derive(Clone, Copy, Debug)]
pub struct Walked {
    name: &'static str,
    id: &'static str,
    first: First,
    column: &'static str,
    by_arn: bool,
}

/// What stands before all ids.
#[derive(Clone, Copy, Debug)]
enum First {
    Number,
    Text,
}

const fn walked(name: &'static str, id: &'static str, first: First, column: &'static str, by_arn: bool) -> Walked {
    Walked { name, id, first, column, by_arn }
}

/// What is walked through.
pub const WALKED: [Walked; 7] = [
    walked("captured", "seq", First::Number, "account", false),
    walked("inbound_mails", "id", First::Text, "account", false),
    walked("move_tasks", "id", First::Number, "account", false),
    walked("ended_topics", "id", First::Number, "account", false),
    walked("stream_records", "id", First::Number, "stream", true),
    walked("stream_batches", "id", First::Number, "stream", true),
    walked("delivery_attempts", "id", First::Number, "subscription", true),
];

/// The ids of an account's rows after `after`, in order; `limit` at the most.
pub async fn find(
    tx: &mut Tx,
    table: &Walked,
    account: &AccountId,
    after: Option<Value>,
    limit: u32,
) -> Result<Vec<Value>, Error> {
    let Walked { name, id, first, column, by_arn } = table;
    let after = after.unwrap_or(match first {
        First::Number => Value::from(i64::MIN),
        First::Text => Value::from(""),
    });
    let (is, whose) = if *by_arn { ("LIKE", format!("arn:%:{account}:%")) } else { ("=", account.to_string()) };
    let sql = format!("SELECT {id} AS id FROM {name} WHERE {column} {is} $1 AND {id} > $2 ORDER BY {id} LIMIT $3");
    let rows = tx.all(AssertSqlSafe(sql), vec![whose.into(), after, limit.into()]).await?;
    let read = |row: &Row| match first {
        First::Number => row.int("id").map(Value::from),
        First::Text => row.text("id").map(Value::from),
    };
    rows.iter().map(read).collect()
}

/// Deletes what was found; gives how many rows went. A received message goes with the last mail that has it.
pub async fn delete_found(tx: &mut Tx, table: &Walked, ids: Vec<Value>) -> Result<u64, Error> {
    let Walked { name, id, .. } = table;
    let placeholders = placeholders(1, ids.len());
    if *name != "inbound_mails" {
        return tx.run(AssertSqlSafe(format!("DELETE FROM {name} WHERE {id} IN ({placeholders})")), ids).await;
    }
    let sql = format!("DELETE FROM inbound_mails WHERE id IN ({placeholders}) RETURNING raw_id");
    let gone = tx.all(AssertSqlSafe(sql), ids).await?;
    for row in &gone {
        let sql =
            "DELETE FROM raw_messages WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM inbound_mails WHERE raw_id = $1)";
        tx.run(sql, args![row.text("raw_id")?]).await?;
    }
    Ok(gone.len() as u64)
}

/// A sent mail and its place among those of its account: the order of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    region: String,
    counted_at: Timestamp,
    id: String,
}

/// The first sent mails of an account that stand at the place of one that is gone, or after it; `limit` at the most. What is
/// gone stays in PostgreSQL's index until a vacuum, and is not gone through again.
pub async fn find_mails(
    tx: &mut Tx,
    account: &AccountId,
    from: Option<SentMail>,
    limit: u32,
) -> Result<Vec<SentMail>, Error> {
    let (region, counted_at) =
        from.map_or((String::new(), Timestamp::from_secs(0)), |mail| (mail.region, mail.counted_at));
    let rows = tx.all(FIND_MAILS, args![account, region, counted_at, limit]).await?;
    let read = |row: &Row| {
        Ok(SentMail { region: row.text("region")?, counted_at: row.time("counted_at")?, id: row.text("id")? })
    };
    rows.iter().map(read).collect()
}

/// Index: mails_counted.
const FIND_MAILS: &str = "SELECT region, counted_at, id FROM mails WHERE account = $1 \
     AND (region, counted_at) >= ($2, $3) ORDER BY region, counted_at LIMIT $4";

/// Deletes sent mails, with their messages and recipients; gives how many went.
pub async fn delete_mails(tx: &mut Tx, mails: &[SentMail]) -> Result<u64, Error> {
    let ids: Vec<Value> = mails.iter().map(|mail| Value::from(&mail.id)).collect();
    let placeholders = placeholders(1, ids.len());
    for (table, column) in [
        ("attempts", "mail_id"),
        ("recipients", "mail_id"),
        ("feedback", "mail_id"),
        ("forwards", "mail_id"),
        ("raw_messages", "id"),
    ] {
        tx.run(AssertSqlSafe(format!("DELETE FROM {table} WHERE {column} IN ({placeholders})")), ids.clone()).await?;
    }
    tx.run(AssertSqlSafe(format!("DELETE FROM mails WHERE id IN ({placeholders})")), ids).await
}

/// Deletes up to `limit` queues of an account; gives how many went. Their messages are swept as those of other deleted queues
/// are, but nobody waits for the names. Queues that were deleted before are noted likewise.
pub async fn delete_queues(tx: &mut Tx, account: &AccountId, limit: u32) -> Result<u64, Error> {
    let sql = "UPDATE deleted_queues SET account = '', region = '', name = '' WHERE account = $1";
    tx.run(sql, args![account]).await?;
    let now = tx.now();
    let sql = "DELETE FROM queues WHERE id IN (SELECT id FROM queues WHERE account = $1 LIMIT $2) RETURNING id";
    let gone = tx.change_returning(&queues::QUEUES, sql, args![account, limit]).await?;
    for row in &gone {
        let sql = "INSERT INTO deleted_queues (queue_id, deleted_at) VALUES ($1, $2) ON CONFLICT (queue_id) DO NOTHING";
        tx.run(sql, args![row.int("id")?, now]).await?;
    }
    Ok(gone.len() as u64)
}

/// Deletes the account itself, of which nothing is left; gives the number of accounts that went.
pub async fn delete_account(tx: &mut Tx, account: &AccountId) -> Result<u64, Error> {
    tx.change(&ACCOUNTS, "DELETE FROM accounts WHERE id = $1 AND state = 'deleting'", args![account]).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;
    use crate::store::{Database, Store};

    async fn plan(tx: &mut Tx, sql: &str, values: Vec<Value>) -> Vec<String> {
        let rows = tx.all(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")), values).await.expect("a plan");
        rows.iter().map(|row| row.text("detail").expect("a step")).collect()
    }

    #[tokio::test]
    async fn no_lot_goes_through_a_table_or_sorts_what_is_left() {
        let dir = tempfile::tempdir().expect("a directory");
        let database = Database::Sqlite(dir.path().join("removal.db"));
        let store = Store::open(&database, Clock::system()).await.expect("a store");
        let (mut tx, account) = (store.reader().await.expect("a reader"), AccountId::development());
        for table in [KEYS].iter().chain(&TABLES).chain(&FIGURES) {
            let steps = plan(&mut tx, &delete_sql(table), args![&account, 1]).await;
            // There are few of these: the sweep takes them away.
            let scans = |step: &String| step.starts_with("SCAN") && !step.contains("ended_topics");
            assert!(!steps.iter().any(scans), "{table:?}: {steps:#?}");
        }
        for table in &SUBSCRIBED {
            let steps = plan(&mut tx, &subscriptions_sql(table), args![&account, 1]).await;
            let scans = |step: &String| step.starts_with("SCAN") && !step.contains("ended_");
            assert!(!steps.iter().any(scans), "{table:?}: {steps:#?}");
        }
        let steps = plan(&mut tx, FIND_MAILS, args![&account, "", 0, 1]).await;
        let index = "mails_counted (account=? AND (region,counted_at)>(?,?))";
        assert!(steps[0].contains(index) && steps.len() == 1, "{steps:#?}");
    }
}
