//! What the log of a running server says of webhooks that may not be reached: when they are made, and when they are given up.
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::feedback::deliver_at;

/// How long a line may take to come.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server of a developer, which ends when it is dropped, and its log.
struct Server {
    process: Child,
    endpoint: String,
    smtp: SocketAddr,
    log: Receiver<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(data: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command.env_clear().args(["dev", "--capture-smtp", "none", "--dns", "127.0.0.1:9", "--log", "warn"]);
        command.args(["--event-buses", "default=http://ann:hidden@10.1.2.3/bus?token=hidden"]);
        command.env("POSTRIDER_EVENT_BUS_SECRET", "a secret of more than 16").arg("--data-dir").arg(data);
        for port in ["--http", "--smtp", "--submission", "--submissions"] {
            command.args([port, "127.0.0.1:0"]);
        }
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (put, log) = channel();
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| put.send(line)));
        let mut said = BufReader::new(process.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let mut after = |name: &str| {
            let word =
                |line: String| line.trim_start().strip_prefix(name)?.split_whitespace().next().map(str::to_owned);
            said.by_ref().find_map(word).expect("it says where it listens")
        };
        let (endpoint, smtp) = (after("endpoint"), after("smtp").parse().expect("an address"));
        Self { process, endpoint, smtp, log }
    }

    /// The first line of the log from here on with these words.
    fn heard(&self, words: &str) -> String {
        let mut lines = std::iter::from_fn(|| self.log.recv_timeout(PATIENCE).ok());
        lines.find(|line| line.contains(words)).unwrap_or_else(|| panic!("not a word of {words:?}"))
    }

    /// A request of AWS's Query protocol.
    async fn query(&self, fields: &[(&str, &str)]) {
        let form = reqwest::Url::parse_with_params("http://x/", fields).expect("a URL");
        let request = reqwest::Client::new().post(&self.endpoint).body(form.query().expect("a form").to_owned());
        let answer =
            request.header("content-type", "application/x-www-form-urlencoded").send().await.expect("answered");
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert_eq!(status, 200, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_names_what_cannot_be_reached_and_the_setting() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"));
    let line = server.heard("event bus");
    assert!(line.contains("http://10.1.2.3/bus") && line.contains("webhook-allow"), "{line}");
    assert!(!line.contains("hidden"), "{line}");

    let ses = ("Version", "2010-12-01");
    server.query(&[("Action", "VerifyDomainIdentity"), ses, ("Domain", "here.example")]).await;
    server.query(&[("Action", "CreateReceiptRuleSet"), ses, ("RuleSetName", "main")]).await;
    server.query(&[("Action", "SetActiveReceiptRuleSet"), ses, ("RuleSetName", "main")]).await;
    let rule = [
        ses,
        ("RuleSetName", "main"),
        ("Rule.Name", "support"),
        ("Rule.Enabled", "true"),
        ("Rule.Actions.member.1.WebhookAction.Url", "http://192.168.7.1:8080/in?token=hidden"),
        ("Rule.Actions.member.1.WebhookAction.Secret", "a secret of more than 16"),
    ];
    for action in ["CreateReceiptRule", "UpdateReceiptRule"] {
        server.query(&[&[("Action", action)], &rule[..]].concat()).await;
        let line = server.heard("a receipt rule has a webhook that cannot be reached");
        names(&line, &["rule_set=\"main\"", "rule=\"support\"", "account=000000000000", "region=us-east-1"]);
    }
    let sns = ("Version", "2010-03-31");
    server.query(&[("Action", "CreateTopic"), sns, ("Name", "news")]).await;
    let topic = "arn:aws:sns:us-east-1:000000000000:news";
    let endpoint = ("Endpoint", "http://ann:hidden@192.168.7.1:8080/in?token=hidden");
    server.query(&[("Action", "Subscribe"), sns, ("TopicArn", topic), ("Protocol", "http"), endpoint]).await;
    names(&server.heard("subscribed an endpoint that cannot be reached"), &[topic]);
    names(&server.heard("WARN given up; the job is kept"), &["not public", "admin jobs"]);

    let mail = "From: Ann <ann@there.example>\nTo: bob@here.example\nSubject: hello\n\nhi\n";
    let (_, taken) = deliver_at(server.smtp, "ann@there.example", "bob@here.example", mail).await;
    assert!(taken.starts_with("250 "), "{taken}");
    let line = server.heard("ERROR given up; the job is kept");
    names(&line, &["rule_set=\"main\"", "rule=\"support\"", "account=\"000000000000\"", "not public", "admin jobs"]);
}

/// The line has these words, where it goes and the setting, and nothing secret.
fn names(line: &str, words: &[&str]) {
    for word in [&["http://192.168.7.1:8080/in", "webhook-allow"], words].concat() {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert!(!line.contains("hidden") && !line.contains("a secret"), "{line}");
}
