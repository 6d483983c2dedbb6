//! Which messages pass the filter policies of which subscriptions. This is judged before any transaction where there is time,
//! and away from the threads that answer others where it is much: policies and messages are their authors'.
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use crate::base::{AccountId, Budget, Spent};
use crate::queues::MessageAttributes;
use crate::store::subscriptions::Subscription;
use crate::topics::draft::Draft;
use crate::topics::endpoint::Protocol;
use crate::topics::filter_policy::{Facts, PolicyScope};
use crate::topics::{Attribute, Attributes, Error, Value, attributes};
use crate::workers::Compute;

/// Steps that the policies of one call may take: some 500 ms at the most, of the account's own turns.
pub(in crate::topics) const STEPS_MAX: u64 = 20_000_000;
/// Steps that one policy may take for one message: some 30 ms at the most. A message of 256 KiB is walked in a fifth of
/// them.
const POLICY_STEPS_MAX: u64 = 1_000_000;
/// Steps that policies may take inside a transaction, which others wait for: those that were changed since it was looked
/// ahead, or all where nobody looked ahead.
const STEPS_INSIDE: u64 = 20_000;
/// Octets of a policy that is read on the thread that asks for it: a fraction of a millisecond.
const READ_HERE_MAX: usize = 16 * 1024;
/// Octets of JSON that are read for a step.
const OCTETS_PER_STEP: usize = 8;

/// What was judged of one message.
pub(in crate::topics) struct Sieve {
    verdicts: Verdicts,
    /// Makes the keys. They are random, so that nobody can find two policies of the same key.
    hasher: RandomState,
    /// For what was not judged ahead.
    inside: Budget,
}

/// What policies look at, read once per message and only when a policy asks.
struct PolicyFacts<'a> {
    attributes: &'a MessageAttributes,
    wording: &'a (dyn Fn(Protocol) -> &'a str + Send + Sync),
    of_attributes: Option<Facts>,
    of_bodies: BTreeMap<Protocol, Option<Facts>>,
}

impl Default for Sieve {
    fn default() -> Self {
        Self { verdicts: HashMap::new(), hasher: RandomState::new(), inside: Budget::new(STEPS_INSIDE) }
    }
}

/// Most subscriptions have no policy, and then their attributes need not be read.
fn has_policy(of: &Subscription) -> bool {
    of.attributes.contains("FilterPolicy")
}

impl Sieve {
    /// Judges `draft`, a message to a topic of `account`, for those of `subscriptions` that have a policy. They share `steps`
    /// evenly, so that the policy of one leaves enough to the others. A policy that takes more lets the message not pass, and
    /// the log says so.
    ///
    /// # Errors
    /// A policy that cannot be read; too much work of the account that waits.
    pub(super) async fn judged(
        compute: &Compute,
        account: &AccountId,
        subscriptions: &[Subscription],
        draft: &Draft,
        steps: u64,
    ) -> Result<Self, Error> {
        let sieve = Self::default();
        let mut asked: BTreeMap<(u64, Protocol), &str> = BTreeMap::new();
        for of in subscriptions.iter().filter(|of| has_policy(of)) {
            let Some(protocol) = Protocol::parse(&of.protocol) else { continue };
            asked.insert((sieve.hasher.hash_one(&of.attributes), protocol), &of.attributes);
        }
        if asked.is_empty() {
            return Ok(sieve);
        }
        let given = &draft.parts.publication.attributes;
        let here = Compute::at_once(steps, |budget| {
            let wording = |protocol| draft.wording(protocol);
            judge_all(&asked, &mut PolicyFacts::new(given, &wording), budget)
        });
        if let Some(Ok(verdicts)) = here {
            return Ok(Self { verdicts: verdicts?, ..sieve });
        }
        let asked: Vec<((u64, Protocol), String)> =
            asked.into_iter().map(|(key, policy)| (key, policy.to_owned())).collect();
        let wordings: BTreeMap<Protocol, String> =
            asked.iter().map(|((_, protocol), _)| (*protocol, draft.wording(*protocol).to_owned())).collect();
        let (given, message) = (given.clone(), draft.parts.id.clone());
        let judge = move |budget: &mut Budget| judge_each(&asked, &given, &wordings, &message, budget);
        let verdicts = compute.run(account.as_str(), steps, judge).await??;
        Ok(Self { verdicts, ..sieve })
    }

    /// Whether the subscription's filter policy lets the message pass. What was not judged ahead is judged now, with few
    /// steps.
    pub(super) fn lets_pass(&mut self, of: &Subscription, protocol: Protocol, draft: &Draft) -> Result<bool, Error> {
        if !has_policy(of) {
            return Ok(true);
        }
        let key = (self.hasher.hash_one(&of.attributes), protocol);
        if let Some(passes) = self.verdicts.get(&key) {
            return Ok(*passes);
        }
        let wording = |protocol| draft.wording(protocol);
        let mut looked = PolicyFacts::new(&draft.parts.publication.attributes, &wording);
        match looked.passes(&of.attributes, protocol, &mut self.inside) {
            Ok(passes) => {
                let passes = passes?;
                self.verdicts.insert(key, passes);
                Ok(passes)
            }
            Err(_) => {
                tracing::warn!(message.id = draft.parts.id, subscription = of.uuid, "{TOO_MANY_STEPS}");
                Ok(false)
            }
        }
    }

    /// Whether something was not judged for want of steps.
    pub(super) fn is_spent(&self) -> bool {
        self.inside.is_spent()
    }
}

/// Checks the filter policy among a subscription's attributes, for a caller of `account`.
///
/// # Errors
/// A policy that cannot be read; too much work of the account that waits.
pub(in crate::topics) async fn check_policy(
    compute: &Compute,
    account: &AccountId,
    attributes: &Attributes,
) -> Result<(), Error> {
    let Some(policy) = attributes.get("FilterPolicy") else { return Ok(()) };
    let (size, attributes) = ((policy.len(), READ_HERE_MAX), attributes.clone());
    compute.linear(account.as_str(), size, move || attributes::filter_policy(&attributes).map(drop)).await?
}

const TOO_MANY_STEPS: &str = "a filter policy takes too many steps for a message, and lets it not pass";

/// The verdict on a message for a policy, by the key of the policy and its subscribers' protocol.
type Verdicts = HashMap<(u64, Protocol), bool>;

/// Judges all, or none where there are not steps enough.
fn judge_all(
    asked: &BTreeMap<(u64, Protocol), &str>,
    looked: &mut PolicyFacts<'_>,
    budget: &mut Budget,
) -> Result<Result<Verdicts, Error>, Spent> {
    let mut verdicts = Verdicts::with_capacity(asked.len());
    for (key, policy) in asked {
        match looked.passes(policy, key.1, budget)? {
            Ok(passes) => verdicts.insert(*key, passes),
            Err(error) => return Ok(Err(error)),
        };
    }
    Ok(Ok(verdicts))
}

/// Judges each within its share of the steps.
fn judge_each(
    asked: &[((u64, Protocol), String)],
    given: &MessageAttributes,
    wordings: &BTreeMap<Protocol, String>,
    message: &str,
    budget: &mut Budget,
) -> Result<Verdicts, Error> {
    let wording = |protocol| wordings.get(&protocol).map_or("", String::as_str);
    let mut looked = PolicyFacts::new(given, &wording);
    let mut verdicts = Verdicts::with_capacity(asked.len());
    // What many policies look at is read at the expense of all: the share of one may be too small for a large body. Where the
    // steps of all are, each policy says so below.
    let _ = looked.attributes(budget);
    for protocol in wordings.keys() {
        let by_body = |(key, policy): &((u64, Protocol), String)| key.1 == *protocol && policy.contains("MessageBody");
        if asked.iter().any(by_body) {
            let _ = looked.body(*protocol, budget);
        }
    }
    let mut unjudged = 0;
    for (n, (key, policy)) in asked.iter().enumerate() {
        let share = budget.left() / u64::try_from(asked.len() - n).unwrap_or(u64::MAX);
        let passes = budget.within(share.min(POLICY_STEPS_MAX), |budget| looked.passes(policy, key.1, budget));
        let passes = match passes {
            Ok(passes) => passes?,
            Err(_) => {
                unjudged += 1;
                false
            }
        };
        verdicts.insert(*key, passes);
    }
    if unjudged > 0 {
        tracing::warn!(message.id = message, policies = unjudged, "{TOO_MANY_STEPS}");
    }
    Ok(verdicts)
}

impl<'a> PolicyFacts<'a> {
    fn new(attributes: &'a MessageAttributes, wording: &'a (dyn Fn(Protocol) -> &'a str + Send + Sync)) -> Self {
        Self { attributes, wording, of_attributes: None, of_bodies: BTreeMap::new() }
    }

    /// Whether the policy among a subscription's attributes lets the message pass. A policy for bodies lets no body pass that
    /// is no JSON object.
    fn passes(
        &mut self,
        subscription_attributes: &str,
        protocol: Protocol,
        budget: &mut Budget,
    ) -> Result<Result<bool, Error>, Spent> {
        budget.spend_on(subscription_attributes.len() * Budget::OCTETS_PER_STEP / OCTETS_PER_STEP)?;
        let policy = attributes::read(subscription_attributes).map_err(Error::from);
        let policy = match policy.and_then(|read| attributes::filter_policy(&read)) {
            Ok(Some(policy)) => policy,
            Ok(None) => return Ok(Ok(true)),
            Err(error) => return Ok(Err(error)),
        };
        let (policy, scope) = policy;
        let facts = match scope {
            PolicyScope::Attributes => Some(self.attributes(budget)?),
            PolicyScope::Body => self.body(protocol, budget)?,
        };
        facts.map_or(Ok(Ok(false)), |facts| policy.matches(facts, budget).map(Ok))
    }

    /// The attributes, read once.
    fn attributes(&mut self, budget: &mut Budget) -> Result<&Facts, Spent> {
        if self.of_attributes.is_none() {
            let size: usize = self.attributes.values().map(size).sum();
            budget.spend(size / OCTETS_PER_STEP)?;
        }
        Ok(self.of_attributes.get_or_insert_with(|| Facts::of_attributes(self.attributes)))
    }

    /// The body for the subscribers of a protocol, read once. `None` where it is no JSON object.
    fn body(&mut self, protocol: Protocol, budget: &mut Budget) -> Result<Option<&Facts>, Spent> {
        let body = (self.wording)(protocol);
        if !self.of_bodies.contains_key(&protocol) {
            budget.spend(body.len() / OCTETS_PER_STEP)?;
        }
        Ok(self.of_bodies.entry(protocol).or_insert_with(|| Facts::of_body(body)).as_ref())
    }
}

fn size(attribute: &Attribute) -> usize {
    match &attribute.value {
        Value::Text(text) => text.len(),
        Value::Binary(bytes) => bytes.len(),
    }
}
