//! What comes back: the key of the marks in return paths, sealed, and what was told of each recipient.
use crate::base::Secret;
use crate::base::words::words;
use crate::store::vault::{Lock, Opened, Vault};
use crate::store::{Error, Tx, args};

/// What the key is sealed for.
const PURPOSE: &str = "feedback key";

/// What is told of a recipient, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The mail bounced, although the other side had taken it.
    Bounce,
    /// The other side has the mail, and goes on trying.
    DeliveryDelay,
    /// The recipient does not want the mail.
    Complaint,
    /// The recipient says that the mail is no spam.
    NotSpam,
    /// The receiver says that the signatures of the mail do not fit.
    AuthFailure,
}

words!(Told {
    Bounce => "Bounce",
    DeliveryDelay => "DeliveryDelay",
    Complaint => "Complaint",
    NotSpam => "Complaint not-spam",
    AuthFailure => "Complaint auth-failure",
});

/// The key of the marks.
pub async fn key(tx: &mut Tx) -> Result<Option<Secret>, Error> {
    let Some(row) = tx.one("SELECT secret FROM feedback_keys WHERE id = 1", args![]).await? else { return Ok(None) };
    Ok(Some(Secret::new(opened(tx.vault(), row.text("secret")?)?)))
}

/// Stores the first key; false when another node was faster.
pub async fn insert_key(tx: &mut Tx, key: &Secret) -> Result<bool, Error> {
    let (sealed, now) = (stored(tx, key.reveal())?, tx.now());
    let sql = "INSERT INTO feedback_keys (id, secret, created_at) VALUES (1, $1, $2) ON CONFLICT DO NOTHING";
    Ok(tx.run(sql, args![sealed, now]).await? == 1)
}

/// Seals the key under the master key in use, where it is stored under an earlier one.
pub async fn seal_key(tx: &mut Tx) -> Result<(), Error> {
    let Some(row) = tx.one("SELECT secret FROM feedback_keys WHERE id = 1", args![]).await? else { return Ok(()) };
    let before = row.text("secret")?;
    if tx.vault().is_up_to_date(&before) {
        return Ok(());
    }
    let sealed = stored(tx, &opened(tx.vault(), before.clone())?)?;
    tx.run("UPDATE feedback_keys SET secret = $1 WHERE id = 1 AND secret = $2", args![sealed, before]).await?;
    Ok(())
}

/// Keeps that `what` is told of a recipient; false when it was told before.
pub async fn tell_once(tx: &mut Tx, mail_id: &str, n: i64, what: Told, feedback_id: &str) -> Result<bool, Error> {
    let now = tx.now();
    let sql = "INSERT INTO feedback (mail_id, n, kind, feedback_id, created_at) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT DO NOTHING";
    Ok(tx.run(sql, args![mail_id, n, what.as_str(), feedback_id, now]).await? == 1)
}

/// Forgets what was told of a mail's recipients.
pub async fn forget(tx: &mut Tx, mail_id: &str) -> Result<(), Error> {
    tx.run("DELETE FROM feedback WHERE mail_id = $1", args![mail_id]).await?;
    Ok(())
}

fn stored(tx: &Tx, key: &str) -> Result<String, Error> {
    let sealed = tx.vault().seal(PURPOSE, Lock::Own, key.as_bytes(), tx.now()).map_err(Error::corrupt)?;
    Ok(sealed.unwrap_or_else(|| key.to_owned()))
}

fn opened(vault: &Vault, stored: String) -> Result<String, Error> {
    match vault.open(PURPOSE, stored).map_err(Error::corrupt)? {
        Opened::Plain(text) => Ok(text),
        Opened::Sealed(bytes) => String::from_utf8(bytes).map_err(Error::corrupt),
    }
}
