//! Where the bounces, complaints and deliveries of an identity's mails are told.
use crate::base::{AccountId, Region};
use crate::store::args;
use crate::store::engine::kept_table::KeptTable;
use crate::store::identity::tables::IDENTITIES;
use crate::store::{Error, Row, Tx};

pub use crate::store::identity::words::NotificationKind;

const IDENTITY_NOTIFICATIONS: KeptTable = KeptTable::new("identity_notifications");

/// What an identity has set for one kind of notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What is told.
    pub kind: NotificationKind,
    /// The SNS topic; `None`: not told.
    pub topic_arn: Option<String>,
    /// Whether the mail's headers are told too.
    pub headers: bool,
}

/// All that an identity has set: at most three rows.
pub async fn of(tx: &mut Tx, account: &AccountId, region: &Region, identity: &str) -> Result<Vec<Notification>, Error> {
    let sql = "SELECT * FROM identity_notifications WHERE account = $1 AND region = $2 AND identity = $3 LIMIT 3";
    let rows = tx.all(sql, args![account, region, identity]).await?;
    rows.iter().map(read).collect()
}

/// Sets the topic of one kind, or takes it away.
pub async fn set_topic(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    identity: &str,
    kind: NotificationKind,
    topic: Option<String>,
) -> Result<(), Error> {
    tx.change(
        &IDENTITY_NOTIFICATIONS,
        "INSERT INTO identity_notifications (account, region, identity, kind, topic_arn, headers) \
         VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (account, region, identity, kind) DO UPDATE SET \
         topic_arn = excluded.topic_arn",
        args![account, region, identity, kind.as_str(), topic],
    )
    .await?;
    Ok(())
}

/// Sets whether one kind tells the headers.
pub async fn set_headers(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    identity: &str,
    kind: NotificationKind,
    headers: bool,
) -> Result<(), Error> {
    tx.change(
        &IDENTITY_NOTIFICATIONS,
        "INSERT INTO identity_notifications (account, region, identity, kind, headers) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (account, region, identity, kind) DO UPDATE SET headers = excluded.headers",
        args![account, region, identity, kind.as_str(), headers],
    )
    .await?;
    Ok(())
}

/// Whether bounces and complaints go to the identity's senders as mails; `None`: there is no such identity.
pub async fn forwarding(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    identity: &str,
) -> Result<Option<bool>, Error> {
    let sql = "SELECT feedback_forwarding FROM identities WHERE account = $1 AND region = $2 AND name = $3";
    let row = tx.one(sql, args![account, region, identity]).await?;
    row.map(|row| row.flag("feedback_forwarding")).transpose()
}

/// Sets [`forwarding`]; false when there is no such identity.
pub async fn set_forwarding(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    identity: &str,
    enabled: bool,
) -> Result<bool, Error> {
    let sql = "UPDATE identities SET feedback_forwarding = $1 WHERE account = $2 AND region = $3 AND name = $4";
    Ok(tx.change(&IDENTITIES, sql, args![enabled, account, region, identity]).await? > 0)
}

/// Forgets all that an identity had set.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, identity: &str) -> Result<(), Error> {
    let sql = "DELETE FROM identity_notifications WHERE account = $1 AND region = $2 AND identity = $3";
    tx.change(&IDENTITY_NOTIFICATIONS, sql, args![account, region, identity]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<Notification, Error> {
    Ok(Notification { kind: row.parsed("kind")?, topic_arn: row.opt_text("topic_arn")?, headers: row.flag("headers")? })
}
