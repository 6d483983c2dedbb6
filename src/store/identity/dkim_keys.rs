//! The DKIM keys of domain identities. The private halves are sealed; those from before sealing are readable too.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::identity::identities::Identity;
use crate::store::identity::tables::DKIM_KEYS;
use crate::store::vault::{Lock, Opened, Vault};
use crate::store::{Error, Row, Tx};

pub use crate::store::identity::words::{KeyAlgorithm, KeyState};

/// One selector of a domain with its key. Selectors may share a key.
#[derive(Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// What stands before `._domainkey.` in the DNS.
    pub selector: String,
    /// Its place among the selectors.
    pub n: i64,
    /// What the key does.
    pub state: KeyState,
    /// What it signs with.
    pub algorithm: KeyAlgorithm,
    /// The key's length.
    pub bits: i64,
    /// PKCS #8, DER.
    pub private_key: Vec<u8>,
    /// Base64: SubjectPublicKeyInfo in DER (RSA), or the 32 octets (Ed25519): the `p=` of the DNS record.
    pub public_key: String,
    /// When the key was made.
    pub created_at: Timestamp,
}

/// Stores a selector with its key, or replaces its key.
pub async fn put(tx: &mut Tx, i: &Identity, key: &DkimKey) -> Result<(), Error> {
    let private_key = sealed(tx, &key.private_key)?;
    tx.change(
        &DKIM_KEYS,
        "INSERT INTO dkim_keys (account, region, domain, selector, n, algorithm, bits, private_key, public_key, created_at, \
         state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (account, region, domain, selector) DO UPDATE SET n = excluded.n, algorithm = excluded.algorithm, \
         bits = excluded.bits, private_key = excluded.private_key, public_key = excluded.public_key, \
         created_at = excluded.created_at, state = excluded.state",
        args![
            &i.account,
            &i.region,
            &i.name,
            &key.selector,
            key.n,
            key.algorithm.as_str(),
            key.bits,
            private_key,
            &key.public_key,
            key.created_at,
            key.state.as_str(),
        ],
    )
    .await?;
    Ok(())
}

/// The keys of a domain, in the order of their places.
pub async fn list(tx: &mut Tx, account: &AccountId, region: &Region, domain: &str) -> Result<Vec<DkimKey>, Error> {
    let sql = "SELECT * FROM dkim_keys WHERE account = $1 AND region = $2 AND domain = $3 ORDER BY n LIMIT 10";
    let rows = tx.all(sql, args![account, region, domain]).await?;
    rows.iter().map(|row| key(tx.vault(), row)).collect()
}

/// Says in what state a selector is now.
pub async fn set_state(tx: &mut Tx, i: &Identity, selector: &str, state: KeyState) -> Result<(), Error> {
    let sql = "UPDATE dkim_keys SET state = $1 WHERE account = $2 AND region = $3 AND domain = $4 AND selector = $5";
    tx.change(&DKIM_KEYS, sql, args![state.as_str(), &i.account, &i.region, &i.name, selector]).await?;
    Ok(())
}

/// Removes one selector of a domain; false when it has none of this name.
pub async fn remove(tx: &mut Tx, i: &Identity, selector: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM dkim_keys WHERE account = $1 AND region = $2 AND domain = $3 AND selector = $4";
    Ok(tx.change(&DKIM_KEYS, sql, args![&i.account, &i.region, &i.name, selector]).await? > 0)
}

/// Seals the keys of up to `limit` selectors after `after` that are stored in clear or under an earlier master key.
/// Gives the last selector that was looked at; `None` when there are no more. Selectors of BYODKIM may be alike: all
/// rows of one selector are looked at together.
pub async fn seal(tx: &mut Tx, after: &str, limit: u32) -> Result<Option<String>, Error> {
    let sql = "SELECT DISTINCT selector FROM dkim_keys WHERE selector > $1 ORDER BY selector LIMIT $2";
    let selectors = tx.all(sql, args![after, limit]).await?;
    for row in &selectors {
        let selector = row.text("selector")?;
        let rows = tx.all("SELECT DISTINCT private_key FROM dkim_keys WHERE selector = $1", args![&selector]).await?;
        for row in rows {
            let before = row.blob("private_key")?;
            let text = String::from_utf8(before.clone()).unwrap_or_default();
            if !tx.vault().is_up_to_date(&text) {
                let key = opened(tx.vault(), before.clone())?;
                let sealed = sealed(tx, &key)?;
                let sql = "UPDATE dkim_keys SET private_key = $1 WHERE selector = $2 AND private_key = $3";
                tx.touch(&DKIM_KEYS, sql, args![sealed, &selector, before]).await?;
            }
        }
    }
    selectors.last().map(|row| row.text("selector")).transpose()
}

/// What keys are sealed for. The vault's text opens for no other purpose.
const PURPOSE: &str = "dkim-key";

/// As the column holds it: a sealed text, or the bytes themselves where the vault has no master key.
fn sealed(tx: &Tx, key: &[u8]) -> Result<Vec<u8>, Error> {
    let sealed = tx.vault().seal(PURPOSE, Lock::Own, key, tx.now()).map_err(Error::corrupt)?;
    Ok(sealed.map_or_else(|| key.to_vec(), String::into_bytes))
}

fn opened(vault: &Vault, stored: Vec<u8>) -> Result<Vec<u8>, Error> {
    // DER is no UTF-8 but by chance, and then it has no seal.
    let text = match String::from_utf8(stored) {
        Ok(text) => text,
        Err(der) => return Ok(der.into_bytes()),
    };
    Ok(match vault.open(PURPOSE, text).map_err(Error::corrupt)? {
        Opened::Sealed(key) => key,
        Opened::Plain(text) => text.into_bytes(),
    })
}

fn key(vault: &Vault, row: &Row) -> Result<DkimKey, Error> {
    Ok(DkimKey {
        selector: row.text("selector")?,
        n: row.int("n")?,
        state: row.parsed("state")?,
        algorithm: row.parsed("algorithm")?,
        bits: row.int("bits")?,
        private_key: opened(vault, row.blob("private_key")?)?,
        public_key: row.text("public_key")?,
        created_at: row.time("created_at")?,
    })
}
