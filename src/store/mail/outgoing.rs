//! What outbound jobs need, read for many of them in few queries: the mail, its recipient, the message if it is small, and
//! whether the recipient stands on a suppression list.
use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;

use crate::base::{AccountId, Region};
use crate::store::engine::dialect::Engine;
use crate::store::engine::rows::repeated;
use crate::store::mail::mails::{Mail, Recipient, mail, recipient_row};
use crate::store::{Error, Tx, Value, args};

/// Jobs in one query: SQLite keeps a prepared one for each number of them.
pub const AT_ONCE: usize = 48;

/// What there is about one recipient of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The mail.
    pub mail: Mail,
    /// The recipient.
    pub recipient: Recipient,
    /// The message, where it is there and not too large.
    pub raw: Option<Vec<u8>>,
    /// Whether the recipient, its letters in lower case, is on the list of the mail's account. Whether that matters is for
    /// others to say.
    pub is_listed: bool,
}

/// Reads what these jobs need, each a mail and a place among its recipients: in their order, `None` for what is gone. With
/// messages of `raw_max` octets at the most. Give it [`AT_ONCE`] jobs at the most.
pub async fn read(tx: &mut Tx, jobs: &[(&str, i64)], raw_max: i64) -> Result<Vec<Option<Outgoing>>, Error> {
    const WHAT: &str = "SELECT m.*, r.*, d.data FROM w CROSS JOIN recipients r ON r.mail_id = w.mail_id AND r.n = w.place \
        CROSS JOIN mails m ON m.id = r.mail_id LEFT JOIN raw_messages d ON d.id = m.id AND m.size <= ";
    let rows = if tx.engine() == Engine::Postgres {
        let sql = format!("WITH w AS (SELECT * FROM UNNEST($1::text[], $2::bigint[]) AS w (mail_id, place)) {WHAT} $3");
        let sql = sql.replace("CROSS JOIN", "JOIN");
        let ids = jobs.iter().map(|(mail, _)| Some((*mail).to_owned())).collect();
        let mut values = vec![Value::Texts(ids), Value::Ints(jobs.iter().map(|(_, n)| *n).collect())];
        values.extend(args![raw_max]);
        tx.all(AssertSqlSafe(sql), values).await?
    } else {
        let sql = repeated("WITH w (mail_id, place) AS (VALUES ", "(?,?)", jobs.len(), &format!(") {WHAT} ?"));
        let mut values: Vec<Value> = jobs.iter().flat_map(|(mail, n)| args![*mail, *n]).collect();
        values.extend(args![raw_max]);
        tx.all(AssertSqlSafe(sql), values).await?
    };
    let mut found: HashMap<(String, i64), Vec<Outgoing>> = HashMap::new();
    for row in &rows {
        let (mail, recipient, raw) = (mail(row)?, recipient_row(row)?, row.opt_blob("data")?);
        let place = (mail.id.clone(), recipient.n);
        found.entry(place).or_default().push(Outgoing { mail, recipient, raw, is_listed: false });
    }
    mark_listed(tx, found.values_mut().flatten().collect()).await?;
    // Who asks twice for the same gets two rows.
    Ok(jobs.iter().map(|(mail, n)| found.get_mut(&((*mail).to_owned(), *n)).and_then(Vec::pop)).collect())
}

async fn mark_listed(tx: &mut Tx, mut found: Vec<&mut Outgoing>) -> Result<(), Error> {
    let mut asked: HashMap<(AccountId, Region), Vec<String>> = HashMap::new();
    for one in &found {
        let of = asked.entry((one.mail.account.clone(), one.mail.region.clone())).or_default();
        of.push(one.recipient.address.to_ascii_lowercase());
    }
    for ((account, region), addresses) in asked {
        let (sql, values) = if tx.engine() == Engine::Postgres {
            let sql =
                "SELECT address FROM suppressed_addresses WHERE account = $1 AND region = $2 AND address = ANY($3)";
            let mut values = args![&account, &region];
            values.push(Value::Texts(addresses.into_iter().map(Some).collect()));
            (sql.to_owned(), values)
        } else {
            let head = "SELECT address FROM suppressed_addresses WHERE account = ? AND region = ? AND address IN (";
            let mut values = args![&account, &region];
            let sql = repeated(head, "?", addresses.len(), ")");
            values.extend(addresses.into_iter().map(Value::from));
            (sql, values)
        };
        let rows = tx.all(AssertSqlSafe(sql), values).await?;
        let listed: HashSet<String> = rows.iter().map(|row| row.text("address")).collect::<Result<_, _>>()?;
        if listed.is_empty() {
            continue;
        }
        for one in found.iter_mut().filter(|one| one.mail.account == account && one.mail.region == region) {
            one.is_listed = listed.contains(&one.recipient.address.to_ascii_lowercase());
        }
    }
    Ok(())
}
