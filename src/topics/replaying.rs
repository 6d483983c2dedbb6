//! The replaying of a replay: part by part, each in one transaction with the place that was reached, so that a restart
//! goes on where the last part ended. Nodes take turns by locking the subscription.
//!
//! While older messages are replayed, nothing new is delivered: it goes into the archive, and its turn comes. The replay
//! ends when the archive has nothing more, which it sees while it holds the topic, and so no publisher is in between.
use crate::base::Timestamp;
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
/// Replays looked at together.
const AT_ONCE: u32 = 100;

/// What one part needs.
struct Part {
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
    /// When the store fails.
    pub async fn replay_round(&self) -> Result<usize, store::Error> {
        let (mut replayed, mut after) = (0, 0);
        loop {
            let mut due: Vec<i64> = self.store().read(|tx| Box::pin(replays::due(tx, after, AT_ONCE))).await?;
            let Some(last) = due.last() else { return Ok(replayed) };
            after = *last;
            // Turn by turn, so that a long replay does not hold the others up.
            while !due.is_empty() {
                let mut again = Vec::new();
                for id in due {
                    match self.replay_part(id).await {
                        Ok(0) => {}
                        Ok(count) => {
                            replayed += count;
                            again.push(id);
                        }
                        Err(Error::Internal(error)) => return Err(error),
                        Err(error) => {
                            tracing::error!(subscription.id = id, %error, "a replay failed");
                            self.fail(id).await?;
                        }
                    }
                }
                due = again;
            }
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
        part: Part,
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

async fn read(tx: &mut Tx, id: i64) -> Result<Option<Part>, Error> {
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
    Ok(Some(Part { subscription, topic, span, archived }))
}
