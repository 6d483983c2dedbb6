//! Postrider: Amazon SES, with the SNS and SQS under it, on your own machine.
pub mod aws;
pub mod base;
pub mod config;
pub mod queues;
pub mod smtp;
pub mod store;
pub mod workers;
