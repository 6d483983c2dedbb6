//! Claims of many callers on a queue without groups: one statement, whose rows are dealt out.
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::store::engine::dialect::Engine;
use crate::store::engine::merged::Kind;
use crate::store::queue::claimed::Claimed;
use crate::store::queue::claiming::claim;
use crate::store::queue::claims::{Claim, Groups};
use crate::store::{Error, Store, Tx};

/// Claims messages that are in no group.
pub(in crate::store) struct Claims;

/// What one caller claims.
pub(in crate::store) struct ToClaim {
    queue_id: i64,
    limit: u32,
    hidden: Duration,
    receives_max: Option<u32>,
    receipt: i64,
}

impl ToClaim {
    /// What those have in common who share a statement.
    fn kind(&self) -> (i64, Duration, Option<u32>) {
        (self.queue_id, self.hidden, self.receives_max)
    }
}

impl Kind for Claims {
    const GROWS: bool = false;
    // Nobody would get the messages, and they would be hidden.
    const NEEDS_CALLER: bool = true;
    type Value = ToClaim;
    type Answer = Vec<Claimed>;

    fn run<'t>(tx: &'t mut Tx, values: &'t [ToClaim]) -> BoxFuture<'t, Result<Vec<Vec<Claimed>>, Error>> {
        Box::pin(async move {
            let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
            for (n, value) in values.iter().enumerate() {
                alike.entry(value.kind()).or_default().push(n);
            }
            let mut answers = vec![Vec::new(); values.len()];
            for ((queue_id, hidden, receives_max), callers) in alike {
                let of = |n: &usize| values.get(*n);
                let limit = callers.iter().filter_map(of).map(|value| value.limit).sum();
                // All claim with the same receipt, but none gets another's message, and who may receive may delete.
                let receipt = callers.first().and_then(of).map_or(0, |value| value.receipt);
                let hidden_until = tx.now() + hidden;
                let groups = Groups::None;
                let wanted = Claim { queue_id, limit, hidden_until, receipt, holder: None, groups, receives_max };
                let mut claimed = claim(tx, wanted).await?.into_iter();
                for n in callers {
                    if let (Some(value), Some(answer)) = (values.get(n), answers.get_mut(n)) {
                        answer.extend(claimed.by_ref().take(value.limit as usize));
                    }
                }
            }
            Ok(answers)
        })
    }

    fn is_one_statement(_: Engine, values: &[ToClaim]) -> bool {
        let mut pairs = values.iter().zip(values.iter().skip(1));
        pairs.all(|(one, next)| one.kind() == next.kind())
    }
}

impl Store {
    /// Claims up to `limit` messages of a queue that has no groups, and hides them for `hidden`. `receipt` names the
    /// claim, unless others claim at the same time: then they share a receipt of one of them. `receives_max`: see [`Claim`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn claim_messages(
        &self,
        queue_id: i64,
        limit: u32,
        hidden: Duration,
        receives_max: Option<u32>,
        receipt: i64,
    ) -> Result<Vec<Claimed>, Error> {
        self.hand_in::<Claims>(ToClaim { queue_id, limit, hidden, receives_max, receipt }).await
    }
}
