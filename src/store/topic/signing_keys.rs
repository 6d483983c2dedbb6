//! Signing keys: the keys that sign published messages and the certificates that verify them.
use crate::base::Secret;
use crate::store::{Error, Row, Tx, args};

/// A key as it is stored.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// Names it in the certificate's address.
    pub id: String,
    /// PKCS#8 in PEM.
    pub private_key: Secret,
    /// X.509 in PEM.
    pub certificate: String,
}

fn read(row: &Row) -> Result<SigningKey, Error> {
    Ok(SigningKey {
        id: row.text("id")?,
        private_key: Secret::new(row.text("private_key")?),
        certificate: row.text("certificate")?,
    })
}

/// The key that signs now.
pub async fn current(tx: &mut Tx) -> Result<Option<SigningKey>, Error> {
    let row = tx.one("SELECT * FROM signing_keys WHERE active = 1", args![]).await?;
    row.as_ref().map(read).transpose()
}

/// Adds the key that signs from now on. `false` when there is one already: another node was faster.
pub async fn insert_current(tx: &mut Tx, key: &SigningKey) -> Result<bool, Error> {
    let now = tx.now();
    let added = tx
        .run(
            "INSERT INTO signing_keys (id, private_key, certificate, active, created_at) VALUES ($1, $2, $3, 1, $4) \
             ON CONFLICT DO NOTHING",
            args![&key.id, key.private_key.reveal(), &key.certificate, now],
        )
        .await?;
    Ok(added > 0)
}

/// The certificate of a key, be it the current one or one before it.
pub async fn certificate(tx: &mut Tx, id: &str) -> Result<Option<String>, Error> {
    let row = tx.one("SELECT certificate FROM signing_keys WHERE id = $1", args![id]).await?;
    row.map(|row| row.text("certificate")).transpose()
}
