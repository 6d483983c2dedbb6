//! An account's suppression list as a file, for an operator: out and in. AWS has no operation that exports it.
use crate::app::admin::{Admin, AdminError};
use crate::base::{Scope, Timestamp};
use crate::mail::sending::imports;
use crate::mail::sending::suppression_file::{self, Record};
use crate::store::import_jobs::{ImportAction, ImportFormat};
use crate::store::suppressed::{self, Reason, Wanted};

/// Entries that are read or written at once.
const AT_ONCE: usize = 500;

impl Admin {
    /// The account's suppression list as CSV in the order of addresses: address, reason, since when.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn export_suppressed(&self, scope: &Scope) -> Result<Vec<String>, AdminError> {
        let tx = &mut self.store.reader().await?;
        let mut wanted = Wanted {
            reasons: Reason::ALL.to_vec(),
            from: Timestamp::from_micros(i64::MIN),
            until: Timestamp::from_micros(i64::MAX),
            after: String::new(),
            limit: i64::try_from(AT_ONCE).unwrap_or(i64::MAX),
        };
        let mut lines = Vec::new();
        loop {
            let entries = suppressed::list(tx, &scope.account, &scope.region, &wanted).await?;
            lines.extend(entries.iter().map(suppression_file::line));
            match entries.last() {
                Some(last) => wanted.after = last.address.clone(),
                None => return Ok(lines),
            }
        }
    }

    /// Puts the addresses of a file on the account's suppression list, or takes them off. Gives what was done.
    ///
    /// # Errors
    /// A file that is no text or too long; when the store fails. [`AdminError::Stay`] with the lines that are no records, when there
    /// are some; the others count.
    pub async fn import_suppressed(
        &self,
        scope: &Scope,
        data: &[u8],
        format: ImportFormat,
        action: ImportAction,
    ) -> Result<Vec<String>, AdminError> {
        let lines = suppression_file::lines(data).ok_or_else(|| {
            let max = suppression_file::RECORDS_MAX;
            AdminError::Addresses(format!("the file is no text, or has more than {max} records"))
        })?;
        let (mut records, mut failed): (Vec<Record>, Vec<String>) = (vec![], vec![]);
        for line in lines {
            match suppression_file::record(line, format, action) {
                Ok(record) => records.push(record),
                Err(problem) => failed.push(format!("line {}: {}", problem.line, problem.problem)),
            }
        }
        let count = records.len();
        let records: Vec<Vec<Record>> = records.chunks(AT_ONCE).map(<[Record]>::to_vec).collect();
        for mut lot in records {
            let Scope { account, region } = scope.clone();
            lot.sort_by(|a, b| a.address.cmp(&b.address));
            let done: Result<(), crate::store::Error> = self
                .store
                .write(move |tx| {
                    Box::pin(async move { imports::put_or_delete(tx, (&account, &region), &lot, action).await })
                })
                .await;
            done?;
        }
        let done = if action == ImportAction::Put { "put on the list" } else { "taken off the list" };
        let why = format!("{} lines are no records", failed.len());
        let bad = !failed.is_empty();
        failed.insert(0, format!("{count} addresses {done}, {why}"));
        if bad { Err(AdminError::Stay { lines: failed, why }) } else { Ok(failed) }
    }
}
