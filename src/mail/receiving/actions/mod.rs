//! What receipt rules do. External effects run here; everything that the store keeps is collected and commits with the
//! end of the job.
pub mod add_header;
pub mod bounce;
mod run;
pub mod s3;
pub mod sns;
pub mod stop;

pub use run::{Effect, Failure, Run, run_rules};
