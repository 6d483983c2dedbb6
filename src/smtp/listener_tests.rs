//! Real sockets, real TLS, another's client (lettre), and a fake of the floors below.
use std::sync::Mutex;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls as ClientTls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;
use crate::base::{AccountId, EmailAddress, Region, Timestamp};
use crate::smtp::auth::{Login, Principal};
use crate::smtp::upstream::{InboundMessage, Refusal, SubmittedMessage};

#[path = "crowded_tests.rs"]
mod crowded;

/// Takes mail for `here.example`, knows `user` with `pass`, and keeps what it gets once there is a permit.
struct Fake {
    mails: Mutex<Vec<(String, String)>>,
    permits: Semaphore,
    asked: Semaphore,
}

impl Fake {
    async fn keep(&self, to: String, data: &[u8]) -> Result<String, Refusal> {
        self.asked.add_permits(1);
        self.permits.acquire().await.expect("open").forget();
        if data.ends_with(b"fail\r\n") {
            return Err(Refusal::Failed("the disk is full of secrets".into()));
        }
        let mut mails = self.mails.lock().expect("no panic");
        mails.push((to, String::from_utf8_lossy(data).into_owned()));
        Ok(format!("m{}", mails.len()))
    }
}

impl Upstream for Fake {
    type Route = ();

    async fn route(&self, to: &EmailAddress, _peer: IpAddr, _tls: bool) -> Result<(), Refusal> {
        if to.domain().as_str() == "here.example" { Ok(()) } else { Err((&reply::NO_SUCH_MAILBOX).into()) }
    }

    async fn authenticate(&self, login: &Login) -> Result<Option<Principal>, Refusal> {
        let right = login.user == "user" && login.password.matches("pass");
        let (account, region) = (AccountId::development(), Region::default_region());
        Ok(right.then_some(Principal { account, region, caller: login.user.clone() }))
    }

    async fn receive(&self, mail: InboundMessage<()>) -> Result<String, Refusal> {
        self.keep(mail.recipients.iter().map(|(to, ())| to.to_string()).collect(), &mail.data).await
    }

    async fn submit(&self, mail: SubmittedMessage) -> Result<String, Refusal> {
        self.keep(mail.recipients.iter().map(ToString::to_string).collect(), &mail.data).await
    }
}

struct House {
    address: SocketAddr,
    clock: Clock,
    fake: Arc<Fake>,
    stop: CancellationToken,
    served: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl House {
    async fn open(mode: Mode, implicit_tls: bool, limits: Limits) -> Self {
        Self::open_within(mode, implicit_tls, limits, Memory::default()).await
    }

    async fn open_within(mode: Mode, implicit_tls: bool, limits: Limits, memory: Memory) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Clock::manual(Timestamp::from_secs(1_767_323_045));
        let permits = Semaphore::new(100);
        let fake = Arc::new(Fake { mails: Mutex::default(), permits, asked: Semaphore::new(0) });
        let service = Service {
            mode,
            hostname: "mx.here.example".to_owned(),
            limits,
            memory,
            tls: Some(Arc::new(Tls::own(dir.path(), "mx.here.example").expect("a certificate"))),
            implicit_tls,
            clock: clock.clone(),
            upstream: Arc::clone(&fake),
        };
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), service).await.expect("a free port");
        let (address, stop) = (listener.address(), CancellationToken::new());
        let served = tokio::spawn(listener.serve(stop.clone(), Duration::from_secs(20)));
        Self { address, clock, fake, stop, served, _dir: dir }
    }

    async fn raw(&self) -> Raw {
        self.raw_from([127, 0, 0, 1]).await
    }

    /// A client at another address of this machine.
    async fn raw_from(&self, address: [u8; 4]) -> Raw {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((address, 0).into()).expect("an address of ours");
        let stream = socket.connect(self.address).await.expect("a connection");
        stream.set_nodelay(true).expect("small pieces go at once");
        Raw(BufReader::new(stream))
    }

    fn client(&self, tls: fn(TlsParameters) -> ClientTls, mechanism: Mechanism) -> AsyncSmtpTransport<Tokio1Executor> {
        let parameters = TlsParameters::builder("mx.here.example".to_owned());
        let parameters = parameters.dangerous_accept_invalid_certs(true).build().expect("parameters");
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
            .port(self.address.port())
            .tls(tls(parameters))
            .credentials(Credentials::new("user".to_owned(), "pass".to_owned()))
            .authentication(vec![mechanism])
            .build()
    }

    fn mails(&self) -> Vec<(String, String)> {
        self.fake.mails.lock().expect("no panic").clone()
    }
}

/// A client that sends what it is told.
struct Raw(BufReader<TcpStream>);

impl Raw {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("sent");
    }

    /// The next reply's last line; empty at the end of the connection.
    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.expect("a line");
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.reply().await
    }
}

const BEGIN: &str = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@here.example>\r\nDATA\r\n";

async fn in_data(house: &House) -> Raw {
    let mut raw = house.raw().await;
    raw.send(&format!("EHLO x\r\n{BEGIN}")).await;
    for code in ["220", "250", "250", "250", "354"] {
        assert!(raw.reply().await.starts_with(code));
    }
    raw
}

fn envelope() -> Envelope {
    let address = |text: &str| text.parse().expect("an address");
    Envelope::new(Some(address("a@b.example")), vec![address("c@here.example")]).expect("an envelope")
}

#[tokio::test]
async fn another_ones_client_sends_under_tls_in_every_way() {
    for (implicit, tls) in [(false, ClientTls::Required as fn(_) -> _), (true, ClientTls::Wrapper as fn(_) -> _)] {
        for mechanism in [Mechanism::Plain, Mechanism::Login] {
            let house = House::open(Mode::Submission, implicit, Limits::default()).await;
            let client = house.client(tls, mechanism);
            // lettre ends every message with a CRLF of its own.
            let response = client.send_raw(&envelope(), b"Subject: x\r\n\r\n.hidden").await.expect("accepted");
            assert_eq!(response.first_line(), Some("Ok m1"));
            let (to, data) = house.mails().remove(0);
            assert_eq!(to, "c@here.example");
            assert!(
                data.starts_with("Received: from ") && data.ends_with("\r\nSubject: x\r\n\r\n.hidden\r\n"),
                "{data}"
            );
        }
    }
}

#[tokio::test]
async fn mail_comes_in_from_another_ones_server_with_starttls() {
    let house = House::open(Mode::Inbound, false, Limits::default()).await;
    let hello = ClientId::Domain("client.example".to_owned());
    let mut client =
        AsyncSmtpConnection::connect_tokio1(house.address, None, &hello, None, None).await.expect("a session");
    let parameters = TlsParameters::builder("mx.here.example".to_owned());
    let parameters = parameters.dangerous_accept_invalid_certs(true).build().expect("parameters");
    client.starttls(parameters, &hello).await.expect("tls");
    assert!(client.is_encrypted() && !client.can_starttls());
    for n in 1..=2 {
        let response = client.send(&envelope(), b"Hi").await.expect("accepted");
        assert_eq!(response.first_line(), Some(format!("2.0.0 Ok m{n}").as_str()));
    }
    assert_eq!(house.mails(), vec![("c@here.example".to_owned(), "Hi\r\n".to_owned()); 2]);
}

#[tokio::test]
async fn the_yes_comes_only_after_the_floors_below_said_yes() {
    let house = House::open(Mode::Inbound, false, Limits::default()).await;
    house.fake.permits.forget_permits(100);
    let mut raw = in_data(&house).await;
    raw.send("Hi\r\n.\r\n").await;
    house.fake.asked.acquire().await.expect("open").forget();
    let mut byte = [0];
    assert_eq!(raw.0.get_ref().try_read(&mut byte).map_err(|e| e.kind()), Err(io::ErrorKind::WouldBlock));
    house.fake.permits.add_permits(1);
    assert_eq!(raw.reply().await, "250 2.0.0 Ok m1");
}

#[tokio::test]
async fn our_failures_are_bland_and_temporary() {
    let house = House::open(Mode::Inbound, false, Limits::default()).await;
    let mut raw = in_data(&house).await;
    let answer = raw.ask("fail\r\n.\r\n").await;
    assert!(answer.starts_with("451 4.3.0 Temporary failure, please try again later ("), "{answer}");
    assert!(!answer.contains("disk"));
    assert!(raw.ask("NOOP\r\n").await.starts_with("250"));
}

#[tokio::test]
async fn commands_before_tls_are_never_carried_out_after_it() {
    let house = House::open(Mode::Inbound, false, Limits::default()).await;
    let mut raw = house.raw().await;
    raw.reply().await;
    assert_eq!(raw.ask("STARTTLS\r\nEHLO evil\r\nMAIL FROM:<>\r\n").await, "220 2.0.0 Ready to start TLS");
    // No handshake comes, but more plain text: the connection ends without another word of SMTP.
    raw.send("RCPT TO:<c@here.example>\r\n").await;
    let mut rest = Vec::new();
    let _ = raw.0.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"2") && !rest.starts_with(b"5"), "{rest:?}");
}

#[tokio::test]
async fn the_slow_are_timed_out_and_the_long_are_cut_short() {
    let house = House::open(Mode::Inbound, false, Limits::default()).await;
    let mut raw = house.raw().await;
    assert!(raw.ask("NOOP\r\n").await.starts_with("220") && raw.reply().await.starts_with("250"));
    until_it_says(&house, &mut raw, "421 4.4.2 Timed out waiting for you").await;
    assert_eq!(raw.reply().await, "");
    let mut raw = in_data(&house).await;
    until_it_says(&house, &mut raw, "421 4.4.2 Timed out waiting for you").await;
    let limits = Limits { session: Duration::from_secs(50), ..Limits::default() };
    let house = House::open(Mode::Inbound, false, limits).await;
    let mut raw = in_data(&house).await;
    raw.send("drip").await;
    let words = "421 4.4.2 This session has lasted too long, please connect again";
    until_it_says(&house, &mut raw, words).await;
}

/// Moves the clock until the server speaks: it may not have begun to wait when the clock moves first.
async fn until_it_says(house: &House, raw: &mut Raw, words: &str) {
    let said = loop {
        house.clock.advance(Duration::from_secs(60));
        tokio::select! {
            biased;
            said = raw.reply() => break said,
            () = tokio::task::yield_now() => {}
        }
    };
    assert_eq!(said, words);
}

/// Sends `drop` every 20 seconds until the server speaks; how long that took.
async fn drip(house: &House, raw: &mut Raw, drop: &str) -> (String, Duration) {
    let began = house.clock.now();
    loop {
        raw.send(drop).await;
        house.clock.advance(Duration::from_secs(20));
        tokio::select! {
            biased;
            said = raw.reply() => return (said, house.clock.now().since(began)),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
}

#[tokio::test]
async fn who_sends_an_octet_now_and_then_is_timed_out_too() {
    let limits = || Limits { session: Duration::from_secs(24 * 3600), ..Limits::default() };
    let house = House::open(Mode::Inbound, false, limits()).await;
    let mut raw = house.raw().await;
    raw.reply().await;
    let (said, took) = drip(&house, &mut raw, "x").await;
    assert_eq!(said, "421 4.4.2 Timed out waiting for you");
    assert!(took >= limits().command_wait, "{took:?}");
    let house = House::open(Mode::Inbound, false, limits()).await;
    let mut raw = in_data(&house).await;
    let (said, took) = drip(&house, &mut raw, "x\r\n").await;
    assert_eq!(said, "421 4.4.2 Timed out waiting for you");
    assert!(took >= limits().data_total, "{took:?}");
    assert!(house.mails().is_empty());
}

#[tokio::test]
async fn mistake_after_mistake_makes_the_answers_wait() {
    let limits = Limits { tarpit_after: 1, tarpit: Duration::from_secs(9), ..Limits::default() };
    let house = House::open(Mode::Inbound, false, limits).await;
    let mut raw = house.raw().await;
    raw.reply().await;
    assert!(raw.ask("X\r\n").await.starts_with("500"), "the first is free");
    raw.send("X\r\nX\r\n").await;
    let began = house.clock.now();
    let said = loop {
        tokio::select! {
            biased;
            said = raw.reply() => break said,
            () = tokio::time::sleep(Duration::from_millis(2)) => house.clock.advance(Duration::from_secs(1)),
        }
    };
    assert!(said.starts_with("500") && house.clock.now().since(began) >= Duration::from_secs(18));
}

#[tokio::test]
async fn who_connects_too_often_is_sent_away() {
    let limits = Limits { connections_per_minute: 2, unhurried: vec![], ..Limits::default() };
    let house = House::open(Mode::Inbound, false, limits).await;
    for _ in 0..2 {
        assert!(house.raw().await.reply().await.starts_with("220"));
    }
    assert_eq!(house.raw().await.reply().await, "421 4.7.0 Too many connections, please try again later");
    house.clock.advance(Duration::from_secs(60));
    assert!(house.raw().await.reply().await.starts_with("220"));
}

#[tokio::test]
async fn too_many_sessions_are_sent_away() {
    let house = House::open(Mode::Inbound, false, Limits { sessions_per_peer: 1, ..Limits::default() }).await;
    let mut first = house.raw().await;
    assert!(first.reply().await.starts_with("220"));
    let mut second = house.raw().await;
    assert_eq!(second.reply().await, "421 4.7.0 Too many sessions, please try again later");
    assert!(first.ask("QUIT\r\n").await.starts_with("221") && first.reply().await.is_empty());
}

#[tokio::test]
async fn too_much_message_data_is_put_off() {
    let memory = Memory::new(256 * 1024, Clock::system());
    let house = House::open_within(Mode::Inbound, false, Limits::default(), memory.clone()).await;
    let mut raw = in_data(&house).await;
    let answer = raw.ask(&format!("{}.\r\n", "0123456789\r\n".repeat(20_000))).await;
    assert!(answer.starts_with("452 4.3.1"), "{answer}");
    raw.send("RSET\r\n").await;
    assert!(raw.reply().await.starts_with("250"));
    assert_eq!(memory.used(), 0);
}

#[tokio::test]
async fn a_stop_sends_the_idle_away_and_lets_a_message_finish() {
    let house = House::open(Mode::Inbound, false, Limits::default()).await;
    let (mut idle, mut busy) = (house.raw().await, in_data(&house).await);
    idle.reply().await;
    house.stop.cancel();
    assert!(idle.reply().await.starts_with("421 4.3.2"));
    assert!(!house.served.is_finished());
    assert_eq!(busy.ask("Hi\r\n.\r\n").await, "250 2.0.0 Ok m1");
    assert!(busy.reply().await.starts_with("421 4.3.2"));
    house.served.await.expect("it ends");
    assert!(TcpStream::connect(house.address).await.is_err());
}

#[tokio::test]
async fn who_outlasts_the_grace_is_cut_off() {
    let house = House::open(Mode::Inbound, false, Limits::default()).await;
    let mut raw = in_data(&house).await;
    house.stop.cancel();
    while !house.served.is_finished() {
        house.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.reply().await, "");
    assert!(house.mails().is_empty());
}
