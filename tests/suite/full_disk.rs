//! A full disk: nothing new is taken, with AWS's error for it, and what is there is received and deleted.
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use postrider::config::{Given, Mode};
use postrider::store::Error;
use sqlx::AssertSqlSafe;

use crate::engine::Engine;
use crate::house::House;

const MIB: u64 = 1024 * 1024;

/// SQLite takes no page more than `pages` beyond what it has: it answers as on a full disk. `None`: as many as it wants.
async fn limit(house: &House, more: Option<i64>) {
    let limited = house.app.store().write(move |tx| {
        Box::pin(async move {
            let rows = tx.all("PRAGMA page_count", vec![]).await?;
            let pages = rows.first().map_or(Ok(0), |row| row.int("page_count"))?;
            let max = more.map_or(1_000_000_000, |more| pages + more);
            tx.all(AssertSqlSafe(format!("PRAGMA max_page_count = {max}")), vec![]).await.map(drop)
        })
    });
    let limited: Result<(), Error> = limited.await;
    limited.expect("limited");
}

async fn send(sqs: &Client, url: &str) -> Result<(), String> {
    let sent = sqs.send_message().queue_url(url).message_body("x".repeat(100_000)).send().await;
    sent.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_can_be_received_and_deleted_and_what_is_new_is_refused() {
    let given = Given { disk_reserve: Some(1), ..Given::default() };
    let house = House::start(Mode::Dev, Engine::Sqlite, given).await;
    let reserve = house.database.dir.path().join("postrider.db-reserve");
    assert_eq!(std::fs::metadata(&reserve).expect("kept back").len(), MIB);
    let sqs = house.sqs();
    let once = sqs.config().to_builder().retry_config(RetryConfig::disabled()).build();
    let sqs = Client::from_conf(once);
    let url = sqs.create_queue().queue_name("q").send().await.expect("made").queue_url.expect("a URL");
    let sns = house.sns();
    let topic = sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");

    limit(&house, Some(300)).await;
    let mut taken = 0;
    let refused = loop {
        match send(&sqs, &url).await {
            Ok(()) => taken += 1,
            Err(code) => break code,
        }
    };
    assert!(taken > 5, "{taken}");
    assert_eq!(refused, "ServiceUnavailable");
    assert_eq!(std::fs::metadata(&reserve).expect("a sign of it").len(), 0, "what was kept back is let go");
    let error = sns.publish().topic_arn(&topic).message("x").send().await.expect_err("no room");
    assert_eq!(error.code(), Some("ServiceUnavailable"));
    assert_eq!(house.app.round().await.expect("the store works"), 0, "no work is begun");

    // What was let go, in pages.
    limit(&house, Some(i64::try_from(MIB / 4_096).expect("small"))).await;
    for _ in 0..taken {
        let got = sqs.receive_message().queue_url(&url).send().await.expect("received");
        let handle = got.messages()[0].receipt_handle().expect("a handle").to_owned();
        sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.expect("deleted");
    }
    assert_eq!(send(&sqs, &url).await, Err("ServiceUnavailable".to_owned()), "until it is looked at again");

    limit(&house, None).await;
    house.clock.advance(Duration::from_secs(10));
    // Whoever writes sees that there is room.
    let gone = sqs.receive_message().queue_url(&url).send().await.expect("received");
    assert!(gone.messages().is_empty());
    limit(&house, None).await;
    assert_eq!(send(&sqs, &url).await, Ok(()));
    assert_eq!(std::fs::metadata(&reserve).expect("kept back").len(), MIB);
    house.stop().await;
}
