//! Hostile input through the real front door: whatever comes over SMTP or HTTP gets a verdict or a refusal, what was
//! accepted is found where its rule puts it, and the next good mail arrives.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postrider::base::{AccountId, Arn, Region, Scope};
use postrider::config::{Given, Mode};
use postrider::mail::receiving::rules::Action;
use postrider::queues::Receive;
use postrider::store::Error;
use postrider::topics::{NewTopic, Wish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::both_engines;
use crate::dns::TestDns;
use crate::engine::Engine as OneOf;
use crate::hostile::bombs;
use crate::house::House;
use crate::receiving_bench::rule;

pub(crate) const ENVELOPE: &str =
    "EHLO client.example\r\nMAIL FROM:<ann@there.example>\r\nRCPT TO:<bob@here.example>\r\n";
const GOOD: &str = "From: ann@there.example\r\nTo: bob@here.example\r\nSubject: good\r\n\r\nhi\r\n";
const ACCEPTED: &str = "250 2.0.0 Ok ";

/// A server that receives all mail for `here.example` into a bucket and tells a topic with a queue.
pub(crate) struct Door {
    house: House,
    scope: Scope,
    told: BTreeMap<String, String>,
    _dns: TestDns,
}

pub(crate) async fn door(engine: OneOf) -> Door {
    // It knows nothing, and says so at once.
    let dns = TestDns::start().await;
    let given = Given { dns: Some(vec![dns.address]), ..Given::default() };
    let house = House::start(Mode::Dev, engine, given).await;
    house.sesv2().create_email_identity().email_identity("here.example").send().await.expect("an identity");
    let owner = Scope { account: AccountId::development(), region: Region::default_region() };
    let services = &house.app.parts().services;
    let (account, region) = (owner.account.clone(), owner.region.clone());
    let scope = Scope { account: account.clone(), region: region.clone() };
    services.queues.create(&scope, "told", BTreeMap::new(), BTreeMap::new()).await.expect("a queue");
    let (attributes, tags) = (BTreeMap::new(), BTreeMap::new());
    let new = NewTopic { account: account.clone(), region: region.clone(), name: "told".to_owned(), attributes, tags };
    let topic = services.topics.create(new).await.expect("a topic");
    let wish = Wish {
        owner: account.clone(),
        topic: topic.clone(),
        protocol: "sqs".to_owned(),
        endpoint: Some(Arn::new("sqs", &region, &account, "told").to_string()),
        attributes: BTreeMap::from([("RawMessageDelivery".to_owned(), "true".to_owned())]),
        base_url: None,
    };
    services.topics.subscribe(wish).await.expect("a subscription");
    let s3 = Action::S3 { bucket: "mail".to_owned(), prefix: None, topic: Some(topic), role: None, kms: None };
    services.receiving.create_rule_set(&owner, "set").await.expect("a rule set");
    services.receiving.create_rule(&owner, "set", rule("all", &[], vec![s3]), None).await.expect("a rule");
    services.receiving.set_active_rule_set(&owner, Some("set")).await.expect("active");
    Door { house, scope, told: BTreeMap::new(), _dns: dns }
}

/// Sends all of it, says that no more comes, and gives what was answered.
pub(crate) async fn say(address: SocketAddr, octets: &[u8]) -> String {
    let (mut read, mut write) = TcpStream::connect(address).await.expect("it listens").into_split();
    let mut said = Vec::new();
    let sending = async {
        // Who is sent away need not take the rest.
        let _ = write.write_all(octets).await;
        let _ = write.shutdown().await;
    };
    let ((), _) = tokio::join!(sending, read.read_to_end(&mut said));
    String::from_utf8(said).expect("replies are text")
}

/// The ids that the client was told.
pub(crate) fn accepted(said: &str) -> Vec<String> {
    said.lines().filter_map(|line| line.strip_prefix(ACCEPTED)).map(str::to_owned).collect()
}

/// As a client sends it that cares for dots only: line ends are as they are.
fn with_data(message: &[u8]) -> Vec<u8> {
    let mut out = format!("{ENVELOPE}DATA\r\n").into_bytes();
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(if line.first() == Some(&b'.') { b"." } else { b"" });
        out.extend_from_slice(line);
    }
    out.extend_from_slice(if message.is_empty() || message.ends_with(b"\r\n") { b".\r\n" } else { b"\r\n.\r\n" });
    out
}

fn with_chunks(message: &[u8]) -> Vec<u8> {
    let (first, last) = message.split_at(message.len() / 3);
    let chunk = |octets: &[u8], last: &str| [format!("BDAT {}{last}\r\n", octets.len()).as_bytes(), octets].concat();
    [ENVELOPE.as_bytes(), &chunk(first, ""), &chunk(last, " LAST")].concat()
}

impl Door {
    pub(crate) fn smtp(&self) -> SocketAddr {
        self.house.smtp()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let row = self.house.app.store().read(move |tx| Box::pin(async move { tx.one(sql, vec![]).await })).await;
        row.map_err(|error: Error| error).expect("the store reads").expect("a row").int("total").expect("a number")
    }

    /// Works, and takes what the queue was told: the object's key for each message id.
    pub(crate) async fn work(&mut self) {
        self.house.work().await;
        let queues = &self.house.app.parts().services.queues;
        loop {
            let wanted = Receive { count_max: Some(10), ..Receive::default() };
            let got = queues.receive(&self.scope, "told", wanted).await.expect("the queue");
            if got.is_empty() {
                return;
            }
            for message in &got {
                let told: serde_json::Value = serde_json::from_str(&message.body).expect("JSON");
                let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                let key = text(&told["receipt"]["action"]["objectKey"]);
                let before = self.told.insert(text(&told["mail"]["messageId"]), key);
                assert_eq!(before, None, "told once");
            }
            let handles = got.iter().map(|message| message.receipt_handle.clone()).collect();
            queues.delete_messages(&self.scope, "told", handles).await.expect("deleted");
        }
    }

    /// Fails unless the mail of this id ended in its bucket, as it was, and the topic was told.
    pub(crate) fn kept(&self, name: &str, id: &str, message: &[u8]) {
        let key = self.told.get(id).unwrap_or_else(|| panic!("{name}: nobody was told of {id}"));
        let path = self.house.database.dir.path().join("data/objects/mail").join(key);
        let object = std::fs::read(path).expect(name);
        assert!(object.ends_with(message), "{name}: other octets");
    }

    pub(crate) async fn a_good_mail_arrives(&mut self, after: &str) {
        let said = say(self.smtp(), &with_data(GOOD.as_bytes())).await;
        let [id] = accepted(&said).try_into().unwrap_or_else(|_| panic!("after {after}: {said}"));
        self.work().await;
        self.kept(after, &id, GOOD.as_bytes());
    }

    async fn post(&self, path: &str, kind: &str, body: String) -> (u16, String) {
        let request =
            reqwest::Client::new().post(format!("{}{path}", self.house.endpoint())).header("content-type", kind);
        let answer = request.body(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }
}

/// In base64, on lines as MIME wants them.
fn wrapped(octets: impl AsRef<[u8]>) -> String {
    let lines = octets.as_ref().chunks(57).map(|line| STANDARD.encode(line));
    lines.collect::<Vec<_>>().join("\r\n")
}

/// Beside the MIME bombs: what only SMTP knows, and lines and octets that no mail may have.
fn more() -> Vec<(&'static str, Vec<u8>, bool)> {
    let head = "From: a@there.example\r\nMIME-Version: 1.0\r\n";
    let quoted = format!("{head}Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    let nowhere = "--m\r\nContent-Type: multipart/mixed; boundary=nowhere\r\n\r\nx\r\n".repeat(4_000);
    let charset = |name: &str| {
        format!("{head}Content-Type: text/plain; charset={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    };
    vec![
        (
            "a header line of a megabyte",
            format!("{head}X: {}\r\n\r\nbody\r\n", "y".repeat(1 << 20)).into_bytes(),
            false,
        ),
        ("an endless line", [head.as_bytes(), b"\r\n", &vec![b'x'; 3 << 20]].concat(), false),
        ("bare line feeds", format!("{head}\nbody\n").into_bytes(), false),
        ("bare carriage returns", format!("{head}\r\na\rb\r\r\n").into_bytes(), false),
        ("nul octets", format!("{head}Sub\0ject: \0\r\n\r\n\0\r\n\0.\r\n").into_bytes(), true),
        (
            "boundaries that are nowhere",
            format!("{head}Content-Type: multipart/mixed; boundary=m\r\n\r\n{nowhere}").into_bytes(),
            true,
        ),
        (
            "one octet for each part",
            format!("{head}Content-Type: multipart/mixed; boundary=-\r\n\r\n{}", "---\r\n".repeat(200_000))
                .into_bytes(),
            true,
        ),
        ("soft line breaks alone", format!("{quoted}{}", "=\r\n".repeat(300_000)).into_bytes(), true),
        ("blanks that quoted-printable takes away", format!("{quoted}{}=", " ".repeat(60_000)).into_bytes(), true),
        (
            "the same again and again",
            format!("{quoted}{}", "=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4=\r\n".repeat(20_000)).into_bytes(),
            true,
        ),
        ("utf-7", format!("{}{}\r\n", charset("utf-7"), wrapped("+".repeat(100_000))).into_bytes(), true),
        ("half of utf-16", format!("{}{}\r\n", charset("utf-16"), wrapped([0xD8; 99_999])).into_bytes(), true),
        (
            "shifts without end",
            format!("{}{}\r\n", charset("iso-2022-jp"), wrapped("\u{1b}$B".repeat(30_000))).into_bytes(),
            true,
        ),
        ("a charset without a name", format!("{}AAAA\r\n", charset(&"x".repeat(50_000))).into_bytes(), true),
        (
            "parameters",
            format!("{head}Content-Type: text/plain{}\r\n\r\nx\r\n", "; a*0*=utf-8''%".repeat(4_000)).into_bytes(),
            true,
        ),
    ]
}

both_engines! {
    async fn hostile_mail_comes_in_or_is_refused_and_the_next_one_arrives(engine: Engine) {
        let mut door = door(engine).await;
        let bombs = bombs().into_iter().map(|(name, message)| (name, message, None));
        let all = bombs.chain(more().into_iter().map(|(name, message, good)| (name, message, Some(good))));
        for (name, message, wanted) in all {
            let whole = message.is_empty() || message.ends_with(b"\r\n");
            let ended = if whole { message.clone() } else { [&message[..], b"\r\n"].concat() };
            for (octets, message) in [(with_data(&message), &ended), (with_chunks(&message), &message)] {
                let said = say(door.smtp(), &octets).await;
                let ids = accepted(&said);
                // One answer to one mail.
                let refusals = said.lines().filter(|line| line.starts_with('5')).count();
                assert_eq!(ids.len() + refusals, 1, "{name}: {said}");
                assert!(wanted.is_none_or(|good| good == (ids.len() == 1)), "{name}: {said}");
                door.work().await;
                ids.iter().for_each(|id| door.kept(name, id, message));
            }
            door.a_good_mail_arrives(name).await;
        }
    }

    /// Whatever the client has said by then.
    async fn a_connection_may_be_cut_after_every_octet(engine: Engine) {
        let mut door = door(engine).await;
        let auth = "EHLO x\r\nAUTH LOGIN\r\ndQ==\r\nVRFY a\r\nSTARTTLS\r\nNOOP\r\n".as_bytes().to_vec();
        let (data, chunks) = (with_data(GOOD.as_bytes()), with_chunks(GOOD.as_bytes()));
        for (octets, mails) in [(data, 1), (chunks, 1), (auth, 0)] {
            for cut in 0..octets.len() {
                let said = say(door.smtp(), &octets[..cut]).await;
                assert!(said.starts_with("220 ") && said.ends_with("\r\n"), "{cut}: {said}");
                assert!(accepted(&said).is_empty(), "{cut}: {said}");
            }
            let whole = say(door.smtp(), &octets).await;
            assert_eq!(accepted(&whole).len(), mails, "{whole}");
        }
        assert_eq!(door.count("SELECT COUNT(*) AS total FROM inbound_mails").await, 2, "half a mail is no mail");
        assert_eq!(door.count("SELECT COUNT(*) AS total FROM raw_messages").await, 2);
        door.a_good_mail_arrives("all that was cut").await;
    }

    async fn ten_thousand_recipients_are_too_many(engine: Engine) {
        let mut door = door(engine).await;
        let good: String = (0..10_000).map(|n| format!("RCPT TO:<u{n}@here.example>\r\n")).collect();
        let said = say(door.smtp(), format!("{ENVELOPE}{good}DATA\r\n{GOOD}.\r\n").as_bytes()).await;
        assert_eq!(said.lines().filter(|line| line.starts_with("250 2.1.5")).count(), 100);
        assert_eq!(said.lines().filter(|line| line.starts_with("452 ")).count(), 9_901);
        let [id] = accepted(&said).try_into().expect("for the first hundred");
        door.work().await;
        door.kept("for a hundred", &id, GOOD.as_bytes());

        let strange: String = (0..10_000).map(|n| format!("RCPT TO:<u{n}@else.example>\r\n")).collect();
        let octets = format!("{ENVELOPE}{strange}DATA\r\n{GOOD}.\r\n").into_bytes();
        let guessing = say(door.smtp(), &octets);
        tokio::pin!(guessing);
        let said = loop {
            // Who guesses waits for its answers.
            tokio::select! {
                biased;
                said = &mut guessing => break said,
                () = tokio::task::yield_now() => door.house.clock.advance(Duration::from_millis(100)),
            }
        };
        let last = said.lines().last().unwrap_or_default();
        assert!(accepted(&said).is_empty() && last.starts_with("421 "), "{said}");
        assert!(said.lines().filter(|line| line.starts_with("550 ")).count() <= 100, "then it is sent away");
        door.a_good_mail_arrives("guessing").await;
    }

    async fn hostile_messages_of_our_own_users_are_sent_or_refused(engine: Engine) {
        let door = door(engine).await;
        let mut sent = 0;
        let more = more().into_iter().map(|(name, message, _)| (name, message));
        for (name, message) in bombs().into_iter().chain(more) {
            let message = String::from_utf8_lossy(&message).replace("a@there.example", "a@here.example").into_bytes();
            let body = serde_json::json!({
                "Content": {"Raw": {"Data": STANDARD.encode(&message)}},
                "Destination": {"ToAddresses": ["c@else.example"]},
            });
            let (status, said) = door.post("/v2/email/outbound-emails", "application/json", body.to_string()).await;
            assert!(status == 200 || status == 400, "{name}: {status} {said}");
            sent += i64::from(status == 200);
            let data: String = form_urlencoded::byte_serialize(STANDARD.encode(&message).as_bytes()).collect();
            let action = "Action=SendRawEmail&Version=2010-12-01&Destinations.member.1=c%40else.example";
            let form = format!("{action}&RawMessage.Data={data}");
            let (again, said) = door.post("/", "application/x-www-form-urlencoded", form).await;
            assert_eq!(again, status, "{name}: {said}");
            sent += i64::from(again == 200);
            door.house.work().await;
            assert_eq!(door.count("SELECT COUNT(*) AS total FROM captured").await, sent, "{name}");
        }
        assert!(sent >= 20, "{sent}");
        // What shows them is not to be broken by them either.
        let inbox = format!("{}/_postrider/inbox", door.house.endpoint());
        let list = reqwest::get(format!("{inbox}?limit=100")).await.expect("an answer");
        let list: Vec<serde_json::Value> = serde_json::from_str(&list.text().await.expect("a text")).expect("JSON");
        for mail in &list {
            let id = mail["id"].as_str().expect("an id").replace('/', "%2F");
            let shown = reqwest::get(format!("{inbox}/{id}")).await.expect("an answer");
            assert_eq!(shown.status().as_u16(), 200, "{mail}");
        }
        assert!(door.house.sesv2().get_account().send().await.is_ok());
    }

    async fn hostile_requests_are_refused_and_the_next_one_is_answered(engine: Engine) {
        let door = door(engine).await;
        let (json, form) = ("application/json", "application/x-www-form-urlencoded");
        let deep = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        let lists = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        for body in [deep(1_000), deep(100_000), lists.clone(), "[".repeat(1_000_000), "{".repeat(1_000_000)] {
            for path in ["/v2/email/outbound-emails", "/v2/email/templates", "/v2/email/identities"] {
                assert_eq!(door.post(path, json, body.clone()).await.0, 400);
            }
            let request = reqwest::Client::new().post(door.house.endpoint());
            let request = request.header("x-amz-target", "AmazonSQS.SendMessage");
            assert_eq!(request.body(body).send().await.expect("an answer").status().as_u16(), 400);
        }
        let many = (0..100_000).map(|n| format!("Destinations.member.{n}=a&")).collect();
        for pairs in ["a=1&".repeat(100_000), many, format!("{}=1&", "a.".repeat(100_000)), "%".repeat(100_000)] {
            for action in [
                "Version=2010-12-01&Action=SendRawEmail",
                "Version=2010-03-31&Action=Publish",
                "Version=2012-11-05&Action=SendMessage",
            ] {
                let (status, said) = door.post("/", form, format!("{action}&{pairs}")).await;
                assert!((400..500).contains(&status) && said.contains("<Error>"), "{status} {said}");
            }
        }

        // Templates: their own nesting, that of their data, and how much of it there is.
        let blocks = format!("{}x{}", "{{#with a}}".repeat(1_000), "{{/with}}".repeat(1_000));
        let loops = format!("{}x{}", "{{#each l}}".repeat(10), "{{/each}}".repeat(10));
        let open = "{{".repeat(100_000);
        for (name, text, status) in
            [("plain", "{{a}}", 200), ("blocks", &blocks, 400), ("loops", &loops, 200), ("open", &open, 400)]
        {
            let body = serde_json::json!({"TemplateName": name, "TemplateContent": {"Subject": "s", "Text": text}});
            assert_eq!(door.post("/v2/email/templates", json, body.to_string()).await.0, status, "{name}");
        }
        let long = format!("{{\"l\":[{}1]}}", "1,".repeat(60_000));
        let mut accepted = 0;
        for (template, data) in [
            ("plain", deep(1_000)),
            ("plain", format!("{{\"a\":\"{}\"}}", "x".repeat(300_000))),
            ("plain", lists),
            ("loops", long),
            ("loops", "{\"l\":".repeat(50_000)),
        ] {
            let content = serde_json::json!({"Template": {"TemplateName": template, "TemplateData": data}});
            let body = serde_json::json!({
                "FromEmailAddress": "a@here.example",
                "Content": content,
                "Destination": {"ToAddresses": ["c@else.example"]},
            });
            let (status, said) = door.post("/v2/email/outbound-emails", json, body.to_string()).await;
            assert!(status == 200 || status == 400, "{template}: {status} {said}");
            accepted += i64::from(status == 200);
        }
        door.house.work().await;
        // A mail that cannot be rendered is accepted, and told of in an event (SES): it is no mail then.
        assert!(door.count("SELECT COUNT(*) AS total FROM captured").await <= accepted);
        assert!(door.house.sesv2().get_account().send().await.is_ok());
        assert!(door.house.sqs().list_queues().send().await.is_ok());
    }
}
