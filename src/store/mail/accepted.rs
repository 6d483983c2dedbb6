//! Mails that many callers accept at once, in and out: their raw messages, rows and jobs in a few statements for all.
use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::base::{Timestamp, ids};
use crate::store::engine::batch::{Statement, together};
use crate::store::engine::dialect::Engine;
use crate::store::engine::merged::Kind;
use crate::store::engine::rows::{Table, insert};
use crate::store::mail::inbound_mails::{self, InboundMail};
use crate::store::mail::mails;
use crate::store::mail::mails::Mail;
use crate::store::mail::sending_use::{Charge, Charged, Charges, charge, charge_late};
use crate::store::queue::groups;
use crate::store::{Error, Store, Tx, Value, args};

/// Mails in one statement: SQLite keeps one prepared for each number of them.
const AT_ONCE: usize = 48;
/// Octets of raw messages in one statement, of which there is a copy while it runs. One mail may have more.
const OCTETS_AT_ONCE: usize = 8 << 20;

/// A job in the columns that jobs have.
static JOBS: Table = Table {
    name: "messages",
    columns: &["queue_id", "visible_at", "sent_at", "message_id", "group_id", "grouped", "body"],
};

/// A job that an accepted mail brings.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// In which queue.
    pub queue_id: i64,
    /// Whose turn it is.
    pub group: String,
    /// What to do.
    pub body: String,
}

/// A mail with all that is written for it.
pub struct Accepted {
    raw_id: String,
    data: Bytes,
    at: Timestamp,
    rows: Rows,
    jobs: Vec<NewJob>,
    charge: Option<Charge>,
}

enum Rows {
    Inbound(Vec<InboundMail>),
    Outbound(Box<Mail>, Vec<String>),
}

impl Accepted {
    /// A mail that came in: its raw message, a row for each who receives it, and their jobs.
    pub fn inbound(raw_id: String, data: Bytes, at: Timestamp, rows: Vec<InboundMail>, jobs: Vec<NewJob>) -> Self {
        Self { raw_id, data, at, rows: Rows::Inbound(rows), jobs, charge: None }
    }

    /// A mail that is to go out: its raw message, its recipients' addresses, and their jobs. With `charge` it is written
    /// only if that fits.
    pub fn outbound(
        mail: Mail,
        raw: Vec<u8>,
        recipients: Vec<String>,
        jobs: Vec<NewJob>,
        charge: Option<Charge>,
    ) -> Self {
        let (raw_id, at) = (mail.id.clone(), mail.accepted_at);
        Self { raw_id, data: raw.into(), at, rows: Rows::Outbound(Box::new(mail), recipients), jobs, charge }
    }
}

/// Accepts mails.
pub(in crate::store) struct Accepts;

impl Kind for Accepts {
    const GROWS: bool = true;
    type Value = Accepted;
    type Answer = Charged;

    fn run<'t>(tx: &'t mut Tx, values: &'t [Accepted]) -> BoxFuture<'t, Result<Vec<Charged>, Error>> {
        Box::pin(async move {
            let charges: Vec<Option<&Charge>> = values.iter().map(|mail| mail.charge.as_ref()).collect();
            let late = if values.len() > 1 { charge_late(tx, &charges).await? } else { None };
            let Charges { answers, mut first, mut last } = match late {
                Some(charges) => charges,
                None => charge(tx, &charges).await?,
            };
            let fits = values.iter().zip(&answers).filter(|(_, answer)| **answer == Charged::Fits);
            let fits: Vec<&Accepted> = fits.map(|(mail, _)| mail).collect();
            for range in parts(&fits) {
                let of_all = (std::mem::take(&mut first), std::mem::take(&mut last));
                write(tx, of_all, fits.get(range).unwrap_or_default()).await?;
            }
            Ok(answers)
        })
    }

    fn is_one_statement(engine: Engine, values: &[Accepted]) -> bool {
        let queues = || values.iter().flat_map(|mail| mail.jobs.iter().map(|job| job.queue_id));
        let one_queue = queues().all(|queue_id| queues().next() == Some(queue_id));
        let fits_in_one = || parts(&values.iter().collect::<Vec<_>>()).len() == 1;
        engine.has_other_writers() && one_queue && values.iter().all(|mail| mail.charge.is_none()) && fits_in_one()
    }
}

/// Cuts the mails into what goes into one statement.
fn parts(mails: &[&Accepted]) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut octets) = (vec![], 0, 0);
    for (n, mail) in mails.iter().enumerate() {
        if n > start && (n - start == AT_ONCE || octets + mail.data.len() > OCTETS_AT_ONCE) {
            parts.push(start..n);
            (start, octets) = (n, 0);
        }
        octets += mail.data.len();
    }
    parts.push(start..mails.len());
    parts
}

/// Writes mails after the first of these statements, and the last ones, each of which must change a row, after the mails.
async fn write(tx: &mut Tx, (first, last): (Vec<Statement>, Vec<Statement>), mails: &[&Accepted]) -> Result<(), Error> {
    let (engine, now) = (tx.engine(), tx.now());
    let mut statements = first;
    statements.extend(mail_statements(engine, tx.counting_clock().is_some(), mails)?);
    let jobs = || mails.iter().flat_map(|mail| mail.jobs.iter().map(move |job| (mail.at, job)));
    let job = |(at, job): (Timestamp, &NewJob)| args![job.queue_id, at, now, ids::uuid(), &job.group, 1_i64, &job.body];
    statements.extend(some(engine, &JOBS, jobs().map(job).collect())?);
    let mut opened: BTreeMap<i64, BTreeMap<String, Timestamp>> = BTreeMap::new();
    for (at, job) in jobs() {
        let earliest = opened.entry(job.queue_id).or_default().entry(job.group.clone()).or_insert(at);
        *earliest = (*earliest).min(at);
        tx.added(job.queue_id, 1);
    }
    let turns = opened.iter().map(|(queue_id, groups)| groups::open_statement(engine, now, *queue_id, groups));
    let mut turns: Vec<Statement> = turns.collect::<Result<_, _>>()?;
    let one_queue = turns.len() < 2;
    if !engine.has_other_writers() {
        statements.append(&mut turns);
        return tx.run_all(statements).await;
    }
    // Accounts are held before groups, as everywhere, and the groups of one queue after those of another: else two could
    // wait for each other. Of statements that are put together the last one runs first.
    if last.is_empty() && one_queue {
        statements.splice(0..0, turns.drain(..));
    }
    tx.run_all(together(statements).into_iter().collect()).await?;
    let charges = last.len();
    for (n, statement) in last.into_iter().enumerate() {
        let mut with_turns = if one_queue && n + 1 == charges { std::mem::take(&mut turns) } else { vec![] };
        with_turns.push(statement);
        if let Some(statement) = together(with_turns)
            && tx.execute(statement).await? == 0
        {
            return Err(Error::Outrun);
        }
    }
    tx.run_all(turns).await
}

fn mail_statements(engine: Engine, by_database: bool, accepted: &[&Accepted]) -> Result<Vec<Statement>, Error> {
    let (mut raw, mut inbound, mut outbound, mut recipients) = (vec![], vec![], vec![], vec![]);
    for one in accepted {
        raw.push(args![&one.raw_id, &one.data[..], one.at]);
        match &one.rows {
            Rows::Inbound(rows) => inbound.extend(rows.iter().map(InboundMail::row)),
            Rows::Outbound(mail, addresses) => {
                outbound.push(mail.row(by_database));
                recipients.extend((0..).zip(addresses).map(|(n, address)| mails::recipient_values(mail, n, address)));
            }
        }
    }
    let tables: [(&Table, Vec<Vec<Value>>); 4] = [
        (&mails::RAW, raw),
        (&inbound_mails::TABLE, inbound),
        (if by_database { &mails::TABLE_BY_DATABASE } else { &mails::TABLE }, outbound),
        (&mails::RECIPIENTS, recipients),
    ];
    let statements = tables.into_iter().map(|(table, rows)| some(engine, table, rows));
    Ok(statements.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn some(engine: Engine, table: &Table, rows: Vec<Vec<Value>>) -> Result<Option<Statement>, Error> {
    if rows.is_empty() { Ok(None) } else { insert(engine, table, rows).map(Some) }
}

/// Writes a mail in the caller's transaction. Its charge is the caller's affair.
///
/// # Errors
/// When the store fails.
pub async fn add(tx: &mut Tx, mail: &Accepted) -> Result<(), Error> {
    write(tx, (vec![], vec![]), &[mail]).await
}

impl Store {
    /// Accepts a mail. Where it fits, it is durable on return, with its jobs, and whoever works on them is awake.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn accept(&self, mail: Accepted) -> Result<Charged, Error> {
        self.hand_in::<Accepts>(mail).await
    }
}
