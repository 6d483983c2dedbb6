//! Receiving below SMTP: who receives, what is accepted, and what the rules do with it.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::ses_bench::verified_domain;
use bytes::Bytes;
use postrider::base::{AccountId, Arn, Clock, EmailAddress, Reach, Region, Scope, Timestamp};
use postrider::mail::receiving::checks::{CheckSettings, Checks};
use postrider::mail::receiving::rules::{Action, Encoding, Rule, TlsPolicy};
use postrider::mail::receiving::scan::{Disabled, Scanner};
use postrider::mail::receiving::{
    Client, Error, Inbound, InboundMail, InboundSettings, MAX_HOPS, Outlets, Receiving, Route, Routed, places,
};
use postrider::outlets::objects::Objects;
use postrider::outlets::{self, Functions};
use postrider::queues::{Queues, Receive};
use postrider::store::inbound_mails::State;
use postrider::store::vault::{MasterKeys, Vault};
use postrider::store::{self, Store, identities, inbound_mails, messages};
use postrider::topics::delivery::Poster;
use postrider::topics::{NewTopic, Topics, Wish};
use postrider::workers::{self, Job, Pool, SystemQueue};

use crate::both_engines;
use crate::dns::TestDns;
use crate::engine::TestDatabase;
use crate::webhook::Webhook;

const PEER: &str = "192.0.2.7";
pub(crate) const HELLO: &str = "From: Ann <ann@there.example>\r\nTo: bob@here.example\r\nSubject: hello\r\n\r\nhi\r\n";

/// The receiving floor of one server, with nothing in front.
pub(crate) struct Bench {
    pub receiving: Receiving,
    pub dns: TestDns,
    /// Runs the function `decide`, and takes webhooks.
    pub runtime: Webhook,
    pub clock: Clock,
    pub owner: Scope,
    pub store: Store,
    pub queues: Queues,
    topics: Topics,
    pub pool: Pool,
    database: TestDatabase,
}

pub(crate) async fn bench(engine: crate::engine::Engine) -> Bench {
    bench_with(engine, Arc::new(Disabled)).await
}

/// One with this scanner.
pub(crate) async fn bench_with(engine: crate::engine::Engine, scanner: Arc<dyn Scanner>) -> Bench {
    bench_of(engine, scanner, None).await
}

/// One that puts objects there.
pub(crate) async fn bench_storing(engine: crate::engine::Engine, objects: Objects) -> Bench {
    bench_of(engine, Arc::new(Disabled), Some(objects)).await
}

async fn bench_of(engine: crate::engine::Engine, scanner: Arc<dyn Scanner>, objects: Option<Objects>) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let vault = Vault::new(MasterKeys::generate().expect("a master key").0, &[]);
    let store = Store::open_with(&database.database(), clock.clone(), vault).await.expect("the store opens");
    let queues = Queues::new(store.clone(), clock.clone());
    let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), None, "http://here.example");
    let dns = TestDns::start().await;
    let settings = CheckSettings {
        servers: vec![dns.address],
        hostname: "mx.here.example".to_owned(),
        deadline: Duration::from_secs(20),
    };
    let checks = Checks::new(settings, clock.clone()).expect("a resolver").with_scanner(scanner);
    let objects = objects.unwrap_or_else(|| Objects::folder(database.dir.path().join("objects")));
    let settings = InboundSettings { hostname: "mx.here.example".to_owned(), dns_retries: 2 };
    let runtime = Webhook::start().await;
    let urls = BTreeMap::from([("decide".to_owned(), runtime.url("/").parse().expect("a URL"))]);
    let functions = Functions::new(outlets::client::plain(&[]).expect("a client"), clock.clone(), urls);
    let reach = Reach::new(vec!["127.0.0.0/8".parse().expect("a network")]);
    let outlets = Outlets {
        topics: topics.clone(),
        queues: queues.clone(),
        objects,
        functions: functions.clone(),
        poster: Poster::new(clock.clone(), reach).expect("a client"),
    };
    let inbound = Inbound::new(store.clone(), clock.clone(), outlets, checks, settings);
    let pool = Pool::new(store.clone(), clock.clone(), "node", places::AT_ONCE, inbound).per_group(places::PER_GROUP);
    let owner = Scope { account: AccountId::development(), region: Region::default_region() };
    let hostname = "mx.here.example".parse().expect("a domain");
    let receiving = Receiving::new(store.clone(), clock.clone());
    let receiving = receiving.with_house(hostname, owner.clone()).with_functions(functions);
    let b = Bench { receiving, dns, runtime, store, clock, queues, topics, owner, pool, database };
    b.verified(&b.owner, "here.example").await;
    b
}

pub(crate) fn rule(name: &str, recipients: &[&str], actions: Vec<Action>) -> Rule {
    Rule {
        name: name.to_owned(),
        enabled: true,
        tls: TlsPolicy::Optional,
        recipients: recipients.iter().map(|&text| text.to_owned()).collect(),
        scan: false,
        actions,
    }
}

fn s3(bucket: &str, topic: Option<&Arn>) -> Action {
    Action::S3 {
        bucket: bucket.to_owned(),
        prefix: Some("in/".to_owned()),
        topic: topic.cloned(),
        role: None,
        kms: None,
    }
}

pub(crate) fn sns(topic: &Arn) -> Action {
    Action::Sns { topic: topic.clone(), encoding: Encoding::Utf8 }
}

pub(crate) fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address")
}

pub(crate) fn account(digit: char) -> Scope {
    let account = digit.to_string().repeat(12).parse().expect("an account id");
    Scope { account, region: Region::default_region() }
}

impl Bench {
    pub(crate) async fn verified(&self, owner: &Scope, domain: &str) {
        let now = self.clock.now();
        let identity = verified_domain(&owner.account, &owner.region, domain, now);
        self.write(move |tx| Box::pin(async move { identities::insert(tx, &identity).await })).await;
    }

    async fn write<F>(&self, work: F)
    where
        F: for<'t> FnOnce(&'t mut store::Tx) -> futures::future::BoxFuture<'t, Result<(), store::Error>>
            + Send
            + 'static,
    {
        self.store.write(work).await.expect("the store writes");
    }

    /// Makes these rules the active ones.
    pub(crate) async fn activate(&self, owner: &Scope, rules: Vec<Rule>) {
        self.receiving.create_rule_set(owner, "set").await.expect("a rule set");
        let mut after: Option<String> = None;
        for rule in rules {
            let name = rule.name.clone();
            self.receiving.create_rule(owner, "set", rule, after.as_deref()).await.expect("a good rule");
            after = Some(name);
        }
        self.receiving.set_active_rule_set(owner, Some("set")).await.expect("active");
    }

    /// A topic with a queue of the same name that gets raw messages.
    pub(crate) async fn topic(&self, name: &str) -> Arn {
        let Scope { account, region } = self.owner.clone();
        let scope = Scope { account: account.clone(), region: region.clone() };
        self.queues.create(&scope, name, BTreeMap::new(), BTreeMap::new()).await.expect("a queue");
        let new = NewTopic {
            account: account.clone(),
            region: region.clone(),
            name: name.to_owned(),
            attributes: BTreeMap::new(),
            tags: BTreeMap::new(),
        };
        let topic = self.topics.create(new).await.expect("a topic");
        let wish = Wish {
            owner: account.clone(),
            topic: topic.clone(),
            protocol: "sqs".to_owned(),
            endpoint: Some(Arn::new("sqs", &region, &account, name).to_string()),
            attributes: BTreeMap::from([("RawMessageDelivery".to_owned(), "true".to_owned())]),
            base_url: None,
        };
        self.topics.subscribe(wish).await.expect("a subscription");
        topic
    }

    /// What came out of the topic since the last call.
    pub(crate) async fn told(&self, name: &str) -> Vec<serde_json::Value> {
        let scope = Scope { account: self.owner.account.clone(), region: self.owner.region.clone() };
        let wanted = Receive { count_max: Some(10), ..Receive::default() };
        let got = self.queues.receive(&scope, name, wanted).await.expect("the queue");
        let handles = got.iter().map(|message| message.receipt_handle.clone()).collect();
        self.queues.delete_messages(&scope, name, handles).await.expect("the queue");
        got.into_iter().map(|message| serde_json::from_str(&message.body).expect("JSON")).collect()
    }

    /// Who receives mail for this address, if someone does.
    pub(crate) async fn route(&self, text: &str, tls: bool) -> Option<Route> {
        match self.routed(text, PEER, tls).await {
            Routed::To(route) => Some(route),
            _ => None,
        }
    }

    pub(crate) async fn routed(&self, text: &str, peer: &str, tls: bool) -> Routed {
        let client = Client { peer: peer.parse().expect("an address"), tls };
        self.receiving.route(&address(text), client).await.expect("the store reads")
    }

    pub(crate) async fn accept(&self, source: Option<&str>, recipients: &[&str], data: &str) -> Result<String, Error> {
        self.accept_bytes(source, recipients, data.to_owned()).await
    }

    pub(crate) async fn accept_bytes(
        &self,
        source: Option<&str>,
        recipients: &[&str],
        data: impl Into<Bytes>,
    ) -> Result<String, Error> {
        let mut routed = Vec::new();
        for recipient in recipients {
            let recipient = address(recipient);
            let route = self.route(recipient.as_str(), false).await.expect("a route");
            routed.push((recipient, route));
        }
        let mail = InboundMail {
            source: source.map(|text| EmailAddress::lenient(text).expect("an address")),
            recipients: routed,
            helo: "client.there.example".to_owned(),
            peer: PEER.parse::<IpAddr>().expect("an address"),
            tls: false,
            data: data.into(),
        };
        self.receiving.accept(mail).await
    }

    pub(crate) async fn round(&self) -> usize {
        self.pool.round().await.expect("the store works")
    }

    pub(crate) async fn state(&self, id: &str) -> (State, String) {
        let id = id.to_owned();
        let found = self.store.read(move |tx| Box::pin(async move { inbound_mails::find(tx, &id).await })).await;
        let mail = found.expect("the store reads").expect("the mail");
        (mail.state, mail.note.unwrap_or_default())
    }

    pub(crate) async fn waiting(&self, queue_id: i64) -> i64 {
        let counts = self.store.read(move |tx| Box::pin(async move { messages::counts(tx, queue_id).await })).await;
        let counts: messages::Counts = counts.map_err(|e: store::Error| e).expect("the store reads");
        i64::from(counts.visible + counts.delayed)
    }

    /// The octets of the object, if it is there.
    pub(crate) fn bytes(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.database.dir.path().join("objects").join(bucket).join(key)).ok()
    }

    /// The text of the object, if it is there.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Option<String> {
        std::fs::read_to_string(self.database.dir.path().join("objects").join(bucket).join(key)).ok()
    }

    /// The raw messages of our own mails with their reverse paths, senders and recipients.
    pub(crate) async fn sent(&self) -> Vec<(String, String, String, String)> {
        let rows = self
            .store
            .read(|tx| {
                Box::pin(async move {
                    let sql = "SELECT m.source, m.return_path, r.address, w.data FROM mails m \
                               JOIN recipients r ON r.mail_id = m.id JOIN raw_messages w ON w.id = m.id";
                    let rows = tx.all(sql, vec![]).await?;
                    let read = |row: &store::Row| {
                        let data = String::from_utf8_lossy(&row.blob("data")?).into_owned();
                        Ok::<_, store::Error>((
                            row.text("source")?,
                            row.text("return_path")?,
                            row.text("address")?,
                            data,
                        ))
                    };
                    rows.iter().map(read).collect::<Result<Vec<_>, _>>()
                })
            })
            .await;
        rows.expect("the store reads")
    }
}

both_engines! {
    async fn only_verified_domains_with_a_rule_in_the_active_set_receive(engine: Engine) {
        let b = bench(engine).await;
        let ours = Some(Route { account: b.owner.account.clone(), region: b.owner.region.clone(), feedback: false });
        let route = async |text: &str, tls: bool| b.route(text, tls).await;
        assert_eq!(route("bob@here.example", true).await, None, "no rule set is active");
        let disabled = Rule { enabled: false, ..rule("off", &["off@here.example"], vec![]) };
        let secure = Rule { tls: TlsPolicy::Require, ..rule("tls", &["tls@here.example"], vec![]) };
        let rules = vec![rule("bob", &["bob@here.example", ".here.example", "other.example"], vec![]), disabled, secure];
        b.activate(&b.owner, rules).await;
        for (text, tls, routed) in [
            ("bob@here.example", false, true),
            ("Bob+label@HERE.example", false, true),
            ("eve@here.example", false, false),
            ("any@sub.here.example", false, true),
            ("off@here.example", true, false),
            ("tls@here.example", false, false),
            ("tls@here.example", true, true),
            ("bob@other.example", true, false),
            ("bob@example", true, false),
        ] {
            assert_eq!(route(text, tls).await.is_some(), routed, "{text} {tls}");
        }
        assert_eq!(route("bob@here.example", false).await, ours);
        b.receiving.set_active_rule_set(&b.owner, None).await.expect("none active");
        assert_eq!(route("bob@here.example", false).await, None);
    }

    async fn of_several_accounts_the_first_that_verified_the_domain_receives(engine: Engine) {
        let b = bench(engine).await;
        b.clock.advance(Duration::from_secs(60));
        let (second, third) = (account('2'), account('3'));
        b.verified(&second, "here.example").await;
        b.verified(&third, "deep.here.example").await;
        b.activate(&second, vec![rule("all", &[], vec![])]).await;
        let route = async |text: &str| {
            b.route(text, false).await.map(|route| route.account)
        };
        assert_eq!(route("bob@here.example").await, Some(second.account.clone()), "the first has no rule");
        b.activate(&b.owner, vec![rule("bob", &["bob@here.example"], vec![])]).await;
        assert_eq!(route("bob@here.example").await, Some(b.owner.account.clone()));
        assert_eq!(route("eve@here.example").await, Some(second.account.clone()));
        assert_eq!(route("bob@deep.here.example").await, Some(second.account.clone()));
        b.activate(&third, vec![rule("all", &[], vec![])]).await;
        assert_eq!(route("bob@deep.here.example").await, Some(third.account.clone()), "the nearest domain wins");
    }

    async fn a_mail_goes_to_the_bucket_and_to_the_topic(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        let header = Action::AddHeader { name: "X-Rule".to_owned(), value: "one".to_owned() };
        let stop = Action::Stop { topic: None };
        let first = rule("first", &["bob@here.example"], vec![header, s3("my-mail", Some(&topic)), sns(&topic), stop]);
        b.activate(&b.owner, vec![first, rule("second", &[], vec![s3("other", None)])]).await;
        b.dns.txt("there.example", "v=spf1 ip4:192.0.2.7 -all");
        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.state(&id).await.0, State::Waiting);
        b.clock.advance(Duration::from_millis(1_500));
        assert_eq!(b.round().await, 1);
        assert_eq!(b.state(&id).await, (State::Done, "processed".to_owned()));

        let object = b.object("my-mail", &format!("in/{id}")).expect("the object");
        assert!(object.starts_with("Return-Path: <ann@there.example>\r\nReceived: from client.there.example ([192.0.2.7])"));
        assert!(object.contains("X-SES-Spam-Verdict: DISABLED\r\n") && object.contains("\r\nReceived-SPF: pass "));
        assert!(object.contains("\r\nAuthentication-Results: mx.here.example;") && object.contains("X-Rule: one\r\n"));
        assert!(object.ends_with(HELLO));
        assert_eq!(b.object("other", &format!("in/{id}")), None, "the first rule stops the set");

        let told = b.told("mail").await;
        assert_eq!(told.len(), 2);
        let of = |kind: &str| told.iter().find(|t| t["receipt"]["action"]["type"] == kind).expect("told").clone();
        let (put, mail) = (of("S3"), of("SNS"));
        assert_eq!(put["receipt"]["action"]["objectKey"], format!("in/{id}"));
        assert_eq!(put["receipt"]["action"]["bucketName"], "my-mail");
        assert!(put.get("content").is_none());
        assert_eq!((&mail["mail"]["messageId"], &mail["mail"]["source"]), (&id.clone().into(), &"ann@there.example".into()));
        assert_eq!(mail["receipt"]["recipients"][0], "bob@here.example");
        assert_eq!(mail["receipt"]["spfVerdict"]["status"], "PASS");
        assert_eq!(mail["receipt"]["dkimVerdict"]["status"], "GRAY");
        assert_eq!(mail["receipt"]["dmarcVerdict"]["status"], "GRAY");
        assert_eq!(mail["receipt"]["processingTimeMillis"], 1_500);
        assert_eq!(mail["mail"]["commonHeaders"]["from"][0], "Ann <ann@there.example>");
        assert_eq!(mail["content"].as_str().expect("the mail"), object);
        assert_eq!(b.round().await, 0);
    }

    async fn each_account_gets_its_own_mail_from_one_message(engine: Engine) {
        let b = bench(engine).await;
        let second = account('2');
        b.verified(&second, "second.example").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![s3("first-mail", None)])]).await;
        b.activate(&second, vec![rule("all", &[], vec![s3("second-mail", None)])]).await;
        let to = ["bob@here.example", "eve@second.example", "tom@here.example", "bob@here.example"];
        let id = b.accept(Some("ann@there.example"), &to, HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 2);
        assert!(b.object("first-mail", &format!("in/{id}")).is_some());
        let folder = b.database.dir.path().join("objects/second-mail/in");
        let names: Vec<_> = std::fs::read_dir(folder).expect("the folder").map(|e| e.expect("an entry").file_name()).collect();
        assert!(names.len() == 1 && names[0] != id.as_str());
        let raws = b.store.read(|tx| Box::pin(async move { tx.all("SELECT id FROM raw_messages", vec![]).await })).await;
        assert_eq!(raws.map_err(|e: store::Error| e).expect("the store reads").len(), 1);
    }

    async fn loops_and_mails_without_recipients_are_refused_and_leave_nothing(engine: Engine) {
        let b = bench(engine).await;
        b.activate(&b.owner, vec![rule("all", &[], vec![])]).await;
        let looped = "Received: from a by b; x\r\n".repeat(MAX_HOPS + 1) + HELLO;
        let refused = b.accept(Some("ann@there.example"), &["bob@here.example"], &looped).await;
        assert!(matches!(refused, Err(Error::TooManyHops)));
        assert!(matches!(b.accept(None, &[], HELLO).await, Err(Error::NoRecipients)));
        assert_eq!(b.round().await, 0);
        let many = "Received: from a by b; x\r\n".repeat(MAX_HOPS) + HELLO;
        b.accept(Some("ann@there.example"), &["bob@here.example"], &many).await.expect("accepted");
    }

    async fn an_action_that_fails_for_now_is_tried_again_and_tells_once(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![s3("my-mail", Some(&topic)), sns(&topic)])]).await;
        // A file where the bucket's folder should be.
        let objects = b.database.dir.path().join("objects");
        std::fs::create_dir_all(&objects).expect("a folder");
        std::fs::write(objects.join("my-mail"), "in the way").expect("a file");
        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        for _ in 0..3 {
            assert_eq!(b.round().await, 1);
            assert_eq!(b.round().await, 0, "it waits");
            b.clock.advance(Duration::from_secs(60));
        }
        assert!(b.told("mail").await.is_empty(), "nothing is told before all is done");
        std::fs::remove_file(objects.join("my-mail")).expect("removed");
        assert_eq!(b.round().await, 1);
        assert_eq!(b.told("mail").await.len(), 2);
        assert_eq!(b.state(&id).await.0, State::Done);
    }

    async fn an_action_that_fails_for_good_is_kept_for_the_operator_and_the_others_run(engine: Engine) {
        let b = bench(engine).await;
        let (gone, topic) = (b.topic("gone").await, b.topic("mail").await);
        b.activate(&b.owner, vec![rule("all", &[], vec![sns(&gone), s3("my-mail", None), sns(&topic)])]).await;
        b.topics.delete(&gone).await.expect("deleted");
        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        assert_eq!(b.told("mail").await.len(), 1);
        assert!(b.object("my-mail", &format!("in/{id}")).is_some());
        let (state, note) = b.state(&id).await;
        assert!(state == State::Failed && note.contains("does not exist any more"), "{note}");
        assert_eq!(b.waiting(SystemQueue::Inbound.dead_letters_id()).await, 1);

        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        std::fs::remove_dir_all(b.database.dir.path().join("objects")).expect("removed");
        std::fs::write(b.database.dir.path().join("objects"), "in the way").expect("a file");
        let mut attempts = 0;
        while b.state(&id).await.0 == State::Waiting {
            attempts += b.round().await;
            b.clock.advance(Duration::from_secs(3_600));
            assert!(attempts < 100, "it is not tried for ever");
        }
        assert_eq!(b.state(&id).await.0, State::Failed);
        assert_eq!(b.told("mail").await.len(), 1, "the other action still ran, once");
        assert_eq!(b.waiting(SystemQueue::Inbound.dead_letters_id()).await, 2);
    }

    async fn a_job_that_is_put_back_runs_the_rules_again_and_old_mails_go(engine: Engine) {
        let b = bench(engine).await;
        let (gone, topic) = (b.topic("gone").await, b.topic("mail").await);
        b.activate(&b.owner, vec![rule("all", &[], vec![sns(&gone), sns(&topic)])]).await;
        b.topics.delete(&gone).await.expect("deleted");
        let failed = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        b.round().await;
        assert_eq!(b.told("mail").await.len(), 1);
        b.receiving.update_rule(&b.owner, "set", rule("all", &[], vec![sns(&topic)])).await.expect("mended");
        let job = Job { body: format!("{{\"mail\":\"{failed}\"}}"), group: None, visible_at: b.clock.now() };
        let jobs = [job.clone(), job];
        b.write(move |tx| Box::pin(async move { workers::enqueue(tx, SystemQueue::Inbound, &jobs).await })).await;
        assert_eq!(b.round().await, 2);
        assert_eq!(b.state(&failed).await.0, State::Done);
        assert!(!b.told("mail").await.is_empty());
        // Done is done, whatever job comes.
        let job = Job { body: format!("{{\"mail\":\"{failed}\"}}"), group: None, visible_at: b.clock.now() };
        b.write(move |tx| Box::pin(async move { workers::enqueue(tx, SystemQueue::Inbound, &[job]).await })).await;
        assert_eq!(b.round().await, 1);
        assert!(b.told("mail").await.is_empty());

        let waiting = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.receiving.sweep().await.expect("swept"), 0);
        b.clock.advance(Duration::from_secs(15 * 24 * 3600));
        assert_eq!(b.receiving.sweep().await.expect("swept"), 1);
        assert_eq!(b.state(&waiting).await.0, State::Waiting, "what waits is never swept");
        b.round().await;
        assert_eq!(b.told("mail").await.len(), 1);
    }

    async fn the_bounce_action_answers_people_and_never_programs(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        let bounce = Action::Bounce {
            reply_code: "550".to_owned(),
            status: Some("5.1.1".to_owned()),
            message: "No such box, désolé".to_owned(),
            sender: address("mailer-daemon@here.example"),
            topic: Some(topic.clone()),
        };
        b.activate(&b.owner, vec![rule("all", &[], vec![bounce])]).await;
        let automatic = format!("Auto-Submitted: auto-replied\r\n{HELLO}");
        b.accept(None, &["bob@here.example"], HELLO).await.expect("accepted");
        b.accept(Some("ann@there.example"), &["bob@here.example"], &automatic).await.expect("accepted");
        assert_eq!(b.round().await, 2);
        assert!(b.sent().await.is_empty());
        assert_eq!(b.told("mail").await.len(), 2);

        b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        let sent = b.sent().await;
        let [(source, return_path, recipient, message)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(source, "mailer-daemon@here.example");
        assert_eq!((return_path.as_str(), recipient.as_str()), ("", "ann@there.example"));
        assert_eq!(b.waiting(SystemQueue::Outbound.id()).await, 1);
        let parsed = mail_parser::MessageParser::default().parse(message.as_bytes()).expect("a mail");
        assert_eq!(parsed.attachments().count() + parsed.text_body_count(), 3, "{message}");
        assert!(message.contains("report-type=delivery-status") && message.is_ascii());
        assert!(message.contains("Auto-Submitted: auto-replied\r\n") && message.contains("Message-ID: <"));
        assert!(message.contains("Final-Recipient: rfc822; bob@here.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
        assert!(message.contains("Diagnostic-Code: smtp; 550 5.1.1 No such box, d?sol?\r\n"));
        assert!(message.contains("\r\nSubject: hello\r\n"), "the original's header comes back");
        assert!(parsed.body_text(0).expect("a text").contains("désolé"));
        let told = b.told("mail").await;
        assert_eq!(told[0]["receipt"]["action"]["smtpReplyCode"], "550");
    }

    async fn a_mail_too_large_for_sns_bounces(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![sns(&topic), s3("my-mail", None)])]).await;
        let large = format!("{HELLO}{}", "0123456789 abcdef\r\n".repeat(9_000));
        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], &large).await.expect("accepted");
        // Within SES's limit, but its escapes do not fit a notification.
        let escaped = format!("{HELLO}{}", "\u{1}".repeat(100_000));
        b.accept(Some("ann@there.example"), &["bob@here.example"], &escaped).await.expect("accepted");
        assert_eq!(b.round().await, 2);
        assert!(b.told("mail").await.is_empty());
        let sent = b.sent().await;
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|(_, _, to, text)| to == "ann@there.example" && text.contains("Status: 5.3.4\r\n")));
        assert_eq!(b.object("my-mail", &format!("in/{id}")).map(|text| text.ends_with(&large)), Some(true));
    }
}
