//! Work that waits for the object store: one account's large imports keep no other account's waiting, and a stream whose
//! bucket hangs no other stream.
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sesv2::types::{
    DataFormat, ImportDataSource, ImportDestination, JobStatus, SuppressionListDestination, SuppressionListImportAction,
};
use bytes::Bytes;
use postrider::base::{Arn, Clock, Secret, Timestamp};
use postrider::mail::sending::imports::IMPORTS_AT_ONCE;
use postrider::outlets::remote::{Provider, S3Endpoint};
use postrider::outlets::streams::STREAMS_AT_ONCE;
use postrider::outlets::{Objects, Streams};
use postrider::store::{Error, Store};
use postrider::workers::{Stop, one_round, tick_pieces};

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::house::{House, credentials};
use crate::webhook::{Answer, Webhook};

async fn import(ses: &aws_sdk_sesv2::Client, key: &str) -> String {
    let list = SuppressionListDestination::builder().suppression_list_import_action(SuppressionListImportAction::Put);
    let destination = ImportDestination::builder().suppression_list_destination(list.build().expect("a list")).build();
    let source = ImportDataSource::builder().s3_url(format!("s3://lists/{key}")).data_format(DataFormat::Csv);
    let call = ses.create_import_job().import_destination(destination);
    let made = call.import_data_source(source.build().expect("a source")).send().await.expect("made");
    made.job_id.expect("an id")
}

async fn stands(ses: &aws_sdk_sesv2::Client, id: &str) -> (JobStatus, i32) {
    let job = ses.get_import_job().job_id(id).send().await.expect("the job");
    (job.job_status().expect("a status").clone(), job.processed_records_count().unwrap_or_default())
}

both_engines! {
    async fn large_imports_of_one_account_keep_anothers_small_one_from_nothing(engine: Engine) {
        let house = House::dev(engine).await;
        let objects = Objects::folder(house.database.dir.path().join("data/objects"));
        objects.put("lists", "large", Bytes::from("nobody\n".repeat(10_500))).await.expect("stored");
        objects.put("lists", "small", Bytes::from("a@x.example,BOUNCE\n")).await.expect("stored");
        // In `dev` a key that looks like an account's id is that account's.
        let (ours, theirs) = (house.sesv2_as(credentials("000000000000", "x")), house.sesv2_as(credentials("222222222222", "x")));
        let mut large = vec![];
        for _ in 0..5 {
            large.push(import(&ours, "large").await);
        }
        let small = import(&theirs, "small").await;
        let imports = house.app.parts().services.imports.clone();
        one_round(&imports, IMPORTS_AT_ONCE).await.expect("a round");
        assert_eq!(stands(&theirs, &small).await, (JobStatus::Completed, 1));
        assert_eq!(stands(&ours, &large[0]).await, (JobStatus::Processing, 10_000), "one turn of it");
        assert_eq!(stands(&ours, &large[4]).await, (JobStatus::Created, 0));
        house.work().await;
        for id in &large {
            assert_eq!(stands(&ours, id).await, (JobStatus::Completed, 10_500));
        }
    }
    async fn a_stream_whose_bucket_hangs_keeps_no_other_waiting(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
        // A bucket's service that hangs once, and then takes what it gets.
        let service = Webhook::start().await;
        let taken = Answer::Header(200, ("etag", "\"x\""), String::new());
        service.answer([Answer::Silence, taken.clone(), taken.clone()]);
        let objects = Objects::remote(Provider::S3(S3Endpoint {
            url: Some(service.url("")),
            region: "us-east-1".to_owned(),
            access_key_id: "key".to_owned(),
            secret_access_key: Secret::new("secret"),
            path_style: true,
            allow_http: true,
        }));
        let settings = BTreeMap::from(["one", "two"].map(|name| (name.to_owned(), "my-bucket".to_owned())));
        let streams = Streams::new(store.clone(), clock.clone(), objects, &settings).expect("good streams");
        for name in ["one", "two"] {
            let arn: Arn = format!("arn:aws:firehose:us-east-1:000000000000:deliverystream/{name}").parse().expect("an ARN");
            let put: Result<(), Error> =
                store.write(move |tx| Box::pin(async move { Streams::put(tx, &arn, "{}").await })).await;
            put.expect("kept");
        }
        clock.advance(Duration::from_secs(61));
        let left = async || {
            let sql = "SELECT COUNT(*) AS total FROM stream_records";
            let row = store.read(move |tx| Box::pin(async move { tx.one(sql, vec![]).await })).await;
            row.map_err(|error: Error| error).expect("read").expect("a row").int("total").expect("a number")
        };
        let stop = Stop::new(clock.clone());
        tick_pieces(&stop, &clock, "streams", Duration::from_secs(2), STREAMS_AT_ONCE, streams.clone());
        service.wait_for(2).await;
        while left().await > 1 {
            tokio::task::yield_now().await;
        }
        stop.finish(Duration::ZERO).await;
        // What hung is written again, once the work that was cut off has let go of its stream.
        while left().await > 0 {
            streams.round().await.expect("a round");
            tokio::task::yield_now().await;
        }
        assert_eq!(service.arrived().len(), 3);
    }
}
