//! Takes away what an account holds, lot by lot, so that nobody waits long for a transaction. Whoever adds a table with an account
//! adds the table here: a test looks into the schema.
use std::collections::HashSet;

use sqlx::AssertSqlSafe;

use crate::base::AccountId;
use crate::store::groups::marks;
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

const fn of(name: &'static str, key: &'static str) -> Table {
    Table { name, key, of: Of::Column("account") }
}

const fn below(name: &'static str, key: &'static str, column: &'static str, parent: &'static str) -> Table {
    Table { name, key, of: Of::Parent(column, parent) }
}

/// The keys, which go before all else.
pub const KEYS: Table = of("access_keys", "id");

/// What goes in lots without more ado; what hangs on another row goes before it.
pub const TABLES: [Table; 33] = [
    below("subscriptions", "id", "topic_id", "topics"),
    below("topic_archive", "id", "topic_id", "topics"),
    below("topic_groups", "topic_id, group_id", "topic_id", "topics"),
    below("topic_deduplications", "sequence", "topic_id", "topics"),
    below("fan_outs", "message_id", "topic_id", "topics"),
    below("ended_subscriptions", "id", "topic_id", "ended_topics"),
    below("platform_endpoints", "id", "application_id", "platform_applications"),
    below("receive_attempts", "queue_id, attempt_id", "queue_id", "queues"),
    below("deduplications", "queue_id, group_id, deduplication_id", "queue_id", "queues"),
    below("purges", "queue_id", "queue_id", "queues"),
    Table { name: "subscriptions", key: "id", of: Of::Column("owner") },
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
    let Table { name, key, of } = table;
    let whose = match of {
        Of::Column(column) => format!("{column} = $1"),
        Of::Parent(column, parent) => format!("{column} IN (SELECT id FROM {parent} WHERE account = $1)"),
    };
    let sql = format!("DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} WHERE {whose} LIMIT $2)");
    tx.run(AssertSqlSafe(sql), args![account, limit]).await
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
pub const WALKED: [Walked; 9] = [
    walked("captured", "seq", First::Number, "account", false),
    walked("inbound_mails", "id", First::Text, "account", false),
    walked("move_tasks", "id", First::Number, "account", false),
    walked("ended_topics", "id", First::Number, "account", false),
    walked("ended_subscriptions", "id", First::Number, "owner", false),
    walked("stream_records", "id", First::Number, "stream", true),
    walked("stream_batches", "id", First::Number, "stream", true),
    walked("delivery_attempts", "id", First::Number, "subscription", true),
    walked("throttles", "subscription", First::Text, "subscription", true),
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
    let marks = marks(1, ids.len());
    if *name != "inbound_mails" {
        return tx.run(AssertSqlSafe(format!("DELETE FROM {name} WHERE {id} IN ({marks})")), ids).await;
    }
    let sql = format!("DELETE FROM inbound_mails WHERE id IN ({marks}) RETURNING raw_id");
    let gone = tx.all(AssertSqlSafe(sql), ids).await?;
    for row in &gone {
        let sql =
            "DELETE FROM raw_messages WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM inbound_mails WHERE raw_id = $1)";
        tx.run(sql, args![row.text("raw_id")?]).await?;
    }
    Ok(gone.len() as u64)
}

/// Looks at up to `limit` jobs of the system's queues after the one with id `after`. Gives the ids of those for mails of the
/// account, and the last id that was looked at; `None` when there are no more.
pub async fn find_jobs(
    tx: &mut Tx,
    account: &AccountId,
    after: i64,
    limit: u32,
) -> Result<(Vec<i64>, Option<i64>), Error> {
    let sql = "SELECT id, body FROM messages WHERE queue_id < 0 AND id > $1 ORDER BY id LIMIT $2";
    let rows = tx.all(sql, args![after, limit]).await?;
    let (mut found, mut by_mail, mut last) = (Vec::new(), Vec::new(), None);
    for row in &rows {
        let id = row.int("id")?;
        last = Some(id);
        let Ok(job) = serde_json::from_str::<serde_json::Value>(&row.text("body")?) else { continue };
        let named = |member: &str| job.get(member).and_then(serde_json::Value::as_str);
        match (named("account"), named("mail")) {
            (Some(named), _) if named == account.as_str() => found.push(id),
            (None, Some(mail)) => by_mail.push((id, mail.to_owned())),
            _ => {}
        }
    }
    let mails = mails_of(tx, account, by_mail.iter().map(|(_, mail)| mail)).await?;
    found.extend(by_mail.into_iter().filter(|(_, mail)| mails.contains(mail)).map(|(id, _)| id));
    Ok((found, last))
}

/// Those of the mails, sent or received, that are the account's.
async fn mails_of(
    tx: &mut Tx,
    account: &AccountId,
    mails: impl ExactSizeIterator<Item = &String>,
) -> Result<HashSet<String>, Error> {
    if mails.len() == 0 {
        return Ok(HashSet::new());
    }
    let marks = marks(2, mails.len());
    let sql = format!(
        "SELECT id FROM mails WHERE account = $1 AND id IN ({marks}) \
         UNION ALL SELECT id FROM inbound_mails WHERE account = $1 AND id IN ({marks})"
    );
    let values = std::iter::once(Value::from(account)).chain(mails.map(Value::from)).collect();
    tx.all(AssertSqlSafe(sql), values).await?.iter().map(|row| row.text("id")).collect()
}

/// Deletes jobs; gives how many went.
pub async fn delete_jobs(tx: &mut Tx, ids: Vec<i64>) -> Result<u64, Error> {
    let sql = format!("DELETE FROM messages WHERE id IN ({})", marks(1, ids.len()));
    tx.run(AssertSqlSafe(sql), ids.into_iter().map(Value::from).collect()).await
}

/// Deletes up to `limit` sent mails of an account, with their messages and recipients; gives how many went.
pub async fn delete_mails(tx: &mut Tx, account: &AccountId, limit: u32) -> Result<u64, Error> {
    let rows = tx.all("SELECT id FROM mails WHERE account = $1 ORDER BY id LIMIT $2", args![account, limit]).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let ids = rows.iter().map(|row| row.text("id").map(Value::from)).collect::<Result<Vec<_>, _>>()?;
    let marks = marks(1, ids.len());
    for (table, column) in [
        ("attempts", "mail_id"),
        ("recipients", "mail_id"),
        ("feedback", "mail_id"),
        ("forwards", "mail_id"),
        ("raw_messages", "id"),
    ] {
        tx.run(AssertSqlSafe(format!("DELETE FROM {table} WHERE {column} IN ({marks})")), ids.clone()).await?;
    }
    tx.run(AssertSqlSafe(format!("DELETE FROM mails WHERE id IN ({marks})")), ids).await
}

/// Deletes up to `limit` queues of an account; gives how many went. Their messages are swept as those of other deleted queues
/// are, but nobody waits for the names. Queues that were deleted before are noted likewise.
pub async fn delete_queues(tx: &mut Tx, account: &AccountId, limit: u32) -> Result<u64, Error> {
    let sql = "UPDATE deleted_queues SET account = '', region = '', name = '' WHERE account = $1";
    tx.run(sql, args![account]).await?;
    let now = tx.now();
    let sql = "DELETE FROM queues WHERE id IN (SELECT id FROM queues WHERE account = $1 LIMIT $2) RETURNING id";
    let gone = tx.all(sql, args![account, limit]).await?;
    for row in &gone {
        let sql = "INSERT INTO deleted_queues (queue_id, deleted_at) VALUES ($1, $2) ON CONFLICT (queue_id) DO NOTHING";
        tx.run(sql, args![row.int("id")?, now]).await?;
    }
    Ok(gone.len() as u64)
}

/// Deletes the account itself, of which nothing is left; gives the number of accounts that went.
pub async fn delete_account(tx: &mut Tx, account: &AccountId) -> Result<u64, Error> {
    tx.run("DELETE FROM accounts WHERE id = $1 AND state = 'deleting'", args![account]).await
}
