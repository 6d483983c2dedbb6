//! What an account has set for its sending in a region, beside its limits.
use serde::{Deserialize, Serialize};

use crate::base::words::words;
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::mail::suppressed::Reason;
use crate::store::{Error, Json, Row, Tx};

/// What an account tells of itself, in the members of SESv2's PutAccountDetails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountDetails {
    /// `MARKETING` or `TRANSACTIONAL`.
    pub mail_type: String,
    /// Where its website is.
    #[serde(rename = "WebsiteURL")]
    pub website_url: String,
    /// `EN` or `JA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_language: Option<String>,
    /// What its mail is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_case_description: Option<String>,
    /// Who else may be asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_contact_email_addresses: Vec<String>,
}

/// How far an account's request for production access is (SESv2's ReviewStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// It waits for an operator.
    Pending,
    /// An operator said yes.
    Granted,
    /// An operator said no.
    Denied,
}

words!(Review { Pending => "PENDING", Granted => "GRANTED", Denied => "DENIED" });

/// An account's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// Which reasons put an address on the suppression list, and keep mails from it.
    pub suppressed_reasons: Vec<Reason>,
    /// What the account told of itself when it asked for production access.
    pub details: Option<Json<AccountDetails>>,
    /// How far its request is; `None`: it never asked.
    pub review: Option<Review>,
    /// When it asked.
    pub requested_at: Option<Timestamp>,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self { suppressed_reasons: Reason::ALL.to_vec(), details: None, review: None, requested_at: None }
    }
}

/// The account's settings; the defaults where it has set nothing.
pub async fn get(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<AccountSettings, Error> {
    let sql = "SELECT * FROM account_settings WHERE account = $1 AND region = $2";
    let row = tx.one(sql, args![account, region]).await?;
    row.map_or(Ok(AccountSettings::default()), |row| read(&row))
}

/// Sets which reasons suppress.
pub async fn set_suppressed_reasons(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    reasons: &[Reason],
) -> Result<(), Error> {
    let reasons = Json::of(&reasons)?;
    tx.run(
        "INSERT INTO account_settings (account, region, suppressed_reasons) VALUES ($1, $2, $3) \
         ON CONFLICT (account, region) DO UPDATE SET suppressed_reasons = excluded.suppressed_reasons",
        args![account, region, &reasons],
    )
    .await?;
    Ok(())
}

/// Keeps what an account told of itself, and how far its request is.
pub async fn set_details(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    details: &Json<AccountDetails>,
    review: Option<Review>,
) -> Result<(), Error> {
    let reasons = Json::of(&Reason::ALL)?;
    let now = tx.now();
    tx.run(
        "INSERT INTO account_settings (account, region, suppressed_reasons, details, review, requested_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, region) DO UPDATE SET \
         details = excluded.details, review = excluded.review, requested_at = excluded.requested_at",
        args![account, region, &reasons, details, review.map(Review::as_str), now],
    )
    .await?;
    Ok(())
}

/// Says how a request ended; false when there is none that waits.
pub async fn decide(tx: &mut Tx, account: &AccountId, region: &Region, review: Review) -> Result<bool, Error> {
    let sql = "UPDATE account_settings SET review = $1 WHERE account = $2 AND region = $3 AND review = 'PENDING'";
    Ok(tx.run(sql, args![review.as_str(), account, region]).await? > 0)
}

/// Accounts that told of themselves and wait for an answer, or asked for none, oldest first: account, region, settings. Who asked
/// for none and is out of the sandbox already is left out. At most `limit`.
pub async fn waiting(tx: &mut Tx, limit: i64) -> Result<Vec<(String, String, AccountSettings)>, Error> {
    let sql = "SELECT * FROM account_settings WHERE review = 'PENDING' OR (review IS NULL AND details IS NOT NULL \
               AND NOT EXISTS (SELECT 1 FROM sending_accounts s WHERE s.account = account_settings.account \
               AND s.region = account_settings.region AND s.production_access = 1)) \
               ORDER BY requested_at, account, region LIMIT $1";
    let rows = tx.all(sql, args![limit]).await?;
    rows.iter().map(|row| Ok((row.text("account")?, row.text("region")?, read(row)?))).collect()
}

fn read(row: &Row) -> Result<AccountSettings, Error> {
    Ok(AccountSettings {
        suppressed_reasons: row.json::<Vec<Reason>>("suppressed_reasons")?.read()?,
        details: row.opt_json("details")?,
        review: row.opt_parsed("review")?,
        requested_at: row.opt_int("requested_at")?.map(Timestamp::from_micros),
    })
}
