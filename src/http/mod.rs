//! Everything that HTTP serves.
pub mod inbox;
