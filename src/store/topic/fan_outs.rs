//! Fan-outs under way: a message, and how far it has come among the subscriptions of its topic.
use crate::base::Timestamp;
use crate::store::{Error, Row, Tx, args};

/// A fan-out under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FanOut {
    /// The topic's id.
    pub topic_id: i64,
    /// JSON of the message.
    pub content: String,
    /// The id of the last subscription that was served.
    pub reached: i64,
    /// When the message was published, by the clock that [`Tx::counting_now`] gives.
    pub created_at: Timestamp,
}

fn read(row: &Row) -> Result<FanOut, Error> {
    Ok(FanOut {
        topic_id: row.int("topic_id")?,
        content: row.text("content")?,
        reached: row.int("reached")?,
        created_at: row.time("created_at")?,
    })
}

/// Begins a fan-out.
pub async fn insert(tx: &mut Tx, message_id: &str, topic_id: i64, content: &str) -> Result<u64, Error> {
    let now = tx.counting_now().await?;
    tx.run(
        "INSERT INTO fan_outs (message_id, topic_id, content, reached, created_at) VALUES ($1, $2, $3, 0, $4)",
        args![message_id, topic_id, content, now],
    )
    .await
}

/// The fan-out of a message. `None` when it has ended.
pub async fn find(tx: &mut Tx, message_id: &str) -> Result<Option<FanOut>, Error> {
    let row = tx
        .one("SELECT topic_id, content, reached, created_at FROM fan_outs WHERE message_id = $1", args![message_id])
        .await?;
    row.as_ref().map(read).transpose()
}

/// Moves a fan-out on from one subscription to another, or ends it with `to` `None`. `false` when it does not stand at
/// `from` any more: another worker has moved it.
pub async fn advance(tx: &mut Tx, message_id: &str, from: i64, to: Option<i64>) -> Result<bool, Error> {
    let rows = match to {
        Some(to) => {
            tx.run(
                "UPDATE fan_outs SET reached = $1 WHERE message_id = $2 AND reached = $3",
                args![to, message_id, from],
            )
            .await?
        }
        None => tx.run("DELETE FROM fan_outs WHERE message_id = $1 AND reached = $2", args![message_id, from]).await?,
    };
    Ok(rows > 0)
}

/// Replaces the message of a fan-out under way.
pub async fn set_content(tx: &mut Tx, message_id: &str, content: &str) -> Result<u64, Error> {
    tx.run("UPDATE fan_outs SET content = $1 WHERE message_id = $2", args![content, message_id]).await
}

/// Takes a fan-out away, wherever it stands.
pub async fn delete(tx: &mut Tx, message_id: &str) -> Result<u64, Error> {
    tx.run("DELETE FROM fan_outs WHERE message_id = $1", args![message_id]).await
}
