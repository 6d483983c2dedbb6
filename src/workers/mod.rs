//! Claims jobs from the system's queues, works them, and stops in two steps.
pub mod backoff;
mod compute;
mod hold;
mod leases;
mod outcome;
mod pieces;
mod pool;
mod queue;
mod retention;
mod settling;
mod slow;
mod stop;
mod threads;
mod ticker;

pub use compute::{Compute, NotDone};
pub use hold::{Held, Hold};
pub use outcome::{Finish, Outcome, Reason, Record};
pub use pieces::{Pieces, Taken, one_round, tick_pieces};
pub use pool::{Pool, Work};
pub use queue::{Claim, Job, SystemQueue, enqueue};
pub use retention::sweep_dead_letters;
pub use stop::Stop;
pub(crate) use threads::Threads;
pub use ticker::tick;
