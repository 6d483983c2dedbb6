//! What receipt rules do. External effects run here; everything that the store keeps is collected and commits with the
//! end of the job.
pub mod add_header;
pub mod bounce;
pub mod effect;
pub mod forward;
pub mod lambda;
mod pass;
mod run;
pub mod s3;
pub mod sns;
pub mod sqs;
pub mod stop;
pub mod webhook;

pub use effect::{Bounce, Effect, Failure, Forward};
pub use pass::run_rules;
pub use run::{Again, Run};
