//! What a rule needs and what let somebody wait in vain rests: mail that finds it resting waits too, and loses no attempt.
use std::time::Duration;

use postrider::base::Secret;
use postrider::mail::receiving::rules::Action;
use postrider::outlets::Objects;
use postrider::outlets::remote::{Provider, S3Endpoint};
use postrider::store::Error;
use postrider::store::inbound_mails::State;
use postrider::workers::SystemQueue;

use crate::both_engines;
use crate::receiving_bench::{Bench, HELLO, bench, bench_storing, rule};
use crate::webhook::{Answer, Webhook};

const ANN: Option<&str> = Some("ann@there.example");
const BOB: &[&str] = &["bob@here.example"];
/// An attempt after which no other follows that counts.
const LAST: i64 = 25;
/// How long a function may take, and a webhook.
const FUNCTION: Duration = Duration::from_secs(30);
const WEBHOOK: Duration = Duration::from_secs(15);

impl Bench {
    /// How many attempts of the one job count.
    async fn attempts(&self) -> i64 {
        let sql = "SELECT receive_count FROM messages WHERE queue_id = -2";
        let rows = self.store.read(move |tx| Box::pin(async move { tx.all(sql, vec![]).await })).await;
        let rows = rows.map_err(|error: Error| error).expect("the store reads");
        assert_eq!(rows.len(), 1, "one job");
        rows[0].int("receive_count").expect("a number")
    }

    /// Lets the one job look as if the next attempt were the last one.
    async fn tried_nearly_enough(&self) {
        let sql = "UPDATE messages SET receive_count = 24 WHERE queue_id = -2";
        let set: Result<u64, Error> =
            self.store.write(move |tx| Box::pin(async move { tx.run(sql, vec![]).await })).await;
        assert_eq!(set.expect("the store writes"), 1);
    }

    /// A round in which `asked` hangs for so long.
    async fn hangs(&self, asked: &Webhook, count: usize, time: Duration) {
        let (worked, ()) = tokio::join!(self.round(), async {
            asked.wait_for(count).await;
            self.clock.advance(time);
            // Who has a limit of his own has left, and others get their answer.
            asked.let_go();
        });
        assert_eq!(worked, 1);
    }

    /// A round later, in which nobody is asked: `asked` rests.
    async fn waits(&self, asked: &Webhook, count: usize, later: Duration) {
        self.clock.advance(later);
        assert_eq!(self.round().await, 1);
        assert_eq!(asked.arrived().len(), count, "it rests");
    }
}

fn decides() -> Action {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:decide".parse().expect("an ARN");
    Action::Lambda { function, waits: true, topic: None }
}

fn s3(bucket: &str) -> Action {
    Action::S3 { bucket: bucket.to_owned(), prefix: None, topic: None, role: None, kms: None }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

both_engines! {
    async fn a_mail_waits_for_a_function_that_rests(engine: Engine) {
        let b = bench(engine).await;
        b.activate(&b.owner, vec![rule("all", &[], vec![decides(), s3("my-mail")])]).await;
        b.runtime.answer([Answer::Silence]);
        let id = b.accept(ANN, BOB, HELLO).await.expect("accepted");
        b.hangs(&b.runtime, 1, FUNCTION).await;
        assert_eq!(b.attempts().await, 1);
        b.waits(&b.runtime, 1, seconds(20)).await;
        assert_eq!(b.attempts().await, 1, "nobody was asked");
        b.tried_nearly_enough().await;
        b.runtime.answer([Answer::status(503)]);
        b.clock.advance(seconds(70));
        assert_eq!(b.round().await, 1);
        assert_eq!((b.runtime.arrived().len(), b.state(&id).await.0), (2, State::Failed), "an answer, at the last attempt");
    }

    async fn a_mail_is_not_given_up_because_a_function_rests(engine: Engine) {
        let b = bench(engine).await;
        b.activate(&b.owner, vec![rule("all", &[], vec![decides(), s3("my-mail")])]).await;
        b.runtime.answer([Answer::Silence]);
        let id = b.accept(ANN, BOB, HELLO).await.expect("accepted");
        b.hangs(&b.runtime, 1, FUNCTION).await;
        b.tried_nearly_enough().await;
        b.waits(&b.runtime, 1, seconds(20)).await;
        assert_eq!((b.state(&id).await.0, b.attempts().await), (State::Waiting, LAST - 1));
        assert!(b.object("my-mail", &id).is_none(), "nothing happens without its decision");
        b.clock.advance(seconds(70));
        assert_eq!(b.round().await, 1);
        assert_eq!((b.runtime.arrived().len(), b.state(&id).await.0), (2, State::Done));
        assert!(b.object("my-mail", &id).is_some());
    }

    async fn a_mail_does_not_wait_for_a_function_for_ever(engine: Engine) {
        let b = bench(engine).await;
        b.activate(&b.owner, vec![rule("all", &[], vec![decides(), s3("my-mail")])]).await;
        b.runtime.answer([Answer::Silence, Answer::Silence]);
        let id = b.accept(ANN, BOB, HELLO).await.expect("accepted");
        b.hangs(&b.runtime, 1, FUNCTION).await;
        b.clock.advance(seconds(12 * 3_600));
        b.hangs(&b.runtime, 2, FUNCTION).await;
        b.tried_nearly_enough().await;
        b.waits(&b.runtime, 2, seconds(30)).await;
        assert_eq!(b.state(&id).await.0, State::Failed);
        assert!(b.object("my-mail", &id).is_some(), "it goes on without");
    }

    async fn a_mail_waits_for_a_bucket_that_rests(engine: Engine) {
        let service = Webhook::start().await;
        let b = bench_storing(engine, Objects::remote(Provider::S3(S3Endpoint {
            url: Some(service.url("")),
            region: "us-east-1".to_owned(),
            access_key_id: "key".to_owned(),
            secret_access_key: Secret::new("secret"),
            path_style: true,
            allow_http: true,
        })))
        .await;
        b.activate(&b.owner, vec![rule("all", &[], vec![s3("my-mail")])]).await;
        service.answer([Answer::status(403), Answer::Header(200, ("etag", "\"x\""), String::new())]);
        service.hold();
        let id = b.accept(ANN, BOB, HELLO).await.expect("accepted");
        b.hangs(&service, 1, seconds(6)).await;
        assert_eq!(b.attempts().await, 1);
        b.waits(&service, 1, seconds(20)).await;
        assert_eq!(b.attempts().await, 1, "nobody was asked");
        b.clock.advance(seconds(70));
        assert_eq!(b.round().await, 1);
        assert_eq!((service.arrived().len(), b.state(&id).await.0), (2, State::Done));
    }

    async fn a_webhook_that_rests_costs_no_attempt_until_the_job_is_old(engine: Engine) {
        let b = bench(engine).await;
        let secret = "a secret of more than 16".to_owned();
        let hook = Action::Webhook { url: b.runtime.url("/hook"), secret, bucket: None, prefix: None, topic: None };
        b.activate(&b.owner, vec![rule("all", &[], vec![hook])]).await;
        b.runtime.answer([Answer::Silence, Answer::status(200), Answer::Silence, Answer::Silence]);
        b.accept(ANN, BOB, HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1, "the mail itself");
        b.hangs(&b.runtime, 1, WEBHOOK).await;
        assert_eq!(b.attempts().await, 1);
        b.tried_nearly_enough().await;
        b.waits(&b.runtime, 1, seconds(20)).await;
        assert_eq!(b.attempts().await, LAST - 1, "it is asked again in a minute");
        b.clock.advance(seconds(70));
        assert_eq!(b.round().await, 1);
        assert_eq!((b.runtime.arrived().len(), b.waiting(SystemQueue::Inbound.id()).await), (2, 0), "it has it");

        b.accept(ANN, BOB, HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1, "the mail itself");
        b.hangs(&b.runtime, 3, WEBHOOK).await;
        b.clock.advance(seconds(12 * 3_600));
        b.hangs(&b.runtime, 4, WEBHOOK).await;
        b.tried_nearly_enough().await;
        b.waits(&b.runtime, 4, seconds(40)).await;
        assert_eq!(b.waiting(SystemQueue::Inbound.dead_letters_id()).await, 1, "it has waited long enough");
    }
}
