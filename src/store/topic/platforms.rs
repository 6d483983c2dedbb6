//! Platform applications, and the endpoints of their devices.
use crate::base::{AccountId, Region};
use crate::store::{Error, Row, Tx, args};

/// An application as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Grows with every new application.
    pub id: i64,
    /// Who owns it.
    pub account: AccountId,
    /// Where it lives.
    pub region: Region,
    /// `GCM`, `APNS` and others.
    pub platform: String,
    /// Its name.
    pub name: String,
    /// JSON object.
    pub attributes: String,
}

fn application(row: &Row) -> Result<Application, Error> {
    Ok(Application {
        id: row.int("id")?,
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        platform: row.text("platform")?,
        name: row.text("name")?,
        attributes: row.text("attributes")?,
    })
}

/// Adds an application. `false` when it is there already.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    platform: &str,
    name: &str,
    attributes: &str,
) -> Result<bool, Error> {
    let now = tx.now();
    let added = tx
        .run(
            "INSERT INTO platform_applications (account, region, platform, name, attributes, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, region, platform, name) DO NOTHING",
            args![account, region, platform, name, attributes, now],
        )
        .await?;
    Ok(added > 0)
}

/// Finds an application.
pub async fn find(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    platform: &str,
    name: &str,
) -> Result<Option<Application>, Error> {
    let sql = "SELECT * FROM platform_applications WHERE account = $1 AND region = $2 AND platform = $3 AND name = $4";
    tx.one(sql, args![account, region, platform, name]).await?.as_ref().map(application).transpose()
}

/// An account's applications in a region, after the one with id `after`; `limit` at the most.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    after: i64,
    limit: u32,
) -> Result<Vec<Application>, Error> {
    let rows = tx
        .all(
            "SELECT * FROM platform_applications WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
            args![account, region, after, limit],
        )
        .await?;
    rows.iter().map(application).collect()
}

/// Replaces an application's attributes.
pub async fn set_attributes(tx: &mut Tx, id: i64, attributes: &str) -> Result<u64, Error> {
    tx.run("UPDATE platform_applications SET attributes = $1 WHERE id = $2", args![attributes, id]).await
}

/// Takes an application and its endpoints away.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.run("DELETE FROM platform_endpoints WHERE application_id = $1", args![id]).await?;
    tx.run("DELETE FROM platform_applications WHERE id = $1", args![id]).await
}

/// A device's endpoint as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Grows with every new endpoint.
    pub id: i64,
    /// The last part of its ARN.
    pub uuid: String,
    /// The device.
    pub token: String,
    /// JSON object.
    pub attributes: String,
}

fn endpoint(row: &Row) -> Result<Endpoint, Error> {
    Ok(Endpoint {
        id: row.int("id")?,
        uuid: row.text("uuid")?,
        token: row.text("token")?,
        attributes: row.text("attributes")?,
    })
}

/// Adds a device's endpoint. `false` when the token is there already.
pub async fn insert_endpoint(
    tx: &mut Tx,
    application: i64,
    uuid: &str,
    token: &str,
    attributes: &str,
) -> Result<bool, Error> {
    let now = tx.now();
    let added = tx
        .run(
            "INSERT INTO platform_endpoints (application_id, uuid, token, attributes, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (application_id, token) DO NOTHING",
            args![application, uuid, token, attributes, now],
        )
        .await?;
    Ok(added > 0)
}

/// Finds a device's endpoint by its token.
pub async fn endpoint_by_token(tx: &mut Tx, application: i64, token: &str) -> Result<Option<Endpoint>, Error> {
    let sql = "SELECT * FROM platform_endpoints WHERE application_id = $1 AND token = $2";
    tx.one(sql, args![application, token]).await?.as_ref().map(endpoint).transpose()
}

/// Finds an application's endpoint by the last part of its ARN.
pub async fn endpoint_by_uuid(tx: &mut Tx, application: i64, uuid: &str) -> Result<Option<Endpoint>, Error> {
    let sql = "SELECT * FROM platform_endpoints WHERE application_id = $1 AND uuid = $2";
    tx.one(sql, args![application, uuid]).await?.as_ref().map(endpoint).transpose()
}

/// An application's endpoints after the one with id `after`; `limit` at the most.
pub async fn endpoints(tx: &mut Tx, application: i64, after: i64, limit: u32) -> Result<Vec<Endpoint>, Error> {
    let rows = tx
        .all(
            "SELECT * FROM platform_endpoints WHERE application_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            args![application, after, limit],
        )
        .await?;
    rows.iter().map(endpoint).collect()
}

/// Replaces an endpoint's token and attributes.
pub async fn set_endpoint(tx: &mut Tx, id: i64, token: &str, attributes: &str) -> Result<u64, Error> {
    let sql = "UPDATE platform_endpoints SET token = $1, attributes = $2 WHERE id = $3";
    tx.run(sql, args![token, attributes, id]).await
}

/// Takes an endpoint away.
pub async fn delete_endpoint(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.run("DELETE FROM platform_endpoints WHERE id = $1", args![id]).await
}
