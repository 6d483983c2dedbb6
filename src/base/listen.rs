//! Sockets that listen, with room for a crowd that comes at once.
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that may wait to be accepted. The machine may allow fewer (Linux: `net.core.somaxconn`, mostly 4,096). Who comes
/// when the room is full tries again a second later.
const BACKLOG: u32 = 4_096;

/// Listens on `address`; port 0 lets the machine choose.
///
/// # Errors
/// The machine's, when the address is taken or not ours.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Else the address would be taken for a minute after a stop.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
