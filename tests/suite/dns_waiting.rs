//! The log says why an identity waits: which record is lacking and what stands instead, once and not at every look.
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use aws_sdk_ses::config::{BehaviorVersion, Region};

use crate::dns::TestDns;
use crate::house::{KEY, SECRET, credentials};

/// More than the time until the next regular look.
const PATIENCE: Duration = Duration::from_secs(150);

/// A server of its own process, and the lines of its log.
struct Served {
    child: Child,
    log: Receiver<String>,
    endpoint: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Nobody may listen any more.
            let _ = sender.send(line);
        }
    });
    receiver
}

fn serve(data: &std::path::Path, dns: &TestDns) -> Served {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.arg("serve").args(["--delivery", "capture", "--hostname", "mx.postrider.example", "--disk-reserve", "1"]);
    for port in ["--http", "--smtp", "--submission", "--submissions"] {
        command.args([port, "127.0.0.1:0"]);
    }
    command.arg("--data-dir").arg(data).args(["--dns", &dns.address.to_string(), "--log", "info"]);
    command.env_remove("POSTRIDER_MASTER_KEY").env("POSTRIDER_ROOT_ACCESS_KEY_ID", KEY);
    command.env("POSTRIDER_ROOT_SECRET_ACCESS_KEY", SECRET).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let log = lines(child.stderr.take().expect("piped"));
    let said = lines(child.stdout.take().expect("piped"));
    let endpoint = loop {
        let line = said.recv_timeout(PATIENCE).expect("it serves");
        if let Some(endpoint) = line.trim().strip_prefix("endpoint") {
            break endpoint.split_whitespace().next().expect("an address").to_owned();
        }
    };
    Served { child, log, endpoint }
}

impl Served {
    fn ses(&self) -> aws_sdk_ses::Client {
        let config = aws_sdk_ses::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(credentials(KEY, SECRET));
        aws_sdk_ses::Client::from_conf(config.build())
    }

    /// The next line about the domain.
    async fn next(&self) -> String {
        tokio::task::block_in_place(|| {
            loop {
                let line = self.log.recv_timeout(PATIENCE).expect("a line about the domain");
                if line.contains("wait.example") {
                    return line;
                }
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_an_identity_waits_is_said_once_in_the_log() {
    let dir = tempfile::tempdir().expect("a folder");
    let dns = TestDns::start().await;
    let server = serve(dir.path(), &dns);
    let ses = server.ses();
    // Whoever asks again has the server look at once.
    let ask = async || {
        let asked = ses.verify_domain_identity().domain("wait.example").send().await.expect("asked");
        asked.verification_token().to_owned()
    };
    let said = |line: &str, parts: &[&str]| assert!(parts.iter().all(|part| line.contains(part)), "{parts:?}: {line}");
    let token = ask().await;
    let lacks = "TXT _amazonses.wait.example: ";
    said(&server.next().await, &[" INFO", "identity checked", "PENDING", lacks, "no such name", "next_look"]);
    dns.txt("_amazonses.wait.example", "another");
    ask().await;
    said(&server.next().await, &[" INFO", "PENDING", lacks, "wrong, instead stands", "another"]);
    // A look that finds the same says nothing.
    let asked = dns.asked("_amazonses.wait.example");
    ask().await;
    while dns.asked("_amazonses.wait.example") == asked {
        tokio::task::yield_now().await;
    }
    dns.txt("_amazonses.wait.example", &token);
    ask().await;
    said(&server.next().await, &[" INFO", "identity checked", "SUCCESS"]);
    dns.breaks("_amazonses.wait.example");
    ask().await;
    said(
        &server.next().await,
        &[" WARN", "an identity has lost a record", "TEMPORARY_FAILURE", lacks, "did not answer"],
    );
}
