//! What the tests of SES stand on: identities, configuration sets, the accept door, over one database.
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use postrider::base::{AccountId, Arn, Clock, Region, Scope, Timestamp};
use postrider::mail::content::ConfigurationSets;
use postrider::mail::identity::{
    Found, Identities, IdentityName, KeyChoice, NewIdentity, Settings as IdentitySettings,
};
use postrider::mail::resolver::{LookupFailed, RecordLookup};
use postrider::mail::sending::{Grants, Limits, SendError, Sending, Settings, Submission};
use postrider::queues::{Queues, Receive};
use postrider::store::configuration_sets::{ConfigurationSet, SetOptions};
use postrider::store::identities::{DkimStanding, Identity, IdentityKind, KeyOrigin, Standing};
use postrider::store::sending_accounts::{self, SendingAccount};
use postrider::store::{Error as StoreError, Json, Store};
use postrider::store::{identities, mails, messages};
use postrider::topics::{NewTopic, Topics, Wish};
use postrider::workers::SystemQueue;

use crate::engine::{Engine, TestDatabase};

/// A DNS that knows what it was told: texts by name, and mail hosts by `MX` and the name.
#[derive(Default)]
pub(crate) struct Records(pub Mutex<HashMap<String, String>>);

impl Records {
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.0.lock().expect("not poisoned").insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.lock().expect("not poisoned").remove(name);
    }

    /// The value of a name; `broken` is no answer at all.
    fn ask(&self, name: &str) -> Result<Vec<String>, LookupFailed> {
        match self.0.lock().expect("not poisoned").get(name.trim_end_matches('.')).map(String::as_str) {
            Some("broken") => Err(LookupFailed::Unavailable("SERVFAIL".to_owned())),
            Some(value) => Ok(value.split('|').map(str::to_owned).collect()),
            None => Err(LookupFailed::NoName),
        }
    }
}

impl RecordLookup for Records {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFailed>> {
        Box::pin(async move { self.ask(name) })
    }

    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFailed>> {
        Box::pin(async move { self.ask(&format!("MX {name}")) })
    }
}

/// A domain identity that is verified, without keys.
pub(crate) fn verified_domain(account: &AccountId, region: &Region, name: &str, at: Timestamp) -> Identity {
    Identity {
        account: account.clone(),
        region: region.clone(),
        name: name.to_owned(),
        kind: IdentityKind::Domain,
        status: Standing::Success,
        since: None,
        error: None,
        created_at: at,
        verified_at: Some(at),
        checked_at: None,
        next_check_at: None,
        txt_token: None,
        configuration_set: None,
        feedback_forwarding: true,
        dkim_signing: true,
        dkim: DkimStanding { status: Standing::NotStarted, since: None, origin: KeyOrigin::AwsSes, next_bits: 2048 },
        mail_from: None,
        tags: Json::of(&vec![]).expect("JSON"),
    }
}

pub(crate) struct Bench {
    pub store: Store,
    pub clock: Clock,
    pub queues: Queues,
    pub topics: Topics,
    pub sending: Sending,
    pub identities: Identities,
    pub sets: ConfigurationSets,
    pub records: Arc<Records>,
    pub scope: Scope,
    pub database: TestDatabase,
}

pub(crate) async fn bench(engine: Engine, limits: Limits) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    let queues = Queues::new(store.clone(), clock.clone());
    let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), None, "http://127.0.0.1:4566");
    let hostname = "out.example".to_owned();
    let identity_settings = IdentitySettings {
        at_once: limits == Limits::Unlimited,
        link_base: "http://out.example:4566/".to_owned(),
        hostname: hostname.clone(),
        dkim_zone: None,
    };
    let records = Arc::new(Records::default());
    Bench {
        sending: Sending::new(store.clone(), clock.clone(), topics.clone(), Settings { limits, hostname }),
        identities: Identities::new(store.clone(), clock.clone(), identity_settings, records.clone()),
        sets: ConfigurationSets::new(store.clone(), clock.clone(), topics.clone()),
        scope: Scope { account: AccountId::development(), region: Region::default_region() },
        store,
        clock,
        queues,
        topics,
        records,
        database,
    }
}

impl Bench {
    /// Another process's store on the same database, by the same clock.
    pub(crate) async fn another_store(&self) -> Store {
        Store::open(&self.database.database(), self.clock.clone()).await.expect("the store opens")
    }

    pub(crate) async fn identity(&self, name: &str) -> Found {
        let parsed = IdentityName::parse(name).expect("a name");
        let key = if name.contains("short") { KeyChoice::Bits(1024) } else { KeyChoice::Usual };
        let new = NewIdentity { key, ..NewIdentity::default() };
        self.identities.create(&self.scope.account, &self.scope.region, parsed, new).await.expect("an identity")
    }

    /// A verified identity, without waiting for proof.
    pub(crate) async fn verified(&self, name: &str) {
        let found = self.identity(name).await;
        let done: Result<(), StoreError> = self
            .store
            .write(move |tx| {
                Box::pin(async move { identities::set_status(tx, &found.identity, Standing::Success, None).await })
            })
            .await;
        done.expect("the identity is verified");
    }

    pub(crate) async fn configuration_set(&self, name: &str) {
        let set = ConfigurationSet {
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            name: name.to_owned(),
            sending_enabled: true,
            tls_policy: None,
            max_delivery_seconds: Some(600),
            options: Json::of(&SetOptions::default()).expect("JSON"),
            created_at: self.clock.now(),
        };
        self.sets.create(set).await.expect("a set");
    }

    pub(crate) fn submission(&self, source: &str, recipients: &[&str]) -> Submission {
        Submission {
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            caller: "AKIDEXAMPLE".to_owned(),
            source_ip: Some([192, 0, 2, 7].into()),
            source: source.parse().expect("an address"),
            recipients: recipients.iter().map(|r| r.parse().expect("an address")).collect(),
            raw: Bytes::from(format!(
                "From: Ann <{source}>\r\nTo: b@y.example\r\nBcc: c@y.example\r\nSubject: hi\r\n\r\nbody\r\n"
            )),
            configuration_set: None,
            tags: vec![("campaign".to_owned(), "one".to_owned())],
            return_path: None,
            grants: Grants::default(),
        }
    }

    pub(crate) async fn send(&self, source: &str, recipients: &[&str]) -> Result<String, SendError> {
        self.sending.accept(self.submission(source, recipients)).await
    }

    pub(crate) async fn limits(&self, max_24_hour: i64, max_per_second: i64) {
        let (account, region) = (self.scope.account.clone(), self.scope.region.clone());
        let limits = SendingAccount { sending_enabled: true, production_access: true, max_24_hour, max_per_second };
        let done: Result<(), StoreError> = self
            .store
            .write(move |tx| Box::pin(async move { sending_accounts::put(tx, &account, &region, limits).await }))
            .await;
        done.expect("limits");
    }

    /// How many jobs wait in the outbound queue.
    pub(crate) async fn jobs(&self) -> usize {
        let mut reader = self.store.reader().await.expect("a reader");
        let counts = messages::counts(&mut reader, SystemQueue::Outbound.id()).await.expect("counts");
        usize::try_from(counts.visible).expect("small")
    }

    pub(crate) async fn mail(&self, id: &str) -> (mails::Mail, String, Vec<mails::Recipient>) {
        let mut tx = self.store.reader().await.expect("a reader");
        let mail = mails::find(&mut tx, id).await.expect("read").expect("the mail");
        let raw = mails::raw(&mut tx, id).await.expect("read").expect("its message");
        let recipients = mails::recipients(&mut tx, id).await.expect("read");
        (mail, String::from_utf8(raw).expect("text"), recipients)
    }

    /// A topic, with its messages in a queue of the same name.
    pub(crate) async fn topic(&self, name: &str) -> String {
        let (account, region) = (&self.scope.account, &self.scope.region);
        self.queues.create(&self.scope, name, Default::default(), Default::default()).await.expect("a queue");
        let new = NewTopic {
            account: account.clone(),
            region: region.clone(),
            name: name.to_owned(),
            attributes: Default::default(),
            tags: Default::default(),
        };
        let topic = self.topics.create(new).await.expect("a topic");
        let wish = Wish {
            owner: account.clone(),
            topic: topic.clone(),
            protocol: "sqs".to_owned(),
            endpoint: Some(Arn::new("sqs", region, account, name).to_string()),
            attributes: [("RawMessageDelivery".to_owned(), "true".to_owned())].into(),
            base_url: None,
        };
        self.topics.subscribe(wish).await.expect("a subscription");
        topic.to_string()
    }
}

impl Bench {
    /// What waits in a queue, oldest first, and is taken out.
    pub(crate) async fn received(&self, queue: &str) -> Vec<String> {
        let wanted = Receive { count_max: Some(10), visibility_timeout: Some(43_200), ..Receive::default() };
        let got = self.queues.receive(&self.scope, queue, wanted).await.expect("the queue is there");
        got.into_iter().map(|message| message.body).collect()
    }
}
