//! The house's tests: one binary, real sockets, both engines.
mod dns;
mod smtp_sink;
mod transport;
