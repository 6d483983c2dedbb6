//! Mail that a host could not take as it is: it is encoded anew and signed, or does not go there.
use tracing::info;

use crate::base::Timestamp;
use crate::mail::message::recode::{self, Unwanted};
use crate::mail::sending::ending::Ending;
use crate::mail::sending::outbound::Outbound;
use crate::mail::sending::parcel::Parcel;
use crate::mail::sending::transport::{Content, Envelope, Outcome, Route};

/// Lines that are longer than the standard lets them be.
const LONG_LINES: Unwanted = Unwanted { eight_bit: false, long_lines: true };
/// What a host without 8BITMIME does not take (RFC 6152, 3). Where parts are encoded anew anyhow, so are long lines.
const EIGHT_BIT: Unwanted = Unwanted { eight_bit: true, long_lines: false };

impl Outbound {
    /// Carries a mail by this route. Where the host takes ASCII only, it is carried once more in ASCII, if it can be.
    pub(super) async fn carry(
        &self,
        parcel: &Parcel,
        (route, envelope): (&Route, &Envelope),
        raw: Vec<u8>,
        now: Timestamp,
    ) -> Outcome {
        let raw = self.without_long_lines(parcel, raw);
        let prefix = self.sign(parcel, &raw, now).await;
        let round = self.transport.deliver(route, envelope, Content { prefix: &prefix, message: &raw }).await;
        if round.ending != Ending::NoEightBit {
            return round;
        }
        let Some(raw) = self.recoded(parcel, &raw, EIGHT_BIT) else { return round };
        // What was signed is another message now.
        let prefix = self.sign(parcel, &raw, now).await;
        let again = self.transport.deliver(route, envelope, Content { prefix: &prefix, message: &raw }).await;
        let transcript = format!("{}= the message was encoded anew\n{}", round.transcript, again.transcript);
        Outcome { transcript, ..again }
    }

    fn without_long_lines(&self, parcel: &Parcel, raw: Vec<u8>) -> Vec<u8> {
        if !self.encodes_long_lines || !LONG_LINES.is_in(recode::body(&raw)) {
            return raw;
        }
        // What cannot be encoded goes as it is, as it does without the setting.
        self.recoded(parcel, &raw, LONG_LINES).unwrap_or(raw)
    }

    fn recoded(&self, parcel: &Parcel, raw: &[u8], unwanted: Unwanted) -> Option<Vec<u8>> {
        let recoded = recode::without(raw, unwanted);
        info!(message.id = %parcel.mail.id, done = recoded.is_some(), eight_bit = unwanted.eight_bit, "encoded anew for a host");
        recoded
    }
}
