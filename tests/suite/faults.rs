//! A receiver with one fault: at one stage of the conversation it refuses, hangs, hangs up or talks nonsense, until it is
//! healed.
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::smtp_sink::{Received, content, hear, say};

/// Where the fault is: what the receiver would answer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Banner,
    Hello,
    StartTls,
    /// After STARTTLS was answered with 220.
    Handshake,
    Mail,
    Rcpt,
    Data,
    /// After the content, before the answer to it.
    Content,
}

/// What it does there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers this.
    Says(&'static str),
    /// Says nothing, and waits.
    Hangs,
    /// Closes the connection.
    Leaves,
    /// Sends what is no SMTP.
    Garbage,
    /// Begins a reply that does not end.
    Endless,
    /// Gives the right answer in octets that are not UTF-8.
    NotUtf8,
}

/// The receiver. Stops when dropped.
pub(crate) struct FaultyReceiver {
    pub address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    fault: Mutex<Option<(At, Fault)>>,
    offers: &'static [&'static str],
    mails: Mutex<Vec<Received>>,
    hanging: AtomicUsize,
    changed: Notify,
}

impl FaultyReceiver {
    pub(crate) async fn start(place: &str, offers: &'static [&'static str], fault: Option<(At, Fault)>) -> Self {
        let listener = TcpListener::bind(place).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State { fault: Mutex::new(fault), offers, ..State::default() });
        let shared = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move { drop(converse(socket, &state).await) });
            }
        });
        Self { address, state, task }
    }

    /// From now on everything is fine.
    pub(crate) fn heal(&self) {
        *self.state.fault.lock().expect("fault") = None;
    }

    pub(crate) fn mails(&self) -> Vec<Received> {
        self.state.mails.lock().expect("mails").clone()
    }

    /// Returns once so many conversations hang.
    pub(crate) async fn hanging(&self, count: usize) {
        self.until(|state| state.hanging.load(Ordering::SeqCst) >= count).await;
    }

    /// Returns once so many mails have come.
    pub(crate) async fn has(&self, count: usize) {
        self.until(|state| state.mails.lock().expect("mails").len() >= count).await;
    }

    async fn until(&self, done: impl Fn(&State) -> bool) {
        loop {
            let changed = self.state.changed.notified();
            if done(&self.state) {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for FaultyReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Socket = BufReader<TcpStream>;

impl State {
    /// Whether the transaction was refused before any content could come.
    fn refuses_content(&self) -> bool {
        let fault = *self.fault.lock().expect("fault");
        matches!(fault, Some((At::Mail | At::Rcpt | At::Data, fault)) if fault != Fault::NotUtf8)
    }

    /// Answers, or does what is wrong here. False when the conversation is over.
    async fn answer(&self, socket: &mut Socket, at: At, right: &str) -> io::Result<bool> {
        let fault = *self.fault.lock().expect("fault");
        let Some((_, fault)) = fault.filter(|(place, _)| *place == at) else {
            say(socket, right).await?;
            return Ok(true);
        };
        match fault {
            Fault::Says(text) => {
                say(socket, text).await?;
                Ok(!text.starts_with("421"))
            }
            Fault::Hangs => {
                self.hanging.fetch_add(1, Ordering::SeqCst);
                self.changed.notify_one();
                std::future::pending().await
            }
            Fault::Leaves => Ok(false),
            Fault::Garbage => {
                socket.write_all(b"\x16\x03\x01 HTTP/1.1 400 Bad Request\r\n\r\n").await?;
                Ok(true)
            }
            Fault::Endless => loop {
                socket.write_all(&b"250-and so on\r\n".repeat(100)).await?;
            },
            Fault::NotUtf8 => {
                let (code, _) = right.split_at(3);
                socket.write_all(code.as_bytes()).await?;
                socket.write_all(b" \xff\xfe d\xe9j\xe0 vu\r\n").await?;
                Ok(true)
            }
        }
    }
}

async fn converse(socket: TcpStream, state: &State) -> io::Result<()> {
    let mut socket = BufReader::new(socket);
    if !state.answer(&mut socket, At::Banner, "220 faulty.example ESMTP").await? {
        return Ok(());
    }
    let mut open = Received::default();
    while let Some(line) = hear(&mut socket).await? {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let path = || line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned());
        let goes_on = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => {
                let offers: String = state.offers.iter().map(|offer| format!("250-{offer}\r\n")).collect();
                state.answer(&mut socket, At::Hello, &format!("250-faulty.example\r\n{offers}250 HELP")).await?
            }
            "HELO" => state.answer(&mut socket, At::Hello, "250 faulty.example").await?,
            "STARTTLS" => {
                let asked = state.answer(&mut socket, At::StartTls, "220 go ahead").await?;
                // Nobody here knows TLS. What hangs does so once the client has begun.
                if asked && socket.fill_buf().await.is_ok() {
                    state.answer(&mut socket, At::Handshake, "450 not really").await?;
                }
                return Ok(());
            }
            "MAIL" => {
                open = Received { from: path().unwrap_or_default(), eight_bit: line.contains("8BITMIME"), ..open };
                state.answer(&mut socket, At::Mail, "250 2.1.0 ok").await?
            }
            "RCPT" => {
                open.to = vec![path().unwrap_or_default()];
                state.answer(&mut socket, At::Rcpt, "250 2.1.5 ok").await?
            }
            "DATA" => {
                let asks = state.answer(&mut socket, At::Data, "354 go on").await?;
                let refuses = state.refuses_content();
                if !asks || refuses {
                    asks
                } else {
                    open.data = content(&mut socket).await?;
                    let fault = state.fault.lock().expect("fault").filter(|(at, _)| *at == At::Content);
                    if fault.is_none_or(|(_, fault)| fault == Fault::NotUtf8) {
                        state.mails.lock().expect("mails").push(std::mem::take(&mut open));
                    }
                    let goes_on = state.answer(&mut socket, At::Content, "250 2.0.0 taken").await?;
                    state.changed.notify_one();
                    goes_on
                }
            }
            "QUIT" => return say(&mut socket, "221 2.0.0 bye").await,
            _ => {
                say(&mut socket, "250 2.0.0 ok").await?;
                true
            }
        };
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}
