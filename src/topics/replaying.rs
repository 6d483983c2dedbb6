//! The replaying of a replay: part by part, each in one transaction with the place that was reached, so that a restart
//! goes on where the last part ended. Nodes take turns by locking the subscription.
//!
//! While older messages are replayed, nothing new is delivered: it goes into the archive, and its turn comes. The replay
//! ends when the archive has nothing more, which it sees while it holds the topic, and so no publisher is in between.
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::base::{AccountId, Timestamp};
use crate::store::subscriptions::Subscription;
use crate::store::topic_archive::{self, Archived};
use crate::store::topics::Topic;
use crate::store::{self, Tx, replays, subscriptions, topics};
use crate::topics::draft::Draft;
use crate::topics::endpoint::Protocol;
use crate::topics::fan_out::Fan;
use crate::topics::replay::{Span, status};
use crate::topics::rules::Rules;
use crate::topics::sieve::{self, Sieve};
use crate::topics::signing::Key;
use crate::topics::topic::hold;
use crate::topics::{Error, Topics, attributes, topic};

/// Messages in one part.
const PART: u32 = 50;
/// Replays read together.
const AT_ONCE: u32 = 1_000;
/// How soon a replay joins that begins during a round.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Whose turn it is.
#[derive(Default)]
struct Turns {
    accounts: VecDeque<AccountId>,
    replays: HashMap<AccountId, VecDeque<i64>>,
    /// Those that wait for a turn, or have it.
    known: HashSet<i64>,
}

impl Turns {
    /// A replay that does not wait yet waits for its turn.
    fn join(&mut self, account: AccountId, id: i64) {
        if self.known.insert(id) {
            self.again(account, id);
        }
    }

    fn again(&mut self, account: AccountId, id: i64) {
        let waiting = self.replays.entry(account.clone()).or_default();
        if waiting.is_empty() {
            self.accounts.push_back(account);
        }
        waiting.push_back(id);
    }

    /// It has nothing more to do now.
    fn ended(&mut self, id: i64) {
        self.known.remove(&id);
    }

    fn next(&mut self) -> Option<(AccountId, i64)> {
        let account = self.accounts.pop_front()?;
        let waiting = self.replays.get_mut(&account)?;
        let id = waiting.pop_front()?;
        if waiting.is_empty() {
            self.replays.remove(&account);
        } else {
            self.accounts.push_back(account.clone());
        }
        Some((account, id))
    }
}

/// What one part needs.
struct ReplayPart {
    subscription: Subscription,
    topic: Topic,
    span: Span,
    archived: Vec<Archived>,
}

impl Topics {
    /// One round: replays what can be replayed now, for every replay. Called by the ticker. Gives how many messages were
    /// looked at.
    ///
    /// # Errors
    /// When the store fails. Also when a replay broke that tries again in the next round; then all others had their turns.
    pub async fn replay_round(&self) -> Result<usize, store::Error> {
        if !self.store().has_room() {
            return Ok(0);
        }
        let (mut replayed, mut broken) = (0, None);
        let mut turns = Turns::default();
        self.join_turns(&mut turns).await?;
        let mut looked = self.clock().instant();
        // Account by account, and of each its replays in turn, so that long ones and many do not hold the others up.
        while let Some((account, id)) = turns.next() {
            match self.replay_part(id).await {
                Ok(0) => turns.ended(id),
                Ok(count) => {
                    replayed += count;
                    turns.again(account, id);
                }
                Err(Error::Internal(error)) if error.is_of_one() => {
                    broken = Some(store::Error::corrupt(format!("the replay of subscription {id}: {error}")));
                    turns.ended(id);
                }
                Err(Error::Internal(error)) => return Err(error),
                // There is no room for the work now: the next round goes on.
                Err(Error::Crowded) => turns.ended(id),
                Err(error) => {
                    tracing::error!(subscription.id = id, %error, "a replay failed");
                    self.fail(id).await?;
                    turns.ended(id);
                }
            }
            if self.clock().instant().since(looked) > LOOK_EVERY {
                self.join_turns(&mut turns).await?;
                looked = self.clock().instant();
            }
        }
        broken.map_or(Ok(replayed), Err)
    }

    /// Lets replays take turns that began since.
    async fn join_turns(&self, turns: &mut Turns) -> Result<(), store::Error> {
        let mut after = 0;
        loop {
            let due = self.store().read(|tx| Box::pin(replays::due(tx, after, AT_ONCE)));
            let due: Vec<(i64, AccountId)> = due.await?;
            let Some((last, _)) = due.last() else { return Ok(()) };
            after = *last;
            due.into_iter().for_each(|(id, account)| turns.join(account, id));
        }
    }

    async fn fail(&self, id: i64) -> Result<(), store::Error> {
        let end = replays::end;
        self.store()
            .write(move |tx| Box::pin(async move { end(tx, id, true, Some(status::FAILED)).await.map(drop) }))
            .await
    }

    /// Replays one part. Gives how many messages it had; none when there is nothing to do now.
    async fn replay_part(&self, id: i64) -> Result<usize, Error> {
        let Some(part) = self.store().read(|tx| Box::pin(read(tx, id))).await? else { return Ok(0) };
        let rules = Rules::of(&part.topic)?;
        let arn = topic::arn(&part.topic);
        let key = self.signer().key().await?;
        let mut drafts = Vec::with_capacity(part.archived.len());
        for archived in &part.archived {
            let mut draft = Draft::read(&archived.content)?;
            draft.replayed = true;
            if !rules.fifo && draft.lacks_signature(std::slice::from_ref(&part.subscription), rules.version) {
                draft.sign(&arn, &key, rules.version, &[Protocol::Sqs])?;
            }
            let of = std::slice::from_ref(&part.subscription);
            let sieve = Sieve::judged(self.compute(), &arn.account, of, &draft, sieve::STEPS_MAX).await?;
            drafts.push((draft, sieve));
        }
        let count = drafts.len();
        let topics = self.clone();
        self.store()
            .write(move |tx| Box::pin(async move { topics.commit_part(tx, part, rules, drafts, &key).await }))
            .await?;
        Ok(count)
    }

    async fn commit_part(
        &self,
        tx: &mut Tx,
        part: ReplayPart,
        rules: Rules,
        drafts: Vec<(Draft, Sieve)>,
        key: &Key,
    ) -> Result<(), Error> {
        let arn = topic::arn(&part.topic);
        // In the order in which others take them: the topic first.
        hold(tx, &arn).await?;
        let Some(there) = replays::lock(tx, part.subscription.id).await? else { return Ok(()) };
        let moved = there.replay_id != part.subscription.replay_id
            || there.replay_after != part.subscription.replay_after
            || there.replay_status != part.subscription.replay_status;
        if moved {
            return Ok(());
        }
        for (draft, mut sieve) in drafts {
            let kept_as = format!("{}/{}", draft.parts.id, there.replay_id);
            let fan = Fan { queues: self.queues(), key, topic: &arn, rules, draft: &draft, kept_as };
            fan.hand_out(tx, vec![there.clone()], &mut sieve).await?;
            // The policy was changed meanwhile, and was not judged to the end: the part is read again.
            if sieve.is_spent() {
                return Err(Error::Crowded);
            }
        }
        let reached = part.archived.last().map_or(there.replay_after, |last| last.id);
        replays::advance(tx, there.id, reached, status::IN_PROGRESS).await?;
        let span = (part.span.from, part.span.end());
        let more = topic_archive::list(tx, part.topic.id, reached, span, 1).await?;
        // An end that is to come is waited for.
        if more.is_empty() && part.span.until.is_none_or(|until| until < tx.now()) {
            let live = part.span.until.is_none();
            replays::end(tx, there.id, live, Some(status::COMPLETED)).await?;
        }
        Ok(())
    }
}

async fn read(tx: &mut Tx, id: i64) -> Result<Option<ReplayPart>, Error> {
    let Some(subscription) = subscriptions::by_id(tx, id).await? else { return Ok(None) };
    let Some(topic) = topics::by_id(tx, subscription.topic_id).await? else { return Ok(None) };
    let all = attributes::read(&subscription.attributes)?;
    let missing = || store::Error::corrupt("a replay without a policy");
    let span = Span::parse(all.get("ReplayPolicy").ok_or_else(missing)?)?;
    let within: (Timestamp, Timestamp) = (span.from, span.end());
    let archived = topic_archive::list(tx, topic.id, subscription.replay_after, within, PART).await?;
    // Nothing to do but to wait for the end.
    let waits = archived.is_empty() && subscription.replay_status.as_deref() == Some(status::IN_PROGRESS);
    if waits && span.until.is_some_and(|until| until >= tx.now()) {
        return Ok(None);
    }
    Ok(Some(ReplayPart { subscription, topic, span, archived }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::NotDone;

    #[test]
    fn work_that_broke_is_one_replays_own_matter_and_the_stores_failure_is_everybodys() {
        assert!(matches!(Error::from(NotDone::Broken), Error::Internal(error) if error.is_of_one()));
        assert!(matches!(Error::from(NotDone::Crowded), Error::Crowded));
        for error in [store::Error::Closed, store::Error::Full, sqlx::Error::PoolTimedOut.into()] {
            assert!(!error.is_of_one(), "{error}");
        }
    }

    #[test]
    fn an_account_with_one_replay_has_as_many_turns_as_one_with_many() {
        let account = |n: u8| format!("{n:012}").parse::<AccountId>().expect("an account");
        let mut turns = Turns::default();
        (0..100).for_each(|id| turns.join(account(1), id));
        turns.join(account(2), 100);
        turns.join(account(2), 100);
        let mut had = Vec::new();
        for _ in 0..6 {
            let (account, id) = turns.next().expect("somebody's turn");
            had.push(id);
            turns.again(account, id);
        }
        assert_eq!(had, [0, 100, 1, 100, 2, 100]);
        let left: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(left.len(), 101);
    }
}
