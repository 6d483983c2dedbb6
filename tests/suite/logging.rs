//! What the log says of calls, and what it does not: one line for each refused call with who called, each call in `dev`, and
//! nothing of the database's start or of guesses of paths.
use aws_sdk_sesv2::types::{Destination, EmailContent, EmailTemplateContent, Template};

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::house::{KEY, SECRET, credentials, sesv2_at, sqs_at};
use crate::program::Program;

const KNOWN: &str = "AKIDEXAMPLE";

/// A call as a client would make it, but for the signature. Gives the status and the request's id.
async fn call(program: &Program, key: &str, action: &str) -> (u16, String) {
    let scope = format!("Credential={key}/20260102/eu-west-1/sqs/aws4_request");
    let header = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature=5ec4e7");
    let asked = reqwest::Client::new().post(format!("{}/", program.endpoint)).header("authorization", header);
    let asked = asked.header("x-amz-date", "20260102T030405Z");
    let asked = asked.header("content-type", "application/x-www-form-urlencoded").body(action.to_owned());
    let answer = asked.send().await.expect("an answer");
    let id = answer.headers()["x-amzn-requestid"].to_str().expect("text").to_owned();
    (answer.status().as_u16(), id)
}

/// What a scanner tries.
async fn guess(program: &Program) {
    let client = reqwest::Client::new();
    for path in ["/wp-login.php", "/.env", "/v2/none", "/favicon.ico", "/?x=1"] {
        client.get(format!("{}{path}", program.endpoint)).send().await.expect("an answer");
    }
    client.post(format!("{}/xmlrpc.php", program.endpoint)).body("<x/>").send().await.expect("an answer");
}

both_engines! {
    async fn in_dev_each_call_is_a_line(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        // On PostgreSQL too: nothing is said of buckets where no other node is heard.
        let mut program = Program::start("dev", &database.dir.path().join("data"), database.url(), &[]);
        let at = |name: &str| format!("QueueUrl={}/queue/eu-west-1/000000000000/{name}", program.endpoint);
        let (one, two) = (at("jobs"), at("none"));
        assert_eq!(call(&program, KNOWN, "Action=CreateQueue&QueueName=jobs").await.0, 200);
        assert_eq!(call(&program, KNOWN, &format!("Action=SendMessage&MessageBody=x&{one}")).await.0, 200);
        let (status, id) = call(&program, KNOWN, &format!("Action=SendMessage&MessageBody=x&{two}")).await;
        assert_eq!(status, 400);
        guess(&program).await;
        program.heard(&["INFO sqs SendMessage 200 "]);
        let refused = program.heard(&["INFO sqs SendMessage 400 "]);
        for part in [
            "service=\"sqs\"", "operation=\"SendMessage\"", "region=\"eu-west-1\"", "key=\"AKIDEXAMPLE\"",
            "account=\"000000000000\"", "error=\"AWS.SimpleQueueService.NonExistentQueue\"", &id,
        ] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        let log = program.stop();
        let expected = ["sqs CreateQueue 200", "sqs SendMessage 200", "sqs SendMessage 400", "stopping"];
        let other: Vec<&String> = log.iter().filter(|line| !expected.iter().any(|part| line.contains(part))).collect();
        assert!(other.is_empty(), "{other:#?}");
    }

    async fn a_template_that_cannot_be_rendered_is_warned_of_without_its_data(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let mut program = Program::start("dev", &database.dir.path().join("data"), database.url(), &["--objects-shared"]);
        let ses = sesv2_at(&program.endpoint, credentials(KEY, SECRET));
        ses.create_email_identity().email_identity("sender.example").send().await.expect("an identity");
        let parts = EmailTemplateContent::builder().subject("Hi {{name}}").text("x").build();
        ses.create_email_template().template_name("welcome").template_content(parts).send().await.expect("made");
        let template = Template::builder().template_name("welcome").template_data(r#"{"mother": "Erna"}"#).build();
        let sent = ses.send_email().from_email_address("ann@sender.example");
        let sent = sent.destination(Destination::builder().to_addresses("b@y.example").build());
        let sent = sent.content(EmailContent::builder().template(template).build()).send().await.expect("accepted");
        let id = sent.message_id.expect("an id");
        let warned = program.heard(&["WARN", "template cannot be rendered"]);
        for part in ["account=000000000000", "region=us-east-1", &id, "template=\"welcome\"", "attribute=\"name\""] {
            assert!(warned.contains(part), "{part}: {warned}");
        }
        let log = program.stop();
        assert!(!log.iter().any(|line| line.contains("Erna") || line.contains("mother")), "{log:#?}");
    }

    async fn in_serve_refused_calls_are_lines_and_others_are_not(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        // The second start finds the tables there.
        let first = Program::start("serve", &database.dir.path().join("data"), database.url(), &["--objects-shared"]);
        let said: Vec<String> = first.stop().into_iter().filter(|line| !line.contains("stopping")).collect();
        assert_eq!(said, Vec::<String>::new());
        let mut program = Program::start("serve", &database.dir.path().join("data"), database.url(), &["--objects-shared"]);
        let sqs = sqs_at(&program.endpoint, credentials(KEY, SECRET));
        let url = sqs.create_queue().queue_name("jobs").send().await.expect("made").queue_url.expect("a URL");
        sqs.send_message().queue_url(url).message_body("x").send().await.expect("sent");
        guess(&program).await;
        let (status, id) = call(&program, "AKIAUNKNOWN", "Action=ListQueues").await;
        assert_eq!(status, 403);
        let refused = program.heard(&[&id]);
        for part in ["INFO", "sqs", "403", "region=\"eu-west-1\"", "key=\"AKIAUNKNOWN\"", "error=\"InvalidClientTokenId\""] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        assert!(!refused.contains("5ec4e7"), "no signature: {refused}");
        let log = program.stop();
        let other: Vec<&String> = log.iter().filter(|line| !line.contains(&id) && !line.contains("stopping")).collect();
        assert!(other.is_empty(), "{other:#?}");
    }
}
