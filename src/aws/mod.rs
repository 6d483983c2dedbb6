//! The wire: AWS's services over AWS's protocols, from one set of typed requests and results.
pub mod answer;
pub mod api;
pub mod call;
pub mod caller;
pub mod error;
pub mod operation;
pub mod paging;
pub mod protocol;
pub mod registry;
pub mod request;
pub mod services;
pub mod ses;
pub mod sesv2;
pub mod sigv4;
pub mod sns;
pub mod sqs;
pub mod sts;

pub use answer::{Answered, answer};
pub use api::Api;
pub use caller::Caller;
pub use error::{ErrorShape, Failure, Fault, ServiceError};
pub use operation::{Operation, operations};
pub use protocol::{Blob, Names, Refusal, Time};
pub use request::Request;
pub use services::Services;
pub use sigv4::Gate;
