//! Mail of an account that is suspended: it waits, and no attempt counts, until the account is resumed or the mail's lifetime ends.
//! Who resumes the account wakes it: nobody looks often at what may wait for hours.
use std::time::Duration;

use crate::base::{AccountId, Timestamp};
use crate::mail::bounce::DelayType;
use crate::mail::own::OutboundJob;
use crate::mail::sending::ending::Ending;
use crate::mail::sending::outbound::Outbound;
use crate::mail::sending::parcel::Parcel;
use crate::mail::sending::transport::Outcome as Round;
use crate::mail::sending::verdict::{self, Deferral};
use crate::store::queued_jobs::{self, Part, Queued};
use crate::store::{self, Store};
use crate::workers::{Finish, Outcome, SystemQueue, backoff};

/// How soon such a mail is looked at again, at first and at the most: as long may a mail wait that nobody could wake.
const LOOK_FIRST: Duration = Duration::from_secs(10);
const LOOK_LAST: Duration = Duration::from_secs(3_600);
/// Jobs that are looked at together, and woken in one transaction.
const AT_ONCE: u32 = 500;

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
            delay_type: DelayType::SendingDeferral,
            status: "4.7.0".to_owned(),
            diagnostic: format!("smtp; 421 4.7.0 {said}"),
        };
        let bounce = verdict::expired(&deferral, expires_at.since(accepted_at));
        let round = Round::without_call(Ending::Unreachable(String::new()), &format!("= not tried, {said}\n"));
        let attempted = self.attempted(&parcel, round, now);
        self.failed(parcel, attempted, bounce)
    }
}

/// The longer a mail waits, the more seldom it is looked at: each time it has waited twice as long, up to once an hour.
fn look_at(accepted_at: Timestamp, now: Timestamp) -> Timestamp {
    now + backoff::jitter(now.since(accepted_at).clamp(LOOK_FIRST, LOOK_LAST))
}

/// Lets the mail of an account that was put off go out as soon as its turn comes, lot by lot; gives the number of recipients.
/// A mail whose account is still suspended is put off again.
///
/// # Errors
/// When the store fails.
pub async fn wake_mail(store: &Store, account: &AccountId) -> Result<usize, store::Error> {
    let queue_id = SystemQueue::Outbound.id();
    let (mut woken, mut after) = (0, None);
    loop {
        let ids = {
            let mut reader = store.reader().await?;
            let jobs = queued_jobs::page(&mut reader, queue_id, Part::InGroups, after, AT_ONCE).await?;
            let Some(last) = jobs.last() else { return Ok(woken) };
            after = Some(last.place);
            let read = |job: Queued| Some((job.id, serde_json::from_str::<OutboundJob>(&job.body).ok()?.mail));
            let waiting: Vec<_> = jobs.into_iter().filter(|job| job.is_put_off).filter_map(read).collect();
            let mails: Vec<&str> = waiting.iter().map(|(_, mail)| mail.as_str()).collect();
            let mails = queued_jobs::mails_of(&mut reader, account, &mails).await?;
            waiting.into_iter().filter(|(_, mail)| mails.contains(mail)).map(|(id, _)| id).collect::<Vec<_>>()
        };
        if !ids.is_empty() {
            let wake =
                store.write_behind(move |tx| Box::pin(async move { queued_jobs::wake(tx, queue_id, &ids).await }));
            woken += wake.await?;
        }
    }
}
