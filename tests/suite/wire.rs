//! The wire as AWS's own clients see it: boto3 and the Rust SDK against a whole server.
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use postrider::access::{create_account, create_key};
use postrider::app::App;
use postrider::base::{Clock, Secret};
use postrider::config::{Given, Mode, Settings};

use crate::both_engines;
use crate::engine::TestDatabase;

const KEY: &str = "AKIAROOTOFTHETESTS";
const SECRET: &str = "a-secret/with+signs=";

async fn start(mode: Mode, database: &TestDatabase) -> App {
    let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into());
    let given = Given {
        http: any,
        smtp: any,
        submission: any,
        submissions: any,
        data_dir: Some(database.dir.path().join("data")),
        database_url: Some(database.url.clone()),
        hostname: Some("postrider.example".to_owned()),
        root_access_key_id: Some(KEY.to_owned()),
        root_secret_access_key: Some(Secret::new(SECRET)),
        ..Given::default()
    };
    let settings = Settings::resolve(mode, given).expect("good settings");
    let _ = rustls::crypto::ring::default_provider().install_default();
    App::start(settings, Clock::system(), false).await.expect("the server starts")
}

fn endpoint(app: &App) -> String {
    format!("http://{}", app.addresses().http)
}

/// Runs `tests/python/wire.py`, which says itself what went wrong.
async fn run_python(arguments: Vec<String>) {
    let python = std::env::var("POSTRIDER_TEST_PYTHON").expect(
        "the tests need Python with boto3: start them with ./tests/run, or set POSTRIDER_TEST_PYTHON to such a Python",
    );
    let run = move || Command::new(python).arg("tests/python/wire.py").args(arguments).output();
    let output = tokio::task::spawn_blocking(run).await.expect("the script runs").expect("Python starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

fn sqs(app: &App, key: &str, secret: &str) -> aws_sdk_sqs::Client {
    let credentials = Credentials::new(key, secret, None, None, "test");
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(endpoint(app))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

both_engines! {
    async fn boto3_is_content_with_a_production_server(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let app = start(Mode::Serve, &database).await;
        run_python(vec![endpoint(&app), KEY.to_owned(), SECRET.to_owned()]).await;
        app.stop().await;
    }

    async fn boto3_is_content_with_a_developers_server(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let app = start(Mode::Dev, &database).await;
        run_python(vec![endpoint(&app), "any".to_owned(), "thing".to_owned(), "anybody".to_owned()]).await;
        app.stop().await;
    }

    async fn what_the_rust_sdk_signs_is_let_in(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let app = start(Mode::Serve, &database).await;
        let client = sqs(&app, KEY, SECRET);
        let made = client.create_queue().queue_name("jobs").send().await.expect("a queue");
        let queue = made.queue_url().expect("a URL").to_owned();
        assert_eq!(queue, format!("{}/queue/eu-west-1/000000000000/jobs", endpoint(&app)));
        client.send_message().queue_url(&queue).message_body("hello").send().await.expect("sent");
        let received = client.receive_message().queue_url(&queue).wait_time_seconds(5).send().await.expect("received");
        assert_eq!(received.messages().first().and_then(|m| m.body()), Some("hello"));
        let gone = client.get_queue_url().queue_name("nowhere").send().await.expect_err("no queue").into_service_error();
        assert!(gone.is_queue_does_not_exist(), "{gone:?}");
        let refused = sqs(&app, KEY, "another-secret").list_queues().send().await.expect_err("a wrong signature");
        assert_eq!(refused.into_service_error().meta().code(), Some("SignatureDoesNotMatch"));
        app.stop().await;
    }

    async fn accounts_cannot_see_each_other(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let app = start(Mode::Serve, &database).await;
        let shop = create_account(app.store(), None, "shop").await.expect("an account");
        let (key, secret) = create_key(app.store(), &shop).await.expect("a key");
        let (ours, theirs) = (sqs(&app, KEY, SECRET), sqs(&app, &key, secret.reveal()));
        let made = ours.create_queue().queue_name("jobs").send().await.expect("a queue");
        let queue = made.queue_url().expect("a URL").to_owned();
        assert!(theirs.list_queues().send().await.expect("a list").queue_urls().is_empty());
        let gone = theirs.get_queue_url().queue_name("jobs").send().await.expect_err("no queue of theirs");
        assert!(gone.into_service_error().is_queue_does_not_exist());
        let denied = theirs.send_message().queue_url(&queue).message_body("x").send().await.expect_err("denied");
        assert_eq!(denied.into_service_error().meta().code(), Some("AccessDenied"));
        let denied = theirs.delete_queue().queue_url(&queue).send().await.expect_err("denied");
        assert_eq!(denied.into_service_error().meta().code(), Some("AccessDenied"));
        // The same name is another queue in another account.
        let made = theirs.create_queue().queue_name("jobs").send().await.expect("a queue");
        assert_eq!(made.queue_url(), Some(&*queue.replace("000000000000", shop.as_str())));
        app.stop().await;
    }
}
