//! The line to a peer: octets out, replies in, in the clear or encrypted. What comes in is bounded in length.
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::mail::sending::ending::Reply;

/// The longest reply line; RFC 5321, 4.5.3.1.5, has 512 octets.
const MAX_LINE: usize = 4096;
/// The most lines of one reply; offers of EHLO are a dozen.
const MAX_LINES: usize = 100;

/// Why no reply came.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The peer closed.
    #[error("the connection was closed")]
    Closed,
    /// The connection failed.
    #[error(transparent)]
    Failed(#[from] io::Error),
    /// What came is no reply.
    #[error("not an SMTP reply: {0}")]
    Garbage(String),
}

/// A reply with its lines, as EHLO needs them.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Answer {
    /// The reply on one line. An enhanced status that each line repeats stands there once.
    pub(super) fn reply(&self) -> Reply {
        let first = self.lines.first().map(String::as_str).unwrap_or_default();
        let status = first.split(' ').next().filter(|word| word.matches('.').count() == 2);
        let rest = self.lines.iter().skip(1).map(|line| match status.and_then(|status| line.strip_prefix(status)) {
            Some(rest) if rest.starts_with(' ') => rest.trim_start(),
            _ => line.as_str(),
        });
        let whole: Vec<&str> = std::iter::once(first).chain(rest).collect();
        Reply::new(self.code, &whole.join(" "))
    }
}

/// A connection, plain or encrypted.
enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Taken for a handshake.
    Gone,
}

/// The line.
pub(super) struct Wire {
    socket: Socket,
    input: Vec<u8>,
    read: usize,
}

impl Wire {
    pub(super) fn plain(socket: TcpStream) -> Self {
        Self { socket: Socket::Plain(socket), input: Vec::with_capacity(1024), read: 0 }
    }

    pub(super) fn tls(socket: TlsStream<TcpStream>) -> Self {
        Self { socket: Socket::Tls(Box::new(socket)), input: Vec::with_capacity(1024), read: 0 }
    }

    /// The socket for a handshake. What the peer sent before it is no part of it: then there is none (an attacker in
    /// between could have put it there).
    pub(super) fn into_plain(mut self) -> Option<TcpStream> {
        if self.read < self.input.len() {
            return None;
        }
        match std::mem::replace(&mut self.socket, Socket::Gone) {
            Socket::Plain(socket) => Some(socket),
            _ => None,
        }
    }

    /// Protocol and cipher; `None` in the clear.
    pub(super) fn cipher(&self) -> Option<String> {
        let Socket::Tls(socket) = &self.socket else { return None };
        let (_, session) = socket.get_ref();
        let version = session.protocol_version().and_then(|version| version.as_str().map(|v| v.replace('_', ".")));
        let suite = session.negotiated_cipher_suite().and_then(|s| s.suite().as_str().map(str::to_owned));
        Some(format!("{} {}", version.unwrap_or_default(), suite.unwrap_or_default()))
    }

    pub(super) async fn write(&mut self, octets: &[u8]) -> Result<(), Broken> {
        self.socket.write_all(octets).await?;
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), Broken> {
        self.socket.flush().await?;
        Ok(())
    }

    /// The next reply (RFC 5321, 4.2): lines with the same code, of which all but the last have `-` after it.
    pub(super) async fn answer(&mut self) -> Result<Answer, Broken> {
        let mut lines = Vec::new();
        let mut first = None;
        loop {
            let line = self.line().await?;
            let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
            let garbage = || Broken::Garbage(text(&line).chars().take(100).collect());
            let code = code(&line).ok_or_else(garbage)?;
            if *first.get_or_insert(code) != code || lines.len() >= MAX_LINES {
                return Err(garbage());
            }
            let rest = line.get(3..).unwrap_or_default();
            match rest.split_first() {
                None => lines.push(String::new()),
                Some((b' ' | b'-', rest)) => lines.push(text(rest)),
                Some(_) => return Err(garbage()),
            }
            if rest.first() != Some(&b'-') {
                return Ok(Answer { code, lines });
            }
        }
    }

    /// The next line, without its end; a bare LF ends one too.
    async fn line(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            let waiting = self.input.get(self.read..).unwrap_or_default();
            if let Some(end) = waiting.iter().position(|octet| *octet == b'\n') {
                let line = waiting.get(..end).unwrap_or_default();
                let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
                self.read += end + 1;
                if self.read == self.input.len() {
                    self.input.clear();
                    self.read = 0;
                }
                return Ok(line);
            }
            if waiting.len() > MAX_LINE {
                let start: Vec<u8> = waiting.iter().take(100).copied().collect();
                return Err(Broken::Garbage(String::from_utf8_lossy(&start).into_owned()));
            }
            if self.socket.read_buf(&mut self.input).await? == 0 {
                return Err(Broken::Closed);
            }
        }
    }
}

fn code(line: &[u8]) -> Option<u16> {
    let digits: &[u8; 3] = line.first_chunk()?;
    let fine = matches!(digits[0], b'2'..=b'5') && digits.iter().all(u8::is_ascii_digit);
    fine.then(|| digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Socket::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Tls(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Socket::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Socket::Tls(socket) => Pin::new(socket).poll_write(cx, buf),
            Socket::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Socket::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Tls(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tls(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Gone => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answers(peer: &[u8]) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let octets = peer.to_vec();
        let peer = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a client");
            // The reader may have seen enough.
            let _ = socket.write_all(&octets).await;
        });
        let mut wire = Wire::plain(TcpStream::connect(address).await.expect("connected"));
        let mut heard = Vec::new();
        loop {
            match wire.answer().await {
                Ok(answer) => heard.push(answer.reply().to_string()),
                Err(error) => {
                    heard.push(error.to_string());
                    drop(wire);
                    peer.await.expect("the peer ends");
                    return heard;
                }
            }
        }
    }

    #[tokio::test]
    async fn replies_are_read_whatever_their_form_and_garbage_is_named() {
        let closed = "the connection was closed";
        for (octets, heard) in [
            (&b"220 hello\r\n250\r\n"[..], vec!["220 hello", "250 ", closed]),
            (b"250-one\r\n250-two\r\n250 three\r\n", vec!["250 one two three", closed]),
            (b"550-5.1.1 no\r\n550 5.1.1 such\n", vec!["550 5.1.1 no such", closed]),
            (b"250 d\xe9j\xe0\r\n", vec!["250 d\u{fffd}j\u{fffd}", closed]),
            (b"HTTP/1.1 400 Bad\r\n", vec!["not an SMTP reply: HTTP/1.1 400 Bad"]),
            (b"250-a\r\n550 b\r\n", vec!["not an SMTP reply: 550 b"]),
            (b"2500 what\r\n", vec!["not an SMTP reply: 2500 what"]),
            (b"\r\n", vec!["not an SMTP reply: "]),
            (b"250", vec![closed]),
        ] {
            assert_eq!(answers(octets).await, heard, "{octets:?}");
        }
        for endless in [b"250-x\r\n".repeat(1_000), b"2".repeat(1_000_000)] {
            assert!(answers(&endless).await.concat().starts_with("not an SMTP reply"));
        }
    }
}
