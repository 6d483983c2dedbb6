//! Regions: AWS's, and those that the operator adds. Others are refused on each wire, in `dev` as well.
use std::process::Command;

use aws_sdk_sns::error::ProvideErrorMetadata;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use postrider::base::Secret;
use postrider::config::{Given, Mode};
use postrider::smtp::auth;

use crate::both_engines;
use crate::house::{House, KEY, SECRET};

/// A region that nobody has heard of.
const INVENTED: &str = "moon-north-1";

macro_rules! refused {
    ($call:expr) => {{
        let error = $call.send().await.expect_err("refused");
        (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
    }};
}

struct Clients {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    ses: aws_sdk_sesv2::Client,
}

fn clients(house: &House, region: &'static str) -> Clients {
    let region = aws_sdk_sqs::config::Region::new(region);
    let sqs = house.sqs().config().to_builder().region(region.clone()).build();
    let sns = house.sns().config().to_builder().region(region.clone()).build();
    let ses = house.sesv2().config().to_builder().region(region).build();
    Clients {
        sqs: aws_sdk_sqs::Client::from_conf(sqs),
        sns: aws_sdk_sns::Client::from_conf(sns),
        ses: aws_sdk_sesv2::Client::from_conf(ses),
    }
}

both_engines! {
    async fn an_invented_region_is_refused_on_each_wire(engine: Engine) {
        for mode in [Mode::Dev, Mode::Serve] {
            let house = House::start(mode, engine, Given::default()).await;
            let Clients { sqs, sns, ses } = clients(&house, INVENTED);
            let json = refused!(sqs.create_queue().queue_name("q"));
            let query = refused!(sns.create_topic().name("t"));
            let rest = refused!(ses.create_email_identity().email_identity("x.example"));
            for (code, text) in [&json, &query, &rest] {
                assert!(["InvalidSignatureException", "SignatureDoesNotMatch"].contains(&code.as_str()), "{code}");
                assert!(text.starts_with("Credential should be scoped to a valid region"), "{text}");
            }
            let Clients { sqs, sns, ses } = clients(&house, "eu-south-2");
            sqs.create_queue().queue_name("q").send().await.expect("made");
            sns.create_topic().name("t").send().await.expect("made");
            ses.create_email_identity().email_identity("x.example").send().await.expect("made");
        }
    }

    async fn the_operator_adds_regions(engine: Engine) {
        let regions = Some(vec![INVENTED.parse().expect("a region")]);
        let house = House::start(Mode::Serve, engine, Given { regions, ..Given::default() }).await;
        let topic = clients(&house, INVENTED).sns.create_topic().name("t").send().await.expect("made").topic_arn;
        assert_eq!(topic.as_deref(), Some("arn:aws:sns:moon-north-1:000000000000:t"));
        clients(&house, "us-east-1").sqs.create_queue().queue_name("q").send().await.expect("AWS's are there, too");
        assert!(refused!(clients(&house, "moon-south-1").sns.create_topic().name("t")).1.contains("moon-south-1"));
    }

    async fn smtp_passwords_hold_for_all_regions_that_there_are(engine: Engine) {
        let regions = Some(vec![INVENTED.parse().expect("a region")]);
        let house = House::start(Mode::Serve, engine, Given { regions, ..Given::default() }).await;
        for (region, good) in [("us-east-1", true), ("mx-central-1", true), (INVENTED, true), ("moon-south-1", false)] {
            let password = auth::smtp_password(&Secret::new(SECRET), region).reveal().to_owned();
            let tls = TlsParameters::builder("mx.postrider.example".to_owned()).dangerous_accept_invalid_certs(true);
            let client = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
                .port(house.app.addresses().submissions.expect("it listens").port())
                .tls(Tls::Wrapper(tls.build().expect("parameters")))
                .credentials(lettre::transport::smtp::authentication::Credentials::new(KEY.to_owned(), password));
            let client: AsyncSmtpTransport<Tokio1Executor> = client.build();
            let answer = client.test_connection().await.map_err(|no| no.to_string());
            assert_eq!(answer.is_ok(), good, "{region}: {answer:?}");
            assert!(good || answer.is_err_and(|no| no.contains("Authentication Credentials Invalid")), "{region}");
        }
    }
}

#[test]
fn the_command_line_knows_the_regions() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data").display().to_string();
    let grant = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command.args(["admin", "--data-dir", &data]).args(more);
        command
            .args(["grant-production", "--account", "000000000000", "--region", INVENTED])
            .env_clear()
            .output()
            .expect("it runs")
    };
    let refused = grant(&[]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("there is no region moon-north-1"), "{text}");
    let added = grant(&["--regions", INVENTED]);
    let text = String::from_utf8_lossy(&added.stderr).into_owned();
    assert!(!text.contains("there is no region"), "{text}");
}
