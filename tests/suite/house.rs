//! A whole server for one test: its own database and free ports, a clock that the test moves, clients of AWS's making.
use std::net::SocketAddr;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use postrider::access;
use postrider::app::App;
use postrider::base::{AccountId, Clock, Secret};
use postrider::config::{DevGiven, Given, Mode, Settings};

use crate::engine::{Engine, TestDatabase};

/// The root account's key in `serve`.
pub(crate) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A running server. Its workers work only when [`House::work`] says so.
pub(crate) struct House {
    pub app: App,
    pub clock: Clock,
    pub database: TestDatabase,
}

impl House {
    /// In `serve`: signatures checked, the sandbox on, mail captured.
    pub(crate) async fn serve(engine: Engine) -> Self {
        Self::start(Mode::Serve, engine, Given::default()).await
    }

    /// In `dev`.
    pub(crate) async fn dev(engine: Engine) -> Self {
        Self::start(Mode::Dev, engine, Given::default()).await
    }

    /// In `mode`, with some settings of the test's own.
    pub(crate) async fn start(mode: Mode, engine: Engine, given: Given) -> Self {
        let house = Self::start_on(TestDatabase::new(engine).await, mode, given).await;
        house.unwrap_or_else(|(_, problem)| panic!("the server starts: {problem}"))
    }

    /// In `mode`, with workers that work by themselves as the clock goes on.
    pub(crate) async fn working(mode: Mode, engine: Engine, given: Given) -> Self {
        let house = Self::start_as(TestDatabase::new(engine).await, mode, given, true).await;
        house.unwrap_or_else(|(_, problem)| panic!("the server starts: {problem}"))
    }

    /// Stops, and leaves what is on the disk.
    pub(crate) async fn stop(self) -> TestDatabase {
        self.app.stop().await;
        self.database
    }

    /// On a database that is there already, with its folder.
    pub(crate) async fn start_on(
        database: TestDatabase,
        mode: Mode,
        given: Given,
    ) -> Result<Self, (TestDatabase, String)> {
        Self::start_as(database, mode, given, false).await
    }

    async fn start_as(
        database: TestDatabase,
        mode: Mode,
        given: Given,
        workers: bool,
    ) -> Result<Self, (TestDatabase, String)> {
        let free: SocketAddr = ([127, 0, 0, 1], 0).into();
        let given = Given {
            http: Some(free.into()),
            smtp: given.smtp.or(Some(free.into())),
            submission: Some(free.into()),
            submissions: Some(free.into()),
            dev: match mode {
                Mode::Dev => DevGiven { capture_smtp: given.dev.capture_smtp.or(Some(free.into())), ..given.dev },
                Mode::Serve => given.dev,
            },
            data_dir: Some(database.dir.path().join("data")),
            database_url: Some(database.url.clone()),
            delivery: given.delivery.or(Some("capture".to_owned())),
            hostname: Some("mx.postrider.example".to_owned()),
            // Nobody answers there, and no test may ask the machine's own.
            dns: given.dns.or(Some(vec![([127, 0, 0, 1], 9).into()])),
            webhook_allow: given.webhook_allow.or(Some(vec!["127.0.0.0/8".parse().expect("a network")])),
            mx_allow: Some(vec!["127.0.0.0/8".parse().expect("a network")]),
            root_access_key_id: Some(KEY.to_owned()),
            root_secret_access_key: Some(Secret::new(SECRET)),
            ..given
        };
        let settings = Settings::resolve(mode, given).expect("good settings");
        // AWS's clients sign with the machine's time, so the clock starts there.
        let clock = Clock::manual(Clock::system().now());
        match App::start(settings, clock.clone(), workers).await {
            Ok(app) => Ok(Self { app, clock, database }),
            Err(problem) => Err((database, problem.to_string())),
        }
    }

    /// Works until nothing is left that could be done now.
    pub(crate) async fn work(&self) {
        while self.app.round().await.expect("the store works") > 0 {}
    }

    /// Where incoming mail goes.
    pub(crate) fn smtp(&self) -> SocketAddr {
        self.app.addresses().smtp.expect("it listens")
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.app.addresses().http)
    }

    /// Another account with a key of its own.
    pub(crate) async fn other_account(&self) -> (AccountId, Credentials) {
        let store = self.app.store();
        let account = access::create_account(store, None, "other").await.expect("an account");
        let (id, secret) = access::create_key(store, &account).await.expect("a key");
        (account, credentials(&id, secret.reveal()))
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        self.sqs_as(credentials(KEY, SECRET))
    }

    pub(crate) fn sqs_as(&self, credentials: Credentials) -> aws_sdk_sqs::Client {
        sqs_at(&self.endpoint(), credentials)
    }

    pub(crate) fn sns(&self) -> aws_sdk_sns::Client {
        self.sns_as(credentials(KEY, SECRET))
    }

    pub(crate) fn sns_as(&self, credentials: Credentials) -> aws_sdk_sns::Client {
        sns_at(&self.endpoint(), credentials)
    }

    pub(crate) fn ses(&self) -> aws_sdk_ses::Client {
        self.ses_as(credentials(KEY, SECRET))
    }

    pub(crate) fn ses_as(&self, credentials: Credentials) -> aws_sdk_ses::Client {
        let config = aws_sdk_ses::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.endpoint())
            .http_client(http_client())
            .credentials_provider(credentials);
        aws_sdk_ses::Client::from_conf(config.build())
    }

    pub(crate) fn sesv2(&self) -> aws_sdk_sesv2::Client {
        self.sesv2_as(credentials(KEY, SECRET))
    }

    pub(crate) fn sesv2_as(&self, credentials: Credentials) -> aws_sdk_sesv2::Client {
        sesv2_at(&self.endpoint(), credentials)
    }
}

pub(crate) fn credentials(id: &str, secret: &str) -> Credentials {
    Credentials::new(id, secret, None, None, "test")
}

/// A client of the server at this URL.
pub(crate) fn sqs_at(endpoint: &str, credentials: Credentials) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .http_client(http_client())
        .credentials_provider(credentials);
    aws_sdk_sqs::Client::from_conf(config.build())
}

/// The same for SES.
pub(crate) fn sns_at(endpoint: &str, credentials: Credentials) -> aws_sdk_sns::Client {
    let config = aws_sdk_sns::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .http_client(http_client())
        .credentials_provider(credentials);
    aws_sdk_sns::Client::from_conf(config.build())
}

pub(crate) fn sesv2_at(endpoint: &str, credentials: Credentials) -> aws_sdk_sesv2::Client {
    let config = aws_sdk_sesv2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .http_client(http_client())
        .credentials_provider(credentials);
    aws_sdk_sesv2::Client::from_conf(config.build())
}

/// Plain HTTP: the server is on this machine.
fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}
