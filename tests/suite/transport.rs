//! The way out against real sockets: look-ups, order of hosts, faults, and the bytes that arrive.
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use postrider::base::{Clock, Reach, Timestamp};
use postrider::mail::resolver::{Dns, LookupError};
use postrider::mail::resolver::{LookupFailed, RecordLookup};
use postrider::mail::sending::transport;
use postrider::mail::sending::transport::{Delivery, Envelope, Limits, Outcome, TransportOptions};
use postrider::mail::sending::verdict::{Ending, Stage, Verdict, judge};

use crate::dns::TestDns;
use crate::smtp_sink::{FaultySmtp, Script, SmtpSink};

const HELLO: &[u8] = b"From: a@sender.example\r\nSubject: hi\r\n\r\nhello\r\n";

/// The way out, which looks the route up itself.
struct Transport(transport::Transport);

impl Transport {
    async fn deliver(&self, envelope: &Envelope, content: &[u8]) -> Outcome {
        let route = self.0.route(envelope.recipient.domain()).await;
        self.0.deliver(&route, envelope, content.into()).await
    }
}

fn transport(delivery: &str, dns: SocketAddr, mx_port: u16, clock: &Clock) -> Transport {
    let delivery: Delivery = delivery.parse().expect("a delivery mode");
    let hostname = "out.example".to_owned();
    let reach = Reach::new(["127.0.0.0/8", "::1/128"].map(|net| net.parse().expect("a network")).to_vec());
    let options = TransportOptions { delivery, mx_port, reach, hostname, sources: vec![], limits: Limits::default() };
    let way_out = transport::Transport::new(options, Dns::new(&[dns]).expect("a resolver"), clock.clone());
    Transport(way_out.expect("a transport"))
}

fn to(recipient: &str) -> Envelope {
    let sender = Some("a@sender.example".parse().expect("an address"));
    Envelope { sender, recipient: recipient.parse().expect("an address"), require_tls: false }
}

fn accepted(outcome: &Outcome) -> bool {
    matches!(outcome.ending, Ending::Accepted(_))
}

async fn relay_to(address: SocketAddr) -> (Transport, Clock) {
    let clock = Clock::manual(Timestamp::from_secs(1_700_000_000));
    (transport(&format!("relay://{address}"), address, 25, &clock), clock)
}

#[tokio::test]
async fn the_receiver_gets_the_same_bytes() {
    let sink = SmtpSink::start("127.0.0.1:0");
    let faulty = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
    let big = format!("Subject: big\r\n\r\n{}", "0123456789 .\r\n.dots\r\n".repeat(20_000));
    let contents: Vec<Vec<u8>> = vec![
        HELLO.to_vec(),
        b"Subject: dots\r\n\r\n.\r\n..\r\n...three\r\n.\r\n\r\n".to_vec(),
        b".starts with a dot: yes\r\n\r\n\r\n\r\n\r\n".to_vec(),
        "Subject: déjà vu\r\n\r\nünïcödé\r\n".as_bytes().to_vec(),
        b"Subject: latin\r\n\r\nd\xe9j\xe0 vu\r\n".to_vec(),
        big.into_bytes(),
    ];
    for (address, judge) in [(sink.address, true), (faulty.address, false)] {
        let (transport, _) = relay_to(address).await;
        for content in &contents {
            let outcome = transport.deliver(&to("b@there.example"), content).await;
            assert!(accepted(&outcome), "{outcome:?}");
        }
        let got = if judge { sink.mails() } else { faulty.mails() };
        assert_eq!(got.len(), contents.len());
        for (mail, content) in got.iter().zip(&contents) {
            assert!(mail.data == *content, "{:?} is not {:?}", show(&mail.data), show(content));
            assert_eq!(mail.to, ["b@there.example"]);
            assert_eq!((mail.from.as_str(), mail.eight_bit), ("a@sender.example", !content.is_ascii()));
        }
    }
    assert_eq!(faulty.connections(), 1, "the connection was used again");
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(200).collect()
}

#[tokio::test]
async fn each_refusal_has_its_ending_and_the_connection_goes_on() {
    let faulty = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
    let (transport, _) = relay_to(faulty.address).await;
    for (recipient, stage, code) in [
        ("permfail@x.example", Stage::Recipient, 550),
        ("tempfail@x.example", Stage::Recipient, 450),
        ("spam@x.example", Stage::Content, 554),
    ] {
        let outcome = transport.deliver(&to(recipient), HELLO).await;
        let Ending::Refused(at, reply) = &outcome.ending else { panic!("{outcome:?}") };
        assert_eq!((*at, reply.code()), (stage, code));
        assert!(outcome.transcript.contains(&format!("< {code} ")), "{}", outcome.transcript);
    }
    assert!(accepted(&transport.deliver(&to("fine@x.example"), HELLO).await));
    assert_eq!((faulty.connections(), faulty.mails().len()), (1, 1));
    assert!(faulty.lines().contains(&"RSET".to_owned()));
}

#[tokio::test]
async fn lost_connections_are_temporary_and_not_used_again() {
    let faulty = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
    let (transport, _) = relay_to(faulty.address).await;
    for (recipient, ending) in [
        ("drop@x.example", "Lost(Content"),
        ("421@x.example", "Refused(Recipient"),
        ("endless@x.example", "Lost(Recipient"),
    ] {
        let outcome = transport.deliver(&to(recipient), HELLO).await;
        assert!(format!("{:?}", outcome.ending).starts_with(ending), "{outcome:?}");
        assert!(matches!(judge(&outcome.ending), Verdict::Deferred(_)));
        assert!(accepted(&transport.deliver(&to("fine@x.example"), HELLO).await));
    }
}

#[tokio::test]
async fn a_waiting_connection_is_dropped_in_time_and_replaced_when_it_died() {
    let faulty = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
    let address = faulty.address;
    let (transport, clock) = relay_to(address).await;
    assert!(accepted(&transport.deliver(&to("one@x.example"), HELLO).await));
    clock.advance(Duration::from_secs(60));
    assert!(accepted(&transport.deliver(&to("two@x.example"), HELLO).await));
    assert_eq!(faulty.connections(), 2, "an idle connection is not kept for a minute");
    assert!(accepted(&transport.deliver(&to("bye@x.example"), HELLO).await));
    let outcome = transport.deliver(&to("three@x.example"), HELLO).await;
    assert!(accepted(&outcome) && outcome.transcript.contains("= reuse"), "{}", outcome.transcript);
    assert_eq!((faulty.connections(), faulty.mails().len()), (3, 4));
}

#[tokio::test]
async fn a_peer_that_says_nothing_runs_into_the_limit() {
    let faulty = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
    let (transport, clock) = relay_to(faulty.address).await;
    let envelope = to("slow@x.example");
    let delivery = transport.deliver(&envelope, HELLO);
    tokio::pin!(delivery);
    // The clock stands: without the move the delivery would wait for ever.
    loop {
        tokio::select! {
            biased;
            outcome = &mut delivery => {
                assert_eq!(outcome.ending, Ending::TimedOut(Stage::Recipient));
                return;
            }
            () = tokio::task::yield_now() => {
                if faulty.lines().iter().any(|line| line.starts_with("RCPT")) {
                    clock.advance(Duration::from_secs(301));
                }
            }
        }
    }
}

#[tokio::test]
async fn tls_is_used_where_it_is_offered_whoever_vouches_for_it() {
    let sink = SmtpSink::start_tls("127.0.0.1:0");
    let (transport, _) = relay_to(sink.address).await;
    for n in 1..=2 {
        let outcome = transport.deliver(&to("b@x.example"), HELLO).await;
        assert!(accepted(&outcome) && outcome.tls.is_some(), "{outcome:?}");
        assert_eq!((sink.mails().len(), sink.mails()[0].data.as_slice()), (n, HELLO));
    }
}

#[tokio::test]
async fn broken_tls_falls_back_to_the_clear_without_a_login_and_a_login_needs_auth() {
    let script = Script { offers: &["STARTTLS"], ..Script::default() };
    let faulty = FaultySmtp::start("127.0.0.1:0", script).await;
    let (transport, clock) = relay_to(faulty.address).await;
    let outcome = transport.deliver(&to("fine@x.example"), HELLO).await;
    assert!(accepted(&outcome) && outcome.tls.is_none(), "{outcome:?}");
    assert_eq!(faulty.connections(), 2);
    let outcome = transport.deliver(&Envelope { require_tls: true, ..to("fine@x.example") }, HELLO).await;
    assert!(matches!(outcome.ending, Ending::NoTls(_)), "{outcome:?}");
    let login = format!("relay://user:hunter2@{}", faulty.address);
    let outcome = self::transport(&login, faulty.address, 25, &clock).deliver(&to("fine@x.example"), HELLO).await;
    assert_eq!(outcome.ending, Ending::NoLogin);
    assert!(!outcome.transcript.contains("hunter2"));
}

/// As in SES, `REQUIRE` asks for a connection that nobody overhears, not for who is at its end.
#[tokio::test]
async fn required_tls_takes_any_certificate_and_never_a_connection_in_the_clear() {
    let required = || Envelope { require_tls: true, ..to("b@x.example") };
    for year in [2001, 2100] {
        let sink = SmtpSink::start_tls_until("127.0.0.1:0", year);
        let outcome = relay_to(sink.address).await.0.deliver(&required(), HELLO).await;
        assert!(accepted(&outcome) && outcome.tls.is_some(), "{year}: {outcome:?}");
    }
    let clear = SmtpSink::start("127.0.0.1:0");
    let (transport, _) = relay_to(clear.address).await;
    assert!(accepted(&transport.deliver(&to("b@x.example"), HELLO).await), "a connection waits now");
    let outcome = transport.deliver(&required(), HELLO).await;
    assert_eq!((outcome.ending, clear.mails().len()), (Ending::TlsNotOffered, 1));
}

#[tokio::test]
async fn a_mail_host_may_be_an_alias_and_may_have_an_ipv6_address_only() {
    let dns = TestDns::start().await;
    let sink = SmtpSink::start("127.0.0.1:0");
    let port = sink.address.port();
    dns.mx("aliased.example", 10, "alias.hosts.example");
    dns.cname("alias.hosts.example", "second.hosts.example");
    dns.cname("second.hosts.example", "real.hosts.example");
    dns.a("real.hosts.example", Ipv4Addr::LOCALHOST);
    // The domain itself may be an alias of one that has mail hosts.
    dns.cname("other.example", "aliased.example");
    dns.mx("six.example", 10, "six.hosts.example");
    dns.aaaa("six.hosts.example", Ipv6Addr::LOCALHOST);
    dns.mx("both.example", 10, "both.hosts.example");
    dns.aaaa("both.hosts.example", Ipv6Addr::LOCALHOST);
    dns.a("both.hosts.example", Ipv4Addr::new(127, 0, 0, 77));
    let clock = Clock::manual(Timestamp::from_secs(1_700_000_000));
    let transport = transport("mx", dns.address, port, &clock);
    for domain in ["aliased.example", "other.example"] {
        let outcome = transport.deliver(&to(&format!("b@{domain}")), HELLO).await;
        assert!(accepted(&outcome) && outcome.peer == Some(Ipv4Addr::LOCALHOST.into()), "{domain}: {outcome:?}");
    }
    let reached = |outcome: &Outcome| outcome.remote.clone().unwrap_or_default();
    let nobody = transport.deliver(&to("b@six.example"), HELLO).await;
    assert!(matches!(nobody.ending, Ending::Unreachable(_)), "{nobody:?}");
    assert_eq!(
        (reached(&nobody), nobody.peer),
        (format!("six.hosts.example [::1]:{port}"), Some(Ipv6Addr::LOCALHOST.into()))
    );
    // A machine without IPv6 sends to the hosts that have both all the same.
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let sink = SmtpSink::start(&format!("[::1]:{port}"));
        for domain in ["six.example", "both.example"] {
            let outcome = transport.deliver(&to(&format!("b@{domain}")), HELLO).await;
            assert!(accepted(&outcome) && outcome.peer == Some(Ipv6Addr::LOCALHOST.into()), "{domain}: {outcome:?}");
        }
        assert_eq!(sink.mails().len(), 2);
    }
}

#[tokio::test]
async fn mail_hosts_are_tried_in_order_until_one_decides() {
    let dns = TestDns::start().await;
    let best = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
    let port = best.address.port();
    let closed = Script { greeting: "554 go away", ..Script::default() };
    let hostile = FaultySmtp::start(&format!("127.0.0.2:{port}"), closed).await;
    let last = FaultySmtp::start(&format!("127.0.0.3:{port}"), Script::default()).await;
    for (host, n) in [("best", 1), ("hostile", 2), ("last", 3), ("dead", 4)] {
        dns.a(&format!("{host}.hosts.example"), Ipv4Addr::new(127, 0, 0, n));
    }
    let clock = Clock::manual(Timestamp::from_secs(1_700_000_000));
    let transport = transport("mx", dns.address, port, &clock);
    let hosts = |domain: &str, hosts: &[&str]| {
        for (n, host) in (1_u16..).zip(hosts) {
            dns.mx(domain, n * 10, &format!("{host}.hosts.example"));
        }
    };
    hosts("order.example", &["best", "last"]);
    hosts("down.example", &["missing", "dead", "hostile", "last"]);
    hosts("gone.example", &["missing", "missing-too"]);
    hosts("alldead.example", &["dead", "missing"]);

    let outcome = transport.deliver(&to("a@order.example"), HELLO).await;
    assert!(
        accepted(&outcome)
            && outcome.remote.as_deref().is_some_and(|r| r.starts_with("best.hosts.example [127.0.0.1]"))
    );
    let outcome = transport.deliver(&to("a@down.example"), HELLO).await;
    assert!(accepted(&outcome), "{outcome:?}");
    assert_eq!((best.mails().len(), hostile.connections(), last.mails().len()), (1, 1, 1));

    // A refusal for good is the answer; a temporary one sends us to the next host.
    let outcome = transport.deliver(&to("permfail@order.example"), HELLO).await;
    assert!(matches!(outcome.ending, Ending::Refused(..)));
    assert!(!last.lines().contains(&"RCPT TO:<permfail@order.example>".to_owned()));
    let outcome = transport.deliver(&to("tempfail@order.example"), HELLO).await;
    assert!(matches!(outcome.ending, Ending::Refused(..)));
    assert!(last.lines().contains(&"RCPT TO:<tempfail@order.example>".to_owned()));
    // Nobody may have it twice: after the content was sent, the next host is not asked.
    let outcome = transport.deliver(&to("drop@order.example"), HELLO).await;
    assert!(matches!(outcome.ending, Ending::Lost(Stage::Content, _)));
    assert!(!last.lines().contains(&"RCPT TO:<drop@order.example>".to_owned()));

    let outcome = transport.deliver(&to("a@gone.example"), HELLO).await;
    assert_eq!(outcome.ending, Ending::NoRoute(LookupError::NoRecord));
    let outcome = transport.deliver(&to("a@alldead.example"), HELLO).await;
    assert!(matches!(outcome.ending, Ending::Unreachable(_)), "{outcome:?}");
}

#[tokio::test]
async fn the_dns_decides_about_domains() {
    let dns = TestDns::start().await;
    let sink = SmtpSink::start("127.0.0.1:0");
    dns.a("implicit.example", Ipv4Addr::LOCALHOST);
    dns.cname("alias.example", "implicit.example");
    dns.mx("null.example", 0, ".");
    dns.txt("texts.only.example", "no host here");
    dns.breaks("broken.example");
    dns.mx("xn--bcher-kva.example", 5, "implicit.example");
    let clock = Clock::manual(Timestamp::from_secs(1_700_000_000));
    let transport = transport("mx", dns.address, sink.address.port(), &clock);
    for (domain, ending) in [
        ("nowhere.example", "NoRoute(NoDomain)"),
        ("null.example", "NoRoute(NullMx)"),
        ("texts.only.example", "NoRoute(NoRecord)"),
        ("broken.example", "NoRoute(Temporary("),
        ("implicit.example", "Accepted("),
        ("alias.example", "Accepted("),
        ("bücher.example", "Accepted("),
    ] {
        let outcome = transport.deliver(&to(&format!("b@{domain}")), HELLO).await;
        assert!(format!("{:?}", outcome.ending).starts_with(ending), "{domain}: {outcome:?}");
    }
    assert_eq!(sink.mails().last().map(|mail| mail.to.clone()), Some(vec!["b@xn--bcher-kva.example".to_owned()]));
    // mailin-embedded does not offer SMTPUTF8.
    assert_eq!(
        transport.deliver(&to("jürgen@implicit.example"), HELLO).await.ending,
        Ending::NoSmtpUtf8 { recipient: true }
    );
}

#[tokio::test]
async fn texts_and_preferences_are_read() {
    let dns = TestDns::start().await;
    let long = format!("v=DKIM1; k=rsa; p={}", "A".repeat(400));
    dns.txt("sel._domainkey.x.example", &long);
    for host in ["c", "a", "b"] {
        dns.mx("x.example", 10, &format!("{host}.example"));
    }
    dns.mx("x.example", 5, "first.example");
    let asker = Dns::new(&[dns.address]).expect("a resolver");
    assert_eq!(asker.texts("sel._domainkey.x.example").await, Ok(vec![long]));
    assert_eq!(asker.texts("nothing.x.example").await, Err(LookupError::NoDomain));
    dns.txt("new.x.example", "one");
    for _ in 0..2 {
        assert_eq!(asker.texts("new.x.example").await, Ok(vec!["one".to_owned()]));
        assert_eq!(asker.txt("new.x.example").await, Ok(vec!["one".to_owned()]));
    }
    dns.txt("new.x.example", "two");
    assert_eq!(asker.texts("new.x.example").await, Ok(vec!["one".to_owned()]), "answers are kept for their time");
    assert_eq!(asker.txt("new.x.example").await.map(|texts| texts.len()), Ok(2), "a verification asks anew");
    // What was not there a moment ago is seen, along a CNAME too.
    dns.cname("token.x.example", "token.zone.example");
    for _ in 0..2 {
        assert_eq!(asker.txt("token.x.example").await, Err(LookupFailed::NoName));
        assert_eq!(asker.mx("later.x.example").await, Err(LookupFailed::NoName));
    }
    dns.txt("token.zone.example", "here");
    dns.mx("later.x.example", 10, "MX.x.example");
    assert_eq!(asker.txt("token.x.example").await, Ok(vec!["here".to_owned()]));
    assert_eq!(asker.mx("later.x.example").await, Ok(vec!["mx.x.example".to_owned()]));
    assert_eq!(asker.mx("new.x.example").await, Err(LookupFailed::NoRecord));
    let domain = "x.example".parse().expect("a domain");
    let mut seconds = std::collections::HashSet::new();
    for _ in 0..60 {
        let hosts = asker.mail_hosts(&domain).await.expect("hosts");
        assert_eq!((hosts.len(), hosts[0].as_str()), (4, "first.example"));
        seconds.insert(hosts[1].clone());
    }
    assert_eq!(seconds.len(), 3, "hosts of one preference take turns");
}
