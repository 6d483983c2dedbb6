//! The DNS: as a mail server asks it, and as one does who waits for a record to be there.
mod dns;
mod lookup;

pub use dns::{Dns, LookupError, MAX_ADDRESSES, ascii_domain};
pub use lookup::{LookupFailed, RecordLookup};
