//! Receipt rule sets and which of them is active, per account and region.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::access::accounts::State;
use crate::store::args;
use crate::store::engine::kept_table::KeptTable;
use crate::store::{Error, Json, Row, Tx};

const RULE_SETS: KeptTable = KeptTable::new("receipt_rule_sets");
const ACTIVE_RULE_SETS: KeptTable = KeptTable::new("receipt_active_rule_sets");

/// A rule set with its rules, whose form `R` the floor above knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet<R> {
    /// Its name, unique in the account and region.
    pub name: String,
    /// The rules, in order.
    pub rules: Json<R>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An account and region that a domain is verified in and that has an active rule set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<R> {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The verified domain: the recipient's own or one above it.
    pub domain: String,
    /// The rules of the active rule set.
    pub rules: Json<R>,
    /// Whether the account is suspended.
    pub suspended: bool,
}

/// Stores a new rule set; false when the name is taken.
pub async fn insert<R>(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
    rules: &Json<R>,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = tx
        .change(
            &RULE_SETS,
            "INSERT INTO receipt_rule_sets (account, region, name, rules, version, created_at) \
             VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT DO NOTHING",
            args![account, region, name, rules, now],
        )
        .await?;
    Ok(rows == 1)
}

/// How many rule sets there are.
pub async fn count(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS total FROM receipt_rule_sets WHERE account = $1 AND region = $2";
    tx.one(sql, args![account, region]).await?.map_or(Ok(0), |row| row.int("total"))
}

/// The rule set of this name.
pub async fn find<R>(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
) -> Result<Option<RuleSet<R>>, Error> {
    let sql = "SELECT name, rules, created_at FROM receipt_rule_sets WHERE account = $1 AND region = $2 AND name = $3";
    tx.one(sql, args![account, region, name]).await?.map(|row| rule_set(&row)).transpose()
}

/// The rule set of this name, held until the transaction ends: another change of it waits.
pub async fn hold<R>(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
) -> Result<Option<RuleSet<R>>, Error> {
    let sql = "UPDATE receipt_rule_sets SET version = version + 1 \
               WHERE account = $1 AND region = $2 AND name = $3 RETURNING name, rules, created_at";
    tx.touch_returning(&RULE_SETS, sql, args![account, region, name]).await?.first().map(rule_set).transpose()
}

/// All rule sets by name: at most 100, more than the limit allows to make.
pub async fn list<R>(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<Vec<RuleSet<R>>, Error> {
    let sql = "SELECT name, rules, created_at FROM receipt_rule_sets \
               WHERE account = $1 AND region = $2 ORDER BY name LIMIT 100";
    tx.all(sql, args![account, region]).await?.iter().map(rule_set).collect()
}

/// The rule sets of all accounts that hold a sealed text, or may: account, region and name.
pub async fn with_sealed(tx: &mut Tx) -> Result<Vec<(AccountId, Region, String)>, Error> {
    // As JSON writes the mark of a sealed text.
    let sql = "SELECT account, region, name FROM receipt_rule_sets WHERE rules LIKE '%u0001%'";
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.parsed("account")?, row.parsed("region")?, row.text("name")?))).collect()
}

/// Replaces the rules of a rule set.
pub async fn set_rules<R>(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
    rules: &Json<R>,
) -> Result<(), Error> {
    let sql = "UPDATE receipt_rule_sets SET rules = $1 WHERE account = $2 AND region = $3 AND name = $4";
    tx.change(&RULE_SETS, sql, args![rules, account, region, name]).await?;
    Ok(())
}

/// Removes a rule set.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
    let sql = "DELETE FROM receipt_rule_sets WHERE account = $1 AND region = $2 AND name = $3";
    tx.change(&RULE_SETS, sql, args![account, region, name]).await?;
    Ok(())
}

/// The name of the active rule set.
pub async fn active(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<Option<String>, Error> {
    let sql = "SELECT rule_set FROM receipt_active_rule_sets WHERE account = $1 AND region = $2";
    tx.one(sql, args![account, region]).await?.map(|row| row.text("rule_set")).transpose()
}

/// Makes a rule set the active one.
pub async fn activate(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
    let sql = "INSERT INTO receipt_active_rule_sets (account, region, rule_set) VALUES ($1, $2, $3) \
               ON CONFLICT (account, region) DO UPDATE SET rule_set = excluded.rule_set";
    tx.change(&ACTIVE_RULE_SETS, sql, args![account, region, name]).await?;
    Ok(())
}

/// Makes no rule set active.
pub async fn deactivate(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<(), Error> {
    let sql = "DELETE FROM receipt_active_rule_sets WHERE account = $1 AND region = $2";
    tx.change(&ACTIVE_RULE_SETS, sql, args![account, region]).await?;
    Ok(())
}

/// Who may receive for `domain`: accounts where it is verified and a rule set is active, in the order of verification
/// (index `identities_by_name`). Accounts that are being deleted receive nothing. At most 20.
pub async fn candidates<R>(tx: &mut Tx, domain: &str) -> Result<Vec<Candidate<R>>, Error> {
    let sql = "SELECT i.account, i.region, i.name, s.rules, c.state FROM identities i \
               JOIN receipt_active_rule_sets a ON a.account = i.account AND a.region = i.region \
               JOIN receipt_rule_sets s ON s.account = a.account AND s.region = a.region AND s.name = a.rule_set \
               LEFT JOIN accounts c ON c.id = i.account \
               WHERE i.name = $1 AND i.status = 'SUCCESS' AND i.kind = 'DOMAIN' \
               AND COALESCE(c.state, 'active') <> 'deleting' \
               ORDER BY i.verified_at, i.account, i.region LIMIT 20";
    tx.all(sql, args![domain]).await?.iter().map(candidate).collect()
}

fn rule_set<R>(row: &Row) -> Result<RuleSet<R>, Error> {
    Ok(RuleSet { name: row.text("name")?, rules: row.json("rules")?, created_at: row.time("created_at")? })
}

fn candidate<R>(row: &Row) -> Result<Candidate<R>, Error> {
    Ok(Candidate {
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        domain: row.text("name")?,
        rules: row.json("rules")?,
        suspended: State::read(row.opt_text("state")?.as_deref())? == State::Suspended,
    })
}
