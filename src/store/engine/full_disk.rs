//! What the store says and does when its disk is full.
use std::io;
use std::path::Path;

use crate::base::ids;
use crate::store::engine::room::Reserve;
use crate::store::{Error, Store, Tx, args};

/// Where a message is put to try whether there is room, and taken away again: no queue has this id.
const NO_QUEUE: i64 = -1_000;
/// How many ids such a message has: some 70 KiB that are hardly to be compressed.
const TRIED: usize = 2_000;

impl Store {
    /// Keeps so many octets of the disk back for the day when it is full, in a file beside SQLite's database: then they are
    /// let go, for receives and deletes. 0: none.
    ///
    /// # Errors
    /// When there is no room for it even now.
    pub fn keep_back(&self, database: &Path, octets: u64) -> io::Result<()> {
        self.room.keep(database, octets)
    }

    /// Lets go what an earlier run kept back beside SQLite's database, where the disk has nearly no room: SQLite could not even
    /// open it. Whether it was so; then [`Store::keep_back`] takes nothing new until there is room again.
    ///
    /// # Errors
    /// When the disk cannot be looked at.
    pub fn make_way(database: &Path) -> io::Result<bool> {
        Reserve::of(database, 0).make_way()
    }

    /// Whether there is room on the disk for what is new. Work that adds to what is stored is not begun without.
    pub fn has_room(&self) -> bool {
        self.room.is_left()
    }

    /// To be asked once before a change that adds to what is stored.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn check_room(&self) -> Result<(), Error> {
        self.room.check()
    }

    /// Looks whether a full disk has room again, where nobody else may write. A disk that is not ours to look at is tried, if
    /// nobody has tried lately.
    ///
    /// # Errors
    /// When the store fails, but for the disk that is full still.
    pub async fn try_room(&self) -> Result<(), Error> {
        if self.has_room() {
            return Ok(());
        }
        let tries = self.room.may_try();
        // On the connection that writes to SQLite this alone makes the lane look.
        let tried = self.write(move |tx| Box::pin(async move { if tries { try_out(tx).await } else { Ok(()) } })).await;
        match tried {
            Err(Error::Full) => Ok(()),
            tried => tried,
        }
    }
}

/// Adds what needs some room, and takes it away again.
async fn try_out(tx: &mut Tx) -> Result<(), Error> {
    const INSERT: &str =
        "INSERT INTO messages (queue_id, visible_at, sent_at, message_id, body) VALUES ($1, $2, $2, $3, $4)";
    let body: String = (0..TRIED).map(|_| ids::uuid()).collect();
    let now = tx.now();
    tx.run(INSERT, args![NO_QUEUE, now, ids::uuid(), body]).await?;
    tx.run("DELETE FROM messages WHERE queue_id = $1", args![NO_QUEUE]).await?;
    tx.grew = true;
    Ok(())
}
