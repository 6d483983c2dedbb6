//! Whose database it is. Nothing of ours is ever mixed with somebody's tables unasked: a program's own database may be named by
//! mistake, by a variable that many programs share.
use sqlx::migrate::Migrator;
use sqlx::{PgConnection, Row as _, SqliteConnection};

use crate::store::Error;

/// Held while a database is looked at and migrated: other nodes may start at the same time.
const LOCK: i64 = 0x706f_7374_7269_6465;

/// Refuses a SQLite file with tables and without ours.
pub(in crate::store) async fn check_sqlite(
    database: &mut SqliteConnection,
    migrations: &Migrator,
) -> Result<(), Error> {
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                  AND name <> '_sqlx_migrations'";
    let count: i64 = sqlx::query(tables).fetch_one(&mut *database).await?.get(0);
    if count == 0 {
        return Ok(());
    }
    let first = "SELECT checksum FROM _sqlx_migrations WHERE version = 1";
    let known = sqlx::query(first).fetch_optional(database).await;
    let known: Option<Vec<u8>> = known.ok().flatten().map(|row| row.get(0));
    judge(known, migrations, || {
        format!("the SQLite file has {count} tables of another program: name a file of its own")
    })
}

/// Waits until no other node migrates the database, and refuses one with tables and without ours in the schema that new tables go
/// to. The lock ends with the connection.
pub(in crate::store) async fn check_postgres(database: &mut PgConnection, migrations: &Migrator) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *database).await?;
    let tables = "SELECT current_schema()::text AS name, COUNT(c.oid) AS total FROM pg_class c \
                  JOIN pg_namespace n ON n.oid = c.relnamespace \
                  WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
                  AND c.relname <> '_sqlx_migrations' \
                  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";
    let row = sqlx::query(tables).fetch_one(&mut *database).await?;
    let (schema, count): (Option<String>, i64) = (row.get(0), row.get(1));
    let Some(schema) = schema else {
        return Err(Error::Foreign("the database's search_path names no schema that is there".to_owned()));
    };
    if count == 0 {
        return Ok(());
    }
    let first = "SELECT checksum FROM _sqlx_migrations WHERE version = 1";
    let known = sqlx::query(first).fetch_optional(database).await;
    let known: Option<Vec<u8>> = known.ok().flatten().map(|row| row.get(0));
    judge(known, migrations, || {
        format!(
            "schema {schema:?} of the database has {count} tables of another program: name a database of its own, or a schema \
             (CREATE SCHEMA postrider, and ?options=-csearch_path%3Dpostrider at the end of the URL)"
        )
    })
}

/// Lets the next node look: a pooler may keep the connection.
pub(in crate::store) async fn let_go(database: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(database).await?;
    Ok(())
}

/// Ours has our first migration.
fn judge(known: Option<Vec<u8>>, migrations: &Migrator, why: impl FnOnce() -> String) -> Result<(), Error> {
    let ours = migrations.iter().find(|one| one.version == 1).map(|one| one.checksum.as_ref());
    if ours.is_some() && known.as_deref() == ours { Ok(()) } else { Err(Error::Foreign(why())) }
}
