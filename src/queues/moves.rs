//! Move tasks: asking for one, looking at it, cancelling it. The moving itself is in `moving`.
use crate::base::{Arn, Scope, ids};
use crate::queues::dead_letters::is_fifo;
use crate::queues::{Error, MoveError, Queues};
use crate::store::move_tasks::{self, MoveStatus, MoveTask, NewTask};
use crate::store::{Tx, messages, queues};

/// StartMessageMoveTask in the SQS API reference.
const PER_SECOND_MAX: i64 = 500;
/// ListMessageMoveTasks in the SQS API reference.
const LIST_MAX: i64 = 10;
/// SQS developer guide, "Configuring a dead-letter queue redrive": 100 active tasks per account.
const UNDER_WAY_MAX: u32 = 100;

impl Queues {
    /// Starts a task that moves the messages of `source` to `destination`, or each back to where it came from. Gives
    /// the task's id. The moving happens later, in [`Queues::move_round`].
    ///
    /// # Errors
    /// [`Error::Move`].
    pub async fn start_move(
        &self,
        scope: &Scope,
        source: Arn,
        destination: Option<Arn>,
        per_second: Option<i64>,
    ) -> Result<String, Error> {
        if per_second.is_some_and(|n| !(1..=PER_SECOND_MAX).contains(&n)) {
            return Err(MoveError::Number("MaxNumberOfMessagesPerSecond", PER_SECOND_MAX).into());
        }
        // Counting walks the queue, so it is done before the transaction; the number is approximate in any case.
        let to_move = {
            let tx = &mut self.store.reader().await?;
            let id = find(tx, scope, &source, "SourceArn").await?;
            messages::counts(tx, id).await?.visible
        };
        let new = NewTask {
            task_id: ids::uuid(),
            account: scope.account.clone(),
            source: source.to_string(),
            destination: destination.as_ref().map(Arn::to_string),
            per_second: per_second.and_then(|n| u32::try_from(n).ok()),
            status: MoveStatus::Running,
            to_move,
        };
        let scope = scope.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    find(tx, &scope, &source, "SourceArn").await?;
                    if queues::dead_letter_sources(tx, &new.source, "", 1).await?.is_empty() {
                        return Err(MoveError::NotDeadLetters.into());
                    }
                    if let Some(destination) = &destination {
                        if *destination == source {
                            return Err(MoveError::SameQueue.into());
                        }
                        find(tx, &scope, destination, "DestinationArn").await?;
                        if is_fifo(&source.resource) != is_fifo(&destination.resource) {
                            return Err(MoveError::OtherType.into());
                        }
                    }
                    if move_tasks::count_under_way(tx, &scope.account).await? >= UNDER_WAY_MAX {
                        return Err(MoveError::TooMany.into());
                    }
                    if !move_tasks::insert(tx, &new).await? {
                        return Err(MoveError::AlreadyRunning.into());
                    }
                    Ok(new.task_id)
                })
            })
            .await
    }

    /// The latest tasks of a source, the newest first; one if `count_max` is not given.
    ///
    /// # Errors
    /// [`Error::Move`].
    pub async fn moves(&self, scope: &Scope, source: &Arn, count_max: Option<i64>) -> Result<Vec<MoveTask>, Error> {
        let limit = count_max.unwrap_or(1);
        let limit = u32::try_from(limit).ok().filter(|_| (1..=LIST_MAX).contains(&limit));
        let limit = limit.ok_or(MoveError::Number("MaxResults", LIST_MAX))?;
        let tx = &mut self.store.reader().await?;
        find(tx, scope, source, "SourceArn").await?;
        Ok(move_tasks::latest(tx, &source.to_string(), limit).await?)
    }

    /// Stops a running task. What has moved stays moved. Gives how many messages that are.
    ///
    /// # Errors
    /// [`Error::Move`].
    pub async fn cancel_move(&self, scope: &Scope, source: Arn, task_id: String) -> Result<u32, Error> {
        let scope = scope.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    find(tx, &scope, &source, "SourceArn").await?;
                    let task = move_tasks::find(tx, &source.to_string(), &task_id).await?;
                    let task = task.ok_or(MoveError::TaskMissing)?;
                    if task.status != MoveStatus::Running {
                        return Err(MoveError::NotRunning.into());
                    }
                    move_tasks::set_status(tx, task.id, MoveStatus::Cancelling).await?;
                    Ok(task.moved)
                })
            })
            .await
    }
}

/// The number of the caller's own queue that `parameter` names.
async fn find(tx: &mut Tx, scope: &Scope, arn: &Arn, parameter: &'static str) -> Result<i64, Error> {
    let missing = MoveError::Missing(parameter);
    if arn.account != scope.account || arn.region != scope.region {
        return Err(missing.into());
    }
    let queue = queues::find(tx, &arn.account, &arn.region, &arn.resource).await?;
    Ok(queue.ok_or(missing)?.id)
}
