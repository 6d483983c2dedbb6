//! Identities: domains and addresses that an account may send from, and how each stands.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::engine::sql::readable;
use crate::store::identity::tables::{DKIM_KEYS, IDENTITIES, IDENTITY_POLICIES};
use crate::store::{Error, Json, Pairs, Row, Tx};

pub use crate::store::identity::words::{IdentityKind, KeyOrigin, ProofError, Standing};

/// A domain or an address of an account in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The owner.
    pub account: AccountId,
    /// Where it is known.
    pub region: Region,
    /// The domain or address, in lower case.
    pub name: String,
    /// What it is.
    pub kind: IdentityKind,
    /// Whether it is the account's.
    pub status: Standing,
    /// When [`Standing::Pending`] or [`Standing::TemporaryFailure`] began.
    pub since: Option<Timestamp>,
    /// Why the last look found no proof.
    pub error: Option<ProofError>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last found to be the account's.
    pub verified_at: Option<Timestamp>,
    /// When it was last looked at.
    pub checked_at: Option<Timestamp>,
    /// When to look next.
    pub next_check_at: Option<Timestamp>,
    /// What has to stand in `_amazonses.<domain>`.
    pub txt_token: Option<String>,
    /// The configuration set for mails that name none.
    pub configuration_set: Option<String>,
    /// Whether bounces are mailed to the sender.
    pub feedback_forwarding: bool,
    /// Whether its mails are signed.
    pub dkim_signing: bool,
    /// How its DKIM keys stand.
    pub dkim: DkimStanding,
    /// Its MAIL FROM domain.
    pub mail_from: Option<MailFrom>,
    /// Its tags.
    pub tags: Json<Pairs>,
}

/// How the DKIM keys of a domain stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimStanding {
    /// Whether the DNS publishes them.
    pub status: Standing,
    /// When [`Standing::Pending`] or [`Standing::TemporaryFailure`] began.
    pub since: Option<Timestamp>,
    /// Where they come from.
    pub origin: KeyOrigin,
    /// The length of the next key that is made here.
    pub next_bits: i64,
}

/// A MAIL FROM domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFrom {
    /// The domain.
    pub domain: String,
    /// Whether its records were found.
    pub status: Standing,
    /// When [`Standing::Pending`] or [`Standing::TemporaryFailure`] began.
    pub since: Option<Timestamp>,
    /// Whether mail is refused while they are not found.
    pub reject: bool,
}

impl Identity {
    /// Whether it is proved to be the account's.
    pub fn is_verified(&self) -> bool {
        self.status.is_verified()
    }
}

/// Stores a new identity; breaks the unique rule when it is there already.
pub async fn insert(tx: &mut Tx, i: &Identity) -> Result<(), Error> {
    let sql = "INSERT INTO identities (account, region, name, kind, status, created_at, feedback_forwarding, tags) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (kind, status) = (i.kind.as_str(), i.status.as_str());
    let values = args![&i.account, &i.region, &i.name, kind, status, i.created_at, i.feedback_forwarding, &i.tags];
    tx.change(&IDENTITIES, sql, values).await?;
    update(tx, i).await
}

/// Writes everything that can change. An identity that was deleted and made again since it was read is another one: it
/// stays as it is.
pub async fn update(tx: &mut Tx, i: &Identity) -> Result<(), Error> {
    let mail_from = i.mail_from.as_ref();
    tx.change(
        &IDENTITIES,
        "UPDATE identities SET status = $1, since = $2, error = $3, verified_at = $4, checked_at = $5, \
         next_check_at = $6, txt_token = $7, configuration_set = $8, dkim_signing = $9, dkim_status = $10, \
         dkim_since = $11, dkim_origin = $12, dkim_next_bits = $13, mail_from_domain = $14, mail_from_status = $15, \
         mail_from_since = $16, mail_from_reject = $17, tags = $18 \
         WHERE account = $19 AND region = $20 AND name = $21 AND created_at = $22",
        args![
            i.status.as_str(),
            i.since,
            i.error.map(ProofError::as_str),
            i.verified_at,
            i.checked_at,
            i.next_check_at,
            i.txt_token.clone(),
            i.configuration_set.clone(),
            i.dkim_signing,
            i.dkim.status.as_str(),
            i.dkim.since,
            i.dkim.origin.as_str(),
            i.dkim.next_bits,
            mail_from.map(|m| m.domain.clone()),
            mail_from.map(|m| m.status.as_str()),
            mail_from.and_then(|m| m.since),
            mail_from.is_some_and(|m| m.reject),
            &i.tags,
            &i.account,
            &i.region,
            &i.name,
            i.created_at,
        ],
    )
    .await?;
    Ok(())
}

/// Keeps the identity's row for this transaction alone, until its end; false when there is none.
pub async fn hold(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<bool, Error> {
    let sql = "UPDATE identities SET name = name WHERE account = $1 AND region = $2 AND name = $3";
    Ok(tx.touch(&IDENTITIES, sql, args![account, region, name]).await? > 0)
}

/// The identity of this name (lower case).
pub async fn find(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<Option<Identity>, Error> {
    let sql = "SELECT * FROM identities WHERE account = $1 AND region = $2 AND name = $3";
    let row = tx.one(sql, args![account, region, name]).await?;
    row.map(|row| identity(&row)).transpose()
}

/// Up to `limit` identities after the name `after`, in the order of names; of one kind where one is given.
pub async fn page(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    kind: Option<IdentityKind>,
    after: &str,
    limit: i64,
) -> Result<Vec<Identity>, Error> {
    let sql = "SELECT * FROM identities WHERE account = $1 AND region = $2 AND name > $3 \
               AND ($4 = '' OR kind = $4) ORDER BY name LIMIT $5";
    let rows = tx.all(sql, args![account, region, after, kind.map_or("", IdentityKind::as_str), limit]).await?;
    rows.iter().map(identity).collect()
}

/// How many identities the account has in the region.
pub async fn count(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM identities WHERE account = $1 AND region = $2";
    tx.one(sql, args![account, region]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Removes an identity with its keys and policies; false when there was none.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<bool, Error> {
    let keys = "DELETE FROM dkim_keys WHERE account = $1 AND region = $2 AND domain = $3";
    tx.change(&DKIM_KEYS, keys, args![account, region, name]).await?;
    let policies = "DELETE FROM identity_policies WHERE account = $1 AND region = $2 AND identity = $3";
    tx.change(&IDENTITY_POLICIES, policies, args![account, region, name]).await?;
    let sql = "DELETE FROM identities WHERE account = $1 AND region = $2 AND name = $3";
    Ok(tx.change(&IDENTITIES, sql, args![account, region, name]).await? > 0)
}

/// Sets how an identity stands, and when to look next; its DKIM keys and its MAIL FROM domain stay as they are.
pub async fn set_status(
    tx: &mut Tx,
    i: &Identity,
    status: Standing,
    next_check_at: Option<Timestamp>,
) -> Result<(), Error> {
    let now = tx.now();
    let is_found = status == Standing::Success;
    let verified_at = if is_found { Some(now) } else { i.verified_at };
    let changed = Identity {
        status,
        since: if is_found { None } else { i.since },
        error: None,
        verified_at,
        checked_at: Some(now),
        next_check_at,
        ..i.clone()
    };
    update(tx, &changed).await
}

/// Takes up to `limit` identities whose check is due, none of the accounts `except`, and puts their next check off to
/// `again_at`, so that no other node looks at the same time (index `identities_due`). What cannot be read is passed over.
pub async fn take_due(tx: &mut Tx, again_at: Timestamp, limit: i64, except: &[String]) -> Result<Vec<Identity>, Error> {
    let now = tx.now();
    let others = if except.is_empty() {
        String::new()
    } else {
        format!("AND account NOT IN ({})", crate::store::engine::rows::placeholders(4, except.len()))
    };
    let sql = format!(
        "UPDATE identities SET next_check_at = $1 WHERE next_check_at <= $2 AND (account, region, name) IN \
         (SELECT account, region, name FROM identities WHERE next_check_at <= $2 {others} ORDER BY next_check_at LIMIT $3) \
         RETURNING *"
    );
    let values = crate::store::engine::rows::with_names(args![again_at, now, limit], except);
    let rows = tx.touch_returning(&IDENTITIES, sqlx::AssertSqlSafe(sql), values).await?;
    Ok(readable(&rows, ("an identity", "name"), identity))
}

/// Gives an identity back that was taken and not looked at: its check is due at `at`, unless that was changed meanwhile.
pub async fn give_back(tx: &mut Tx, taken: &Identity, at: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE identities SET next_check_at = $1 WHERE account = $2 AND region = $3 AND name = $4 \
               AND next_check_at = $5";
    tx.touch(&IDENTITIES, sql, args![at, &taken.account, &taken.region, &taken.name, taken.next_check_at])
        .await
        .map(drop)
}

fn identity(row: &Row) -> Result<Identity, Error> {
    let dkim = DkimStanding {
        status: row.parsed("dkim_status")?,
        since: row.opt_time("dkim_since")?,
        origin: row.parsed("dkim_origin")?,
        next_bits: row.int("dkim_next_bits")?,
    };
    let mail_from = match row.opt_text("mail_from_domain")? {
        None => None,
        Some(domain) => Some(MailFrom {
            domain,
            status: row.opt_parsed("mail_from_status")?.unwrap_or(Standing::Pending),
            since: row.opt_time("mail_from_since")?,
            reject: row.flag("mail_from_reject")?,
        }),
    };
    Ok(Identity {
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        name: row.text("name")?,
        kind: row.parsed("kind")?,
        status: row.parsed("status")?,
        since: row.opt_time("since")?,
        error: row.opt_parsed("error")?,
        created_at: row.time("created_at")?,
        verified_at: row.opt_time("verified_at")?,
        checked_at: row.opt_time("checked_at")?,
        next_check_at: row.opt_time("next_check_at")?,
        txt_token: row.opt_text("txt_token")?,
        configuration_set: row.opt_text("configuration_set")?,
        feedback_forwarding: row.flag("feedback_forwarding")?,
        dkim_signing: row.flag("dkim_signing")?,
        dkim,
        mail_from,
        tags: row.json("tags")?,
    })
}
