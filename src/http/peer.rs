//! Who is at the other end of a connection.
use std::net::IpAddr;

use crate::base::LongWait;
use crate::base::places::Seat;

/// Who is at the other end of the connection; an extension of every request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Where the connection says what it does.
    pub seat: Seat,
    /// Octets of the request's head.
    pub head: usize,
    /// Where the request says that it waits for seconds.
    pub long_wait: LongWait,
}
