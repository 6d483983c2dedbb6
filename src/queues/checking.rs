//! Whether a message may be added to a queue.
use crate::queues::characters::forbidden;
use crate::queues::outgoing::message_size;
use crate::queues::{Error, Outgoing, Queue, fifo, message_attributes};

const DELAY_MAX: i64 = 900;
/// The longest trace header, in bytes. AWS documents no limit beyond its form, which fits well within this.
pub const TRACE_HEADER_MAX: usize = 1_024;

pub(super) fn check_size(queue: &Queue, message: &Outgoing) -> Result<(), Error> {
    let max = queue.settings.message_size_max;
    if message_size(message) > max as usize { Err(Error::MessageTooLong(max)) } else { Ok(()) }
}

pub(super) fn check(queue: &Queue, message: &Outgoing) -> Result<(), Error> {
    if message.body.is_empty() {
        return Err(Error::BodyMissing);
    }
    if let Some(wrong) = forbidden(&message.body) {
        return Err(Error::BodyCharacters(wrong));
    }
    message_attributes::check(&message.attributes)?;
    check_size(queue, message)?;
    if let Some(delay) = message.delay.filter(|delay| !(0..=DELAY_MAX).contains(delay)) {
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        return Err(Error::Parameter { name: "DelaySeconds", value: delay.to_string(), reason });
    }
    fifo::check_message(queue, message)?;
    if message.trace_header.as_ref().is_some_and(|header| header.len() > TRACE_HEADER_MAX || !header.is_ascii()) {
        return Err(Error::MessageAttribute("AWSTraceHeader is not valid.".to_owned()));
    }
    Ok(())
}
