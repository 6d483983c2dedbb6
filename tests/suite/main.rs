//! Behaviour, through the real front door, on both store engines. One binary, so that it links once.
mod access;
mod dns;
mod engine;
mod outbound;
mod queue_engine;
mod receipt_rules;
mod receiving;
mod receiving_checks;
mod ses_accept;
mod ses_bench;
mod ses_identities;
mod smtp_door;
mod smtp_sink;
mod topics;
mod transport;
mod webhook;
mod wire;
