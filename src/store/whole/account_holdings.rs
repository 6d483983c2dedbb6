//! Counts what an account holds, for the operator who is about to delete it.
use sqlx::AssertSqlSafe;

use crate::base::AccountId;
use crate::store::{Error, Tx, args};

/// So many of a kind, in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The region; empty where regions do not matter.
    pub region: String,
    /// Of what, in the plural.
    pub kind: &'static str,
    /// How many.
    pub count: i64,
}

/// What is counted: the kind, and the rows with their region and account. In the order in which it is shown.
const COUNTED: [(&str, &str); 16] = [
    ("access keys", "(SELECT '' AS region, account FROM access_keys)"),
    ("identities", "identities"),
    ("configuration sets", "configuration_sets"),
    ("email templates", "email_templates"),
    ("verification templates", "verification_templates"),
    ("receipt rule sets", "receipt_rule_sets"),
    ("IP filters", "receipt_filters"),
    ("suppressed addresses", "suppressed_addresses"),
    ("sent mails", "mails"),
    (
        "sent mails that still wait for a recipient",
        "(SELECT m.region, m.account FROM mails m \
         WHERE EXISTS (SELECT 1 FROM recipients r WHERE r.mail_id = m.id AND r.status = 'Pending'))",
    ),
    ("received mails", "inbound_mails"),
    ("queues", "queues"),
    // Each index that begins with the queue holds either the messages in groups or the others. CROSS JOIN, which SQLite's planner does
    // not turn around: the queues first, and of each its messages. PostgreSQL chooses by itself.
    (
        "messages in queues",
        "(SELECT q.region, q.account FROM queues q CROSS JOIN messages m WHERE m.queue_id = q.id AND m.grouped = 0 \
         UNION ALL SELECT q.region, q.account FROM queues q CROSS JOIN messages m \
         WHERE m.queue_id = q.id AND m.grouped > 0)",
    ),
    ("topics", "topics"),
    (
        "subscriptions to these topics",
        "(SELECT t.region, t.account FROM topics t JOIN subscriptions s ON s.topic_id = t.id)",
    ),
    (
        "subscriptions to other accounts' topics",
        "(SELECT t.region, s.owner AS account FROM subscriptions s JOIN topics t ON t.id = s.topic_id \
         WHERE t.account <> s.owner)",
    ),
];

/// What an account holds.
pub async fn count(tx: &mut Tx, account: &AccountId) -> Result<Vec<Held>, Error> {
    let mut held = Vec::new();
    for (kind, rows) in COUNTED {
        for row in tx.all(AssertSqlSafe(count_sql(rows)), args![account]).await? {
            held.push(Held { region: row.text("region")?, kind, count: row.int("total")? });
        }
    }
    Ok(held)
}

fn count_sql(rows: &str) -> String {
    format!("SELECT c.region, COUNT(*) AS total FROM {rows} c WHERE c.account = $1 GROUP BY c.region")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;
    use crate::store::{Database, Store};

    /// No index of what was received begins with the account: it is gone through, once.
    const SCANNED: &str = "received mails";

    #[tokio::test]
    async fn nothing_is_counted_by_going_through_what_others_hold() {
        let dir = tempfile::tempdir().expect("a directory");
        let database = Database::Sqlite(dir.path().join("holdings.db"));
        let store = Store::open(&database, Clock::system()).await.expect("a store");
        let mut tx = store.reader().await.expect("a reader");
        for (kind, rows) in COUNTED.into_iter().filter(|(kind, _)| *kind != SCANNED) {
            let sql = format!("EXPLAIN QUERY PLAN {}", count_sql(rows));
            let plan = tx.all(AssertSqlSafe(sql), args![&AccountId::development()]).await.expect("a plan");
            let steps: Vec<String> = plan.iter().map(|row| row.text("detail").expect("a step")).collect();
            let scans = |step: &String| step.starts_with("SCAN") && !step.starts_with("SCAN c");
            assert!(!steps.iter().any(scans), "{kind}: {steps:#?}");
        }
    }
}
