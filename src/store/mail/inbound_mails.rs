//! Mails that came in by SMTP, one row per account and region, and their raw messages.
use std::collections::{BTreeMap, HashMap};

use futures::future::BoxFuture;

use crate::base::words::words;
use crate::base::{AccountId, EmailAddress, Region, Timestamp};
use crate::store::engine::batch::{Statement, in_list, parts};
use crate::store::engine::rows::Table;
use crate::store::queue::settled::{JobEnd, of_type};
use crate::store::{Error, Json, Row, Tx, Value, args};

/// A mail as it was accepted for one account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundMail {
    /// The message id of the notifications.
    pub id: String,
    /// The id of the raw message; several rows may share it.
    pub raw_id: String,
    /// The account that receives it.
    pub account: AccountId,
    /// The region that receives it.
    pub region: Region,
    /// The reverse path; `None` for the null reverse path.
    pub source: Option<String>,
    /// The recipients' addresses in this account and region.
    pub recipients: Json<Vec<EmailAddress>>,
    /// What the client called itself.
    pub helo: String,
    /// The client's IP address.
    pub peer: String,
    /// Whether it came over TLS.
    pub tls: bool,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Where it stands.
    pub state: State,
    /// What there is to say about its end, for people.
    pub note: Option<String>,
}

/// The rows of mails that came in.
pub(in crate::store) static TABLE: Table = Table {
    name: "inbound_mails",
    columns: &[
        "id",
        "raw_id",
        "account",
        "region",
        "source",
        "recipients",
        "helo",
        "peer",
        "tls",
        "received_at",
        "state",
        "note",
    ],
};

impl InboundMail {
    pub(in crate::store) fn row(&self) -> Vec<Value> {
        args![
            &self.id,
            &self.raw_id,
            &self.account,
            &self.region,
            self.source.clone(),
            &self.recipients,
            &self.helo,
            &self.peer,
            self.tls,
            self.received_at,
            self.state.as_str(),
            self.note.clone(),
        ]
    }
}

/// Where an inbound mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// An inbound job exists.
    Waiting,
    /// Its rules have run.
    Done,
    /// Given up after too many attempts. The raw message is kept, and a job that is put back runs the rules again.
    Failed,
}

words!(State { Waiting => "Waiting", Done => "Done", Failed => "Failed" });

/// The raw message of this id.
pub async fn raw(tx: &mut Tx, id: &str) -> Result<Option<Vec<u8>>, Error> {
    let row = tx.one("SELECT data FROM raw_messages WHERE id = $1", args![id]).await?;
    row.map(|row| row.blob("data")).transpose()
}

/// The mail of this id.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<InboundMail>, Error> {
    let row = tx.one("SELECT * FROM inbound_mails WHERE id = $1", args![id]).await?;
    row.map(|row| mail(&row)).transpose()
}

/// The mails of these ids in their order, with the sizes of their raw messages, and the messages themselves as far as they
/// have `raw_max` octets at the most. A mail whose message is gone is none.
pub async fn find_all(
    tx: &mut Tx,
    ids: &[String],
    raw_max: i64,
) -> Result<Vec<Option<(InboundMail, i64, Option<Vec<u8>>)>>, Error> {
    // The engines know a blob's length without reading it.
    let sql = "SELECT i.*, CAST(LENGTH(d.data) AS BIGINT) AS size, CASE WHEN LENGTH(d.data) <= ? THEN d.data END AS data \
               FROM inbound_mails i JOIN raw_messages d ON d.id = i.raw_id WHERE i.id IN ?";
    let statement = Statement::of(tx.engine(), sql, parts![raw_max, in_list(ids)])?;
    let mut found = HashMap::new();
    for row in tx.rows(statement).await? {
        let mail = mail(&row)?;
        found.insert(mail.id.clone(), (mail, row.int("size")?, row.opt_blob("data")?));
    }
    // The same mail may be worked for several tasks at once.
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

/// Sets how a mail has ended; false when its rules had run before.
pub async fn finish(tx: &mut Tx, id: &str, state: State, note: &str) -> Result<bool, Error> {
    let now = tx.now();
    let sql = "UPDATE inbound_mails SET state = $1, note = $2, finished_at = $3 WHERE id = $4 AND state <> $5";
    let rows = tx.run(sql, args![state.as_str(), note, now, id, State::Done.as_str()]).await?;
    Ok(rows == 1)
}

/// Sets that a mail that was given up waits for its rules again.
pub async fn wait_again(tx: &mut Tx, id: &str) -> Result<(), Error> {
    let sql = "UPDATE inbound_mails SET state = $1, note = NULL, finished_at = NULL WHERE id = $2 AND state = $3";
    tx.run(sql, args![State::Waiting.as_str(), id, State::Failed.as_str()]).await.map(drop)
}

/// The end of a job of a mail whose rules have run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed {
    /// The mail's id.
    pub mail: String,
    /// What there is to say of its end, for people.
    pub note: String,
}

impl JobEnd for Processed {
    fn write_all<'t>(&self, tx: &'t mut Tx, ends: Vec<&'t dyn JobEnd>) -> BoxFuture<'t, Result<(), Error>> {
        Box::pin(async move {
            let mut notes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for end in of_type::<Self>(ends) {
                notes.entry(&end.note).or_default().push(&end.mail);
            }
            for (note, mails) in notes {
                finish_all(tx, &mails, note).await?;
            }
            Ok(())
        })
    }
}

/// Sets that the rules of these mails have run, where they had not before.
async fn finish_all(tx: &mut Tx, ids: &[&str], note: &str) -> Result<(), Error> {
    let (now, done) = (tx.now(), State::Done.as_str());
    let sql = "UPDATE inbound_mails SET state = ?, note = ?, finished_at = ? WHERE state <> ? AND id IN ?";
    let parts = parts![done, note, now, done, in_list(ids.iter().copied())];
    tx.execute(Statement::of(tx.engine(), sql, parts)?).await.map(drop)
}

/// Removes up to `limit` mails that ended in `state` and came before `before`, and the raw messages that no mail needs
/// any more (indexes `inbound_mails_by_time` and `inbound_mails_by_raw`). Gives how many mails there were.
pub async fn expire(tx: &mut Tx, state: State, before: Timestamp, limit: i64) -> Result<usize, Error> {
    let sql = "DELETE FROM inbound_mails WHERE id IN (SELECT id FROM inbound_mails \
               WHERE received_at < $1 AND state = $2 ORDER BY received_at LIMIT $3) RETURNING raw_id";
    let gone = tx.all(sql, args![before, state.as_str(), limit]).await?;
    for row in &gone {
        let sql = "DELETE FROM raw_messages WHERE id = $1 \
                   AND NOT EXISTS (SELECT 1 FROM inbound_mails WHERE raw_id = $1)";
        tx.run(sql, args![row.text("raw_id")?]).await?;
    }
    Ok(gone.len())
}

fn mail(row: &Row) -> Result<InboundMail, Error> {
    Ok(InboundMail {
        id: row.text("id")?,
        raw_id: row.text("raw_id")?,
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        source: row.opt_text("source")?,
        recipients: row.json("recipients")?,
        helo: row.text("helo")?,
        peer: row.text("peer")?,
        tls: row.flag("tls")?,
        received_at: row.time("received_at")?,
        state: row.parsed("state")?,
        note: row.opt_text("note")?,
    })
}
