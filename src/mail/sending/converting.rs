//! Mail that a host could not take as it is: it is encoded anew and signed, or does not go there.
use tracing::info;

use crate::base::Timestamp;
use crate::mail::message::recode::{self, Unwanted};
use crate::mail::sending::dressing::Dressed;
use crate::mail::sending::ending::Ending;
use crate::mail::sending::outbound::Outbound;
use crate::mail::sending::parcel::Parcel;
use crate::mail::sending::transport::{Content, Outcome};
use crate::mail::sending::way::Out;
use crate::workers::NotDone;

/// Lines that are longer than the standard lets them be.
const LONG_LINES: Unwanted = Unwanted { eight_bit: false, long_lines: true };
/// What a host without 8BITMIME does not take (RFC 6152, 3). Where parts are encoded anew anyhow, so are long lines.
const EIGHT_BIT: Unwanted = Unwanted { eight_bit: true, long_lines: false };

impl Outbound {
    /// Signs a mail and carries it by this route. Where the host takes ASCII only, it is carried once more in ASCII, if it can be.
    ///
    /// # Errors
    /// When it could not be signed.
    pub(super) async fn carry(
        &self,
        parcel: &Parcel,
        out: &Out,
        dressed: Dressed,
        now: Timestamp,
    ) -> Result<Outcome, NotDone> {
        let dressed = self.without_long_lines(parcel, dressed);
        let round = self.carry_signed(parcel, out, &dressed, now).await?;
        if round.ending != Ending::NoEightBit {
            return Ok(round);
        }
        let Some(dressed) = recoded(parcel, &dressed, EIGHT_BIT) else { return Ok(round) };
        // What was signed is another message now.
        let again = self.carry_signed(parcel, out, &dressed, now).await?;
        let transcript = format!("{}= the message was encoded anew\n{}", round.transcript, again.transcript);
        Ok(Outcome { transcript, ..again })
    }

    async fn carry_signed(
        &self,
        parcel: &Parcel,
        out: &Out,
        dressed: &Dressed,
        now: Timestamp,
    ) -> Result<Outcome, NotDone> {
        let prefix = self.signing.sign(parcel, dressed, now).await?;
        let content = Content { prefix: &prefix, message: &dressed.message };
        Ok(self.transport.deliver(&out.route, &out.envelope, content).await)
    }

    fn without_long_lines(&self, parcel: &Parcel, dressed: Dressed) -> Dressed {
        if !self.encodes_long_lines || !LONG_LINES.is_in(recode::body(&dressed.message)) {
            return dressed;
        }
        // What cannot be encoded goes as it is, as it does without the setting.
        recoded(parcel, &dressed, LONG_LINES).unwrap_or(dressed)
    }
}

fn recoded(parcel: &Parcel, dressed: &Dressed, unwanted: Unwanted) -> Option<Dressed> {
    let recoded = dressed.without(unwanted);
    info!(message.id = %parcel.mail.id, done = recoded.is_some(), eight_bit = unwanted.eight_bit, "encoded anew for a host");
    recoded
}
