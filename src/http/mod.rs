//! Everything that HTTP serves.
pub mod inbox;
pub mod links;
