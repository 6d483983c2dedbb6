//! One connection that speaks HTTP/1.1 and nothing fancy, so that the client costs little beside the server. Where the
//! server closes it after each reply, as moto's does, another takes its place.
use std::io::{Error, ErrorKind};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sigv4::Signer;

/// A kept-open connection and the signer of what goes over it.
pub struct Client {
    /// Open, unless the server said that it would close it.
    socket: Option<TcpStream>,
    host: String,
    signer: Signer,
    read: Vec<u8>,
}

/// Status and body.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Client {
    /// Connects to `host`, such as `127.0.0.1:4566`.
    pub async fn connect(host: &str, signer: Signer) -> Result<Self, Error> {
        let socket = Some(open(host).await?);
        Ok(Self { socket, host: host.to_owned(), signer, read: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a signed POST and reads its reply. `target` is `X-Amz-Target`, if the protocol has it.
    pub async fn post(&mut self, path: &str, target: Option<&str>, body: &[u8]) -> Result<Reply, Error> {
        let kind = if target.is_some() { "application/x-amz-json-1.0" } else { "application/json" };
        self.post_as(path, kind, target, body).await
    }

    /// The same, with another content type.
    pub async fn post_as(&mut self, path: &str, kind: &str, target: Option<&str>, body: &[u8]) -> Result<Reply, Error> {
        let mut headers = vec![("content-type", kind), ("host", self.host.as_str())];
        headers.extend(target.map(|target| ("x-amz-target", target)));
        let signed = self.signer.sign(path, &headers, body);
        let plain: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut request =
            format!("POST {path} HTTP/1.1\r\n{plain}content-length: {}\r\n{signed}\r\n", body.len()).into_bytes();
        request.extend_from_slice(body);
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => open(&self.host).await?,
        };
        socket.write_all(&request).await?;
        let (reply, stays) = self.reply(&mut socket).await?;
        self.socket = stays.then_some(socket);
        Ok(reply)
    }

    /// The reply, and whether the connection stays open after it.
    async fn reply(&mut self, socket: &mut TcpStream) -> Result<(Reply, bool), Error> {
        self.read.clear();
        let bad = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
        let head = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if socket.read_buf(&mut self.read).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        };
        let text = String::from_utf8_lossy(&self.read[..head]).to_ascii_lowercase();
        let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| bad("no status"))?;
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length = header("content-length:");
        let length: usize = length.and_then(|n| n.parse().ok()).ok_or_else(|| bad("no content-length"))?;
        let stays = match header("connection:") {
            Some(said) => said == "keep-alive",
            None => !text.starts_with("http/1.0"),
        };
        while self.read.len() < head + length {
            if socket.read_buf(&mut self.read).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok((Reply { status, body: self.read[head..head + length].to_vec() }, stays))
    }
}

async fn open(host: &str) -> Result<TcpStream, Error> {
    let socket = TcpStream::connect(host).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}
