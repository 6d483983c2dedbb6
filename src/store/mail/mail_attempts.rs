//! Attempts to deliver mails, and the recipients that are settled by them: one by one, or many at once.
use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::base::words::words;
use crate::store::engine::dialect::Engine;
use crate::store::engine::rows::{Table, insert, repeated};
use crate::store::mail::mails::Status;
use crate::store::queue::claims::Receipts;
use crate::store::queue::merged_messages::{Gone, columns, delete_by};
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
    let (mut sql, values) = insert(tx.engine(), &TABLE, rows)?;
    sql.push_str(REPLACING);
    tx.run(AssertSqlSafe(sql), values).await.map(drop)
}

/// Settles recipients that are still `Pending` and keeps the attempts for them. What is not pending stays as it is. Who
/// gives the same recipient twice in one call may see either attempt.
pub(in crate::store) async fn settle_all(tx: &mut Tx, tried: &[&Tried]) -> Result<(), Error> {
    if tx.engine() == Engine::Postgres {
        return settle_at_once(tx, tried).await;
    }
    let sql = repeated(
        "WITH w (mail_id, n, status, attempts, reply) AS (VALUES ",
        "(?,?,?,?,?)",
        tried.len(),
        ") UPDATE recipients SET status = w.status, attempts = w.attempts, last_reply = w.reply, changed_at = ? \
         FROM w WHERE recipients.mail_id = w.mail_id AND recipients.n = w.n AND recipients.status = ? \
         RETURNING mail_id, n",
    );
    let one = |one: &&Tried| {
        let Attempt { attempt, reply, .. } = &one.attempt;
        args![&one.mail_id, one.n, one.status.as_str(), *attempt, reply.clone()]
    };
    let mut values: Vec<Value> = tried.iter().flat_map(one).collect();
    values.extend(args![tx.now(), Status::Pending.as_str()]);
    let settled = tx.all(AssertSqlSafe(sql), values).await?;
    let mut rows = vec![];
    for place in &settled {
        let (mail_id, n) = (place.text("mail_id")?, place.int("n")?);
        let of = tried.iter().find(|one| one.n == n && one.mail_id == mail_id);
        rows.extend(of.map(|one| row(&mail_id, n, &one.attempt)));
    }
    if rows.is_empty() { Ok(()) } else { insert_all(tx, rows).await }
}

/// The same in one statement.
async fn settle_at_once(tx: &mut Tx, tried: &[&Tried]) -> Result<(), Error> {
    let sql = format!("WITH {} SELECT 1 AS done", settle_parts(""));
    let values = settle_values(tx, tried, vec![0; tried.len()]);
    tx.all(AssertSqlSafe(sql), values).await.map(drop)
}

/// Takes jobs away, given by row, queue and receipt in the order of rows, and settles the recipients of those that were
/// there. Each attempt comes with its job. One statement of PostgreSQL; says which jobs were there.
pub(in crate::store) async fn settle_jobs(
    tx: &mut Tx,
    rows: &[[i64; 3]],
    (jobs, tried): (Vec<i64>, &[&Tried]),
) -> Result<Vec<Gone>, Error> {
    let (held, delete) = delete_by(SETTLE_PARAMETERS + 1, Receipts::Last);
    let parts = settle_parts("WHERE job IN (SELECT id FROM gone)");
    let sql = format!("WITH {held}, gone AS ({delete}), {parts} SELECT id, queue_id, group_id FROM gone");
    let mut values = settle_values(tx, tried, jobs);
    values.extend(columns(rows));
    tx.all(AssertSqlSafe(sql), values).await?.iter().map(Gone::read).collect()
}

/// How many parameters [`settle_values`] gives.
const SETTLE_PARAMETERS: usize = 14;

/// The parts of PostgreSQL's statements that settle recipients; `which` may leave some out.
fn settle_parts(which: &str) -> String {
    format!(
        "w AS (SELECT DISTINCT ON (mail_id, n) * FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::bigint[], \
         $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[]) \
         AS w (mail_id, n, status, attempt, started_at, finished_at, outcome, remote, tls, reply, transcript, job) {which}), \
         told AS (UPDATE recipients r SET status = w.status, attempts = w.attempt, last_reply = w.reply, changed_at = $13 \
         FROM w WHERE r.mail_id = w.mail_id AND r.n = w.n AND r.status = $14 RETURNING r.mail_id, r.n), \
         kept AS (INSERT INTO attempts ({}) SELECT mail_id, n, attempt, started_at, finished_at, outcome, remote, tls, reply, \
         transcript FROM w JOIN told USING (mail_id, n){REPLACING})",
        TABLE.columns.join(", ")
    )
}

fn settle_values(tx: &Tx, tried: &[&Tried], jobs: Vec<i64>) -> Vec<Value> {
    let texts =
        |get: fn(&Tried) -> Option<&str>| Value::Texts(tried.iter().map(|one| get(one).map(str::to_owned)).collect());
    let ints = |get: fn(&Tried) -> i64| Value::Ints(tried.iter().map(|one| get(one)).collect());
    let mut values = vec![
        texts(|one| Some(&one.mail_id)),
        ints(|one| one.n),
        texts(|one| Some(one.status.as_str())),
        ints(|one| one.attempt.attempt),
        ints(|one| one.attempt.started_at.micros()),
        ints(|one| one.attempt.finished_at.micros()),
        texts(|one| Some(one.attempt.outcome.as_str())),
        texts(|one| one.attempt.remote.as_deref()),
        texts(|one| one.attempt.tls.as_deref()),
        texts(|one| one.attempt.reply.as_deref()),
        texts(|one| Some(&one.attempt.transcript)),
        Value::Ints(jobs),
    ];
    values.extend(args![tx.now(), Status::Pending.as_str()]);
    values
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
