//! Subscriptions: who gets what is published to a topic.
use sqlx::AssertSqlSafe;

use crate::base::{AccountId, Region, Timestamp};
use crate::store::{Error, Row, Tx, args};

/// Whether a subscription gets messages. The numbers stand in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for its endpoint to confirm.
    Pending = 0,
    /// Gets messages.
    Confirmed = 1,
    /// Was ended; the token of its last message may restore it.
    Unsubscribed = 2,
}

/// How a subscription was confirmed. The numbers stand in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authenticated {
    /// Not yet, or by whoever had the link.
    No = 0,
    /// By a signed request that wants only owners to end it: its own or the topic's.
    OwnersEnd = 1,
    /// By a signed request, or by whoever owns the endpoint and subscribed it; its link ends it all the same.
    Yes = 2,
}

/// A subscription as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Grows with every new subscription.
    pub id: i64,
    /// The topic's id.
    pub topic_id: i64,
    /// The last part of its ARN.
    pub uuid: String,
    /// Who subscribed.
    pub owner: AccountId,
    /// `http`, `https`, `sqs`.
    pub protocol: String,
    /// A URL or an ARN.
    pub endpoint: String,
    /// Whether it gets messages.
    pub state: State,
    /// Whether messages come without an envelope.
    pub raw: bool,
    /// JSON object of the attributes that were set.
    pub attributes: String,
    /// What confirms it.
    pub token: String,
    /// Until when the token holds.
    pub token_expires_at: Timestamp,
    /// How it was confirmed.
    pub authenticated: Authenticated,
    /// Whether it gets what is published now; not so during a replay, and after one that has an end.
    pub live: bool,
    /// The status of its last replay, in the words of the floor above.
    pub replay_status: Option<String>,
    /// Names its last replay.
    pub replay_id: String,
    /// The place in the archive up to which messages were replayed.
    pub replay_after: i64,
}

/// A subscription to add.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    /// See [`Subscription::topic_id`].
    pub topic_id: i64,
    /// See [`Subscription::uuid`].
    pub uuid: String,
    /// See [`Subscription::owner`].
    pub owner: AccountId,
    /// See [`Subscription::protocol`].
    pub protocol: &'static str,
    /// See [`Subscription::endpoint`].
    pub endpoint: String,
    /// See [`Subscription::state`].
    pub state: State,
    /// See [`Subscription::raw`].
    pub raw: bool,
    /// See [`Subscription::attributes`].
    pub attributes: String,
    /// See [`Subscription::authenticated`].
    pub authenticated: Authenticated,
    /// Whether a filter policy is among them.
    pub filtered: bool,
    /// See [`Subscription::token`].
    pub token: String,
    /// See [`Subscription::token_expires_at`].
    pub token_expires_at: Timestamp,
}

pub(in crate::store) fn read(row: &Row) -> Result<Subscription, Error> {
    let state = match row.int("state")? {
        0 => State::Pending,
        1 => State::Confirmed,
        2 => State::Unsubscribed,
        odd => return Err(Error::corrupt(format_args!("state is {odd}"))),
    };
    let authenticated = match row.int("authenticated")? {
        0 => Authenticated::No,
        1 => Authenticated::OwnersEnd,
        2 => Authenticated::Yes,
        odd => return Err(Error::corrupt(format_args!("authenticated is {odd}"))),
    };
    Ok(Subscription {
        id: row.int("id")?,
        topic_id: row.int("topic_id")?,
        uuid: row.text("uuid")?,
        owner: row.parsed("owner")?,
        protocol: row.text("protocol")?,
        endpoint: row.text("endpoint")?,
        state,
        raw: row.flag("raw")?,
        attributes: row.text("attributes")?,
        token: row.text("token")?,
        token_expires_at: row.time("token_expires_at")?,
        authenticated,
        live: row.flag("live")?,
        replay_status: row.opt_text("replay_status")?,
        replay_id: row.text("replay_id")?,
        replay_after: row.int("replay_after")?,
    })
}

/// Adds a subscription. `false` when the endpoint is subscribed already.
pub async fn insert(tx: &mut Tx, new: &NewSubscription) -> Result<bool, Error> {
    // Fan-outs compare it with the time of their message.
    let now = tx.counting_now().await?;
    let added = tx
        .run(
            "INSERT INTO subscriptions (topic_id, uuid, owner, protocol, endpoint, state, raw, attributes, \
             token, token_expires_at, authenticated, created_at, filtered) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             ON CONFLICT (topic_id, protocol, endpoint) DO NOTHING",
            args![
                new.topic_id,
                &new.uuid,
                &new.owner,
                new.protocol,
                &new.endpoint,
                new.state as i32,
                new.raw,
                &new.attributes,
                &new.token,
                new.token_expires_at,
                new.authenticated as i32,
                now,
                new.filtered
            ],
        )
        .await?;
    Ok(added > 0)
}

/// Finds a subscription by its id.
pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Subscription>, Error> {
    let row = tx.one("SELECT * FROM subscriptions WHERE id = $1", args![id]).await?;
    row.as_ref().map(read).transpose()
}

/// Finds a subscription by the last part of its ARN.
pub async fn by_uuid(tx: &mut Tx, uuid: &str) -> Result<Option<Subscription>, Error> {
    let row = tx.one("SELECT * FROM subscriptions WHERE uuid = $1", args![uuid]).await?;
    row.as_ref().map(read).transpose()
}

/// Holds a subscription that this transaction will change by what it reads: another change of it waits until the end.
pub async fn hold(tx: &mut Tx, uuid: &str) -> Result<(), Error> {
    let sql = format!("SELECT id FROM subscriptions WHERE uuid = $1 {}", tx.engine().for_update());
    tx.one(AssertSqlSafe(sql), args![uuid]).await?;
    Ok(())
}

/// Finds a subscription by its token.
pub async fn with_token(tx: &mut Tx, token: &str) -> Result<Option<Subscription>, Error> {
    let row = tx.one("SELECT * FROM subscriptions WHERE token = $1", args![token]).await?;
    row.as_ref().map(read).transpose()
}

/// Finds a subscription by its token, to change it: another change of it waits until the end of the transaction.
pub async fn by_token(tx: &mut Tx, token: &str) -> Result<Option<Subscription>, Error> {
    let sql = format!("SELECT * FROM subscriptions WHERE token = $1 {}", tx.engine().for_update());
    let row = tx.one(AssertSqlSafe(sql), args![token]).await?;
    row.as_ref().map(read).transpose()
}

/// Finds a topic's subscription of an endpoint.
pub async fn by_endpoint(
    tx: &mut Tx,
    topic_id: i64,
    protocol: &str,
    endpoint: &str,
) -> Result<Option<Subscription>, Error> {
    let row = tx
        .one(
            "SELECT * FROM subscriptions WHERE topic_id = $1 AND protocol = $2 AND endpoint = $3",
            args![topic_id, protocol, endpoint],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// A topic's confirmed subscriptions that get what is published now, after the one with id `after`, oldest first; `limit` at the most.
pub async fn confirmed(tx: &mut Tx, topic_id: i64, after: i64, limit: u32) -> Result<Vec<Subscription>, Error> {
    // Index: subscriptions_by_topic.
    let rows = tx
        .all(
            "SELECT * FROM subscriptions WHERE topic_id = $1 AND state = 1 AND live = 1 AND id > $2 ORDER BY id LIMIT $3",
            args![topic_id, after, limit],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Those of [`confirmed`] that were made by `at`, the time of a fan-out: who subscribed again since has the message already.
pub async fn made_by(tx: &mut Tx, topic_id: i64, at: Timestamp, page: (i64, u32)) -> Result<Vec<Subscription>, Error> {
    // Index: subscriptions_by_topic.
    let sql = "SELECT * FROM subscriptions WHERE topic_id = $1 AND state = 1 AND live = 1 AND id > $2 \
               AND created_at <= $3 ORDER BY id LIMIT $4";
    let (after, limit) = page;
    tx.all(sql, args![topic_id, after, at, limit]).await?.iter().map(read).collect()
}

/// Those of [`confirmed`] that have a filter policy, from the oldest on.
pub async fn filtered(tx: &mut Tx, topic_id: i64, limit: u32) -> Result<Vec<Subscription>, Error> {
    // Index: subscriptions_by_topic.
    let rows = tx
        .all(
            "SELECT * FROM subscriptions WHERE topic_id = $1 AND state = 1 AND live = 1 AND attributes LIKE '%FilterPolicy%'
             ORDER BY id LIMIT $2",
            args![topic_id, limit],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// The protocols of a topic's confirmed subscriptions whose messages come in an envelope.
pub async fn enveloped(tx: &mut Tx, topic_id: i64) -> Result<Vec<String>, Error> {
    // Index: subscriptions_to_sign.
    let rows = tx
        .all(
            "SELECT DISTINCT protocol FROM subscriptions WHERE topic_id = $1 AND state = 1 AND raw = 0",
            args![topic_id],
        )
        .await?;
    rows.iter().map(|row| row.text("protocol")).collect()
}

/// A topic's pending and confirmed subscriptions after the one with id `after`, oldest first; `limit` at the most.
pub async fn of_topic(tx: &mut Tx, topic_id: i64, after: i64, limit: u32) -> Result<Vec<Subscription>, Error> {
    let rows = tx
        .all(
            "SELECT * FROM subscriptions WHERE topic_id = $1 AND state < 2 AND id > $2 ORDER BY id LIMIT $3",
            args![topic_id, after, limit],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// An account's pending and confirmed subscriptions in a region, after the one with id `after`, oldest first, with
/// their topics' owners and names; `limit` at the most.
pub async fn of_owner(
    tx: &mut Tx,
    owner: &AccountId,
    region: &Region,
    after: i64,
    limit: u32,
) -> Result<Vec<(Subscription, AccountId, String)>, Error> {
    // Index: subscriptions_by_owner.
    let rows = tx
        .all(
            "SELECT s.*, t.account AS topic_account, t.name AS topic_name FROM subscriptions s \
             JOIN topics t ON t.id = s.topic_id \
             WHERE s.owner = $1 AND t.region = $2 AND s.state < 2 AND s.id > $3 ORDER BY s.id LIMIT $4",
            args![owner, region, after, limit],
        )
        .await?;
    rows.iter().map(|row| Ok((read(row)?, row.parsed("topic_account")?, row.text("topic_name")?))).collect()
}

/// How many subscriptions a topic has in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting for confirmation.
    pub pending: u32,
    /// Confirmed.
    pub confirmed: u32,
    /// Ended, and not yet forgotten.
    pub unsubscribed: u32,
}

/// Counts a topic's subscriptions.
pub async fn counts(tx: &mut Tx, topic_id: i64) -> Result<Counts, Error> {
    let rows = tx
        .all("SELECT state, COUNT(*) AS n FROM subscriptions WHERE topic_id = $1 GROUP BY state", args![topic_id])
        .await?;
    let mut counts = Counts::default();
    for row in &rows {
        match row.int("state")? {
            0 => counts.pending = row.count("n")?,
            1 => counts.confirmed = row.count("n")?,
            _ => counts.unsubscribed = row.count("n")?,
        }
    }
    Ok(counts)
}

/// The protocols of a topic's pending and confirmed subscriptions.
pub async fn protocols(tx: &mut Tx, topic_id: i64) -> Result<Vec<String>, Error> {
    // Index: subscriptions_to_sign.
    let sql = "SELECT DISTINCT protocol FROM subscriptions WHERE topic_id = $1 AND state IN (0, 1)";
    tx.all(sql, args![topic_id]).await?.iter().map(|row| row.text("protocol")).collect()
}

/// How many subscriptions a topic has that are not ended; counts up to `limit`.
pub async fn count_of_topic(tx: &mut Tx, topic_id: i64, limit: u32) -> Result<u32, Error> {
    // Index: subscriptions_by_topic.
    let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM subscriptions WHERE topic_id = $1 AND state IN (0, 1) \
               LIMIT $2) AS found";
    counted(tx.one(sql, args![topic_id, limit]).await?)
}

/// How many subscriptions of a topic have a filter policy; counts up to `limit`.
pub async fn count_filtered_of_topic(tx: &mut Tx, topic_id: i64, limit: u32) -> Result<u32, Error> {
    let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM subscriptions WHERE topic_id = $1 AND filtered = 1 \
               LIMIT $2) AS found";
    counted(tx.one(sql, args![topic_id, limit]).await?)
}

/// How many filter policies the subscriptions of an account have in a region; counts up to `limit`.
pub async fn count_filtered(tx: &mut Tx, owner: &AccountId, region: &Region, limit: u32) -> Result<u32, Error> {
    let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM subscriptions s JOIN topics t ON t.id = s.topic_id \
               WHERE s.owner = $1 AND s.filtered = 1 AND t.region = $2 LIMIT $3) AS found";
    counted(tx.one(sql, args![owner, region, limit]).await?)
}

/// How many subscriptions of an account in a region wait for confirmation; counts up to `limit`.
pub async fn count_pending(tx: &mut Tx, owner: &AccountId, region: &Region, limit: u32) -> Result<u32, Error> {
    let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM subscriptions s JOIN topics t ON t.id = s.topic_id \
               WHERE s.owner = $1 AND s.state = 0 AND t.region = $2 LIMIT $3) AS found";
    counted(tx.one(sql, args![owner, region, limit]).await?)
}

fn counted(row: Option<Row>) -> Result<u32, Error> {
    row.map_or(Ok(0), |row| row.count("n"))
}

/// Confirms a subscription.
pub async fn confirm(tx: &mut Tx, id: i64, authenticated: Authenticated) -> Result<u64, Error> {
    let sql = "UPDATE subscriptions SET state = 1, authenticated = $1 WHERE id = $2";
    tx.run(sql, args![authenticated as i32, id]).await
}

/// Moves the end of a pending subscription's token.
pub async fn extend(tx: &mut Tx, id: i64, until: Timestamp) -> Result<u64, Error> {
    tx.run("UPDATE subscriptions SET token_expires_at = $1 WHERE id = $2", args![until, id]).await
}

/// Ends a subscription, and keeps it for the one who may restore it with `token` until `until`.
pub async fn unsubscribe(tx: &mut Tx, id: i64, token: &str, until: Timestamp) -> Result<u64, Error> {
    tx.run(
        "UPDATE subscriptions SET state = 2, token = $1, token_expires_at = $2 WHERE id = $3",
        args![token, until, id],
    )
    .await
}

/// Replaces a subscription's attributes, whether its messages come without an envelope, and whether it has a filter policy.
pub async fn set_attributes(tx: &mut Tx, id: i64, attributes: &str, raw: bool, filtered: bool) -> Result<u64, Error> {
    let sql = "UPDATE subscriptions SET attributes = $1, raw = $2, filtered = $3 WHERE id = $4";
    tx.run(sql, args![attributes, raw, filtered, id]).await
}

/// Takes a subscription away.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.run("DELETE FROM subscriptions WHERE id = $1", args![id]).await
}

/// Takes all subscriptions of a topic away.
pub async fn delete_of_topic(tx: &mut Tx, topic_id: i64) -> Result<u64, Error> {
    tx.run("DELETE FROM subscriptions WHERE topic_id = $1", args![topic_id]).await
}

/// Takes up to `limit` subscriptions away that are not confirmed and whose token has ended. Gives how many.
pub async fn expire(tx: &mut Tx, limit: u32) -> Result<u64, Error> {
    let now = tx.now();
    // Index: subscriptions_by_expiry. Twice the condition: it may not hold any more once a row's lock is had.
    tx.run(
        "DELETE FROM subscriptions WHERE state IN (0, 2) AND token_expires_at <= $1 AND id IN \
         (SELECT id FROM subscriptions WHERE state IN (0, 2) AND token_expires_at <= $1 LIMIT $2)",
        args![now, limit],
    )
    .await
}
