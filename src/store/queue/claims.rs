//! What every claim says: from where, how many, for how long, and how its statement begins and ends.
use std::time::Duration;

use crate::base::Timestamp;
use crate::store::{Value, args};

/// How to claim.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// From which queue.
    pub queue_id: i64,
    /// At the most so many.
    pub limit: u32,
    /// Until when the claimed messages stay hidden.
    pub hidden_until: Timestamp,
    /// What the receipt of this claim is.
    pub receipt: i64,
    /// The node that claims for a worker of its own.
    pub holder: Option<&'a str>,
    /// Which groups the queue has.
    pub groups: Groups,
    /// How often a message is given out by this queue. What was given out as often is claimed to be taken away:
    /// [`Claimed::spent`](crate::store::messages::Claimed::spent). `None`: any number of times.
    pub receives_max: Option<u32>,
}

/// How long a message is hidden that was claimed to be taken away, at least. Nobody else may claim it before who has it is
/// done, however short the visibility timeout is; and should the server stop in between, it comes back.
const SPENT_HIDDEN: Duration = Duration::from_secs(30);
/// Whether a message is one of those.
const SPENT: &str = "receive_count - receives_before >= $5";
/// A receipt in two halves: the upper one is the message's from its first claim on, the lower one is this claim's.
const HALVES: &str = "CASE WHEN receipt = 0 THEN $2 ELSE receipt - (receipt & 4294967295) + ($2 & 4294967295) END";
/// The number of the first parameter that comes after [`Claim::take_args`].
pub(in crate::store) const NEXT: usize = 7;

/// Which receipts of a message count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipts {
    /// Only that of the last claim.
    Last,
    /// That of every claim since the message came into its queue. Not for claims of workers, or of queues that keep order.
    Any,
}

impl Receipts {
    /// The condition that two receipts, columns or parameters, count as the same.
    pub(in crate::store) fn same(self, one: &str, other: &str) -> String {
        match self {
            Self::Last => format!("{one} = {other}"),
            Self::Any => format!("({one} >> 32) = ({other} >> 32)"),
        }
    }
}

/// Which groups a queue has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// None: its messages are in no group.
    None,
    /// Groups that take turns. With a number, workers hold at the most so many messages of one group.
    Turns(Option<u32>),
    /// The same, where every message is in one.
    OnlyTurns(Option<u32>),
    /// Groups that keep their order: every message is in one.
    Order,
}

/// How many messages of a group may be claimed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As many as of any group.
    Free,
    /// One at a time: workers hold one at the most.
    Single,
    /// None for so long, whatever is added to it.
    Rests(Duration),
}

impl Claim<'_> {
    /// How every claim ends: what `Claimed::taken` reads.
    pub(in crate::store) const GIVE: &'static str = "RETURNING id, receipt, receive_count, receives_before, sent_at, first_received_at, \
        message_id, group_id, deduplication_id, sender, dead_letter_source, attributes, trace_header, body, \
        CASE WHEN visible_at > $1 THEN 1 ELSE 0 END AS spent";

    /// How every claim begins; what to claim follows. Its parameters: [`Claim::take_args`].
    pub(in crate::store) fn take(&self) -> String {
        let receipt = if self.holder.is_some() || self.groups == Groups::Order { "$2" } else { HALVES };
        format!(
            "UPDATE messages SET visible_at = CASE WHEN {SPENT} THEN $6 ELSE $1 END, receipt = {receipt}, holder = $3, \
             received_at = $4, receive_count = receive_count + CASE WHEN {SPENT} THEN 0 ELSE 1 END, \
             first_received_at = COALESCE(first_received_at, $4)"
        )
    }

    pub(in crate::store) fn take_args(&self, now: Timestamp) -> Vec<Value> {
        // Later than `hidden_until`, so that [`Claim::GIVE`] can tell which these are.
        let spent_until = self.hidden_until.max(now + SPENT_HIDDEN) + Duration::from_micros(1);
        args![self.hidden_until, self.receipt, self.holder, now, self.receives_max, spent_until]
    }
}
