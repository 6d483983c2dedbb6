//! The server is killed under load again and again (SIGKILL), and then every message is accounted for: what was
//! accepted was deleted once, or is still there, once.
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName, SendMessageBatchRequestEntry};
use tokio::task::JoinSet;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::house::{KEY, SECRET, credentials};

const PRODUCERS: usize = 4;
const CONSUMERS: usize = 4;

/// The binary as a user runs it.
struct Server {
    process: Child,
    endpoint: String,
}

impl Server {
    fn start(database: &TestDatabase) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command.arg("serve").args(["--delivery", "capture", "--hostname", "mx.postrider.example"]);
        for port in ["--http", "--smtp", "--submission", "--submissions"] {
            command.args([port, "127.0.0.1:0"]);
        }
        command.arg("--data-dir").arg(database.dir.path().join("data")).args(["--database-url", &database.url]);
        command.env("POSTRIDER_ROOT_ACCESS_KEY_ID", KEY).env("POSTRIDER_ROOT_SECRET_ACCESS_KEY", SECRET);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the server starts");
        let said = BufReader::new(process.stdout.take().expect("piped"));
        let endpoint = said.lines().map_while(Result::ok).find_map(|line| {
            let rest = line.trim_start().strip_prefix("endpoint")?;
            rest.split_whitespace().next().map(str::to_owned)
        });
        Self { process, endpoint: endpoint.expect("it says where it listens") }
    }

    fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
    }

    fn client(&self) -> Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            // A repeated send would be a second message.
            .retry_config(RetryConfig::disabled())
            .credentials_provider(credentials(KEY, SECRET));
        Client::from_conf(config.build())
    }

    fn queue_url(&self) -> String {
        format!("{}/000000000000/q", self.endpoint)
    }
}

/// What the clients know.
#[derive(Default)]
struct Ledger {
    next: usize,
    accepted: BTreeSet<String>,
    /// Sent, but the answer never came.
    perhaps_accepted: BTreeSet<String>,
    deleted: BTreeSet<String>,
    /// Deleted, but the answer never came.
    perhaps_deleted: BTreeSet<String>,
}

type Shared = Arc<Mutex<Ledger>>;

/// Sends batches until the server is gone.
async fn produce(client: Client, url: String, ledger: Shared, accepted: Arc<AtomicUsize>) {
    loop {
        let bodies: Vec<String> = {
            let mut ledger = ledger.lock().expect("not poisoned");
            ledger.next += 10;
            (ledger.next - 10..ledger.next).map(|n| format!("m{n}")).collect()
        };
        let entry =
            |body: &String| SendMessageBatchRequestEntry::builder().id(body).message_body(body).build().expect("valid");
        let batch = client.send_message_batch().queue_url(&url).set_entries(Some(bodies.iter().map(entry).collect()));
        let answer = batch.send().await;
        let mut ledger = ledger.lock().expect("not poisoned");
        match answer {
            Ok(answer) => {
                assert!(answer.failed().is_empty(), "{:?}", answer.failed());
                accepted.fetch_add(bodies.len(), Ordering::SeqCst);
                ledger.accepted.extend(bodies);
            }
            Err(_) => return ledger.perhaps_accepted.extend(bodies),
        }
    }
}

/// Receives and deletes until the server is gone, or, when `to_the_end`, until the queue is empty.
async fn consume(client: Client, url: String, ledger: Shared, to_the_end: bool) -> Vec<String> {
    let mut seen = vec![];
    loop {
        let gone_before = ledger.lock().expect("not poisoned").deleted.clone();
        let receive = client.receive_message().queue_url(&url).max_number_of_messages(10).wait_time_seconds(1);
        let Ok(received) = receive.send().await else { return seen };
        let messages = received.messages();
        if messages.is_empty() {
            if to_the_end && is_empty(&client, &url).await {
                return seen;
            }
            continue;
        }
        let bodies: Vec<String> = messages.iter().map(|m| m.body().expect("a body").to_owned()).collect();
        for body in &bodies {
            assert!(!gone_before.contains(body), "{body} was deleted, and came again");
        }
        seen.extend(bodies.clone());
        let entry = |(n, handle): (usize, &str)| {
            DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(handle).build().expect("valid")
        };
        let handles = messages.iter().map(|m| m.receipt_handle().expect("a handle"));
        let entries = handles.enumerate().map(entry).collect();
        let answer = client.delete_message_batch().queue_url(&url).set_entries(Some(entries)).send().await;
        let mut ledger = ledger.lock().expect("not poisoned");
        match answer {
            Ok(answer) => {
                assert!(answer.failed().is_empty(), "{:?}", answer.failed());
                ledger.deleted.extend(bodies);
            }
            Err(_) => ledger.perhaps_deleted.extend(bodies),
        }
    }
}

async fn is_empty(client: &Client, url: &str) -> bool {
    let wanted =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    let asked = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(wanted.to_vec())).send().await;
    asked.expect("answers").attributes().expect("some").values().all(|count| count == "0")
}

async fn until_killed(server: Server, ledger: &Shared, kill_after: usize) {
    let accepted = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    let (client, url) = (server.client(), server.queue_url());
    for _ in 0..PRODUCERS {
        clients.spawn(produce(client.clone(), url.clone(), ledger.clone(), accepted.clone()));
    }
    for _ in 0..CONSUMERS {
        let consume = consume(client.clone(), url.clone(), ledger.clone(), false);
        clients.spawn(async { drop(consume.await) });
    }
    while accepted.load(Ordering::SeqCst) < kill_after {
        tokio::task::yield_now().await;
    }
    server.kill();
    while let Some(ended) = clients.join_next().await {
        ended.expect("no client found anything wrong");
    }
}

both_engines! {
    /// `POSTRIDER_CRASH_ROUNDS` makes it longer.
    async fn every_accepted_message_survives_kills_and_is_deleted_once(engine: Engine) {
        let rounds = std::env::var("POSTRIDER_CRASH_ROUNDS").map_or(3, |text| text.parse().expect("a number"));
        let database = TestDatabase::new(engine).await;
        let ledger = Shared::default();
        let server = Server::start(&database);
        server.client().create_queue().queue_name("q").attributes(QueueAttributeName::VisibilityTimeout, "5").send()
            .await.expect("a queue");
        server.kill();
        for _ in 0..rounds {
            let kill_after = 200 + rand::random_range(0..800);
            until_killed(Server::start(&database), &ledger, kill_after).await;
        }
        let server = Server::start(&database);
        let left = consume(server.client(), server.queue_url(), ledger.clone(), true).await;
        server.kill();

        let ledger = ledger.lock().expect("not poisoned");
        let left_once: BTreeSet<String> = left.iter().cloned().collect();
        let known: BTreeSet<String> = ledger.accepted.union(&ledger.perhaps_accepted).cloned().collect();
        assert!(left_once.is_subset(&known), "messages that nobody sent");
        let lost: Vec<&String> = ledger.accepted.iter()
            .filter(|m| !ledger.deleted.contains(*m) && !ledger.perhaps_deleted.contains(*m)).collect();
        assert!(lost.is_empty(), "accepted, never deleted, and not there: {lost:?}");
        assert!(ledger.accepted.len() >= 200 * rounds, "there was load");
    }
}
