//! One SMTP conversation as the client, after the greeting: one transaction per mail, in as few round trips as the peer
//! allows (PIPELINING, RFC 2920).
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::{Clock, EmailAddress, Instant};
use crate::mail::resolver::ascii_domain;
use crate::mail::sending::ending::{Ending, Reply, Stage};
use crate::mail::sending::transport::envelope::{Content, Envelope, Limits};
use crate::mail::sending::transport::offers::Offers;
use crate::mail::sending::transport::step::within;
use crate::mail::sending::transport::transcript::Transcript;
use crate::mail::sending::transport::wire::{Broken, Wire};

/// An open conversation.
pub(super) struct Session {
    wire: Wire,
    offers: Offers,
    /// Name and address of the other side.
    pub(super) remote: String,
    /// Our address on this connection.
    pub(super) local: Option<IpAddr>,
    /// Its address.
    pub(super) peer: IpAddr,
    /// Transactions so far.
    pub(super) used: u32,
    /// Since when it waits for the next mail.
    pub(super) idle_since: Instant,
    /// A transaction was begun and not ended.
    unfinished: bool,
    /// An answer is outstanding, or the peer has closed: the next mail needs another connection.
    pub(super) spent: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("remote", &self.remote).field("used", &self.used).finish_non_exhaustive()
    }
}

/// One transaction: everything that it needs beside the connection.
pub(super) struct Transaction<'a> {
    pub(super) clock: &'a Clock,
    pub(super) limits: &'a Limits,
    pub(super) envelope: &'a Envelope,
    pub(super) content: Content<'a>,
}

impl Session {
    pub(super) fn new(wire: Wire, offers: Offers, remote: String, local: Option<IpAddr>, peer: IpAddr) -> Self {
        let idle_since = Instant::BEGINNING;
        Self { wire, offers, remote, local, peer, used: 0, idle_since, unfinished: false, spent: false }
    }

    /// Protocol and cipher; `None` in the clear.
    pub(super) fn cipher(&self) -> Option<String> {
        self.wire.cipher()
    }

    /// One mail to one recipient.
    pub(super) async fn send(&mut self, mail: &Transaction<'_>, log: &mut Transcript) -> Ending {
        self.used += 1;
        let ending = match self.transaction(mail, log).await {
            Ok(reply) => Ending::Accepted(reply),
            Err(ending) => ending,
        };
        self.spent |= !ending.keeps_connection();
        ending
    }

    async fn transaction(&mut self, mail: &Transaction<'_>, log: &mut Transcript) -> Result<Reply, Ending> {
        let (from, to) = self.envelope_commands(mail.envelope, &mail.content)?;
        let mut steps = Vec::with_capacity(4);
        if std::mem::replace(&mut self.unfinished, true) {
            steps.push((Stage::Sender, "RSET".to_owned()));
        }
        steps.extend([(Stage::Sender, from), (Stage::Recipient, to), (Stage::Data, "DATA".to_owned())]);
        if self.offers.pipelining {
            self.all_at_once(&steps, mail, log).await?;
        } else {
            for (stage, line) in &steps {
                log.said(line);
                self.write(&format!("{line}\r\n"), *stage, mail, log).await?;
                let reply = self.reply(mail.limits.command, *stage, mail, log).await?;
                expected(*stage, line, reply)?;
            }
        }
        self.content(mail, log).await
    }

    /// All commands in one write. The first that is refused decides. Where the peer asks for the content all the same, it
    /// gets none (RFC 2920, 3.1).
    async fn all_at_once(
        &mut self,
        steps: &[(Stage, String)],
        mail: &Transaction<'_>,
        log: &mut Transcript,
    ) -> Result<(), Ending> {
        let lines: String = steps.iter().map(|(_, line)| format!("{line}\r\n")).collect();
        steps.iter().for_each(|(_, line)| log.said(line));
        // Part of the commands may be on their way in when writing fails: the replies tell.
        let written = self.write(&lines, Stage::Sender, mail, log).await;
        let mut refused = written.err();
        for (stage, line) in steps {
            let reply = match self.reply(mail.limits.command, *stage, mail, log).await {
                Ok(reply) => reply,
                Err(ending) => {
                    self.spent = true;
                    return Err(refused.unwrap_or(ending));
                }
            };
            let (gone, asks) = (reply.code() == 421, *stage == Stage::Data && reply.code() == 354);
            match expected(*stage, line, reply) {
                Err(ending) if refused.is_none() || gone => refused = Some(refused.unwrap_or(ending)),
                Ok(()) if asks && refused.is_some() => {
                    self.write(".\r\n", Stage::Data, mail, log).await?;
                    self.reply(mail.limits.command, Stage::Data, mail, log).await?;
                }
                _ => {}
            }
            if gone {
                self.spent = true;
                break;
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn content(&mut self, mail: &Transaction<'_>, log: &mut Transcript) -> Result<Reply, Ending> {
        log.said(&format!("({} octets)", mail.content.len()));
        let limit = mail.limits.content_of(mail.content.len());
        let wire = &mut self.wire;
        let whole = async {
            let sent: Result<(), Broken> = async {
                for piece in mail.content.pieces() {
                    wire.write(&piece).await?;
                }
                wire.flush().await
            }
            .await;
            match (sent, wire.answer().await) {
                (_, Ok(answer)) => Ok(answer),
                // The peer may have refused and closed before it had everything.
                (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
            }
        };
        let answer = within(mail.clock, limit, Stage::Content, whole, log).await?;
        let reply = answer.reply();
        log.heard(&reply.to_string());
        expected(Stage::Content, "the content", reply.clone())?;
        self.unfinished = false;
        Ok(reply)
    }

    async fn write(
        &mut self,
        lines: &str,
        stage: Stage,
        mail: &Transaction<'_>,
        log: &mut Transcript,
    ) -> Result<(), Ending> {
        let both = async {
            self.wire.write(lines.as_bytes()).await?;
            self.wire.flush().await
        };
        within(mail.clock, mail.limits.command, stage, both, log).await
    }

    async fn reply(
        &mut self,
        limit: Duration,
        stage: Stage,
        mail: &Transaction<'_>,
        log: &mut Transcript,
    ) -> Result<Reply, Ending> {
        let answer = within(mail.clock, limit, stage, self.wire.answer(), log).await?;
        let reply = answer.reply();
        log.heard(&reply.to_string());
        Ok(reply)
    }

    /// `MAIL FROM` and `RCPT TO`. A body that is not ASCII is announced as 8BITMIME where that is offered, and does not go
    /// where it is not.
    fn envelope_commands(&self, envelope: &Envelope, content: &Content<'_>) -> Result<(String, String), Ending> {
        let size = content.len() as u64;
        if let Some(max) = self.offers.size.flatten().filter(|max| size > *max) {
            return Err(Ending::TooLarge(max));
        }
        let ascii = |address: &EmailAddress| {
            let domain = ascii_domain(&address.domain())?;
            address.local_part().is_ascii().then(|| format!("{}@{domain}", address.local_part()))
        };
        let sender = envelope.sender.as_ref().map_or(Some(String::new()), ascii);
        let recipient = ascii(&envelope.recipient);
        let plain = content.is_ascii();
        if !plain && !self.offers.eight_bit && !content.has_ascii_body() {
            return Err(Ending::NoEightBit);
        }
        let utf8 = self.offers.utf8 && !plain && !content.has_ascii_header();
        let (sender, recipient, utf8) = match (sender, recipient) {
            (Some(sender), Some(recipient)) => (sender, recipient, utf8),
            _ if self.offers.utf8 => {
                let sender = envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default();
                (sender, envelope.recipient.to_string(), true)
            }
            (_, recipient) => return Err(Ending::NoSmtpUtf8 { recipient: recipient.is_none() }),
        };
        let mut mail = format!("MAIL FROM:<{sender}>");
        if self.offers.size.is_some() {
            mail.push_str(&format!(" SIZE={size}"));
        }
        if self.offers.eight_bit && !plain {
            mail.push_str(" BODY=8BITMIME");
        }
        if utf8 {
            mail.push_str(" SMTPUTF8");
        }
        Ok((mail, format!("RCPT TO:<{recipient}>")))
    }

    /// Says goodbye and closes; does not wait long for a peer that says nothing.
    pub(super) async fn quit(mut self, clock: &Clock) {
        let goodbye = async {
            self.wire.write(b"QUIT\r\n").await?;
            self.wire.flush().await?;
            self.wire.answer().await
        };
        let _ = clock.timeout(Duration::from_secs(5), goodbye).await;
    }
}

/// Whether a reply lets the transaction go on; what it means when not.
fn expected(stage: Stage, line: &str, reply: Reply) -> Result<(), Ending> {
    let fine = if stage == Stage::Data { reply.code() == 354 } else { (200..=299).contains(&reply.code()) };
    match reply.code() {
        _ if fine => Ok(()),
        // What is wrong with RSET is wrong with the connection, not with this mail.
        400..=599 if line != "RSET" => Err(Ending::Refused(stage, reply)),
        _ => Err(Ending::Lost(stage, format!("not an answer to {stage}: {reply}"))),
    }
}
