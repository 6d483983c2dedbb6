//! The wire: AWS's services over AWS's protocols, from one set of typed requests and results.
pub mod call;
pub mod error;
pub mod operation;
pub mod protocol;
pub mod service;
pub mod ses;
pub mod sesv2;
pub mod sns;
pub mod sqs;
pub mod sts;

pub use call::{Call, Caller, Request};
pub use error::{ErrorShape, Failure, Fault, ServiceError};
pub use operation::{Operation, operations};
pub use protocol::{Blob, Names, Refusal, Time};
pub use service::{Api, Services};
