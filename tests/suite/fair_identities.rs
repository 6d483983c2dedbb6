//! Looks at the DNS for identities: those of one account in a zone that does not answer keep no other account waiting.
use std::time::Duration;

use aws_sdk_ses::types::VerificationStatus;
use futures::future::join_all;
use postrider::config::{Given, Mode};
use postrider::store::Error;

use crate::both_engines;
use crate::dns::TestDns;
use crate::house::House;

const DEAD: usize = 400;

async fn status(ses: &aws_sdk_ses::Client, name: &str) -> VerificationStatus {
    let found = ses.get_identity_verification_attributes().identities(name).send().await.expect("answers");
    found.verification_attributes()[name].verification_status().clone()
}

/// Asks for a domain, and gives what proves it.
async fn ask(ses: &aws_sdk_ses::Client, name: &str) -> String {
    let asked = ses.verify_domain_identity().domain(name).send().await.expect("asked");
    asked.verification_token().to_owned()
}

async fn count(house: &House, sql: &'static str) -> i64 {
    let row = house.app.store().read(move |tx| Box::pin(async move { tx.one(sql, vec![]).await })).await;
    row.map_err(|error: Error| error).expect("the store reads").expect("a row").int("total").expect("a number")
}

/// Lets time pass until something is done.
async fn later(house: &House, done: impl AsyncFn() -> bool) {
    while !done().await {
        house.clock.advance(Duration::from_millis(50));
        tokio::task::yield_now().await;
    }
}

both_engines! {
    async fn identities_in_a_zone_that_is_silent_keep_no_other_account_waiting(engine: Engine) {
        let dns = TestDns::start().await;
        dns.is_silent("dead.example");
        let given = Given { dns: Some(vec![dns.address]), ..Given::default() };
        let house = House::working(Mode::Serve, engine, given).await;
        let (_, theirs) = house.other_account().await;
        let (ours, theirs) = (house.ses(), house.ses_as(theirs));
        let names: Vec<String> = (0..DEAD).map(|n| format!("d{n}.dead.example")).collect();
        let mut tokens = vec![];
        for some in names.chunks(20) {
            tokens.extend(join_all(some.iter().map(|name| ask(&theirs, name))).await);
        }
        // As many looks wait as one account may have.
        let undone = async || count(&house, "SELECT COUNT(*) AS total FROM identities WHERE status <> 'SUCCESS'").await;
        later(&house, async || undone().await > 0 && dns.names_asked("dead.example") >= 64).await;
        let token = ask(&ours, "good.example").await;
        dns.txt("_amazonses.good.example", &token);
        later(&house, async || undone().await > 0 && dns.asked("good.example") > 0).await;
        while undone().await > DEAD as i64 {
            tokio::task::yield_now().await;
        }
        assert_eq!(status(&ours, "good.example").await, VerificationStatus::Success);
        assert_eq!(status(&theirs, "d0.dead.example").await, VerificationStatus::Pending);
        // The zone comes back: each is looked at again, and none is lost.
        for (name, token) in names.iter().zip(&tokens) {
            dns.txt(&format!("_amazonses.{name}"), token);
        }
        dns.answers("dead.example");
        later(&house, async || undone().await == 0).await;
        house.stop().await;
    }
}
