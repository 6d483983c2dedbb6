//! Mail through the SMTP listeners into the store: received for verified domains, sent for users with SES passwords.
use std::sync::Arc;
use std::time::Duration;

use crate::ses_bench::verified_domain;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls as ClientTls, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use postrider::access::{Access, Trust, activate_key, create_account, create_key, deactivate_key, suspend_account};
use postrider::base::{Clock, Memory, Region, Scope, Secret, Timestamp};
use postrider::mail::receiving::Receiving;
use postrider::mail::receiving::rules::{Action, Rule, TlsPolicy};
use postrider::mail::sending::{Limits as SendingLimits, Sending, Settings};
use postrider::queues::Queues;
use postrider::smtp::{Limits, Listener, Mode, PostOffice, Service, Tls, auth};
use postrider::store::{Error, Store, identities, inbound_mails, mails};
use postrider::topics::Topics;
use tokio_util::sync::CancellationToken;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::odd_mail::talk;

struct Bench {
    store: Store,
    clock: Clock,
    owner: Scope,
    key: String,
    secret: Secret,
    inbound: u16,
    submission: u16,
    submissions: u16,
    stop: CancellationToken,
    _database: TestDatabase,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn bench(engine: crate::engine::Engine, trust: Trust) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    let receiving = Receiving::new(store.clone(), clock.clone());
    let topics = Topics::new(store.clone(), clock.clone(), Queues::new(store.clone(), clock.clone()), None, "http://x");
    let settings = Settings { limits: SendingLimits::Unlimited, hostname: "mx.our.example".to_owned() };
    let sending = Sending::new(store.clone(), clock.clone(), topics, settings);
    let account = create_account(&store, None, "test").await.expect("an account");
    let (key, secret) = create_key(&store, &account).await.expect("a key");
    let access = Access::new(store.clone(), trust);
    let office = Arc::new(PostOffice::new(receiving.clone(), sending, access, Region::default_region()));
    let tls = Arc::new(Tls::own(database.dir.path(), "mx.our.example").expect("a certificate"));
    let stop = CancellationToken::new();
    let mut ports = vec![];
    for (mode, implicit_tls) in [(Mode::Inbound, false), (Mode::Submission, false), (Mode::Submission, true)] {
        let service = Service {
            mode,
            hostname: "mx.our.example".to_owned(),
            limits: Limits::default(),
            memory: Memory::default(),
            tls: Some(Arc::clone(&tls)),
            implicit_tls,
            clock: clock.clone(),
            upstream: Arc::clone(&office),
        };
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), service).await.expect("a free port");
        ports.push(listener.address().port());
        tokio::spawn(listener.serve(stop.clone(), Duration::ZERO));
    }
    let owner = Scope { account, region: "us-west-2".parse().expect("a region") };
    verify(&store, &owner, "our.example").await;
    receive_all(&receiving, &owner).await;
    let (inbound, submission, submissions) = (ports[0], ports[1], ports[2]);
    Bench { store, clock, owner, key, secret, inbound, submission, submissions, stop, _database: database }
}

async fn verify(store: &Store, owner: &Scope, domain: &str) {
    let identity = verified_domain(&owner.account, &owner.region, domain, Timestamp::from_secs(1));
    let insert = store.write(move |tx| Box::pin(async move { identities::insert(tx, &identity).await }));
    insert.await.expect("an identity");
}

async fn receive_all(receiving: &Receiving, owner: &Scope) {
    let rule = Rule {
        name: "all".to_owned(),
        enabled: true,
        tls: TlsPolicy::Optional,
        recipients: vec![],
        scan: false,
        actions: vec![Action::Stop { topic: None }],
    };
    receiving.create_rule_set(owner, "set").await.expect("a rule set");
    receiving.create_rule(owner, "set", rule, None).await.expect("a rule");
    receiving.set_active_rule_set(owner, Some("set")).await.expect("active");
}

impl Bench {
    async fn send(&self, port: u16, user: Option<(&str, &str)>, from: &str, to: &str) -> Result<String, String> {
        let parameters = TlsParameters::builder("mx.our.example".to_owned()).dangerous_accept_invalid_certs(true);
        let parameters = parameters.build().expect("parameters");
        let tls = match () {
            () if port == self.submissions => ClientTls::Wrapper(parameters),
            () if port == self.submission => ClientTls::Required(parameters),
            () => ClientTls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(port).tls(tls);
        if let Some((user, password)) = user {
            builder = builder.credentials(Credentials::new(user.to_owned(), password.to_owned()));
        }
        let address = |text: &str| text.parse().expect("an address");
        let envelope = Envelope::new(Some(address(from)), vec![address(to)]).expect("an envelope");
        let message = format!("From: {from}\r\nTo: {to}\r\nSubject: x\r\n\r\n.hidden");
        let sent: Result<Response, _> = builder.build().send_raw(&envelope, message.as_bytes()).await;
        sent.map(|yes| yes.first_line().unwrap_or_default().replace("2.0.0 ", "").replace("Ok ", ""))
            .map_err(|no| no.to_string())
    }

    /// A session of a user, open for several mails.
    async fn logged_in(&self) -> Result<AsyncSmtpConnection, String> {
        let parameters = TlsParameters::builder("mx.our.example".to_owned()).dangerous_accept_invalid_certs(true);
        let parameters = parameters.build().expect("parameters");
        let (address, name) = (("127.0.0.1", self.submissions), ClientId::Domain("client.example".to_owned()));
        let connected = AsyncSmtpConnection::connect_tokio1(address, None, &name, Some(parameters), None).await;
        let mut session = connected.expect("a connection");
        let password = auth::smtp_password(&self.secret, "us-west-2").reveal().to_owned();
        let said = session.auth(&[Mechanism::Plain], &Credentials::new(self.key.clone(), password)).await;
        said.map(|_| session).map_err(|error| error.to_string())
    }

    async fn hand_over(&self, session: &mut AsyncSmtpConnection) -> Result<Response, String> {
        let text = |error: lettre::transport::smtp::Error| error.to_string();
        let address = |text: &str| text.parse().expect("an address");
        session.command(Mail::new(Some(address("me@our.example")), vec![])).await.map_err(text)?;
        session.command(Rcpt::new(address("someone@else.example"), vec![])).await.map_err(text)?;
        session.command(Data).await.map_err(text)?;
        session.message(b"From: me@our.example\r\nSubject: x\r\n\r\nhi\r\n").await.map_err(text)
    }

    async fn inbound_mail(&self, id: String) -> (inbound_mails::InboundMail, Vec<u8>) {
        let read = self.store.read(move |tx| {
            Box::pin(async move {
                let mail = inbound_mails::find(tx, &id).await?.expect("the mail");
                let raw = inbound_mails::raw(tx, &mail.raw_id).await?.expect("its message");
                Ok::<_, Error>((mail, raw))
            })
        });
        read.await.expect("the store")
    }

    async fn sent_mail(&self, id: String) -> (mails::Mail, String) {
        let read = self.store.read(move |tx| {
            Box::pin(async move {
                let mail = mails::find(tx, &id).await?.expect("the mail");
                let raw = mails::raw(tx, &id).await?.expect("its message");
                Ok::<_, Error>((mail, String::from_utf8_lossy(&raw).into_owned()))
            })
        });
        read.await.expect("the store")
    }
}

both_engines! {
    async fn mail_for_a_verified_domain_is_received_and_no_other(engine: Engine) {
        let bench = bench(engine, Trust::KnownKeys).await;
        let id = bench.send(bench.inbound, None, "a@b.example", "me@sub.our.example").await.expect("accepted");
        let (mail, raw) = bench.inbound_mail(id).await;
        assert_eq!((mail.account, mail.region), (bench.owner.account.clone(), bench.owner.region.clone()));
        assert_eq!((mail.source.as_deref(), mail.peer.as_str(), mail.tls), (Some("a@b.example"), "127.0.0.1", false));
        assert_eq!(raw, b"From: a@b.example\r\nTo: me@sub.our.example\r\nSubject: x\r\n\r\n.hidden\r\n");
        let no = bench.send(bench.inbound, None, "a@our.example", "someone@else.example").await.expect_err("no relay");
        assert!(no.contains("550") && no.contains("5.1.1 No such mailbox here"), "{no}");
    }

    async fn users_with_ses_passwords_send_in_the_region_of_the_password(engine: Engine) {
        let bench = bench(engine, Trust::KnownKeys).await;
        let password = auth::smtp_password(&bench.secret, "us-west-2");
        let user = Some((bench.key.as_str(), password.reveal()));
        for port in [bench.submission, bench.submissions] {
            let id = bench.send(port, user, "me@our.example", "someone@else.example").await.expect("accepted");
            let (mail, raw) = bench.sent_mail(id).await;
            assert_eq!((mail.account.as_str(), mail.region.as_str()), (bench.owner.account.as_str(), "us-west-2"));
            assert_eq!((mail.caller.as_str(), mail.source_ip.as_deref()), (bench.key.as_str(), Some("127.0.0.1")));
            assert_eq!(mail.tags.text(), r#"[["ses:operation","SendSmtpEmail"]]"#);
            assert!(raw.contains("with ESMTPSA\r\n") && raw.ends_with("\r\n\r\n.hidden\r\n"), "{raw}");
        }
    }

    async fn odd_paths_and_both_forms_of_a_domain_are_taken_at_the_door(engine: Engine) {
        let bench = bench(engine, Trust::KnownKeys).await;
        verify(&bench.store, &bench.owner, "xn--bcher-kva.example").await;
        let door = ([127, 0, 0, 1], bench.inbound).into();
        let long = format!("user+caf_={}=our.example@gmail.example", "x".repeat(200));
        let long_local = format!("{}@our.example", "y".repeat(100));
        for (from, to) in [
            (long.as_str(), "me@our.example"),
            ("a..b.@docomo.example", "c..d.@our.example"),
            ("a@[192.0.2.9]", "me@our.example"),
            ("a@-b.example", long_local.as_str()),
            ("a@b.example", "ann@bücher.example"),
        ] {
            let (from_line, to_line) = (format!("MAIL FROM:<{from}> SMTPUTF8"), format!("RCPT TO:<{to}>"));
            let said = talk(door, &["EHLO client.example", &from_line, &to_line, "DATA", "From: a@b.example\r\n\r\nhi\r\n."]).await;
            let id = said[5].strip_prefix("250 2.0.0 Ok ").unwrap_or_else(|| panic!("{said:?}"));
            let (mail, _) = bench.inbound_mail(id.to_owned()).await;
            assert_eq!((mail.source.as_deref(), mail.recipients.text().contains(to)), (Some(from), true));
        }
        let said = talk(door, &["EHLO client.example", "MAIL FROM:<a@b.example>", "RCPT TO:<x..y@else.example>"]).await;
        assert!(said[3].starts_with("550 5.1.1 "), "{said:?}");
    }

    async fn the_answer_to_a_sent_mail_is_that_of_ses(engine: Engine) {
        let bench = bench(engine, Trust::KnownKeys).await;
        let password = auth::smtp_password(&bench.secret, "us-west-2");
        let credentials = Credentials::new(bench.key.clone(), password.reveal().to_owned());
        let parameters = TlsParameters::builder("mx.our.example".to_owned()).dangerous_accept_invalid_certs(true);
        let client = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(bench.submission);
        let client = client.tls(ClientTls::Required(parameters.build().expect("parameters"))).credentials(credentials).build();
        let address = |text: &str| text.parse().expect("an address");
        let envelope = Envelope::new(Some(address("me@our.example")), vec![address("b@else.example")]).expect("an envelope");
        let sent = client.send_raw(&envelope, b"From: me@our.example\r\nSubject: x\r\n\r\nhi").await.expect("accepted");
        let line = sent.first_line().expect("a line");
        let id = line.strip_prefix("Ok ").unwrap_or_else(|| panic!("{line}"));
        assert!(bench.sent_mail(id.to_owned()).await.1.contains("Subject: x"));
        // The line is the client's third, whatever stands before it.
        let no = client.send_raw(&envelope, b"From: me@our.example\r\nSubject: x\r\nno field\r\n\r\nhi").await;
        let no = no.expect_err("no header").to_string();
        assert!(no.contains("line 3 of the header"), "{no}");
        let twice = client.send_raw(&envelope, b"From: me@our.example\r\nSubject: x\r\nSubject: y\r\n\r\nhi").await;
        let twice = twice.expect_err("twice").to_string();
        assert!(twice.contains("Transaction failed: Duplicate header 'Subject'."), "{twice}");
    }

    async fn others_do_not_send(engine: Engine) {
        let bench = bench(engine, Trust::KnownKeys).await;
        let east = auth::smtp_password(&bench.secret, "us-east-1");
        let user = Some((bench.key.as_str(), east.reveal()));
        let no = bench.send(bench.submission, user, "me@our.example", "x@else.example").await.expect_err("not there");
        assert!(no.contains("554") && no.contains("Email address is not verified."), "{no}");
        assert!(no.contains("check in region US-EAST-1: me@our.example"), "{no}");
        for user in [("AKIAUNKNOWN", east.reveal()), (bench.key.as_str(), bench.secret.reveal()), (bench.key.as_str(), "")] {
            let no = bench.send(bench.submission, Some(user), "me@our.example", "x@else.example").await;
            let no = no.expect_err("a wrong password");
            assert!(no.contains("5.7.8 Authentication Credentials Invalid"), "{no}");
        }
        let no = bench.send(bench.submission, None, "me@our.example", "x@else.example").await.expect_err("no login");
        assert!(no.contains("530") || no.contains("5.7.0"), "{no}");
    }

    async fn a_session_sends_nothing_more_once_its_key_is_switched_off_or_its_account_suspended(engine: Engine) {
        let bench = bench(engine, Trust::KnownKeys).await;
        let mut session = bench.logged_in().await.expect("logged in");
        assert!(bench.hand_over(&mut session).await.is_ok());
        let mut others = bench.logged_in().await.expect("logged in");
        // By another process, as it were: nothing of what this server keeps hears of it.
        deactivate_key(&bench.store, &bench.key).await.expect("switched off");
        bench.clock.advance(Duration::from_secs(1));
        let no = bench.hand_over(&mut session).await.expect_err("the key is off");
        assert!(no.contains("421") && no.contains("log in again"), "{no}");
        assert!(!session.test_connected().await, "the session is over");
        let no = bench.logged_in().await.map(drop).expect_err("the key is off");
        assert!(no.contains("535"), "{no}");

        activate_key(&bench.store, &bench.key).await.expect("switched on");
        assert!(bench.hand_over(&mut others).await.is_ok());
        suspend_account(&bench.store, &bench.owner.account).await.expect("suspended");
        bench.clock.advance(Duration::from_secs(1));
        let no = bench.hand_over(&mut others).await.expect_err("the account is suspended");
        assert!(no.contains("421"), "{no}");
        let no = bench.logged_in().await.map(drop).expect_err("the account is suspended");
        assert!(no.contains("535"), "{no}");
    }

    async fn a_developers_machine_takes_any_password(engine: Engine) {
        let bench = bench(engine, Trust::Anybody).await;
        let user = Some((bench.owner.account.as_str(), "any"));
        let no = bench.send(bench.submission, user, "me@our.example", "x@else.example").await.expect_err("not there");
        assert!(no.contains("check in region US-EAST-1: me@our.example"), "{no}");
        verify(&bench.store, &Scope { region: Region::default_region(), ..bench.owner.clone() }, "our.example").await;
        let id = bench.send(bench.submission, user, "me@our.example", "x@else.example").await.expect("accepted");
        assert_eq!(bench.sent_mail(id).await.0.account, bench.owner.account);
    }
}
