//! Received mail that goes on: who is told when it does not arrive.
use crate::store::{Error, Row, Tx, args};

/// A received mail that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// The mail that goes on.
    pub mail_id: String,
    /// The mail that was received.
    pub inbound_id: String,
    /// The address that received it.
    pub received_by: String,
    /// Who is told; empty for nobody.
    pub reverse_path: String,
}

/// Keeps it.
pub async fn insert(tx: &mut Tx, forwarded: &Forwarded) -> Result<(), Error> {
    let Forwarded { mail_id, inbound_id, received_by, reverse_path } = forwarded;
    let sql = "INSERT INTO forwards (mail_id, inbound_id, received_by, reverse_path) VALUES ($1, $2, $3, $4)";
    tx.run(sql, args![mail_id, inbound_id, received_by, reverse_path]).await?;
    Ok(())
}

/// The one of this mail.
pub async fn find(tx: &mut Tx, mail_id: &str) -> Result<Option<Forwarded>, Error> {
    let sql = "SELECT mail_id, inbound_id, received_by, reverse_path FROM forwards WHERE mail_id = $1";
    tx.one(sql, args![mail_id]).await?.as_ref().map(forwarded).transpose()
}

/// Takes it away: whoever gets it tells. `None` when it was told before.
pub async fn take(tx: &mut Tx, mail_id: &str) -> Result<Option<Forwarded>, Error> {
    let sql = "DELETE FROM forwards WHERE mail_id = $1 RETURNING mail_id, inbound_id, received_by, reverse_path";
    tx.one(sql, args![mail_id]).await?.as_ref().map(forwarded).transpose()
}

fn forwarded(row: &Row) -> Result<Forwarded, Error> {
    Ok(Forwarded {
        mail_id: row.text("mail_id")?,
        inbound_id: row.text("inbound_id")?,
        received_by: row.text("received_by")?,
        reverse_path: row.text("reverse_path")?,
    })
}
