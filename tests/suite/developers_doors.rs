//! What `dev` has for a developer: a port that takes any mail, the inbox that waits for it, a page for browsers, and who may not ask.
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use postrider::config::{DevGiven, Given, Mode};
use postrider::store::mails;
use serde_json::Value;

use crate::both_engines;
use crate::house::House;

const MAIL: &[u8] =
    b"From: Shop <shop@nowhere.test>\r\nTo: ann@x.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello.";

fn client(house: &House) -> lettre::transport::smtp::AsyncSmtpTransportBuilder {
    let port = house.app.addresses().capture_smtp.expect("it listens").port();
    AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(port)
}

fn envelope(from: Option<&str>, to: &[&str]) -> Envelope {
    let address = |text: &&str| text.parse().expect("an address");
    Envelope::new(from.as_ref().map(address), to.iter().map(address).collect()).expect("an envelope")
}

async fn inbox(house: &House, query: &str) -> Vec<Value> {
    let url = format!("{}/_postrider/inbox{query}", house.endpoint());
    let answer = reqwest::get(url).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    serde_json::from_str(&answer.text().await.expect("text")).expect("JSON")
}

/// The status and the text of a page, asked for with these headers.
async fn page(house: &House, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut asked = reqwest::Client::new().get(format!("{}{path}", house.endpoint()));
    for (name, value) in headers {
        asked = asked.header(*name, *value);
    }
    let answer = asked.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

both_engines! {
    async fn any_mail_of_anybody_comes_into_the_inbox(engine: Engine) {
        let house = House::dev(engine).await;
        let plain = client(&house).build::<Tokio1Executor>();
        plain.send_raw(&envelope(Some("shop@nowhere.test"), &["ann@x.test", "Bob@y.test"]), MAIL).await.expect("taken");
        let password = Credentials::new("anybody".to_owned(), "any password".to_owned());
        let known = client(&house).credentials(password).build::<Tokio1Executor>();
        // A bounce, with the null reverse path.
        known.send_raw(&envelope(None, &["carol@x.test"]), MAIL).await.expect("taken");

        let all = inbox(&house, "").await;
        let to = |mail: &Value| (mail["from"].as_str().unwrap_or_default().to_owned(), mail["to"].as_str().unwrap_or_default().to_owned());
        let of = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let shop = "shop@nowhere.test";
        assert_eq!(all.iter().map(to).collect::<Vec<_>>(), [of("", "carol@x.test"), of(shop, "Bob@y.test"), of(shop, "ann@x.test")]);
        let bobs = inbox(&house, "?to=bob@Y.test").await;
        assert_eq!((bobs.len(), bobs[0]["subject"].as_str()), (1, Some("Grüße")));
        // A mail to two stands there twice, and says so.
        let shared = |mail: &Value| (mail["messageId"] == bobs[0]["messageId"], mail["recipients"].as_i64());
        assert_eq!(all.iter().map(shared).collect::<Vec<_>>(), [(false, Some(1)), (true, Some(2)), (true, Some(2))]);
        assert_eq!(bobs[0]["recipients"], 2);
        let id = bobs[0]["id"].as_str().expect("an id").to_owned();
        let (status, raw) = page(&house, &format!("/_postrider/inbox/{id}/raw"), &[]).await;
        assert_eq!((status, raw.as_bytes()), (200, &[MAIL, b"\r\n"].concat()[..]));

        // Nothing stays of it.
        let mail = bobs[0]["messageId"].as_str().expect("an id").to_owned();
        reqwest::Client::new().delete(format!("{}/_postrider/inbox", house.endpoint())).send().await.expect("an answer");
        assert!(inbox(&house, "").await.is_empty());
        let kept = house.app.store().read(|tx| Box::pin(async move { mails::raw(tx, &mail).await })).await;
        assert_eq!(kept.expect("the store reads"), None);
    }

    async fn what_the_capture_port_takes_is_seen_where_sent_mail_is_delivered(engine: Engine) {
        let delivers = Given { delivery: Some("mx".to_owned()), ..Given::default() };
        let house = House::start(Mode::Dev, engine, delivers).await;
        let sender = client(&house).build::<Tokio1Executor>();
        sender.send_raw(&envelope(Some("shop@nowhere.test"), &["ann@x.test"]), MAIL).await.expect("taken");
        assert_eq!(inbox(&house, "").await.len(), 1);
    }

    async fn the_inbox_waits_for_a_mail(engine: Engine) {
        let house = House::dev(engine).await;
        let url = format!("{}/_postrider/inbox?to=late@x.test&wait=60", house.endpoint());
        let mut asked = tokio::spawn(async move {
            let answer = reqwest::get(url).await.expect("an answer");
            answer.text().await.expect("text")
        });
        let sender = client(&house).build::<Tokio1Executor>();
        for to in ["other@x.test", "late@x.test"] {
            sender.send_raw(&envelope(Some("a@b.test"), &[to]), MAIL).await.expect("taken");
        }
        // The server's clock stands still but for this.
        let found = loop {
            house.clock.advance(Duration::from_millis(50));
            if let Ok(found) = tokio::time::timeout(Duration::from_millis(50), &mut asked).await {
                break found.expect("it answers");
            }
        };
        let found: Vec<Value> = serde_json::from_str(&found).expect("JSON");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["to"], "late@x.test");
        let refused = reqwest::get(format!("{}/_postrider/inbox?wait=61", house.endpoint())).await.expect("an answer");
        assert_eq!(refused.status(), 400);
    }

    async fn a_plus_in_an_address_need_not_be_escaped(engine: Engine) {
        let house = House::dev(engine).await;
        let sender = client(&house).build::<Tokio1Executor>();
        sender.send_raw(&envelope(Some("me+shop@b.test"), &["ann+1@x.test"]), MAIL).await.expect("taken");
        for query in ["?to=ann+1@x.test", "?to=ann%2B1@x.test"] {
            assert_eq!(inbox(&house, query).await.len(), 1, "{query}");
        }
        let (_, mails) = page(&house, "/_aws/ses?email=me+shop@b.test", &[]).await;
        assert!(mails.contains("ann+1@x.test"), "{mails}");
    }

    async fn a_parameter_that_is_unknown_or_cannot_be_read_is_refused_by_its_name(engine: Engine) {
        let house = House::dev(engine).await;
        let sender = client(&house).build::<Tokio1Executor>();
        sender.send_raw(&envelope(Some("a@b.test"), &["ann@x.test"]), MAIL).await.expect("taken");
        house.sqs().create_queue().queue_name("stays").send().await.expect("made");
        for (delete, path, name) in [
            (true, "/_postrider/dev/state?accuont=000000000000", "accuont"),
            (true, "/_postrider/inbox?to=ann@x.test", "to"),
            (true, "/_aws/ses?id=some", "id"),
            (false, "/_postrider/inbox?form=a@b.test", "form"),
            (false, "/_postrider/inbox?wait=abc", "wait"),
            (false, "/_aws/ses?emial=a@b.test", "emial"),
            (false, "/_aws/sqs/messages?QueueURL=http://h/000000000000/stays", "QueueURL"),
            (false, "/_postrider/deliveries?for=x", "for"),
        ] {
            let (client, url) = (reqwest::Client::new(), format!("{}{path}", house.endpoint()));
            let asked = if delete { client.delete(url) } else { client.get(url) };
            let answer = asked.send().await.expect("an answer");
            assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (400, &"application/json".parse().expect("a value")), "{path}");
            let text = answer.text().await.expect("text");
            let error: Value = serde_json::from_str(&text).expect("JSON");
            assert!(error["error"].as_str().expect("a text").contains(name), "{path}: {text}");
        }
        assert_eq!(inbox(&house, "").await.len(), 1);
        assert_eq!(house.sqs().list_queues().send().await.expect("a list").queue_urls().len(), 1);
    }

    async fn a_page_of_a_stranger_cannot_ask_a_server_without_credentials(engine: Engine) {
        let dev = House::dev(engine).await;
        for path in ["/", "/_postrider/inbox", "/_postrider/health", "/?Action=ListQueues"] {
            let (status, text) = page(&dev, path, &[("Host", "rebound.evil.com")]).await;
            assert_eq!(status, 421, "{path}");
            assert!(text.contains("--allow-hosts"), "{text}");
        }
        for host in ["localhost", "postrider:4566", "sqs.us-east-1.amazonaws.com"] {
            assert_eq!(page(&dev, "/_postrider/health", &[("Host", host)]).await.0, 200, "{host}");
        }
        let allow = DevGiven { allow_hosts: Some(vec!["mail.shop.dev".to_owned()]), ..DevGiven::default() };
        let allowing = House::start(Mode::Dev, engine, Given { dev: allow, ..Given::default() }).await;
        assert_eq!(page(&allowing, "/_postrider/health", &[("Host", "mail.shop.dev:4566")]).await.0, 200);
        let serve = House::start(Mode::Serve, engine, Given::default()).await;
        assert_eq!(page(&serve, "/_postrider/health", &[("Host", "mail.shop.dev")]).await.0, 200);
    }

    async fn queue_urls_begin_with_the_public_url_or_else_with_the_callers_host(engine: Engine) {
        let public = "https://mail.example.com/postrider";
        for (mode, at) in [(Mode::Serve, Some(public)), (Mode::Dev, Some(public)), (Mode::Dev, None)] {
            let given = Given { public_url: at.map(str::to_owned), ..Given::default() };
            let house = House::start(mode, engine, given).await;
            let (sqs, here) = (house.sqs(), house.endpoint());
            let begins = at.unwrap_or(&here);
            let made = sqs.create_queue().queue_name("jobs").send().await.expect("made").queue_url.expect("a URL");
            let path = made.strip_prefix(begins).unwrap_or_else(|| panic!("{made} begins with {begins}"));
            let found = sqs.get_queue_url().queue_name("jobs").send().await.expect("found").queue_url.expect("a URL");
            let listed = sqs.list_queues().send().await.expect("a list");
            assert_eq!((found.as_str(), listed.queue_urls()), (made.as_str(), &[made.clone()][..]));
            for url in [made.clone(), format!("{here}{path}")] {
                sqs.send_message().queue_url(url).message_body("x").send().await.expect("sent");
            }
        }
    }

    async fn a_browser_is_told_where_things_are(engine: Engine) {
        for (mode, inbox) in [(Mode::Dev, true), (Mode::Serve, false)] {
            let house = House::start(mode, engine, Given::default()).await;
            let (status, text) = page(&house, "/", &[("Accept", "text/html,application/xhtml+xml")]).await;
            assert_eq!((status, text.contains("AWS_ENDPOINT_URL")), (200, true));
            assert_eq!(text.contains("/_postrider/inbox"), inbox, "{text}");
            assert!(!text.contains("<p></p>") && text.matches("<p>").count() == text.matches("</p>").count(), "{text}");
            // A program that names nothing is told so as AWS tells it.
            assert!(page(&house, "/", &[]).await.0 >= 400);
            assert_eq!(page(&house, "/favicon.ico", &[]).await, (204, String::new()));
            assert!(page(&house, "/robots.txt", &[]).await.1.contains("Disallow: /"));
        }
    }
}

#[test]
fn what_is_ephemeral_goes_and_what_is_none_does_not_listen() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args([
        "dev",
        "--ephemeral",
        "--http",
        "0",
        "--smtp",
        "none",
        "--submission",
        "none",
        "--submissions",
        "none",
    ]);
    command.args(["--capture-smtp", "localhost:0", "--log", "error"]).env_clear().stdout(Stdio::piped());
    let mut server = command.spawn().expect("it starts");
    let mut said = BufReader::new(server.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut line = |word: &str| said.find(|line| line.trim_start().starts_with(word)).expect("it says so");
    assert_eq!(line("smtp").split_whitespace().last(), Some("none"));
    assert!(line("capture").contains("smtp://127.0.0.1:"));
    let data = line("data");
    let folder = data.split_whitespace().nth(1).expect("a folder").to_owned();
    assert!(data.contains("goes when the server stops") && Path::new(&folder).is_dir(), "{data}");
    let stopped = Command::new("kill").args(["-TERM", &server.id().to_string()]).status().expect("kill runs");
    assert!(stopped.success() && server.wait().expect("it ends").success());
    assert!(!Path::new(&folder).exists(), "{folder}");
}
