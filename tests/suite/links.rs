//! Links in mails and notifications: where they lead is for the settings to say, and opening one changes nothing.
use hmac::{Hmac, Mac};
use postrider::config::{Given, Mode};
use postrider::store;
use postrider::store::captured;
use sha2::{Digest, Sha256};

use crate::both_engines;
use crate::house::{House, KEY, SECRET};
use crate::webhook::Webhook;

/// The host that a caller names, who is not to be trusted.
const FOREIGN: &str = "evil.example";

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A request to SNS, signed right, with a `Host` of its own.
async fn call(house: &House, form: &[(&str, &str)]) -> (u16, String) {
    let body = reqwest::Url::parse_with_params("http://x/", form).expect("a URL").query().expect("a form").to_owned();
    let now = house.clock.now().iso_basic();
    let day = &now[..8];
    let canonical = format!(
        "POST\n/\n\nhost:{FOREIGN}\nx-amz-date:{now}\n\nhost;x-amz-date\n{}",
        hex(Sha256::digest(body.as_bytes()))
    );
    let scope = format!("{day}/us-east-1/sns/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hex(Sha256::digest(canonical.as_bytes())));
    let key = [day, "us-east-1", "sns", "aws4_request"]
        .iter()
        .fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part));
    let signature = hex(mac(&key, &to_sign));
    let claim =
        format!("AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}");
    let answer = reqwest::Client::new()
        .post(house.endpoint())
        .header("host", FOREIGN)
        .header("x-amz-date", now)
        .header("authorization", claim)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

/// The newest captured mail to an address, as it was sent.
async fn mail_to(house: &House, to: &str) -> String {
    let to = to.to_owned();
    let read: Result<Option<Vec<u8>>, store::Error> = house
        .app
        .store()
        .read(|tx| {
            Box::pin(async move {
                for row in captured::page(tx, i64::MAX, None, 100).await? {
                    if row.recipient == to {
                        return captured::content(tx, &row.mail_id, row.n).await;
                    }
                }
                Ok(None)
            })
        })
        .await;
    let raw = read.expect("the captured mails").expect("a mail");
    let message = mail_parser::MessageParser::default().parse(&raw).expect("a message");
    message.body_text(0).expect("a text").into_owned()
}

fn link(text: &str) -> String {
    text.split_whitespace().find(|word| word.starts_with("http://")).expect("a link").to_owned()
}

async fn subscribe(house: &House, protocol: &str, endpoint: &str) {
    let topic = house.sns().create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");
    let form = [
        ("Action", "Subscribe"),
        ("Version", "2010-03-31"),
        ("TopicArn", &topic),
        ("Protocol", protocol),
        ("Endpoint", endpoint),
    ];
    let (status, answer) = call(house, &form).await;
    assert_eq!(status, 200, "{answer}");
    house.work().await;
}

async fn is_verified(house: &House, name: &str) -> bool {
    let got = house.sesv2().get_email_identity().email_identity(name).send().await.expect("there");
    got.verified_for_sending_status()
}

async fn status(method: &str, url: &str) -> u16 {
    let method = method.parse().expect("a method");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    client.request(method, url).send().await.expect("an answer").status().as_u16()
}

both_engines! {
    async fn a_mailed_link_does_not_lead_to_where_the_caller_says(engine: Engine) {
        for mode in [Mode::Serve, Mode::Dev] {
            let house = House::start(mode, engine, Given::default()).await;
            subscribe(&house, "email", "ann@x.example").await;
            subscribe(&house, "email-json", "bob@x.example").await;
            for to in ["ann@x.example", "bob@x.example"] {
                let text = mail_to(&house, to).await;
                assert!(!text.contains(FOREIGN), "{text}");
                assert!(link(&text).starts_with(&format!("{}/confirmation.html?", house.endpoint())), "{text}");
            }
        }
    }

    async fn a_question_to_an_endpoint_leads_to_where_the_settings_say(engine: Engine) {
        let hook = Webhook::start().await;
        let public = Given { public_url: Some("https://mail.example".to_owned()), ..Given::default() };
        for (mode, given, base) in [
            (Mode::Serve, Given::default(), None),
            (Mode::Serve, public.clone(), Some("https://mail.example".to_owned())),
            (Mode::Dev, public, Some("https://mail.example".to_owned())),
            // On a developer's machine containers know the server by other names than the developer.
            (Mode::Dev, Given::default(), Some(format!("http://{FOREIGN}"))),
        ] {
            let house = House::start(mode, engine, given).await;
            subscribe(&house, "http", &hook.url("/hook")).await;
            let asked = hook.arrived().pop().expect("asked").json();
            let base = base.unwrap_or_else(|| house.endpoint());
            for name in ["SubscribeURL", "SigningCertURL"] {
                let url = asked[name].as_str().expect("a link");
                assert!(url.starts_with(&format!("{base}/")), "{name} {url} is not at {base}");
            }
        }
    }

    async fn opening_a_verification_link_asks_and_pressing_its_button_verifies(engine: Engine) {
        let house = House::serve(engine).await;
        house.sesv2().create_email_identity().email_identity("ann@x.example").send().await.expect("made");
        house.work().await;
        let link = link(&mail_to(&house, "ann@x.example").await);
        assert!(link.starts_with(&house.endpoint()), "{link}");
        for method in ["GET", "HEAD", "GET"] {
            assert_eq!(status(method, &link).await, 200, "{method}");
            assert!(!is_verified(&house, "ann@x.example").await, "{method}");
        }
        for method in ["PUT", "DELETE", "OPTIONS"] {
            assert_eq!(status(method, &link).await, 405, "{method}");
        }
        let page = reqwest::get(&link).await.expect("an answer");
        let head = |name: &str| page.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(head("content-security-policy"), "default-src 'none'; form-action 'self'; frame-ancestors 'none'");
        assert_eq!((head("x-frame-options"), head("referrer-policy")), ("DENY".to_owned(), "no-referrer".to_owned()));
        assert_eq!((head("cache-control"), head("x-content-type-options")), ("no-store".to_owned(), "nosniff".to_owned()));
        let page = page.text().await.expect("a text");
        assert!(page.contains("ann@x.example") && page.contains("<form method=\"post\">"), "{page}");
        assert_eq!(status("POST", &format!("{link}x")).await, 404);
        assert!(!is_verified(&house, "ann@x.example").await);
        assert_eq!(status("POST", &link).await, 200);
        assert!(is_verified(&house, "ann@x.example").await);
        assert_eq!((status("GET", &link).await, status("POST", &link).await), (404, 404), "a link works once");
    }

    async fn opening_the_link_to_confirm_a_subscription_changes_nothing(engine: Engine) {
        let house = House::serve(engine).await;
        subscribe(&house, "email", "ann@x.example").await;
        let link = link(&mail_to(&house, "ann@x.example").await);
        let pending = async || {
            let listed = house.sns().list_subscriptions().send().await.expect("listed");
            listed.subscriptions()[0].subscription_arn() == Some("PendingConfirmation")
        };
        for method in ["GET", "HEAD"] {
            assert_eq!(status(method, &link).await, 200);
            assert!(pending().await);
        }
        assert_eq!(status("POST", &link).await, 200);
        assert!(!pending().await);
    }
}
