//! Mail of an account that is suspended: it waits, and no attempt counts, until the account is resumed or the mail's lifetime ends.
use std::time::Duration;

use crate::base::Timestamp;
use crate::mail::sending::ending::Ending;
use crate::mail::sending::outbound::Outbound;
use crate::mail::sending::parcel::Parcel;
use crate::mail::sending::transport::Outcome as Round;
use crate::mail::sending::verdict::{self, Deferral};
use crate::workers::{Finish, Outcome, backoff};

/// How soon such a mail is looked at again, at first and at the most: so long after the account was resumed it may still wait.
const LOOK_FIRST: Duration = Duration::from_secs(10);
const LOOK_LAST: Duration = Duration::from_secs(300);

impl Outbound {
    /// Lets a mail wait whose account is suspended. Others to the same domain go on.
    pub(super) fn keep(&self, parcel: Parcel) -> Finish {
        let now = self.clock.now();
        let (accepted_at, expires_at) = (parcel.mail.accepted_at, parcel.mail.expires_at);
        if now < expires_at {
            return Finish::plain(Outcome::PutOff(look_at(accepted_at, now).min(expires_at)));
        }
        let said = "the account that sent the mail is suspended";
        let deferral = Deferral {
            delay_type: "SendingDeferral",
            status: "4.7.0".to_owned(),
            diagnostic: format!("smtp; 421 4.7.0 {said}"),
        };
        let bounce = verdict::expired(&deferral, expires_at.since(accepted_at));
        let round = Round::without_call(Ending::Unreachable(String::new()), &format!("= not tried, {said}\n"));
        let attempted = self.attempted(&parcel, round, now);
        self.failed(parcel, attempted, bounce)
    }
}

/// The longer a mail waits, the more seldom it is looked at.
fn look_at(accepted_at: Timestamp, now: Timestamp) -> Timestamp {
    now + backoff::jitter((now.since(accepted_at) / 10).clamp(LOOK_FIRST, LOOK_LAST))
}
