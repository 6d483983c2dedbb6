//! What outbound jobs need, read for many of them in few queries: the mail, its recipient, the message if it is small, and
//! whether the recipient stands on a suppression list.
use std::collections::{HashMap, HashSet};

use crate::base::{AccountId, Region};
use crate::store::engine::batch::{Batch, Statement, in_list, parts};
use crate::store::mail::mails::{Mail, Recipient, mail, recipient_row};
use crate::store::{Error, Tx, args};

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
    let engine = tx.engine();
    let sql = format!(
        "WITH ? SELECT m.*, r.*, d.data FROM w {join} recipients r ON r.mail_id = w.mail_id AND r.n = w.place \
         {join} mails m ON m.id = r.mail_id LEFT JOIN raw_messages d ON d.id = m.id AND m.size <= ?",
        join = engine.join_in_order()
    );
    let wanted = Batch::of("w", &["mail_id", "place"], jobs.iter().map(|(mail, n)| args![*mail, *n]));
    let rows = tx.rows(Statement::of(engine, &sql, parts![wanted, raw_max])?).await?;
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
        let sql = "SELECT address FROM suppressed_addresses WHERE account = ? AND region = ? AND address IN ?";
        let statement = Statement::of(tx.engine(), sql, parts![&account, &region, in_list(addresses)])?;
        let rows = tx.rows(statement).await?;
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
