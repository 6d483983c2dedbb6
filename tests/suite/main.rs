//! Behaviour, through the real front door, on both store engines. One binary, so that it links once.
mod access;
mod dns;
mod engine;
mod outbound;
mod queue_engine;
mod smtp_door;
mod smtp_sink;
mod transport;
