//! Which master key seals what is stored: its id, so that no node writes with another by mistake; and which ones did before, and
//! what they still seal.
use sqlx::AssertSqlSafe;

use crate::store::vault::sealed_prefix;
use crate::store::{Error, Tx, Value, args};

/// Where texts are sealed by themselves: what they are, their column, and its table.
const TEXTS: [(&str, &str, &str); 3] = [
    ("messages", "body", "messages"),
    ("access keys", "secret", "access_keys"),
    ("feedback keys", "secret", "feedback_keys"),
];

/// The id of the key in use; `None` before the first start.
pub async fn current(tx: &mut Tx) -> Result<Option<String>, Error> {
    let row = tx.one("SELECT master_key FROM master_key_in_use WHERE id = 1", args![]).await?;
    row.map(|row| row.text("master_key")).transpose()
}

/// Notes the first key; one that is noted already stays.
pub async fn insert(tx: &mut Tx, master_key: &str) -> Result<u64, Error> {
    let now = tx.now();
    let sql = "INSERT INTO master_key_in_use (id, master_key, since) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING";
    tx.run(sql, args![master_key, now]).await
}

/// Notes that another key seals from now on, and that the one before may be needed.
pub async fn replace(tx: &mut Tx, master_key: &str) -> Result<u64, Error> {
    let now = tx.now();
    let before = "INSERT INTO master_keys_before (master_key, until) SELECT master_key, $2 FROM master_key_in_use \
                  WHERE id = 1 AND master_key <> $1 ON CONFLICT (master_key) DO NOTHING";
    tx.run(before, args![master_key, now]).await?;
    forget(tx, master_key).await?;
    tx.run("UPDATE master_key_in_use SET master_key = $1, since = $2 WHERE id = 1", args![master_key, now]).await
}

/// The ids of the keys that sealed before, but for those that are forgotten.
pub async fn before(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let rows = tx.all("SELECT master_key FROM master_keys_before ORDER BY until, master_key", args![]).await?;
    rows.iter().map(|row| row.text("master_key")).collect()
}

/// Forgets a key that seals nothing any more.
pub async fn forget(tx: &mut Tx, master_key: &str) -> Result<u64, Error> {
    tx.run("DELETE FROM master_keys_before WHERE master_key = $1", args![master_key]).await
}

/// How many texts are sealed under a key: what they are, and how many. Looks at all that is stored, which takes long. Objects in
/// buckets are not among them.
pub async fn sealed_under(tx: &mut Tx, master_key: &str) -> Result<Vec<(&'static str, i64)>, Error> {
    let Some(prefix) = sealed_prefix(master_key) else { return Ok(vec![]) };
    let mut all = Vec::new();
    for (what, column, table) in TEXTS {
        let sql = format!("SELECT COUNT(*) AS total FROM {table} WHERE SUBSTR({column}, 1, 13) = $1");
        all.push((what, count(tx, sql, args![&prefix]).await?));
    }
    let keys = "SELECT COUNT(*) AS total FROM dkim_keys WHERE SUBSTR(private_key, 1, 13) = $1";
    all.push(("DKIM keys", count(tx, keys.to_owned(), args![prefix.clone().into_bytes()]).await?));
    // These stand within JSON. What follows the mark is base64, in which nothing is a wildcard.
    let pattern = format!("%{}%", prefix.trim_start_matches('\u{1}'));
    let rules = "SELECT COUNT(*) AS total FROM receipt_rule_sets WHERE rules LIKE $1";
    all.push(("rule sets", count(tx, rules.to_owned(), args![pattern]).await?));
    Ok(all)
}

/// Beginnings of sealed messages, one for each master key that sealed some.
pub async fn in_messages(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let sql = "SELECT DISTINCT SUBSTR(body, 1, 13) AS beginning FROM messages WHERE SUBSTR(body, 1, 1) = $1";
    tx.all(sql, args!["\u{1}"]).await?.iter().map(|row| row.text("beginning")).collect()
}

async fn count(tx: &mut Tx, sql: String, args: Vec<Value>) -> Result<i64, Error> {
    tx.one(AssertSqlSafe(sql), args).await?.map_or(Ok(0), |row| row.int("total"))
}
