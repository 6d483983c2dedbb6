//! Behaviour, through the real front door, on both store engines. One binary, so that it links once.
mod engine;
mod queue_engine;
//! The house's tests: one binary, real sockets, both engines.
mod dns;
mod smtp_sink;
mod transport;
