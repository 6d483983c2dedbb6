//! Where the database stands, until when it was in use, and whether what would leave is held. A copy of the database says all of
//! that of its original.
use crate::base::Timestamp;
use crate::store::{Error, Row, Store, Tx, args};

/// What the database says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// Random, made once. A copy has the same.
    pub name: String,
    /// What told this copy from others when it was noted last; `None` where that was not known.
    pub place: Option<String>,
    /// When a node noted last that it uses the database.
    pub beat: Timestamp,
    /// Why nothing leaves, if so.
    pub held: Option<String>,
    /// The mode whose database it is; `None` where an earlier version made it.
    pub mode: Option<String>,
}

/// What is noted; `None` before the first start.
pub async fn read(tx: &mut Tx) -> Result<Option<Lineage>, Error> {
    let row = tx.one("SELECT name, place, beat, held_because, mode FROM lineage WHERE id = 1", args![]).await?;
    row.map(|row| lineage(&row)).transpose()
}

/// Notes a name and a mode, each where none is noted.
pub async fn begin(tx: &mut Tx, name: &str, mode: &str) -> Result<u64, Error> {
    let now = tx.now();
    let sql = "INSERT INTO lineage (id, name, beat, mode) VALUES (1, $1, $2, $3) \
               ON CONFLICT (id) DO UPDATE SET mode = COALESCE(lineage.mode, excluded.mode)";
    tx.run(sql, args![name, now, mode]).await
}

/// Notes that the database is in use, and where, if no place is noted. Gives what is noted then: the time never goes back.
pub async fn beat(tx: &mut Tx, place: Option<&str>) -> Result<Option<Timestamp>, Error> {
    let now = tx.now();
    let sql = "UPDATE lineage SET beat = CASE WHEN beat < $1 THEN $1 ELSE beat END, place = COALESCE(place, $2) \
               WHERE id = 1 RETURNING beat";
    tx.one(sql, args![now, place]).await?.map(|row| row.time("beat")).transpose()
}

/// Notes that nothing leaves, and why.
pub async fn hold(tx: &mut Tx, why: &str) -> Result<u64, Error> {
    let now = tx.now();
    let sql = "UPDATE lineage SET held_since = COALESCE(held_since, $1), held_because = $2 WHERE id = 1";
    tx.run(sql, args![now, why]).await
}

/// Notes that all may leave again, that the database is in use now, and where.
pub async fn release(tx: &mut Tx, place: Option<&str>) -> Result<u64, Error> {
    let now = tx.now();
    let sql = "UPDATE lineage SET held_since = NULL, held_because = NULL, place = $2, \
               beat = CASE WHEN beat < $1 THEN $1 ELSE beat END WHERE id = 1";
    tx.run(sql, args![now, place]).await
}

impl Store {
    /// What tells this copy of a PostgreSQL database from others: the server's identifier, and the numbers of the database and of
    /// a table, which a dump does not keep. `None` where it cannot be told, and with SQLite, where the file tells it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn place(&self) -> Result<Option<String>, Error> {
        if !self.is_shared() {
            return Ok(None);
        }
        let tx = &mut self.reader().await?;
        let may = "SELECT COUNT(*) AS total FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
                   WHERE n.nspname = 'pg_catalog' AND p.proname = 'pg_control_system' \
                   AND has_function_privilege(p.oid, 'EXECUTE')";
        if tx.one(may, args![]).await?.map_or(Ok(0), |row| row.int("total"))? == 0 {
            return Ok(None);
        }
        let place = "SELECT 'in system ' || s.system_identifier::text || ', database ' || d.oid::text \
                     || ', table ' || 'lineage'::regclass::oid::text AS place \
                     FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()";
        tx.one(place, args![]).await?.map(|row| row.text("place")).transpose()
    }
}

fn lineage(row: &Row) -> Result<Lineage, Error> {
    Ok(Lineage {
        name: row.text("name")?,
        place: row.opt_text("place")?,
        beat: row.time("beat")?,
        held: row.opt_text("held_because")?,
        mode: row.opt_text("mode")?,
    })
}
