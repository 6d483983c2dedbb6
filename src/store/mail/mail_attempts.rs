//! Attempts to deliver mails, and the recipients that are settled by them: one by one, or many at once.
use futures::future::BoxFuture;

use crate::base::Timestamp;
use crate::base::words::words;
use crate::store::engine::batch::{Batch, Statement, parts};
use crate::store::engine::rows::{Table, insert};
use crate::store::mail::mails::Status;
use crate::store::queue::settled::{JobEnd, of_type};
use crate::store::{Error, Row, Tx, Value, args};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The other side said yes, or the mail was captured.
    Delivered,
    /// It is tried again.
    Delayed,
    /// Given up.
    Bounced,
}

words!(AttemptOutcome { Delivered => "Delivered", Delayed => "Delayed", Bounced => "Bounced" });

/// One delivery attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first.
    pub attempt: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Host name and address of the other side.
    pub remote: Option<String>,
    /// Protocol and cipher; `None` for clear text.
    pub tls: Option<String>,
    /// The answer that decided.
    pub reply: Option<String>,
    /// What both sides said, without the message.
    pub transcript: String,
}

/// An attempt after which nothing more is tried, with the recipient that it was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The mail.
    pub mail_id: String,
    /// The recipient's place in its list.
    pub n: i64,
    /// What has become of the recipient.
    pub status: Status,
    /// The attempt; its reply stands with the recipient too.
    pub attempt: Attempt,
}

static TABLE: Table = Table {
    name: "attempts",
    columns: &[
        "mail_id",
        "n",
        "attempt",
        "started_at",
        "finished_at",
        "outcome",
        "remote",
        "tls",
        "reply",
        "transcript",
    ],
};

/// Work may run twice: a second record of the same attempt replaces the first.
const REPLACING: &str = " ON CONFLICT (mail_id, n, attempt) DO UPDATE SET \
     started_at = excluded.started_at, finished_at = excluded.finished_at, outcome = excluded.outcome, \
     remote = excluded.remote, tls = excluded.tls, reply = excluded.reply, transcript = excluded.transcript";

fn row(mail_id: &str, n: i64, a: &Attempt) -> Vec<Value> {
    args![
        mail_id,
        n,
        a.attempt,
        a.started_at,
        a.finished_at,
        a.outcome.as_str(),
        a.remote.clone(),
        a.tls.clone(),
        a.reply.clone(),
        a.transcript.as_str(),
    ]
}

/// Keeps an attempt.
pub async fn insert_attempt(tx: &mut Tx, mail_id: &str, n: i64, a: &Attempt) -> Result<(), Error> {
    insert_all(tx, vec![row(mail_id, n, a)]).await
}

async fn insert_all(tx: &mut Tx, rows: Vec<Vec<Value>>) -> Result<(), Error> {
    let mut statement = insert(tx.engine(), &TABLE, rows)?;
    statement.text(REPLACING);
    tx.execute(statement).await.map(drop)
}

impl JobEnd for Tried {
    fn write_all<'t>(&self, tx: &'t mut Tx, ends: Vec<&'t dyn JobEnd>) -> BoxFuture<'t, Result<(), Error>> {
        Box::pin(async move { settle_all(tx, &of_type(ends)).await })
    }

    fn beside(&self, tx: &Tx, ends: &[(i64, &dyn JobEnd)]) -> Result<Option<Statement>, Error> {
        let tried = of_type(ends.iter().map(|(_, end)| *end));
        let jobs: Vec<i64> = ends.iter().map(|(job, _)| *job).collect();
        settle_parts(tx, &tried, &jobs, "WHERE job IN (SELECT id FROM gone)").map(Some)
    }
}

/// Settles recipients that are still `Pending` and keeps the attempts for them. What is not pending stays as it is. Where a
/// recipient stands twice in one call, it is not said which of the two attempts is kept.
async fn settle_all(tx: &mut Tx, tried: &[&Tried]) -> Result<(), Error> {
    if tx.engine().changes_in_with() {
        let mut statement = Statement::empty(tx.engine());
        statement.text("WITH ");
        statement.append(settle_parts(tx, tried, &vec![0; tried.len()], "")?);
        statement.text(" SELECT 1 AS done");
        return tx.rows(statement).await.map(drop);
    }
    let sql = "WITH ? UPDATE recipients SET status = w.status, attempts = w.attempts, last_reply = w.reply, changed_at = ? \
               FROM w WHERE recipients.mail_id = w.mail_id AND recipients.n = w.n AND recipients.status = ? \
               RETURNING mail_id, n";
    let one = |one: &&Tried| {
        let Attempt { attempt, reply, .. } = &one.attempt;
        args![&one.mail_id, one.n, one.status.as_str(), *attempt, reply.clone()]
    };
    let batch = Batch::of("w", &["mail_id", "n", "status", "attempts", "reply"], tried.iter().map(one));
    let statement = Statement::of(tx.engine(), sql, parts![batch, tx.now(), Status::Pending.as_str()])?;
    let mut rows = vec![];
    for place in &tx.rows(statement).await? {
        let (mail_id, n) = (place.text("mail_id")?, place.int("n")?);
        let of = tried.iter().find(|one| one.n == n && one.mail_id == mail_id);
        rows.extend(of.map(|one| row(&mail_id, n, &one.attempt)));
    }
    if rows.is_empty() { Ok(()) } else { insert_all(tx, rows).await }
}

/// The parts of a WITH that settle recipients and keep the attempts; `which` may leave out some, by the column `job`.
fn settle_parts(tx: &Tx, tried: &[&Tried], jobs: &[i64], which: &str) -> Result<Statement, Error> {
    const COLUMNS: &[&str] = &[
        "mail_id",
        "n",
        "attempt",
        "started_at",
        "finished_at",
        "outcome",
        "remote",
        "tls",
        "reply",
        "transcript",
        "status",
        "job",
    ];
    let sql = format!(
        "?, w AS (SELECT DISTINCT ON (mail_id, n) * FROM tried {which}), \
         told AS (UPDATE recipients r SET status = w.status, attempts = w.attempt, last_reply = w.reply, changed_at = ? \
         FROM w WHERE r.mail_id = w.mail_id AND r.n = w.n AND r.status = ? RETURNING r.mail_id, r.n), \
         kept AS (INSERT INTO attempts ({columns}) SELECT {columns} FROM w JOIN told USING (mail_id, n){REPLACING})",
        columns = TABLE.columns.join(", ")
    );
    let one = |(one, job): (&&Tried, &i64)| {
        let mut values = row(&one.mail_id, one.n, &one.attempt);
        values.extend(args![one.status.as_str(), *job]);
        values
    };
    let batch = Batch::of("tried", COLUMNS, tried.iter().zip(jobs).map(one));
    Statement::of(tx.engine(), &sql, parts![batch, tx.now(), Status::Pending.as_str()])
}

/// The attempts for a recipient, oldest first: at most 200.
pub async fn attempts(tx: &mut Tx, mail_id: &str, n: i64) -> Result<Vec<Attempt>, Error> {
    let sql = "SELECT * FROM attempts WHERE mail_id = $1 AND n = $2 ORDER BY attempt LIMIT 200";
    let rows = tx.all(sql, args![mail_id, n]).await?;
    rows.iter().map(attempt_row).collect()
}

fn attempt_row(row: &Row) -> Result<Attempt, Error> {
    Ok(Attempt {
        attempt: row.int("attempt")?,
        started_at: row.time("started_at")?,
        finished_at: row.time("finished_at")?,
        outcome: row.parsed("outcome")?,
        remote: row.opt_text("remote")?,
        tls: row.opt_text("tls")?,
        reply: row.opt_text("reply")?,
        transcript: row.text("transcript")?,
    })
}
