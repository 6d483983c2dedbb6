//! What an operator asks for beside the AWS APIs: values, and pages of them by key. No texts: the command line, and others
//! later, say it in their own way.
pub mod census;
pub mod jobs;
pub mod owners;

pub use census::Census;
pub use jobs::Jobs;
