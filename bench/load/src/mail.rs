//! The mail modes: SendEmail of SES v2, and SMTP into the MX port.
use std::io::{Error, ErrorKind};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

use crate::Failure;
use crate::client::Client;
use crate::tally::Tally;

/// Sends one mail by SendEmail.
pub async fn send_email(client: &mut Client, mail: &Mail, tally: &mut Tally) -> Result<(), Failure> {
    let request = json!({
        "FromEmailAddress": mail.from,
        "Destination": { "ToAddresses": [mail.to] },
        "Content": { "Simple": { "Subject": { "Data": "Load" }, "Body": { "Text": { "Data": mail.text } } } },
    });
    let body = serde_json::to_vec(&request)?;
    let began = tally.begin();
    let reply = client.post("/v2/email/outbound-emails", None, &body).await?;
    if reply.status != 200 {
        return Err(format!("SendEmail: {} {}", reply.status, String::from_utf8_lossy(&reply.body)).into());
    }
    tally.end("send-email", began, 1);
    Ok(())
}

/// What is sent.
#[derive(Clone)]
pub struct Mail {
    pub from: String,
    pub to: String,
    pub text: String,
}

/// An SMTP session that sends mail after mail.
pub struct Smtp {
    socket: BufStream<TcpStream>,
}

impl Smtp {
    /// Connects to `address` and says EHLO.
    pub async fn connect(address: &str) -> Result<Self, Failure> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let mut session = Self { socket: BufStream::new(socket) };
        session.expect('2').await?;
        session.say("EHLO load.example\r\n", '2').await?;
        Ok(session)
    }

    /// Sends one mail.
    pub async fn send(&mut self, mail: &Mail, tally: &mut Tally) -> Result<(), Failure> {
        let began = tally.begin();
        self.say(&format!("MAIL FROM:<{}>\r\n", mail.from), '2').await?;
        self.say(&format!("RCPT TO:<{}>\r\n", mail.to), '2').await?;
        self.say("DATA\r\n", '3').await?;
        let (from, to, text) = (&mail.from, &mail.to, &mail.text);
        self.say(&format!("From: <{from}>\r\nTo: <{to}>\r\nSubject: Load\r\n\r\n{text}\r\n.\r\n"), '2').await?;
        tally.end("smtp-in", began, 1);
        Ok(())
    }

    async fn say(&mut self, line: &str, class: char) -> Result<(), Failure> {
        self.socket.write_all(line.as_bytes()).await?;
        self.socket.flush().await?;
        self.expect(class).await
    }

    async fn expect(&mut self, class: char) -> Result<(), Failure> {
        loop {
            let mut line = String::new();
            if self.socket.read_line(&mut line).await? == 0 {
                return Err(Error::from(ErrorKind::UnexpectedEof).into());
            }
            if !line.starts_with(class) {
                return Err(line.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}
