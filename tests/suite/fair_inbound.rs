//! Received mail that waits for others keeps nobody else's from its rules: name servers, functions and webhooks that do not
//! answer. The clock stands until the good mail is through, so what had to wait for a limit would wait for ever.
use std::time::Duration;

use futures::future::join_all;
use postrider::base::{Arn, Scope};
use postrider::mail::receiving::places;
use postrider::mail::receiving::rules::Action;
use postrider::store::Error;
use postrider::store::inbound_mails::State;
use postrider::workers::Stop;

use crate::both_engines;
use crate::receiving_bench::{Bench, HELLO, account, bench, rule, sns};
use crate::webhook::Answer;

const ANN: Option<&str> = Some("ann@there.example");
const BOB: &[&str] = &["bob@here.example"];
const SILENT: usize = 200;

impl Bench {
    async fn accept_many(&self, count: usize, source: &str, to: &[&str]) -> Vec<String> {
        let ids = join_all((0..count).map(|_| self.accept(Some(source), to, HELLO))).await;
        ids.into_iter().map(|id| id.expect("accepted")).collect()
    }

    /// Works until what `done` looks at is done. The clock stands.
    async fn until(&self, done: impl AsyncFn() -> bool) {
        while !done().await {
            tokio::task::yield_now().await;
        }
    }

    /// The same, while the time passes.
    async fn until_later(&self, done: impl AsyncFn() -> bool) {
        while !done().await {
            // In small steps: who works holds claims that end by this clock.
            self.clock.advance(Duration::from_millis(20));
            tokio::task::yield_now().await;
        }
    }

    /// The same, where what is being worked on waits for no time: that stands until all of it is done, however long the machine
    /// takes for it.
    async fn until_worked(&self, done: impl AsyncFn() -> bool) {
        while !done().await {
            if self.at_work().await == 0 {
                self.clock.advance(Duration::from_millis(50));
            }
            tokio::task::yield_now().await;
        }
    }

    /// How many jobs are being worked on.
    async fn at_work(&self) -> i64 {
        let sql = "SELECT COUNT(*) AS total FROM messages WHERE queue_id = -2 AND holder IS NOT NULL";
        let row = self.store.read(move |tx| Box::pin(async move { tx.one(sql, vec![]).await })).await;
        row.map_err(|error: Error| error).expect("the store reads").expect("a row").int("total").expect("a number")
    }

    /// How many mails have not been through their rules.
    async fn undone(&self) -> i64 {
        let sql = "SELECT COUNT(*) AS total FROM inbound_mails WHERE state <> 'Done'";
        let row = self.store.read(move |tx| Box::pin(async move { tx.one(sql, vec![]).await })).await;
        row.map_err(|error: Error| error).expect("the store reads").expect("a row").int("total").expect("a number")
    }

    /// All that came out of the topic, with the verdict of SPF.
    async fn all_told(&self, name: &str) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let told = self.told(name).await;
            if told.is_empty() {
                return all;
            }
            let verdict =
                |note: &serde_json::Value| note["receipt"]["spfVerdict"]["status"].as_str().map(str::to_owned);
            all.extend(told.iter().map(|note| verdict(note).expect("a verdict")));
        }
    }

    /// Another account with a domain, whose mail goes to a queue.
    async fn another(&self) -> Scope {
        let other = account('2');
        self.verified(&other, "other.example").await;
        let scope = Scope { account: other.account.clone(), region: other.region.clone() };
        self.queues.create(&scope, "q", Default::default(), Default::default()).await.expect("a queue");
        let queue = Arn::new("sqs", &other.region, &other.account, "q");
        let to_queue = Action::Sqs { queue, encoding: postrider::mail::receiving::rules::Encoding::Utf8, topic: None };
        self.activate(&other, vec![rule("all", &[], vec![to_queue])]).await;
        other
    }

    /// The workers, until the stop.
    fn begin(&self) -> Stop {
        let stop = Stop::new(self.clock.clone());
        stop.spawn("inbound", self.pool.clone().run(stop.clone()));
        stop
    }

    async fn end(&self, stop: Stop) {
        let end = stop.finish(Duration::ZERO);
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return,
                () = tokio::task::yield_now() => self.clock.advance(Duration::from_millis(100)),
            }
        }
    }
}

both_engines! {
    async fn mail_of_a_domain_whose_name_servers_are_silent_keeps_no_other_waiting(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![sns(&topic)])]).await;
        b.dns.is_silent("silent.example");
        b.dns.breaks("silent.example");
        b.accept_many(SILENT, "x@silent.example", BOB).await;
        let stop = b.begin();
        b.dns.was_asked("silent.example", 1).await;
        let good = b.accept(ANN, BOB, HELLO).await.expect("accepted");
        b.until(async || b.state(&good).await.0 == State::Done).await;
        assert_eq!(b.undone().await, SILENT as i64, "the others still wait for an answer");
        // Now there is one, and it is no use: within a minute each mail has its verdict, and nobody asked again.
        b.dns.answers("silent.example");
        b.until_later(async || b.undone().await == 0).await;
        let asked = b.dns.asked("silent.example");
        assert!(asked <= 3 * places::PER_GROUP as usize, "asked {asked} times");
        let mut told = b.all_told("mail").await;
        told.sort_unstable();
        assert_eq!((told.len(), told[0].as_str()), (SILENT + 1, "GRAY"), "nothing is lost");
        assert!(told[1..].iter().all(|verdict| verdict == "PROCESSING_FAILED"), "{told:?}");
        b.end(stop).await;
    }

    async fn names_that_hang_are_waited_for_together(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![sns(&topic)])]).await;
        let signature = |n: usize| {
            format!("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=d{n}.silent.example; s=s1; h=from; bh=AAAA; b=AAAA\r\n")
        };
        let data = (0..6).map(signature).collect::<String>() + HELLO;
        b.dns.is_silent("silent.example");
        let id = b.accept(ANN, BOB, &data).await.expect("accepted");
        let stop = b.begin();
        b.dns.was_asked("silent.example", 6).await;
        assert_eq!(b.state(&id).await.0, State::Waiting);
        b.dns.answers("silent.example");
        b.until_later(async || b.undone().await == 0).await;
        b.end(stop).await;
    }

    async fn a_function_that_hangs_keeps_no_other_account_waiting(engine: Engine) {
        let b = bench(engine).await;
        let function = "arn:aws:lambda:us-east-1:000000000000:function:decide".parse().expect("an ARN");
        let decides = Action::Lambda { function, waits: true, topic: None };
        b.activate(&b.owner, vec![rule("all", &[], vec![decides])]).await;
        b.another().await;
        let hanging = places::PER_GROUP as usize;
        b.runtime.answer(std::iter::repeat_n(Answer::Silence, hanging));
        b.accept_many(SILENT, "ann@there.example", BOB).await;
        let stop = b.begin();
        b.runtime.wait_for(hanging).await;
        let good = b.accept(ANN, &["eve@other.example"], HELLO).await.expect("accepted");
        b.until(async || b.state(&good).await.0 == State::Done).await;
        assert_eq!((b.undone().await, b.runtime.arrived().len()), (SILENT as i64, hanging));
        // It has had its half minute, and rests: the others do not wait for it as well.
        b.clock.advance(Duration::from_secs(30));
        b.until_worked(async || b.undone().await == 0).await;
        let asked = b.runtime.arrived().len();
        assert!(asked <= hanging + SILENT, "each mail waited once at the most: {asked}");
        b.end(stop).await;
    }

    async fn a_webhook_that_hangs_keeps_no_other_waiting(engine: Engine) {
        let b = bench(engine).await;
        let hook = Action::Webhook {
            url: b.runtime.url("/hook"),
            secret: "a secret of more than 16".to_owned(),
            bucket: None,
            prefix: None,
            topic: None,
        };
        b.activate(&b.owner, vec![rule("all", &["bob@here.example"], vec![hook])]).await;
        b.another().await;
        // With the mails that they came with, as many as one account may have under way: the others would wait a second.
        let hanging = 90;
        b.runtime.answer(std::iter::repeat_n(Answer::Silence, hanging));
        b.accept_many(hanging, "ann@there.example", BOB).await;
        let stop = b.begin();
        b.runtime.wait_for(hanging).await;
        let good = b.accept(ANN, &["eve@other.example"], HELLO).await.expect("accepted");
        b.until(async || b.state(&good).await.0 == State::Done).await;
        assert_eq!(b.runtime.arrived().len(), hanging);
        b.until_later(async || b.waiting(-2).await == 0 && b.runtime.arrived().len() >= 2 * hanging).await;
        let mut ids: Vec<String> = b.runtime.arrived().iter().map(|post| post.header("webhook-id").to_owned()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), hanging, "nothing is lost");
        b.end(stop).await;
    }
}
