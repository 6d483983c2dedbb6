//! SMTP receivers for tests: one that we did not write, and one that fails as the test wants.
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mailin_embedded::response::OK;
use mailin_embedded::{Handler, Response, Server, SslConfig};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A mail that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub from: String,
    pub to: Vec<String>,
    pub eight_bit: bool,
    pub data: Vec<u8>,
}

type Mails = Arc<Mutex<Vec<Received>>>;

/// A receiver built on mailin-embedded. It takes everything (but the null sender, which it does not know). It cannot be
/// stopped: its thread ends with the test's process.
pub(crate) struct SmtpSink {
    pub address: SocketAddr,
    mails: Mails,
}

impl SmtpSink {
    pub(crate) fn start(place: &str) -> Self {
        Self::start_with(place, SslConfig::None)
    }

    /// One that offers STARTTLS with a certificate that nobody vouches for.
    pub(crate) fn start_tls(place: &str) -> Self {
        Self::start_tls_until(place, 2100)
    }

    /// The same, with a certificate that was good until the beginning of this year.
    pub(crate) fn start_tls_until(place: &str, year: i32) -> Self {
        // More than one provider is linked into the tests, so that rustls does not choose by itself.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut of_sink = rcgen::CertificateParams::new(vec!["sink.example".to_owned()]).expect("parameters");
        (of_sink.not_before, of_sink.not_after) = (rcgen::date_time_ymd(2000, 1, 1), rcgen::date_time_ymd(year, 1, 1));
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = of_sink.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::write(path("cert"), certificate.pem()).expect("written");
        std::fs::write(path("key"), key.serialize_pem()).expect("written");
        Self::start_with(place, SslConfig::SelfSigned { cert_path: path("cert"), key_path: path("key") })
    }

    fn start_with(place: &str, tls: SslConfig) -> Self {
        let listener = StdListener::bind(place).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mails = Mails::default();
        let mut server = Server::new(Collector { mails: mails.clone(), open: Received::default() });
        server.with_name("sink.example").with_ssl(tls).expect("a usable certificate").with_tcp_listener(listener);
        std::thread::spawn(move || server.serve().is_ok());
        Self { address, mails }
    }

    /// What has arrived, oldest first.
    pub(crate) fn mails(&self) -> Vec<Received> {
        self.mails.lock().expect("mails").clone()
    }
}

#[derive(Clone)]
struct Collector {
    mails: Mails,
    open: Received,
}

impl Handler for Collector {
    fn mail(&mut self, _ip: IpAddr, _domain: &str, _from: &str) -> Response {
        self.open = Received::default();
        OK
    }

    fn data_start(&mut self, _domain: &str, from: &str, eight_bit: bool, to: &[String]) -> Response {
        self.open = Received { from: from.to_owned(), to: to.to_vec(), eight_bit, data: Vec::new() };
        OK
    }

    fn data(&mut self, part: &[u8]) -> io::Result<()> {
        self.open.data.extend_from_slice(part);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        self.mails.lock().expect("mails").push(std::mem::take(&mut self.open));
        OK
    }
}

/// How a [`FaultySmtp`] greets and what it offers.
#[derive(Clone, Copy)]
pub(crate) struct Script {
    pub greeting: &'static str,
    pub offers: &'static [&'static str],
}

impl Default for Script {
    fn default() -> Self {
        Self { greeting: "220 faulty.example ESMTP", offers: &["8BITMIME", "SMTPUTF8"] }
    }
}

/// A receiver that does what the recipient's local part says:
/// `tempfail` 450, `permfail` 550 5.1.1, `greylist` 450 the first time, `421` 421 and close (all at RCPT), `slow` never
/// answers RCPT, `endless` answers RCPT without end, `drop` closes after the content without an answer,
/// `spam` 554 5.7.1 after the content, `bye` is accepted and then the connection closes. All others are accepted. Offers STARTTLS only if the script does, and then closes
/// when it is used. Stops when dropped.
pub(crate) struct FaultySmtp {
    pub address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    mails: Mutex<Vec<Received>>,
    seen: Mutex<HashMap<String, usize>>,
    lines: Mutex<Vec<String>>,
    connections: AtomicUsize,
    puts_off: AtomicBool,
}

impl FaultySmtp {
    pub(crate) async fn start(place: &str, script: Script) -> Self {
        let listener = TcpListener::bind(place).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State::default());
        let shared = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let state = shared.clone();
                tokio::spawn(async move { drop(converse(socket, script, &state).await) });
            }
        });
        Self { address, state, task }
    }

    pub(crate) fn mails(&self) -> Vec<Received> {
        self.state.mails.lock().expect("mails").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// From now on every recipient is put off, or none.
    pub(crate) fn put_off(&self, puts_off: bool) {
        self.state.puts_off.store(puts_off, Ordering::SeqCst);
    }

    /// Every command line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.state.lines.lock().expect("lines").clone()
    }
}

impl Drop for FaultySmtp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(socket: TcpStream, script: Script, state: &State) -> io::Result<()> {
    let mut socket = BufReader::new(socket);
    say(&mut socket, script.greeting).await?;
    let mut open = Received::default();
    loop {
        let Some(line) = hear(&mut socket).await? else { return Ok(()) };
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        state.lines.lock().expect("lines").push(line.clone());
        let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path.to_owned());
        match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => {
                say(&mut socket, "250-faulty.example").await?;
                for offer in script.offers {
                    say(&mut socket, &format!("250-{offer}")).await?;
                }
                say(&mut socket, "250 HELP").await?;
            }
            "MAIL" => {
                open = Received { from: path.unwrap_or_default(), eight_bit: line.contains("8BITMIME"), ..open };
                say(&mut socket, "250 2.1.0 ok").await?;
            }
            "RCPT" => {
                let to = path.unwrap_or_default();
                let count = *state.seen.lock().expect("seen").entry(to.clone()).and_modify(|n| *n += 1).or_insert(1);
                open.to = vec![to.clone()];
                match to.split('@').next().unwrap_or_default() {
                    _ if state.puts_off.load(Ordering::SeqCst) => say(&mut socket, "451 4.3.0 try again later").await?,
                    "tempfail" => say(&mut socket, "450 4.2.1 come back later").await?,
                    "greylist" if count == 1 => say(&mut socket, "450 4.7.1 greylisted").await?,
                    "permfail" => say(&mut socket, "550 5.1.1 no such user").await?,
                    "421" => return say(&mut socket, "421 4.3.2 too busy").await,
                    "slow" => std::future::pending().await,
                    "endless" => loop {
                        socket.write_all(&[b'x'; 4096]).await?;
                    },
                    _ => say(&mut socket, "250 2.1.5 ok").await?,
                }
            }
            "DATA" => {
                say(&mut socket, "354 go on").await?;
                open.data = content(&mut socket).await?;
                match open.to.first().and_then(|to| to.split('@').next()) {
                    Some("drop") => return Ok(()),
                    Some("spam") => say(&mut socket, "554 5.7.1 looks like spam").await?,
                    last => {
                        let leaves = last == Some("bye");
                        state.mails.lock().expect("mails").push(std::mem::take(&mut open));
                        say(&mut socket, "250 2.0.0 queued as 1").await?;
                        if leaves {
                            return Ok(());
                        }
                    }
                }
            }
            "STARTTLS" => {
                say(&mut socket, "220 go ahead").await?;
                return Ok(());
            }
            "QUIT" => return say(&mut socket, "221 2.0.0 bye").await,
            _ => say(&mut socket, "250 2.0.0 ok").await?,
        }
    }
}

pub(crate) async fn say(socket: &mut BufReader<TcpStream>, line: &str) -> io::Result<()> {
    socket.write_all(format!("{line}\r\n").as_bytes()).await
}

pub(crate) async fn hear(socket: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    Ok((socket.read_until(b'\n', &mut line).await? > 0).then_some(line))
}

/// The content up to the line with the dot; only CRLF ends a line (RFC 5321, 2.3.8).
pub(crate) async fn content(socket: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let (mut data, mut line) = (Vec::new(), Vec::new());
    loop {
        if socket.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !line.ends_with(b"\r\n") {
            continue;
        }
        if line == b".\r\n" {
            return Ok(data);
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        line.clear();
    }
}
