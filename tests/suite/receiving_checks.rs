//! SPF, DKIM and DMARC of received mail, against a DNS server of ours.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use postrider::base::Timestamp;
use postrider::mail::identity::{Pair, keys};
use postrider::mail::receiving::checks::{Envelope, Verdict};
use postrider::mail::receiving::rules::Rule;
use postrider::mail::receiving::scan::{Scanned, Scanner};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::EncodePublicKey;
use rsa::signature::{SignatureEncoding, Signer};
use rustls::pki_types::PrivateKeyDer;
use sha1::{Digest, Sha1};

use crate::both_engines;
use crate::receiving_bench::{Bench, bench, bench_with, rule, sns};

pub(crate) const HELLO: &str =
    "From: Ann <ann@news.there.example>\r\nTo: bob@here.example\r\nSubject: hello\r\n\r\nhi\r\n";

/// Signs as `domain` with a new key and publishes it.
async fn signed(b: &Bench, domain: &str) -> String {
    let keys = Pair::rsa(2048).await.expect("a pair").easy(Timestamp::from_secs(0));
    let der = PrivateKeyDer::Pkcs8(keys[0].private_key.clone().into());
    let key = RsaKey::<Sha256>::from_key_der(der).expect("a key");
    b.dns.txt(&format!("s1._domainkey.{domain}"), &keys::record_value(&keys[0]));
    let signer = DkimSigner::from_key(key).domain(domain).selector("s1").headers(["From", "To", "Subject"]);
    let signature = signer.sign(HELLO.as_bytes()).expect("signed").to_header();
    format!("{signature}{HELLO}")
}

/// The verdicts of one mail: SPF, DKIM, DMARC, and the policy.
pub(crate) async fn verdicts(b: &Bench, source: Option<&str>, data: &str) -> [String; 4] {
    b.accept(source, &["bob@here.example"], data).await.expect("accepted");
    assert_eq!(b.round().await, 1);
    let told = b.told("mail").await;
    let receipt = &told[0]["receipt"];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("none told").to_owned();
    [
        text(&receipt["spfVerdict"]["status"]),
        text(&receipt["dkimVerdict"]["status"]),
        text(&receipt["dmarcVerdict"]["status"]),
        text(&receipt["dmarcPolicy"]),
    ]
}

/// Says what the test wants, and counts.
#[derive(Debug)]
struct Says(Mutex<Scanned>, AtomicUsize);

impl Scanner for Says {
    fn scan<'a>(&'a self, envelope: Envelope<'a>, raw: &'a [u8]) -> BoxFuture<'a, Scanned> {
        assert!(envelope.helo == "client.there.example" && raw == HELLO.as_bytes());
        self.1.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(*self.0.lock().expect("what it says")))
    }
}

pub(crate) async fn ready(engine: crate::engine::Engine) -> Bench {
    let b = bench(engine).await;
    let topic = b.topic("mail").await;
    b.activate(&b.owner, vec![rule("all", &[], vec![sns(&topic)])]).await;
    b
}

/// The mail with a signature made by hand: with any key, and any digest.
fn signed_by_hand(key: &RsaPrivateKey, algorithm: &str) -> String {
    signed_with(key, &format!("v=1; a={algorithm}; c=relaxed/relaxed; d=there.example; s=s1; h=from:subject"), "hi\r\n")
}

/// The mail with a signature that has these tags, `bh=` and `b=`, where this much of the body is hashed.
fn signed_with(key: &RsaPrivateKey, tags: &str, body: &str) -> String {
    let sha1 = tags.contains("rsa-sha1");
    let hash = if sha1 { Sha1::digest(body).to_vec() } else { rsa::sha2::Sha256::digest(body).to_vec() };
    let field = format!("{tags}; bh={}; b=", STANDARD.encode(hash));
    let signed = tags.split("h=").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
    let mut input = String::new();
    if signed.contains("from") {
        input.push_str("from:Ann <ann@news.there.example>\r\n");
    }
    input.push_str(&format!("subject:hello\r\ndkim-signature:{field}"));
    let signature = if sha1 {
        SigningKey::<Sha1>::new(key.clone()).sign(input.as_bytes()).to_vec()
    } else {
        SigningKey::<rsa::sha2::Sha256>::new(key.clone()).sign(input.as_bytes()).to_vec()
    };
    format!("DKIM-Signature: {field}{}\r\n{HELLO}", STANDARD.encode(signature))
}

/// A key, published as `selector` with these tags before its `p=`.
fn published(b: &Bench, key: &RsaPrivateKey, selector: &str, tags: &str) {
    let public = key.to_public_key().to_public_key_der().expect("DER");
    let record = format!("{tags}k=rsa; p={}", STANDARD.encode(public.as_bytes()));
    b.dns.txt(&format!("{selector}._domainkey.there.example"), &record);
}

/// What the verdicts of one mail are, and what the field on top of it says, on one line.
async fn judged(b: &Bench, source: Option<&str>, data: &str) -> ([String; 3], String) {
    b.accept(source, &["bob@here.example"], data).await.expect("accepted");
    assert_eq!(b.round().await, 1);
    let told = b.told("mail").await;
    let status = |name: &str| told[0]["receipt"][name]["status"].as_str().unwrap_or("none told").to_owned();
    let content = told[0]["content"].as_str().expect("the mail").replace("\r\n\t", " ");
    let field = content.lines().find_map(|line| line.strip_prefix("Authentication-Results: mx.here.example; "));
    let field = field.expect("our results").to_owned();
    (["spfVerdict", "dkimVerdict", "dmarcVerdict"].map(status), field)
}

both_engines! {
    async fn the_scanner_is_asked_where_a_rule_for_the_mail_wants_it(engine: Engine) {
        let found = Scanned { spam: Verdict::Fail, virus: Verdict::Gray, temporary: false };
        let scanner = Arc::new(Says(Mutex::new(found), AtomicUsize::new(0)));
        let b = bench_with(engine, scanner.clone()).await;
        let topic = b.topic("mail").await;
        let scanned = Rule { scan: true, ..rule("scanned", &["bob@here.example"], vec![sns(&topic)]) };
        let off = Rule { scan: true, enabled: false, ..rule("off", &["eve@here.example"], vec![]) };
        b.activate(&b.owner, vec![scanned, off, rule("eve", &["eve@here.example"], vec![sns(&topic)])]).await;
        let told = async |to: &str| {
            b.accept(None, &[to], HELLO).await.expect("accepted");
            assert_eq!(b.round().await, 1);
            b.told("mail").await.first().map(|note| {
                let status = |name: &str| note["receipt"][name]["status"].as_str().unwrap_or_default().to_owned();
                let shown = note["mail"]["headers"].to_string();
                assert!(shown.contains(&format!(r#"{{"name":"X-SES-Spam-Verdict","value":"{}"}}"#, status("spamVerdict"))));
                [status("spamVerdict"), status("virusVerdict")]
            })
        };
        assert_eq!(told("bob@here.example").await, Some(["FAIL", "GRAY"].map(str::to_owned)));
        assert_eq!(told("eve@here.example").await, Some(["DISABLED", "DISABLED"].map(str::to_owned)));
        assert_eq!(scanner.1.load(Ordering::SeqCst), 1);
        // While it cannot look the mail waits, as for DNS; then the verdicts say so.
        *scanner.0.lock().expect("what it says") = Scanned::FAILED;
        assert_eq!(told("bob@here.example").await, None);
        for _ in 0..2 {
            b.clock.advance(Duration::from_secs(60));
            assert_eq!(b.round().await, 1);
        }
        let note = &b.told("mail").await[0];
        assert_eq!(note["receipt"]["virusVerdict"]["status"], "PROCESSING_FAILED");
        assert_eq!(scanner.1.load(Ordering::SeqCst), 4);
    }

    async fn white_space_at_the_end_does_not_break_a_relaxed_signature(engine: Engine) {
        let b = ready(engine).await;
        let data = signed(&b, "there.example").await;
        for (end, verdict) in [("", "PASS"), ("\r\n", "PASS"), (" \r\n\t\r\n", "PASS"), ("x\r\n", "FAIL"), (" \r\nx\r\n", "FAIL")] {
            assert_eq!(verdicts(&b, None, &format!("{data}{end}")).await[1], verdict, "{end:?}");
        }
        let simple = data.replace("c=relaxed/relaxed", "c=relaxed/simple");
        assert_eq!(verdicts(&b, None, &format!("{simple} \r\n")).await[1], "FAIL");
    }

    async fn weak_signatures_count_for_nothing(engine: Engine) {
        let b = ready(engine).await;
        for (bits, algorithm, verdict) in
            [(1024, "rsa-sha256", "PASS"), (2048, "rsa-sha256", "PASS"), (768, "rsa-sha256", "FAIL"), (1024, "rsa-sha1", "FAIL")]
        {
            let b = if (bits, algorithm) == (1024, "rsa-sha256") { &b } else { &ready(engine).await };
            let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).expect("a key");
            let public = key.to_public_key().to_public_key_der().expect("DER");
            let record = format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(public.as_bytes()));
            b.dns.txt("s1._domainkey.there.example", &record);
            assert_eq!(verdicts(b, None, &signed_by_hand(&key, algorithm)).await[1], verdict, "{bits} {algorithm}");
        }
    }

    async fn signatures_that_must_be_ignored_vouch_for_nobody(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("_dmarc.there.example", "v=DMARC1; p=reject");
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).expect("a key");
        published(&b, &key, "s1", "v=DKIM1; ");
        published(&b, &key, "sha1", "v=DKIM1; h=sha1; ");
        published(&b, &key, "other", "v=DKIM1; s=tlsrpt; ");
        published(&b, &key, "_other", "v=DKIM1; s=tlsrpt; ");
        published(&b, &key, "twice", "v=DKIM1; s=*; s=*; ");
        published(&b, &key, "late", "s=*; v=DKIM1; ");
        let good = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=there.example; s=s1; h=from:subject";
        for tags in [good.to_owned(), format!("{good}; i=ann@news.there.example; t=10; q=dns/txt"), good.replace("h=from", "h=from:from")] {
            let (verdicts, field) = judged(&b, None, &signed_with(&key, &tags, "hi\r\n")).await;
            assert_eq!(verdicts[1..], ["PASS", "PASS"], "{tags}");
            assert!(field.contains("dkim=pass ") && field.contains("dmarc=pass header.from=news.there.example"), "{field}");
        }
        for (tags, word) in [
            (good.replace("from:", ""), "dkim=permerror (From is not signed)"),
            (good.replace("v=1", "v=2"), "dkim=permerror (unsupported version)"),
            (good.replace("v=1; ", ""), "dkim=permerror (missing tag)"),
            (good.replace("relaxed/", "loose/"), "dkim=permerror (unsupported canonicalization)"),
            (format!("{good}; i=ann@example"), "dkim=permerror (i= is not in d=)"),
            (format!("{good}; i=ann@not-there.example"), "dkim=permerror (i= is not in d=)"),
            (format!("{good}; s=s1"), "dkim=permerror (malformed signature)"),
            (format!("{good}; q=http"), "dkim=permerror (unknown query method)"),
            (format!("{good}; t=20; x=10"), "dkim=permerror (x= is not after t=)"),
            (format!("{good}; t=10; x=20"), "dkim=policy (signature expired)"),
            (good.replace("rsa-sha256", "rsa-sha1"), "dkim=policy (SHA-1)"),
            (good.replace("s=s1", "s=sha1"), "dkim=permerror (the key is not for this algorithm)"),
            (good.replace("s=s1", "s=other"), "dkim=permerror (malformed key)"),
            (good.replace("s=s1", "s=_other"), "dkim=permerror (malformed key)"),
            (good.replace("s=s1", "s=twice"), "dkim=permerror (malformed key)"),
            (good.replace("s=s1", "s=late"), "dkim=permerror (malformed key)"),
            (good.replace("s=s1", "s=gone"), "dkim=permerror (no key)"),
        ] {
            let (verdicts, field) = judged(&b, None, &signed_with(&key, &tags, "hi\r\n")).await;
            assert_eq!(verdicts[1..], ["FAIL", "FAIL"], "{tags}");
            assert!(field.contains(word) && field.contains("dmarc=fail header.from=news.there.example policy.dmarc=reject"), "{field}");
        }
        // Who adds a second From shows readers an author whom nobody signed.
        let two = signed_with(&key, good, "hi\r\n").replace("From:", "From: Eve <eve@news.there.example>\r\nFrom:");
        assert_eq!(judged(&b, None, &two).await.0[1..], ["FAIL", "FAIL"]);
    }

    async fn a_signature_with_a_length_vouches_for_so_many_octets(engine: Engine) {
        let b = ready(engine).await;
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).expect("a key");
        published(&b, &key, "s1", "");
        let tags = |length: u64| format!("v=1; a=rsa-sha256; c=relaxed/relaxed; d=there.example; s=s1; h=from:subject; l={length}");
        for (length, hashed, end, verdict) in [
            (4, "hi\r\n", "", "PASS"),
            (4, "hi\r\n", "-- \r\na list\r\n", "PASS"),
            (4, "hi\r\n", "  \r\n", "PASS"),
            (2, "hi", "!\r\n", "PASS"),
            (0, "", "anything\r\n", "PASS"),
            (5, "hi\r\n", "", "FAIL"),
            (4, "ho\r\n", "", "FAIL"),
        ] {
            let data = signed_with(&key, &tags(length), hashed);
            let (verdicts, field) = judged(&b, None, &format!("{data}{end}")).await;
            assert_eq!(verdicts[1], verdict, "{length} {hashed:?} {end:?}: {field}");
            assert_eq!(field.contains("only the octets of the body that l= names are signed"), verdict == "PASS");
        }
    }

    async fn the_field_says_what_the_verdicts_say(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("there.example", "v=spf1 ip4:198.51.100.1 -all");
        b.dns.txt("_dmarc.there.example", "v=DMARC1; p=quarantine");
        let (verdicts, field) = judged(&b, Some("ann@there.example"), HELLO).await;
        assert_eq!(verdicts, ["FAIL", "GRAY", "FAIL"]);
        assert!(field.starts_with("spf=fail ") && field.contains("; dkim=none; dmarc=fail header.from=news.there.example"), "{field}");
        let data = signed(&b, "there.example").await.replace("hi\r\n", "send money\r\n");
        let (verdicts, field) = judged(&b, None, &data).await;
        assert_eq!(verdicts, ["GRAY", "FAIL", "FAIL"]);
        assert!(field.contains("dkim=fail (body hash did not verify) header.d=there.example "), "{field}");
        let data = signed(&b, "other.example").await;
        let (verdicts, field) = judged(&b, None, &data).await;
        assert_eq!(verdicts, ["GRAY", "PASS", "FAIL"]);
        assert!(field.contains("dkim=pass header.d=other.example ") && field.contains("dmarc=fail "), "{field}");
        let (verdicts, field) = judged(&b, None, &HELLO.replace("news.there", "nobody")).await;
        assert_eq!(verdicts[2], "GRAY");
        assert!(field.contains("dmarc=none header.from=nobody.example"), "{field}");
    }

    async fn spf_records_count_as_a_whole_and_alone(engine: Engine) {
        let b = ready(engine).await;
        let (v4, host) = ("192.0.2.7".parse().expect("an address"), "mail.there.example");
        b.dns.a(host, v4);
        b.dns.txt("one.example", "v=spf1 -all");
        b.dns.txt("all.example", "v=spf1 +all");
        b.dns.txt("inner.example", "v=spf1 include:all.example -all");
        for n in 0..12 {
            b.dns.txt(&format!("deep{n}.example"), &format!("v=spf1 include:deep{}.example -all", n + 1));
        }
        b.dns.txt("deep12.example", "v=spf1 +all");
        for (n, (records, verdict, word)) in [
            (vec!["v=spf1 +all", "v=spf1 -all"], "PROCESSING_FAILED", "permerror"),
            (vec!["v=spf1 +all", "v=spf2.0/pra -all", "note"], "PASS", "pass"),
            (vec!["v=spf1 ip4:192.0.2.7 foo:bar -all"], "PROCESSING_FAILED", "permerror"),
            (vec!["v=spf1 ip4:192.0.2.7 ip4:192.0.2.300"], "PROCESSING_FAILED", "permerror"),
            (vec!["v=spf1 +all redirect=one.example redirect=one.example"], "PROCESSING_FAILED", "permerror"),
            (vec!["v=spf1 ip4:0.0.0.0/0 -all"], "PASS", "pass"),
            (vec!["v=spf1 a:mail.there.example/32 -all"], "PASS", "pass"),
            (vec!["v=spf1 exists:%{i}.gone.example ~all"], "GRAY", "softfail"),
            (vec!["v=spf1 moo=cow include:one.example ?all"], "GRAY", "neutral"),
            (vec!["v=spf1 include:nothing.example +all"], "PROCESSING_FAILED", "permerror"),
            (vec!["v=spf1 -include:inner.example +all"], "FAIL", "fail"),
            (vec!["v=spf1 redirect=one.example"], "FAIL", "fail"),
            (vec!["v=spf1 include:deep0.example -all"], "PROCESSING_FAILED", "permerror"),
            (vec!["v=spf1 include:deep4.example -all"], "PASS", "pass"),
            (vec!["v=spf1 a:x1.gone.example a:x2.gone.example a:x3.gone.example +all"], "PROCESSING_FAILED", "permerror"),
            (vec!["v=spf10 +all"], "GRAY", "none"),
        ].into_iter().enumerate() {
            let domain = format!("case{n}.example");
            for record in &records {
                b.dns.txt(&domain, record);
            }
            let (verdicts, field) = judged(&b, Some(&format!("ann@{domain}")), HELLO).await;
            assert_eq!(verdicts[0], verdict, "{records:?}: {field}");
            assert!(field.starts_with(&format!("spf={word} ")), "{records:?}: {field}");
        }
    }

    async fn what_the_checks_found_stands_on_top_and_forged_claims_are_gone(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("there.example", "v=spf1 ip4:192.0.2.7 -all");
        let forged = format!(
            "Authentication-Results: mx.here.example; spf=pass\r\nAuthentication-Results: \"mx.here.example\"(x); spf=pass\r\nX-SES-Spam-Verdict: PASS\r\n\
             ARC-Seal: i=1; a=rsa-sha256; cv=none; d=evil.example; s=s1; b=AAAA\r\n\
             ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=evil.example; s=s1; h=from; bh=AAAA; b=AAAA\r\n\
             ARC-Authentication-Results: i=1; evil.example; spf=pass\r\n{HELLO}"
        );
        b.accept(Some("ann@there.example"), &["bob@here.example"], &forged).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        let content = b.told("mail").await[0]["content"].as_str().expect("the mail").to_owned();
        let (ours, rest) = content.split_once("ARC-Seal:").expect("the fields of others stay");
        assert!(ours.contains("\r\nReceived-SPF: pass ") && ours.contains("\r\nX-SES-Spam-Verdict: DISABLED\r\n"));
        let results = ours.split("Authentication-Results: mx.here.example;").nth(1).expect("our results");
        let results = results.replace("\r\n\t", " ");
        assert!(results.contains("spf=pass ") && results.contains("dmarc=none "), "{results}");
        assert!(results.contains("arc=") && !results.contains("arc=pass"), "{results}");
        assert!(!rest.contains("X-SES-Spam-Verdict") && !rest.contains("\r\nAuthentication-Results:"));
    }

    async fn a_mail_that_is_what_it_says_passes_all_checks(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("bounces.there.example", "v=spf1 ip4:192.0.2.0/24 -all");
        b.dns.txt("_dmarc.there.example", "v=DMARC1; p=reject");
        let data = signed(&b, "there.example").await;
        let found = verdicts(&b, Some("return@bounces.there.example"), &data).await;
        assert_eq!(found, ["PASS", "PASS", "PASS", "none told"]);
    }

    async fn a_forged_mail_fails_and_tells_the_policy(engine: Engine) {
        let b = ready(engine).await;
        b.dns.txt("there.example", "v=spf1 ip4:198.51.100.1 -all");
        b.dns.txt("_dmarc.there.example", "v=DMARC1; p=quarantine");
        let data = signed(&b, "there.example").await.replace("hi\r\n", "send money\r\n");
        let found = verdicts(&b, Some("ann@there.example"), &data).await;
        assert_eq!(found, ["FAIL", "FAIL", "FAIL", "quarantine"]);
        // A good signature of someone else's domain does not help.
        b.dns.txt("evil.example", "v=spf1 ip4:192.0.2.7 -all");
        let data = signed(&b, "evil.example").await;
        let found = verdicts(&b, Some("x@evil.example"), &data).await;
        assert_eq!(found, ["PASS", "PASS", "FAIL", "quarantine"]);
    }

    async fn where_nothing_is_published_the_verdicts_are_gray(engine: Engine) {
        let b = ready(engine).await;
        assert_eq!(verdicts(&b, Some("ann@there.example"), HELLO).await, ["GRAY", "GRAY", "GRAY", "none told"]);
        // The null reverse path is checked by the client's name.
        b.dns.txt("client.there.example", "v=spf1 ip4:192.0.2.7 -all");
        assert_eq!(verdicts(&b, None, HELLO).await, ["PASS", "GRAY", "GRAY", "none told"]);
        assert_eq!(verdicts(&b, None, "no header at all").await[0], "PASS");
    }

    async fn dns_that_fails_delays_the_mail_and_then_it_goes_on_without(engine: Engine) {
        let b = ready(engine).await;
        b.dns.breaks("there.example");
        let id = b.accept(Some("ann@there.example"), &["bob@here.example"], HELLO).await.expect("accepted");
        for _ in 0..2 {
            assert_eq!(b.round().await, 1);
            assert!(b.told("mail").await.is_empty());
            b.clock.advance(Duration::from_secs(60));
        }
        assert_eq!(b.round().await, 1);
        let told = b.told("mail").await;
        assert_eq!(told[0]["mail"]["messageId"], id);
        assert_eq!(told[0]["receipt"]["spfVerdict"]["status"], "PROCESSING_FAILED");
    }
}
