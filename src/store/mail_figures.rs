//! What became of an account's mails, summed up for its statistics.
use crate::base::Timestamp;
use crate::store::{Error, Row, Tx, args};

/// What became of an account's recipients in 15 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// When the 15 minutes began.
    pub at: Timestamp,
    /// Recipients of the mails that were accepted then, without those that suppression or the simulator kept here.
    pub attempts: i64,
    /// Of them, those that bounced.
    pub bounces: i64,
    /// Of them, those that were not sent for their content.
    pub rejects: i64,
}

/// The figures since `after`, oldest first (index `mails_by_account`). A recipient was tried when it has an attempt.
pub async fn figures(tx: &mut Tx, account: &str, region: &str, after: Timestamp) -> Result<Vec<Figures>, Error> {
    const SPAN: i64 = 15 * 60 * 1_000_000;
    let rows = tx
        .all(
            "SELECT m.accepted_at / $1 AS span, CAST(SUM(CASE WHEN r.attempts > 0 THEN 1 ELSE 0 END) AS BIGINT) AS attempts, \
             CAST(SUM(CASE WHEN r.status = 'Bounced' AND r.attempts > 0 THEN 1 ELSE 0 END) AS BIGINT) AS bounces, \
             CAST(SUM(CASE WHEN r.status = 'Rejected' THEN 1 ELSE 0 END) AS BIGINT) AS rejects \
             FROM mails m JOIN recipients r ON r.mail_id = m.id \
             WHERE m.account = $2 AND m.region = $3 AND m.accepted_at > $4 AND m.kind = 'USER' \
             GROUP BY 1 ORDER BY 1",
            args![SPAN, account, region, after],
        )
        .await?;
    let read = |row: &Row| {
        Ok(Figures {
            at: Timestamp::from_micros(row.int("span")? * SPAN),
            attempts: row.int("attempts")?,
            bounces: row.int("bounces")?,
            rejects: row.int("rejects")?,
        })
    };
    rows.iter().map(read).collect()
}
