//! Postrider: Amazon SES, with the SNS and SQS under it, on your own machine.
#![forbid(unsafe_code)]

pub mod access;
pub mod app;
pub mod aws;
pub mod base;
pub mod config;
pub mod http;
pub mod mail;
pub mod operator;
pub mod outlets;
pub mod queues;
pub mod smtp;
pub mod store;
pub mod topics;
pub mod workers;
