//! AWS Signature Version 4: who signed a request, and whether they really did.
//!
//! Source of the rules: "Signature Version 4 signing process" in the AWS General Reference.
mod authorization;
mod browser;
mod canonical;
mod checks;
mod error;
mod key;
mod verify;

#[cfg(test)]
mod vector_tests;

pub use error::SignatureError;
pub(crate) use verify::too_large;
pub use verify::{Allowance, Gate, Identity, Standing};
