//! Messages in no group that many callers send and take away at once: one statement for all of them.
use futures::future::BoxFuture;

use crate::base::Timestamp;
use crate::store::engine::batch::{Batch, Statement, parts};
use crate::store::engine::dialect::Engine;
use crate::store::engine::merged::Kind;
use crate::store::engine::rows::{self, Table};
use crate::store::queue::adding::NewMessage;
use crate::store::queue::claims::Receipts;
use crate::store::{Error, Row, Store, Tx, Value};

/// A message in the columns that one in no group has.
static TABLE: Table = Table {
    name: "messages",
    columns: &["queue_id", "visible_at", "sent_at", "message_id", "sender", "attributes", "trace_header", "body"],
};

/// Adds messages that are in no group.
pub(in crate::store) struct Inserts;

/// Messages for one queue.
pub(in crate::store) struct ToInsert {
    queue_id: i64,
    messages: Vec<NewMessage>,
}

impl Kind for Inserts {
    const GROWS: bool = true;
    type Value = ToInsert;
    type Answer = ();

    fn run<'t>(tx: &'t mut Tx, values: &'t [ToInsert]) -> BoxFuture<'t, Result<Vec<()>, Error>> {
        Box::pin(async move {
            let rows: Vec<(i64, &NewMessage)> = values
                .iter()
                .flat_map(|value| value.messages.iter().map(|message| (value.queue_id, message)))
                .collect();
            let now = tx.now();
            for some in rows.chunks(tx.engine().rows_at_once()) {
                insert(tx, now, some).await?;
            }
            for value in values {
                tx.added(value.queue_id, value.messages.len());
            }
            Ok(vec![(); values.len()])
        })
    }

    fn is_one_statement(engine: Engine, values: &[ToInsert]) -> bool {
        values.iter().map(|value| value.messages.len()).sum::<usize>() <= engine.rows_at_once()
    }
}

async fn insert(tx: &mut Tx, now: Timestamp, rows: &[(i64, &NewMessage)]) -> Result<(), Error> {
    let row = |(queue_id, m): &(i64, &NewMessage)| -> [Value; 8] {
        [
            (*queue_id).into(),
            m.visible_at.into(),
            now.into(),
            (&m.message_id).into(),
            m.sender.clone().into(),
            m.attributes.clone().into(),
            m.trace_header.clone().into(),
            (&m.body).into(),
        ]
    };
    let statement = rows::insert(tx.engine(), &TABLE, rows.iter().map(row))?;
    tx.execute(statement).await.map(drop)
}

/// Takes messages away by receipts that they were given out with.
pub(in crate::store) struct Deletes;

/// Messages of one queue: row and receipt.
pub(in crate::store) struct ToDelete {
    queue_id: i64,
    messages: Vec<(i64, i64)>,
}

impl Kind for Deletes {
    const GROWS: bool = false;
    type Value = ToDelete;
    /// The groups of the messages that are gone.
    type Answer = Vec<String>;

    fn run<'t>(tx: &'t mut Tx, values: &'t [ToDelete]) -> BoxFuture<'t, Result<Vec<Vec<String>>, Error>> {
        Box::pin(async move {
            let mut rows: Vec<[i64; 3]> = values
                .iter()
                .flat_map(|value| value.messages.iter().map(|(id, receipt)| [*id, value.queue_id, *receipt]))
                .collect();
            // In one order for all: two who take the same messages must not wait for each other.
            rows.sort_unstable();
            let mut groups = vec![Vec::new(); values.len()];
            for some in rows.chunks(tx.engine().rows_at_once()) {
                for Gone { queue_id, group, .. } in delete(tx, some, Receipts::Any).await? {
                    let Some(group) = group else { continue };
                    // It is the same for all callers of the queue: who hears of a group looks after it.
                    let place = values.iter().position(|value| value.queue_id == queue_id);
                    if let Some(groups) = place.and_then(|place| groups.get_mut(place)) {
                        groups.push(group);
                    }
                }
            }
            Ok(groups)
        })
    }

    fn is_one_statement(engine: Engine, values: &[ToDelete]) -> bool {
        values.iter().map(|value| value.messages.len()).sum::<usize>() <= engine.rows_at_once()
    }
}

/// A message that was taken away.
pub(in crate::store) struct Gone {
    pub id: i64,
    pub queue_id: i64,
    pub group: Option<String>,
}

impl Gone {
    pub(in crate::store) fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self { id: row.int("id")?, queue_id: row.int("queue_id")?, group: row.opt_text("group_id")? })
    }
}

/// Takes messages away, given by row, queue and receipt in the order of rows, and says which were there.
pub(in crate::store) async fn delete(tx: &mut Tx, rows: &[[i64; 3]], receipts: Receipts) -> Result<Vec<Gone>, Error> {
    let engine = tx.engine();
    let (selected, delete) = delete_parts(engine, rows, receipts)?;
    let mut statement = Statement::empty(engine);
    statement.text("WITH ");
    statement.append(selected);
    statement.text(" ");
    statement.text(&delete);
    tx.rows(statement).await?.iter().map(Gone::read).collect()
}

/// The statement for that in two parts: those of a WITH, which select the rows and lock them, and what takes these away.
pub(in crate::store) fn delete_parts(
    engine: Engine,
    rows: &[[i64; 3]],
    receipts: Receipts,
) -> Result<(Statement, String), Error> {
    let sql = format!(
        "?, held AS (SELECT m.id AS held_id FROM given {} messages m ON m.id = given.id AND m.queue_id = given.queue_id AND {}{})",
        engine.join_in_order(),
        receipts.same("m.receipt", "given.receipt"),
        engine.lock_by_id("m")
    );
    let given = rows.iter().map(|row| row.map(Value::from));
    let selected = Statement::of(engine, &sql, parts![Batch::of("given", &["id", "queue_id", "receipt"], given)])?;
    let delete = engine.delete_held("messages");
    Ok((selected, format!("{delete} RETURNING id, queue_id, group_id")))
}

impl Store {
    /// Adds messages that are in no group, and wakes who waits for them. They are durable on return.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn insert_messages(&self, queue_id: i64, messages: Vec<NewMessage>) -> Result<(), Error> {
        self.hand_in::<Inserts>(ToInsert { queue_id, messages }).await
    }

    /// Takes messages away, given by row and any receipt that they were given out with. Gives groups of the queue that
    /// lost messages, which may be empty now: [`close_empty`](crate::store::queue::messages::close_empty).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_messages(&self, queue_id: i64, messages: Vec<(i64, i64)>) -> Result<Vec<String>, Error> {
        self.hand_in::<Deletes>(ToDelete { queue_id, messages }).await
    }
}
