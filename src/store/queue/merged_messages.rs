//! Messages in no group that many callers send and take away at once: one statement for all of them.
use futures::future::BoxFuture;
use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::dialect::Engine;
use crate::store::engine::jobs::{Kind, One, Waiting};
use crate::store::engine::rows::repeated;
use crate::store::queue::claims::Receipts;
use crate::store::queue::messages::NewMessage;
use crate::store::{Error, Row, Store, Tx, Value, args};

/// Rows in one statement of SQLite, which stays prepared for each number of rows.
const ROWS_SQLITE: usize = 48;
/// Rows in one statement of PostgreSQL. Their number makes no other statement of it.
const ROWS_POSTGRES: usize = 512;

pub(in crate::store) fn rows_max(engine: Engine) -> usize {
    match engine {
        Engine::Sqlite => ROWS_SQLITE,
        Engine::Postgres => ROWS_POSTGRES,
    }
}

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
            for some in rows.chunks(rows_max(tx.engine())) {
                insert(tx, now, some).await?;
            }
            for value in values {
                tx.added(value.queue_id, value.messages.len());
            }
            Ok(vec![(); values.len()])
        })
    }

    fn is_one_statement(engine: Engine, values: &[ToInsert]) -> bool {
        values.iter().map(|value| value.messages.len()).sum::<usize>() <= rows_max(engine)
    }

    fn waiting(one: One<Self>) -> Waiting {
        Waiting::Insert(one)
    }
}

async fn insert(tx: &mut Tx, now: Timestamp, rows: &[(i64, &NewMessage)]) -> Result<(), Error> {
    const COLUMNS: &str =
        "INSERT INTO messages (queue_id, visible_at, sent_at, message_id, sender, attributes, trace_header, body)";
    if tx.engine() == Engine::Postgres {
        let ints = |get: fn(&(i64, &NewMessage)) -> i64| Value::Ints(rows.iter().map(get).collect());
        let texts = |get: fn(&NewMessage) -> Option<String>| Value::Texts(rows.iter().map(|(_, m)| get(m)).collect());
        let sql = format!(
            "{COLUMNS} SELECT queue_id, visible_at, $1, message_id, sender, attributes, trace_header, body \
             FROM UNNEST($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) \
             AS new (queue_id, visible_at, message_id, sender, attributes, trace_header, body)"
        );
        let mut values = args![now];
        values.extend([
            ints(|(queue_id, _)| *queue_id),
            ints(|(_, m)| m.visible_at.micros()),
            texts(|m| Some(m.message_id.clone())),
            texts(|m| m.sender.clone()),
            texts(|m| m.attributes.clone()),
            texts(|m| m.trace_header.clone()),
            texts(|m| Some(m.body.clone())),
        ]);
        return tx.run(AssertSqlSafe(sql), values).await.map(drop);
    }
    // No numbers: SQLite looks each of them up in a list, one by one.
    let sql = repeated(&format!("{COLUMNS} VALUES "), "(?,?,?,?,?,?,?,?)", rows.len(), "");
    let mut values = Vec::with_capacity(rows.len() * 8);
    for (queue_id, m) in rows {
        values.extend(args![
            *queue_id,
            m.visible_at,
            now,
            &m.message_id,
            m.sender.clone(),
            m.attributes.clone(),
            m.trace_header.clone(),
            &m.body
        ]);
    }
    tx.run(AssertSqlSafe(sql), values).await.map(drop)
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
            for some in rows.chunks(rows_max(tx.engine())) {
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
        values.iter().map(|value| value.messages.len()).sum::<usize>() <= rows_max(engine)
    }

    fn waiting(one: One<Self>) -> Waiting {
        Waiting::Delete(one)
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
    let gone = if tx.engine() == Engine::Postgres {
        let (held, delete) = delete_by(1, receipts);
        tx.all(AssertSqlSafe(format!("WITH {held} {delete}")), columns(rows)).await?
    } else {
        let sql = repeated(
            "WITH w (id, queue_id, receipt) AS (VALUES ",
            "(?,?,?)",
            rows.len(),
            &format!(
                ") DELETE FROM messages WHERE id IN (SELECT m.id FROM w CROSS JOIN messages m ON m.id = w.id \
                 AND m.queue_id = w.queue_id AND {}) RETURNING id, queue_id, group_id",
                receipts.same("m.receipt", "w.receipt")
            ),
        );
        tx.all(AssertSqlSafe(sql), rows.iter().flatten().map(|n| Value::Int(Some(*n))).collect()).await?
    };
    gone.iter().map(Gone::read).collect()
}

/// PostgreSQL's statement for that, in two parts: what holds the rows, and what takes them away. Its parameters, [`columns`],
/// are counted from `first` on. Rows are locked in the order of ids, and only then taken away.
pub(in crate::store) fn delete_by(first: usize, receipts: Receipts) -> (String, &'static str) {
    let [id, queue_id, receipt] = [first, first + 1, first + 2];
    let same = receipts.same("m.receipt", "w.receipt");
    let held = format!(
        "held AS (SELECT m.id FROM UNNEST(${id}::bigint[], ${queue_id}::bigint[], ${receipt}::bigint[]) \
         AS w (id, queue_id, receipt) JOIN messages m ON m.id = w.id AND m.queue_id = w.queue_id \
         AND {same} ORDER BY m.id FOR UPDATE OF m)"
    );
    (held, "DELETE FROM messages m USING held WHERE m.id = held.id RETURNING m.id, m.queue_id, m.group_id")
}

/// Rows, queues and receipts, as that takes them.
pub(in crate::store) fn columns(rows: &[[i64; 3]]) -> Vec<Value> {
    [0, 1, 2].map(|n| Value::Ints(rows.iter().filter_map(|row| row.get(n).copied()).collect())).to_vec()
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
