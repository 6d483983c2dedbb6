//! What another process does to a key counts here within a second, for new calls and for those that wait.
use std::process::{Command, Output};
use std::time::Duration;

use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use postrider::access;

use crate::both_engines;
use crate::house::{House, credentials};

/// All that may pass until a change of another process counts.
const BOUND: Duration = Duration::from_secs(1);
/// Long enough to see that a call waits.
const TURN: Duration = Duration::from_millis(300);

/// Runs `postrider admin` on the database of a running server.
pub(crate) fn admin(house: &House, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.arg("admin").arg("--data-dir").arg(house.database.dir.path().join("data"));
    command.args(["--database-url", &house.database.url]).args(arguments).env_clear().output().expect("it runs")
}

/// The same, for what must succeed; gives what was printed.
pub(crate) fn done(house: &House, arguments: &[&str]) -> String {
    let output = admin(house, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The same, for what must be refused; gives why.
pub(crate) fn refused(house: &House, arguments: &[&str]) -> String {
    let output = admin(house, arguments);
    assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("text")
}

/// What a call of each service answers, by its error's code.
async fn answers(house: &House, credentials: &Credentials) -> [Option<String>; 4] {
    let sqs = house.sqs_as(credentials.clone()).list_queues().send().await;
    let sns = house.sns_as(credentials.clone()).list_topics().send().await;
    let ses = house.ses_as(credentials.clone()).get_send_quota().send().await;
    let sesv2 = house.sesv2_as(credentials.clone()).get_account().send().await;
    let code = |error: &dyn ProvideErrorMetadata| error.code().map(str::to_owned);
    [
        sqs.err().and_then(|e| code(&e)),
        sns.err().and_then(|e| code(&e)),
        ses.err().and_then(|e| code(&e)),
        sesv2.err().and_then(|e| code(&e)),
    ]
}

fn unknown() -> [Option<String>; 4] {
    // AWS's client of SQS goes by the code of the Query protocol, which comes beside the one of JSON.
    ["InvalidClientTokenId", "InvalidClientTokenId", "InvalidClientTokenId", "UnrecognizedClientException"]
        .map(|code| Some(code.to_owned()))
}

both_engines! {
    async fn a_key_that_is_switched_off_or_deleted_is_refused_a_second_later(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, key) = house.other_account().await;
        let id = key.access_key_id();
        assert_eq!(answers(&house, &key).await, [const { None }; 4]);

        let said = done(&house, &["key", "deactivate", id]);
        assert!(said.contains(id) && said.contains(account.as_str()) && said.contains("inactive"), "{said}");
        house.clock.advance(BOUND);
        assert_eq!(answers(&house, &key).await, unknown());
        assert!(done(&house, &["key", "deactivate", id]).contains("already"));

        let said = done(&house, &["key", "activate", id]);
        assert!(said.contains(id) && said.contains(account.as_str()) && said.contains("active"), "{said}");
        assert_eq!(answers(&house, &key).await, [const { None }; 4]);
        assert!(done(&house, &["key", "activate", id]).contains("already"));

        let said = done(&house, &["key", "delete", id]);
        assert!(said.contains("active key") && said.contains(id) && said.contains(account.as_str()), "{said}");
        house.clock.advance(BOUND);
        assert_eq!(answers(&house, &key).await, unknown());
        assert!(access::list_keys(house.app.store(), &account).await.expect("keys").is_empty());

        for verb in ["activate", "deactivate", "delete"] {
            assert!(refused(&house, &["key", verb, id]).contains(&format!("access key {id} does not exist")));
        }
        house.stop().await;
    }

    async fn a_receive_that_waits_gives_nothing_to_a_key_that_was_switched_off(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, key) = house.other_account().await;
        let (other, secret) = access::create_key(house.app.store(), &account).await.expect("a key");
        let (waits, works) = (house.sqs_as(key.clone()), house.sqs_as(credentials(&other, secret.reveal())));
        let url = works.create_queue().queue_name("q").send().await.expect("made").queue_url.expect("a URL");
        let mut poll = Box::pin(waits.receive_message().queue_url(&url).wait_time_seconds(20).send());
        assert!(tokio::time::timeout(TURN, &mut poll).await.is_err(), "it waits");
        done(&house, &["key", "deactivate", key.access_key_id()]);
        house.clock.advance(BOUND);
        works.send_message().queue_url(&url).message_body("secret").send().await.expect("sent");
        let error = poll.await.expect_err("the key is off");
        assert_eq!(error.code(), Some("InvalidClientTokenId"));
        // It was not even claimed.
        let received = works.receive_message().queue_url(&url).send().await.expect("received");
        assert_eq!(received.messages()[0].body(), Some("secret"));
        house.stop().await;
    }

    async fn no_key_is_activated_beyond_the_limit(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, key) = house.other_account().await;
        let off = key.access_key_id();
        done(&house, &["key", "deactivate", off]);
        for _ in 0..100 {
            access::create_key(house.app.store(), &account).await.expect("a key");
        }
        assert!(refused(&house, &["key", "activate", off]).contains("has 100 access keys already"));
        house.stop().await;
    }
}
