//! Mails that this server sends of its own accord, and how any mail becomes jobs of the outbound queue.
pub mod jobs;
pub mod notices;
pub mod system;

pub use jobs::OutboundJob;
pub use notices::Notices;
