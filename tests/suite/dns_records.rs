//! `postrider admin dns-records`: which records are to be set, whether they are there, and lines that a zone file takes.
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postrider::config::{Given, Mode};
use postrider::mail::published::{DnsRecord, Need, Purpose, zone};
use serde_json::{Value, json};

use crate::both_engines;
use crate::dns::TestDns;
use crate::house::House;

const HOST: &str = "mx.postrider.example";
const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// What a command printed, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// The line after the one that says this: the record.
    fn record(&self, said: &str) -> &str {
        let mut lines = self.out.lines().skip_while(|line| !line.contains(said));
        lines.find(|line| !line.starts_with("; ")).unwrap_or_else(|| panic!("{said}: {}", self.out))
    }

    fn has(&self, said: &str) -> bool {
        self.out.contains(said)
    }
}

async fn admin(data: &Path, dns: &TestDns, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.arg("admin").arg("--data-dir").arg(data).args(["--hostname", HOST, "--dns", &dns.address.to_string()]);
    command.args(arguments).env_remove("POSTRIDER_MASTER_KEY");
    let output = tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("no panic");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// A server whose name server is the test's, and what an operator types beside it.
struct Desk {
    house: House,
    dns: TestDns,
}

impl Desk {
    async fn new(engine: crate::engine::Engine) -> Self {
        let dns = TestDns::start().await;
        let given = Given { dns: Some(vec![dns.address]), ..Given::default() };
        Self { house: House::start(Mode::Serve, engine, given).await, dns }
    }

    async fn says(&self, arguments: &[&str]) -> Said {
        let data = self.house.database.dir.path().join("data");
        let url = &self.house.database.url;
        admin(&data, &self.dns, &[&["--database-url", url][..], arguments].concat()).await
    }

    async fn checked(&self, domain: &str) -> Said {
        self.says(&["dns-records", domain, "--check"]).await
    }

    /// The server looks at all that is due.
    async fn looks(&self) {
        // The admin's clock is the machine's, which went on.
        self.house.clock.advance(Duration::from_secs(60));
        let identities = &self.house.app.parts().services.identities;
        while identities.check_pending().await.expect("a round") > 0 {}
    }
}

/// The name and the text of a line with a TXT record.
fn txt(line: &str) -> (&str, &str) {
    let (name, text) = line.split_once(" TXT ").unwrap_or_else(|| panic!("{line}"));
    (name, text.trim_matches('"'))
}

both_engines! {
    async fn each_record_is_there_missing_wrong_or_not_known(engine: Engine) {
        let desk = Desk::new(engine).await;
        let (ses, dns) = (desk.house.sesv2(), &desk.dns);
        ses.create_email_identity().email_identity("there.example").send().await.expect("made");
        ses.put_email_identity_mail_from_attributes().email_identity("there.example")
            .mail_from_domain("b.there.example").send().await.expect("set");
        let said = desk.checked("there.example").await;
        assert_eq!(said.code, Some(1), "{}", said.out);
        assert!(said.err.contains("3 of the records that are required are not there"), "{}", said.err);
        assert!(said.has("; there.example: PENDING since ") && said.has("; last look: none yet"), "{}", said.out);
        assert_eq!(said.out.matches("; missing: ").count(), 5, "the recommended ones are told too: {}", said.out);
        let (name, key) = txt(said.record("DKIM, current key"));
        // As others write them: white space in the key, other texts beside SPF, and SPF that leads elsewhere.
        dns.txt(name, &key.replace("p=MIIB", "p=MI IB").replace("; ", ";"));
        dns.mx("b.there.example", 10, "mx.other.example");
        dns.txt("b.there.example", "some-site-verification=1");
        dns.txt("b.there.example", "V=SPF1 include:_spf.there.example -all");
        dns.txt("_spf.there.example", "v=spf1 ip4:192.0.2.0/24 -all");
        dns.a(HOST, OURS);
        desk.looks().await;
        let said = desk.checked("there.example").await;
        assert_eq!(said.code, Some(1), "{}", said.out);
        for part in [
            "; there.example: SUCCESS\n", "; MAIL FROM b.there.example: PENDING since ", "; last look: 20", "; next look: 20",
            "; there: DKIM, current key", "; there: MAIL FROM domain: SPF",
            "; wrong: MAIL FROM domain: bounces come to this server: another mail host\n;   instead stands: \"10 mx.other.example\"\n",
            "; missing: SPF lets this server send", "; missing: DMARC",
        ] {
            assert!(said.has(part), "{part}: {}", said.out);
        }
        // The preference of a single host and capital letters mean nothing; without SPF and DMARC of its own a domain is verified.
        dns.forgets("b.there.example");
        dns.mx("b.there.example", 99, "MX.Postrider.example");
        dns.txt("b.there.example", "v=spf1 a:mx.postrider.example ~all");
        let said = desk.checked("there.example").await;
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
        dns.txt("b.there.example", "v=spf1 -all");
        let said = desk.checked("there.example").await;
        assert!(said.code == Some(1) && said.has(": several SPF records, of which none counts\n"), "{}", said.out);
        dns.forgets("b.there.example");
        dns.mx("b.there.example", 10, HOST);
        dns.txt("b.there.example", "v=spf1 ip4:192.0.2.8 ~all");
        let said = desk.checked("there.example").await;
        assert!(said.code == Some(1) && said.has(": softfail for 192.0.2.7\n"), "{}", said.out);
        dns.breaks("b.there.example");
        let said = desk.checked("there.example").await;
        assert!(said.code == Some(1) && said.has("; not known: MAIL FROM domain: SPF"), "{}", said.out);
        assert!(said.err.contains("could not be looked up") && !said.err.contains("are not there"), "{}", said.err);
        desk.house.stop().await;
    }

    async fn keys_are_marked_old_current_and_next(engine: Engine) {
        let desk = Desk::new(engine).await;
        let dns = &desk.dns;
        desk.house.sesv2().create_email_identity().email_identity("there.example").send().await.expect("made");
        let publish = |said: &Said, mark: &str| {
            let (name, text) = txt(said.record(mark));
            dns.txt(name, text);
            name.to_owned()
        };
        let said = desk.says(&["dns-records", "there.example"]).await;
        let first = publish(&said, "DKIM, current key");
        desk.looks().await;
        let said = desk.says(&["rotate-dkim", "there.example"]).await;
        assert!(said.record("DKIM, current key").starts_with(&first), "{}", said.out);
        let checked = desk.checked("there.example").await;
        assert!(checked.code == Some(1) && checked.has("; missing: DKIM, next key"), "{}", checked.out);
        let second = publish(&said, "DKIM, next key");
        assert_eq!(desk.checked("there.example").await.code, Some(0));
        desk.looks().await;
        // The old record may go after some days: nothing required is lacking then.
        dns.forgets(&first);
        let said = desk.checked("there.example").await;
        assert_eq!(said.code, Some(0), "{}", said.out);
        assert!(said.record("; missing: DKIM, old key").starts_with(&first), "{}", said.out);
        assert!(said.record("; there: DKIM, current key").starts_with(&second), "{}", said.out);
        // A policy of the registered domain holds for the domains below it.
        dns.txt("_dmarc.there.example", "v=DMARC1; p=reject");
        desk.house.sesv2().create_email_identity().email_identity("news.there.example").send().await.expect("made");
        assert!(desk.checked("news.there.example").await.has("; there: DMARC"));
        desk.house.stop().await;
    }

    async fn with_a_zone_of_the_operators_the_way_by_cnames_is_followed(engine: Engine) {
        let desk = Desk::new(engine).await;
        let dns = &desk.dns;
        desk.house.sesv2().create_email_identity().email_identity("there.example").send().await.expect("made");
        let arguments = ["dns-records", "there.example", "--check", "--dkim-zone", "keys.op.example"];
        let said = desk.says(&arguments).await;
        assert_eq!(said.out.matches("; missing: DKIM").count(), 4, "{}", said.out);
        let aliases: Vec<(String, String)> = said.out.lines().filter_map(|line| line.split_once(" CNAME "))
            .map(|(name, target)| (name.to_owned(), target.to_owned())).collect();
        let (name, text) = txt(said.record("; in your zone:\n".trim()));
        assert!(name.ends_with(".keys.op.example"), "{name}");
        dns.txt(name, text);
        // The first goes a longer way to the key; the second goes elsewhere.
        dns.cname(&aliases[0].0, "long.way.example");
        dns.cname("long.way.example", &aliases[0].1);
        dns.cname(&aliases[1].0, "elsewhere.example");
        dns.cname(&aliases[2].0, &aliases[2].1.to_uppercase());
        let said = desk.says(&arguments).await;
        assert_eq!((said.code, said.out.matches("; there: DKIM").count()), (Some(1), 3), "{}", said.out);
        assert!(said.has("another name\n;   instead stands: \"elsewhere.example\"\n"), "{}", said.out);
        desk.house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_file_reads_as_the_values_that_are_meant() {
    let desk = Desk::new(crate::engine::Engine::Sqlite).await;
    let ses = desk.house.sesv2();
    ses.create_email_identity().email_identity("bücher.example").send().await.expect("made");
    ses.put_email_identity_mail_from_attributes()
        .email_identity("bücher.example")
        .mail_from_domain("b.bücher.example")
        .send()
        .await
        .expect("set");
    let text = desk.says(&["dns-records", "bücher.example"]).await;
    let (name, key) = txt(text.record("DKIM, current key"));
    assert!(key.len() > 255, "a key of 2048 bits needs two strings");
    let zoned = desk.says(&["dns-records", "bücher.example", "--format", "zone"]).await;
    // A key of 4096 bits is longer than any that this server makes.
    let long = format!("v=DKIM1; k=rsa; p={}", STANDARD.encode([0xa7; 550]));
    let odd = "semicolon; \"quoted\" back\\slash é\ttab";
    let made = |name: &str, value: &str| {
        let (name, value, purpose, need) = (name.to_owned(), value.to_owned(), Purpose::Spf, Need::Required);
        zone::line(&DnsRecord { name, kind: "TXT", value, in_zone: false, purpose, need })
    };
    let all = format!("{}{}\n{}\n", zoned.out, made("long.example", &long), made("odd.example", odd));
    let read = read_zone(&all);
    let name = name.replace("bücher", "xn--bcher-kva");
    let mut expected = [
        json!([format!("{name}."), "TXT", 3600, key]),
        json!(["b.xn--bcher-kva.example.", "MX", 3600, "10 mx.postrider.example."]),
        json!(["b.xn--bcher-kva.example.", "TXT", 3600, "v=spf1 a:mx.postrider.example ~all"]),
        json!(["long.example.", "TXT", 3600, long]),
        json!(["odd.example.", "TXT", 3600, odd]),
    ]
    .map(|record| record.to_string());
    expected.sort();
    let mut found: Vec<String> = read.as_array().expect("a list").iter().map(Value::to_string).collect();
    found.sort();
    assert_eq!(found, expected, "{all}");
    // What may stand there already is no line yet, so that a second record does not take the force of the first.
    assert!(zoned.has("\n;_dmarc.xn--bcher-kva.example. 3600 IN TXT \"v=DMARC1; p=none\"\n"), "{}", zoned.out);
    assert!(zoned.has("\n;xn--bcher-kva.example. 3600 IN TXT \"v=spf1 "), "{}", zoned.out);
    desk.house.stop().await;
}

/// Has dnspython read a zone file: name, kind, seconds and value of each record.
fn read_zone(text: &str) -> Value {
    let python = std::env::var("POSTRIDER_TEST_PYTHON").expect("start the tests with ./tests/run");
    let mut command = Command::new(python);
    command.args(["-c", READER]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut reader = command.spawn().expect("Python runs");
    reader.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
    let said = reader.wait_with_output().expect("it ends");
    assert!(said.status.success(), "{text}\n{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).expect("JSON")
}

const READER: &str = r#"
import json, sys
import dns.zone
zone = dns.zone.from_text(sys.stdin.read(), origin=".", relativize=False, check_origin=False)
read = []
for name, ttl, data in zone.iterate_rdatas():
    kind = dns.rdatatype.to_text(data.rdtype)
    strings = getattr(data, "strings", None)
    assert strings is None or all(len(string) <= 255 for string in strings)
    value = data.to_text() if strings is None else b"".join(strings).decode()
    read.append([name.to_text(), kind, ttl, value])
json.dump(read, sys.stdout)
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_needs_records_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let dns = TestDns::start().await;
    let says = async |more: &[&str]| {
        let server = ["dns-records", "--server", "--feedback-domain", "bounce.postrider.example"];
        admin(dir.path(), &dns, &[&server[..], more].concat()).await
    };
    let source = ["--source-address", "192.0.2.7"];
    let said = says(&[&source[..], &["--format", "zone"]].concat()).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let records: Vec<&str> = said.out.lines().filter(|line| !line.starts_with("; ")).collect();
    assert_eq!(
        records,
        [
            "mx.postrider.example. 3600 IN A 192.0.2.7",
            "7.2.0.192.in-addr.arpa. 3600 IN PTR mx.postrider.example.",
            "bounce.postrider.example. 3600 IN MX 10 mx.postrider.example.",
            "bounce.postrider.example. 3600 IN TXT \"v=spf1 a:mx.postrider.example ~all\"",
            ";mx.postrider.example. 3600 IN TXT \"v=spf1 a:mx.postrider.example ~all\"",
            ";_dmarc.mx.postrider.example. 3600 IN TXT \"v=DMARC1; p=none\"",
        ]
    );
    let check = [&source[..], &["--check"]].concat();
    let said = says(&check).await;
    assert!(said.code == Some(1) && said.err.contains("4 of the records"), "{} {}", said.out, said.err);
    dns.a(HOST, Ipv4Addr::new(192, 0, 2, 9));
    dns.ptr(IpAddr::V4(OURS), "host7.provider.example");
    dns.mx("bounce.postrider.example", 20, HOST);
    dns.mx("bounce.postrider.example", 10, "mx.other.example");
    dns.txt("bounce.postrider.example", "v=spf1 a:mx.postrider.example -all");
    let said = says(&check).await;
    for part in [
        ": another address\n;   instead stands: \"192.0.2.9\"\n",
        ": another name\n;   instead stands: \"host7.provider.example\"\n",
        ": other mail hosts are not behind this server\n",
        ": fail for 192.0.2.7\n",
    ] {
        assert!(said.code == Some(1) && said.has(part), "{part}: {}", said.out);
    }
    // Without the setting it is the address of the name.
    let said = says(&["--check"]).await;
    assert!(said.has("; there: the address of this server's name\nmx.postrider.example A 192.0.2.9\n"), "{}", said.out);
    assert!(said.record("; missing: the name of this").starts_with("9.2.0.192.in-addr.arpa PTR "), "{}", said.out);
    dns.a(HOST, OURS);
    dns.ptr(IpAddr::V4(OURS), HOST);
    dns.forgets("bounce.postrider.example");
    dns.mx("bounce.postrider.example", 10, HOST);
    dns.mx("bounce.postrider.example", 20, "mx.other.example");
    dns.txt("bounce.postrider.example", "v=spf1 mx:bounce.postrider.example -all");
    dns.a("mx.other.example", Ipv4Addr::new(192, 0, 2, 8));
    let said = says(&check).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    // A smart host's addresses are not ours: a reader of the SPF record is told whom to ask, and no PTR is wanted.
    dns.forgets("bounce.postrider.example");
    dns.mx("bounce.postrider.example", 10, HOST);
    dns.txt("bounce.postrider.example", "v=spf1 include:_spf.smart.example -all");
    let said = says(&[&check[..], &["--delivery", "relay://smart.example:25"]].concat()).await;
    assert!(said.code == Some(0) && said.has("by a smart host") && !said.has(" PTR "), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_asked_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let dns = TestDns::start().await;
    for (arguments, code, part) in [
        (&["dns-records"][..], 2, "<DOMAIN>"),
        (&["dns-records", "there.example", "--server"], 2, "--server"),
        (&["dns-records", "there.example"], 1, "there is no Postrider data in"),
        (&["dns-records", "--server", "--hostname", "laptop"], 1, "laptop has no dot"),
    ] {
        let said = admin(dir.path(), &dns, arguments).await;
        assert!(said.code == Some(code) && said.err.contains(part), "{arguments:?}: {}", said.err);
    }
}
