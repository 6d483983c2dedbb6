//! STS's error rows.
use crate::aws::error::{ErrorShape, ServiceError};

/// What can go wrong in STS: of our one operation, nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum StsError {}

impl ServiceError for StsError {
    fn shape(&self) -> ErrorShape {
        match *self {}
    }
}
