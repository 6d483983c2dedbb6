//! Which master key seals what is stored: its id, so that no node writes with another by mistake.
use crate::store::{Error, Tx, args};

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

/// Notes that another key seals from now on.
pub async fn replace(tx: &mut Tx, master_key: &str) -> Result<u64, Error> {
    let now = tx.now();
    tx.run("UPDATE master_key_in_use SET master_key = $1, since = $2 WHERE id = 1", args![master_key, now]).await
}
