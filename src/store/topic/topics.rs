//! Topics: their rows.
use crate::base::{AccountId, Region};
use crate::store::{Error, Row, Tx, args};

/// A topic as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The number that its subscriptions carry. Grows with every new topic.
    pub id: i64,
    /// Owner.
    pub account: AccountId,
    /// Where it lives.
    pub region: Region,
    /// Unique within account and region.
    pub name: String,
    /// JSON object of the attributes that were set.
    pub attributes: String,
    /// JSON object of tags.
    pub tags: String,
}

pub(in crate::store) fn read(row: &Row) -> Result<Topic, Error> {
    Ok(Topic {
        id: row.int("id")?,
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        name: row.text("name")?,
        attributes: row.text("attributes")?,
        tags: row.text("tags")?,
    })
}

/// Adds a topic. `false` when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
    attributes: &str,
    tags: &str,
) -> Result<bool, Error> {
    let now = tx.now();
    let added = tx
        .run(
            "INSERT INTO topics (account, region, name, attributes, tags, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (account, region, name) DO NOTHING",
            args![account, region, name, attributes, tags, now],
        )
        .await?;
    Ok(added > 0)
}

/// How many topics of a kind an account has in a region; counts up to `limit`.
pub async fn count(tx: &mut Tx, account: &AccountId, region: &Region, fifo: bool, limit: u32) -> Result<u32, Error> {
    // Index: the unique one of names.
    let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM topics WHERE account = $1 AND region = $2 \
               AND (CASE WHEN name LIKE '%.fifo' THEN 1 ELSE 0 END) = $3 LIMIT $4) AS found";
    tx.one(sql, args![account, region, fifo, limit]).await?.map_or(Ok(0), |row| row.count("n"))
}

/// Finds a topic by its name.
pub async fn find(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<Option<Topic>, Error> {
    let row = tx
        .one("SELECT * FROM topics WHERE account = $1 AND region = $2 AND name = $3", args![account, region, name])
        .await?;
    row.as_ref().map(read).transpose()
}

/// Holds a topic that this transaction will change by what it reads: another change of it waits until the end.
pub async fn hold(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
    // Subscribing takes a weaker lock on the topic, which may go on beside this one.
    let sql = "SELECT id FROM topics WHERE account = $1 AND region = $2 AND name = $3 FOR NO KEY UPDATE";
    tx.lock(sql, args![account, region, name]).await
}

/// Keeps a topic as it is until this transaction ends. Others may keep it too; who changes it waits.
pub async fn keep(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
    let sql = "SELECT id FROM topics WHERE account = $1 AND region = $2 AND name = $3 FOR SHARE";
    tx.lock(sql, args![account, region, name]).await
}

/// Finds a topic by its id.
pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Topic>, Error> {
    let row = tx.one("SELECT * FROM topics WHERE id = $1", args![id]).await?;
    row.as_ref().map(read).transpose()
}

/// Lists topics after the one with id `after`, oldest first; `limit` at the most.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    after: i64,
    limit: u32,
) -> Result<Vec<Topic>, Error> {
    // Index: topics_by_account.
    let rows = tx
        .all(
            "SELECT * FROM topics WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
            args![account, region, after, limit],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Replaces a topic's attributes.
pub async fn set_attributes(tx: &mut Tx, id: i64, attributes: &str) -> Result<u64, Error> {
    tx.run("UPDATE topics SET attributes = $1 WHERE id = $2", args![attributes, id]).await
}

/// Replaces a topic's tags.
pub async fn set_tags(tx: &mut Tx, id: i64, tags: &str) -> Result<u64, Error> {
    tx.run("UPDATE topics SET tags = $1 WHERE id = $2", args![tags, id]).await
}

/// Takes a topic away, without its subscriptions.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.run("DELETE FROM topics WHERE id = $1", args![id]).await
}
