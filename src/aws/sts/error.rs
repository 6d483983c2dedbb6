//! STS's error rows.
use crate::aws::error::{ErrorShape, Failure, ServiceError};
use crate::aws::protocol::Refusal;

/// What can go wrong in STS: of our one operation, nothing.
#[derive(Debug, thiserror::Error)]
pub enum StsError {}

impl ServiceError for StsError {
    fn shape(&self) -> ErrorShape {
        match *self {}
    }
}

/// The answer to a request that cannot be decoded.
pub fn refuse(refusal: &Refusal) -> Failure {
    Failure::new(ErrorShape::sender("ValidationError", 400), refusal.validation_text())
}
