//! SPF, DKIM and DMARC of received mail, against a DNS server of ours.
use std::time::Duration;

use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use postrider::base::Timestamp;
use postrider::mail::identity::{Pair, keys};
use rustls::pki_types::PrivateKeyDer;

use crate::both_engines;
use crate::receiving::{Bench, bench, rule, sns};

const HELLO: &str = "From: Ann <ann@news.there.example>\r\nTo: bob@here.example\r\nSubject: hello\r\n\r\nhi\r\n";

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
async fn verdicts(b: &Bench, source: Option<&str>, data: &str) -> [String; 4] {
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

async fn ready(engine: crate::engine::Engine) -> Bench {
    let b = bench(engine).await;
    let topic = b.topic("mail").await;
    b.activate(&b.owner, vec![rule("all", &[], vec![sns(&topic)])]).await;
    b
}

both_engines! {
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
