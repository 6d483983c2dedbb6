//! What a queue may be called.
use crate::queues::Error;

/// Checks a name, without what ends that of a FIFO queue.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if (1..=80).contains(&name.len()) && name.bytes().all(fine) {
        Ok(())
    } else {
        Err(Error::QueueName(name.to_owned()))
    }
}
