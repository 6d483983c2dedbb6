//! How many topics, subscriptions and filter policies an account may have. Source: AWS General Reference, "Amazon SNS endpoints
//! and quotas". Counted before the transaction that makes one more, and only where the last count left too little room.
use crate::base::{AccountId, Arn, Headroom, Region};
use crate::store::{subscriptions, topics};
use crate::topics::rules::SUFFIX;
use crate::topics::topic::find;
use crate::topics::{Error, Topics};

/// The limits of an account in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Standard topics.
    pub topics: u32,
    /// FIFO topics.
    pub fifo_topics: u32,
    /// Subscriptions of a standard topic.
    pub subscriptions: u32,
    /// Subscriptions that wait for confirmation.
    pub pending: u32,
    /// Filter policies of all subscriptions of an account.
    pub filter_policies: u32,
    /// Filter policies of a topic's subscriptions.
    pub filter_policies_of_topic: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            topics: 100_000,
            fifo_topics: 1_000,
            subscriptions: 12_500_000,
            pending: 5_000,
            filter_policies: 10_000,
            filter_policies_of_topic: 200,
        }
    }
}

/// What is limited, and whose.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Limited {
    Topics(AccountId, Region, bool),
    Subscriptions(i64),
    Pending(AccountId, Region),
    FilterPolicies(AccountId, Region),
    FilterPoliciesOf(i64),
}

/// The limits, and what is known of the room that they leave.
#[derive(Debug, Default)]
pub(in crate::topics) struct Room {
    limits: Limits,
    headroom: Headroom<Limited>,
}

impl Room {
    /// Room within these limits.
    pub(super) fn within(limits: Limits) -> Self {
        Self { limits, headroom: Headroom::default() }
    }

    fn max(&self, limited: &Limited) -> u32 {
        match limited {
            Limited::Topics(_, _, true) => self.limits.fifo_topics,
            Limited::Topics(_, _, false) => self.limits.topics,
            Limited::Subscriptions(_) => self.limits.subscriptions,
            Limited::Pending(..) => self.limits.pending,
            Limited::FilterPolicies(..) => self.limits.filter_policies,
            Limited::FilterPoliciesOf(_) => self.limits.filter_policies_of_topic,
        }
    }
}

impl Topics {
    /// Whether there is room for one more; counts it if so.
    async fn has_room(&self, limited: Limited) -> Result<bool, Error> {
        let room = self.room();
        if room.headroom.take(&limited) {
            return Ok(true);
        }
        let (asked, max) = (limited.clone(), room.max(&limited));
        let count: Result<u32, Error> = self
            .store()
            .read(|tx| {
                Box::pin(async move {
                    Ok(match &asked {
                        Limited::Topics(account, region, fifo) => {
                            topics::count(tx, account, region, *fifo, max).await?
                        }
                        Limited::Subscriptions(topic) => subscriptions::count_of_topic(tx, *topic, max).await?,
                        Limited::Pending(owner, region) => subscriptions::count_pending(tx, owner, region, max).await?,
                        Limited::FilterPolicies(owner, region) => {
                            subscriptions::count_filtered(tx, owner, region, max).await?
                        }
                        Limited::FilterPoliciesOf(topic) => {
                            subscriptions::count_filtered_of_topic(tx, *topic, max).await?
                        }
                    })
                })
            })
            .await;
        Ok(room.headroom.counted(limited, count?.into(), max.into()))
    }

    /// Why an account may have no more topics of this kind, if so.
    pub(in crate::topics) async fn no_more_topics(
        &self,
        account: &AccountId,
        region: &Region,
        fifo: bool,
    ) -> Result<Option<Error>, Error> {
        let fits = self.has_room(Limited::Topics(account.clone(), region.clone(), fifo)).await?;
        Ok((!fits).then_some(Error::TooManyTopics))
    }

    /// Why a topic may have no more subscriptions of this owner, if so.
    pub(in crate::topics) async fn no_more_subscriptions(
        &self,
        topic: &Arn,
        owner: &AccountId,
        pending: bool,
    ) -> Result<Option<Error>, Error> {
        // A FIFO topic has so few that they are counted with the subscription.
        let mut fits =
            topic.resource.ends_with(SUFFIX) || self.has_room(Limited::Subscriptions(self.id(topic).await?)).await?;
        fits = fits && (!pending || self.has_room(Limited::Pending(owner.clone(), topic.region.clone())).await?);
        Ok((!fits).then_some(Error::TooManySubscriptions))
    }

    /// Why there may be no more filter policies on a topic's subscriptions of this owner, if so.
    pub(in crate::topics) async fn no_more_filter_policies(
        &self,
        topic: &Arn,
        owner: &AccountId,
    ) -> Result<Option<Error>, Error> {
        let fits = self.has_room(Limited::FilterPoliciesOf(self.id(topic).await?)).await?
            && self.has_room(Limited::FilterPolicies(owner.clone(), topic.region.clone())).await?;
        Ok((!fits).then_some(Error::TooManyFilterPolicies))
    }

    pub(in crate::topics) async fn id(&self, topic: &Arn) -> Result<i64, Error> {
        let arn = topic.clone();
        Ok(self.store().read(|tx| Box::pin(async move { find(tx, &arn).await })).await?.id)
    }
}
