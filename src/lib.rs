//! Postrider: Amazon SES, with the SNS and SQS under it, on your own machine.
pub mod base;
pub mod smtp;
