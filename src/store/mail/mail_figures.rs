//! What became of an account's mails, for its statistics: how many recipients there were, and rows for those that did not
//! simply get their mail.
use std::collections::BTreeMap;

use crate::base::{AccountId, Region, Timestamp};
use crate::store::mail::mails::Mail;
use crate::store::{Error, Tx, args};

/// 15 minutes, in microseconds.
const SPAN: i64 = 15 * 60 * 1_000_000;

/// What became of an account's recipients in 15 minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// When the 15 minutes began.
    pub at: Timestamp,
    /// Recipients of the mails that were accepted then, without those that a suppression list kept here.
    pub attempts: i64,
    /// Of them, those that bounced.
    pub bounces: i64,
    /// Of them, those that complained.
    pub complaints: i64,
    /// Of them, those that were not sent for their content, or since their template could not be rendered.
    pub rejects: i64,
}

/// What can become of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It bounced.
    Bounce,
    /// It complained.
    Complaint,
    /// Nothing was sent, for the content.
    Reject,
    /// It is the mailbox simulator's: the quota leaves it out, the statistics do not.
    Simulated,
    /// It was not tried: a suppression list has it.
    Unsent,
}

impl Counted {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "BOUNCE",
            Self::Complaint => "COMPLAINT",
            Self::Reject => "REJECT",
            Self::Simulated => "SIMULATED",
            Self::Unsent => "UNSENT",
        }
    }
}

/// Counts recipients of a mail, in the transaction in which it becomes true.
pub async fn count(tx: &mut Tx, mail: &Mail, what: Counted, recipients: i64) -> Result<(), Error> {
    let sql = "INSERT INTO sending_outcomes (account, region, kind, recipients, at) VALUES ($1, $2, $3, $4, $5)";
    tx.run(sql, args![&mail.account, &mail.region, what.as_str(), recipients, mail.accepted_at]).await.map(drop)
}

/// The figures since `after`, oldest first (indexes `mails_counted` and `sending_outcomes_by_account`).
pub async fn figures(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    after: Timestamp,
) -> Result<Vec<Figures>, Error> {
    let rows = tx
        .all(
            "SELECT counted_at / $1 AS span, 'SENT' AS kind, CAST(SUM(recipient_count) AS BIGINT) AS recipients \
             FROM mails WHERE account = $2 AND region = $3 AND counted_at > $4 AND kind = 'USER' GROUP BY 1 \
             UNION ALL SELECT at / $1 AS span, kind, CAST(SUM(recipients) AS BIGINT) AS recipients \
             FROM sending_outcomes WHERE account = $2 AND region = $3 AND at > $4 GROUP BY 1, 2",
            args![SPAN, account, region, after],
        )
        .await?;
    let mut spans: BTreeMap<i64, Figures> = BTreeMap::new();
    for row in rows {
        let (span, n) = (row.int("span")?, row.int("recipients")?);
        let figures = spans.entry(span).or_default();
        figures.at = Timestamp::from_micros(span * SPAN);
        match row.text("kind")?.as_str() {
            "SENT" | "SIMULATED" => figures.attempts += n,
            "BOUNCE" => figures.bounces += n,
            "COMPLAINT" => figures.complaints += n,
            "REJECT" => figures.rejects += n,
            _ => figures.attempts -= n,
        }
    }
    let any = |f: &Figures| f.attempts > 0 || f.bounces + f.complaints + f.rejects > 0;
    Ok(spans.into_values().map(|f| Figures { attempts: f.attempts.max(0), ..f }).filter(any).collect())
}

/// Removes up to `limit` rows of mails that were accepted before `before` (index `sending_outcomes_by_time`). Gives how many.
pub async fn expire(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let row = tx.engine().row_id();
    let sql = format!(
        "DELETE FROM sending_outcomes WHERE {row} IN \
         (SELECT {row} FROM sending_outcomes WHERE at < $1 ORDER BY at LIMIT $2)"
    );
    tx.run(sqlx::AssertSqlSafe(sql), args![before, limit]).await
}
