//! Configuration sets.
use crate::base::words::words;
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::engine::kept_table::KeptTable;
use crate::store::mail::event_destinations::EVENT_DESTINATIONS;
use crate::store::{Error, Json, Row, Tx};

pub use crate::store::mail::set_options::SetOptions;

/// Whether mail goes over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTlsPolicy {
    /// Over TLS, or not at all.
    Require,
    /// Over TLS where the other side has it.
    Optional,
}

words!(SetTlsPolicy { Require => "REQUIRE", Optional => "OPTIONAL" });

const CONFIGURATION_SETS: KeptTable = KeptTable::new("configuration_sets");

/// A configuration set of an account in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationSet {
    /// The owner.
    pub account: AccountId,
    /// Where it is known.
    pub region: Region,
    /// Its name.
    pub name: String,
    /// Whether mails may be sent with it.
    pub sending_enabled: bool,
    /// Whether its mails go over TLS; `None`: where the other side has it.
    pub tls_policy: Option<SetTlsPolicy>,
    /// How long a mail is tried.
    pub max_delivery_seconds: Option<i64>,
    /// The other options, as they were given.
    pub options: Json<SetOptions>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Stores a new set; breaks the unique rule when the name is taken.
pub async fn insert(tx: &mut Tx, set: &ConfigurationSet) -> Result<(), Error> {
    tx.change(
        &CONFIGURATION_SETS,
        "INSERT INTO configuration_sets (account, region, name, sending_enabled, tls_policy, max_delivery_seconds, options, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            &set.account,
            &set.region,
            &set.name,
            set.sending_enabled,
            set.tls_policy.map(SetTlsPolicy::as_str),
            set.max_delivery_seconds,
            &set.options,
            set.created_at,
        ],
    )
    .await?;
    Ok(())
}

/// Holds a set until the transaction ends, so that of two who change it neither undoes what the other did; false when
/// there is none.
pub async fn hold(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<bool, Error> {
    let sql = "UPDATE configuration_sets SET name = name WHERE account = $1 AND region = $2 AND name = $3";
    Ok(tx.touch(&CONFIGURATION_SETS, sql, args![account, region, name]).await? > 0)
}

/// Writes what may change of a set; false when there is none.
pub async fn update(tx: &mut Tx, set: &ConfigurationSet) -> Result<bool, Error> {
    let rows = tx
        .change(
            &CONFIGURATION_SETS,
            "UPDATE configuration_sets SET sending_enabled = $1, tls_policy = $2, max_delivery_seconds = $3, options = $4 \
             WHERE account = $5 AND region = $6 AND name = $7",
            args![
                set.sending_enabled,
                set.tls_policy.map(SetTlsPolicy::as_str),
                set.max_delivery_seconds,
                &set.options,
                &set.account,
                &set.region,
                &set.name,
            ],
        )
        .await?;
    Ok(rows > 0)
}

/// The set of this name.
pub async fn find(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
) -> Result<Option<ConfigurationSet>, Error> {
    let sql = "SELECT * FROM configuration_sets WHERE account = $1 AND region = $2 AND name = $3";
    let row = tx.one(sql, args![account, region, name]).await?;
    row.map(|row| set(&row)).transpose()
}

/// Replaces the options that have no column of their own.
pub async fn set_options(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
    options: &Json<SetOptions>,
) -> Result<(), Error> {
    let sql = "UPDATE configuration_sets SET options = $1 WHERE account = $2 AND region = $3 AND name = $4";
    tx.change(&CONFIGURATION_SETS, sql, args![options, account, region, name]).await?;
    Ok(())
}

/// Up to `limit` names after the name `after`, in order.
pub async fn names(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    let sql =
        "SELECT name FROM configuration_sets WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4";
    let rows = tx.all(sql, args![account, region, after, limit]).await?;
    rows.iter().map(|row| row.text("name")).collect()
}

/// How many sets the account has in the region.
pub async fn count(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM configuration_sets WHERE account = $1 AND region = $2";
    tx.one(sql, args![account, region]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Removes a set with its destinations; false when there was none.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<bool, Error> {
    let destinations = "DELETE FROM event_destinations WHERE account = $1 AND region = $2 AND configuration_set = $3";
    tx.change(&EVENT_DESTINATIONS, destinations, args![account, region, name]).await?;
    let sql = "DELETE FROM configuration_sets WHERE account = $1 AND region = $2 AND name = $3";
    Ok(tx.change(&CONFIGURATION_SETS, sql, args![account, region, name]).await? > 0)
}

fn set(row: &Row) -> Result<ConfigurationSet, Error> {
    Ok(ConfigurationSet {
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        name: row.text("name")?,
        sending_enabled: row.flag("sending_enabled")?,
        tls_policy: row.opt_parsed("tls_policy")?,
        max_delivery_seconds: row.opt_int("max_delivery_seconds")?,
        options: row.json("options")?,
        created_at: row.time("created_at")?,
    })
}
