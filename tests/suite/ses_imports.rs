//! Import jobs through AWS's SDK: objects of addresses go on and off the suppression list.
use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::operation::get_import_job::GetImportJobOutput;
use aws_sdk_sesv2::types::{
    ContactListDestination, ContactListImportAction, DataFormat, ImportDataSource, ImportDestination,
    ImportDestinationType, JobStatus, SuppressionListDestination, SuppressionListImportAction,
};
use bytes::Bytes;
use postrider::outlets::Objects;
use postrider::store::import_jobs;

use crate::both_engines;
use crate::house::House;

fn objects(house: &House) -> Objects {
    Objects::folder(house.database.dir.path().join("data/objects"))
}

async fn put(house: &House, key: &str, text: &str) {
    objects(house).put("lists", key, Bytes::from(text.to_owned())).await.expect("stored");
}

fn to_list(action: SuppressionListImportAction) -> ImportDestination {
    let list = SuppressionListDestination::builder().suppression_list_import_action(action).build().expect("a list");
    ImportDestination::builder().suppression_list_destination(list).build()
}

fn from(url: &str, format: DataFormat) -> ImportDataSource {
    ImportDataSource::builder().s3_url(url).data_format(format).build().expect("a source")
}

async fn import(house: &House, action: SuppressionListImportAction, url: &str, format: DataFormat) -> String {
    let call = house.sesv2().create_import_job().import_destination(to_list(action));
    call.import_data_source(from(url, format)).send().await.expect("made").job_id.expect("an id")
}

async fn job(house: &House, id: &str) -> GetImportJobOutput {
    house.sesv2().get_import_job().job_id(id).send().await.expect("the job")
}

async fn listed(house: &House) -> Vec<String> {
    let list = house.sesv2().list_suppressed_destinations().page_size(1000).send().await.expect("a list");
    let entry = |s: &aws_sdk_sesv2::types::SuppressedDestinationSummary| {
        format!("{} {}", s.email_address(), s.reason().as_str())
    };
    list.suppressed_destination_summaries().iter().map(entry).collect()
}

both_engines! {
    async fn addresses_of_an_object_go_on_the_list_and_off_again(engine: Engine) {
        let house = House::dev(engine).await;
        put(&house, "in/add.csv", "B@x.example,BOUNCE\r\nc@x.example, COMPLAINT\n\nnobody,BOUNCE\nd@x.example,SPAM\nb@x.example,COMPLAINT\n")
            .await;
        let id = import(&house, SuppressionListImportAction::Put, "s3://lists/in/add.csv", DataFormat::Csv).await;
        assert_eq!(job(&house, &id).await.job_status(), Some(&JobStatus::Created));
        house.work().await;
        let done = job(&house, &id).await;
        assert_eq!(done.job_status(), Some(&JobStatus::Completed));
        assert_eq!((done.processed_records_count(), done.failed_records_count()), (Some(5), Some(2)));
        assert!(done.completed_timestamp().is_some() && done.created_timestamp().is_some());
        let source = done.import_data_source().expect("a source");
        assert_eq!((source.s3_url(), source.data_format()), ("s3://lists/in/add.csv", &DataFormat::Csv));
        let failed = format!("in/add.csv.{id}.failed.csv");
        let info = done.failure_info().expect("two failed");
        assert_eq!(info.failed_records_s3_url(), Some(format!("s3://lists/{failed}").as_str()));
        let report = objects(&house).get("lists", &failed, 10_000).await.expect("the report");
        assert_eq!(
            String::from_utf8_lossy(&report),
            "line,problem,record\n4,not an email address,\"nobody,BOUNCE\"\n\
             5,the reason is not BOUNCE or COMPLAINT,\"d@x.example,SPAM\"\n"
        );
        // Of an address that stands there twice, the last line counts.
        assert_eq!(listed(&house).await, ["b@x.example COMPLAINT", "c@x.example COMPLAINT"]);
        put(&house, "off.json", "{\"emailAddress\": \"C@x.example\"}\n{\"emailAddress\": \"z@x.example\"}\n").await;
        let off = import(&house, SuppressionListImportAction::Delete, "s3://lists/off.json", DataFormat::Json).await;
        house.work().await;
        let done = job(&house, &off).await;
        assert_eq!((done.processed_records_count(), done.failed_records_count()), (Some(2), Some(0)));
        assert!(done.failure_info().is_none());
        assert_eq!(listed(&house).await, ["b@x.example COMPLAINT"]);
        let ses = house.sesv2();
        let page = ses.list_import_jobs().page_size(1).send().await.expect("a page");
        assert_eq!(page.import_jobs()[0].job_id(), Some(off.as_str()));
        let rest = ses.list_import_jobs().next_token(page.next_token().expect("more")).send().await.expect("a page");
        assert_eq!(rest.import_jobs().iter().filter_map(|job| job.job_id()).collect::<Vec<_>>(), [id.as_str()]);
        let contacts = ses.list_import_jobs().import_destination_type(ImportDestinationType::ContactList).send().await;
        assert!(contacts.expect("a page").import_jobs().is_empty());
        let none = ses.get_import_job().job_id("none").send().await.expect_err("no such job").into_service_error();
        assert!(none.is_not_found_exception());
    }

    async fn what_cannot_be_imported_is_refused_or_fails_with_a_reason(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        let call = |to: ImportDestination, url: &str| {
            ses.create_import_job().import_destination(to).import_data_source(from(url, DataFormat::Csv)).send()
        };
        let contacts = ContactListDestination::builder()
            .contact_list_name("friends")
            .contact_list_import_action(ContactListImportAction::Put);
        let contacts = ImportDestination::builder().contact_list_destination(contacts.build().expect("a list")).build();
        let refused = call(contacts, "s3://lists/a").await.expect_err("no contact lists").into_service_error();
        assert_eq!(refused.message(), Some("List with name: friends doesn't exist."));
        for url in ["https://lists/a", "s3://lists", "s3://Lists/a", "s3://lists/../a", "s3://lists/"] {
            let refused = call(to_list(SuppressionListImportAction::Put), url).await.expect_err(url);
            assert!(refused.into_service_error().is_bad_request_exception(), "{url}");
        }
        put(&house, "many", &"a@x.example,BOUNCE\n".repeat(100_001)).await;
        objects(&house).put("lists", "binary", Bytes::from_static(&[0xff, 0xfe, 0])).await.expect("stored");
        for (url, said) in [
            ("s3://lists/none", "The object does not exist."),
            ("s3://lists/many", "The object is no text, or has more than 100000 records."),
            ("s3://lists/binary", "The object is no text, or has more than 100000 records."),
        ] {
            let id = import(&house, SuppressionListImportAction::Put, url, DataFormat::Csv).await;
            house.work().await;
            let failed = job(&house, &id).await;
            assert_eq!(failed.job_status(), Some(&JobStatus::Failed), "{url}");
            assert_eq!(failed.failure_info().and_then(|info| info.error_message()), Some(said));
        }
        assert!(listed(&house).await.is_empty());
        let sandboxed = House::serve(engine).await;
        let call = sandboxed.sesv2().create_import_job().import_destination(to_list(SuppressionListImportAction::Put));
        let refused = call.import_data_source(from("s3://lists/a", DataFormat::Csv)).send().await;
        assert!(refused.expect_err("the sandbox").into_service_error().is_bad_request_exception());
    }

    async fn a_job_goes_on_where_the_node_that_worked_on_it_was_lost(engine: Engine) {
        let house = House::dev(engine).await;
        let lines: String = (0..1_200).map(|n| format!("a{n:04}@x.example,BOUNCE\n")).collect();
        put(&house, "long.csv", &lines).await;
        let id = import(&house, SuppressionListImportAction::Put, "s3://lists/long.csv", DataFormat::Csv).await;
        // Another node took it, worked a lot of it, and died.
        let lost: Result<_, postrider::store::Error> = house
            .app
            .store()
            .write(|tx| {
                Box::pin(async move {
                    let until = tx.now() + std::time::Duration::from_secs(60);
                    let job = import_jobs::claim(tx, until, &[]).await?.expect("a job");
                    assert!(import_jobs::advance(tx, &job, (500, 0), until).await?);
                    Ok(job)
                })
            })
            .await;
        let lost = lost.expect("claimed");
        house.work().await;
        let waiting = job(&house, &id).await;
        assert_eq!((waiting.job_status(), waiting.processed_records_count()), (Some(&JobStatus::Processing), Some(500)));
        assert!(listed(&house).await.is_empty());
        house.clock.advance(std::time::Duration::from_secs(61));
        house.work().await;
        let done = job(&house, &id).await;
        assert_eq!((done.job_status(), done.processed_records_count()), (Some(&JobStatus::Completed), Some(1_200)));
        let first_page = listed(&house).await;
        assert_eq!((first_page.len(), first_page[0].as_str()), (700, "a0500@x.example BOUNCE"));
        // The node that was lost comes back: what it would note is not its to note.
        let late: Result<bool, postrider::store::Error> = house
            .app
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let until = tx.now();
                    import_jobs::advance(tx, &lost, (500, 0), until).await
                })
            })
            .await;
        assert!(!late.expect("asked"));
    }

    async fn an_operator_takes_a_list_out_as_a_file_and_puts_it_in_elsewhere(engine: Engine) {
        use std::process::{Command, Stdio};
        let house = House::dev(engine).await;
        put(&house, "a", "a@x.example,BOUNCE\n\"b\"@x.example,COMPLAINT\n").await;
        import(&house, SuppressionListImportAction::Put, "s3://lists/a", DataFormat::Csv).await;
        house.work().await;
        let database = house.stop().await;
        let data = database.dir.path().join("data");
        let ends = |arguments: &[&str], input: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
            command.env_clear().arg("admin").arg("--data-dir").arg(&data).args(["--database-url", &database.url]);
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut running = command.spawn().expect("it runs");
            std::io::Write::write_all(&mut running.stdin.take().expect("piped"), input.as_bytes()).expect("written");
            let ended = running.wait_with_output().expect("it ends");
            let text = |octets: Vec<u8>| String::from_utf8(octets).expect("text");
            (ended.status.code(), text(ended.stdout), text(ended.stderr))
        };
        let admin = |arguments: &[&str], input: &str| {
            let (code, out, err) = ends(arguments, input);
            assert_eq!(code, Some(0), "{err}");
            out
        };
        let list = admin(&["export-suppressed"], "");
        assert_eq!(list.lines().count(), 2, "{list}");
        assert!(list.contains("a@x.example,BOUNCE,20"), "{list}");
        let small = list.replace("BOUNCE", "bounce").replace("COMPLAINT", "Complaint");
        let (code, said, why) = ends(&["import-suppressed", "-", "--region", "eu-west-1"], &format!("{small}nobody,BOUNCE\n"));
        assert!(code == Some(1) && why.ends_with("postrider: 1 lines are no records\n"), "{code:?} {why}");
        assert_eq!(said, "2 addresses put on the list, 1 lines are no records\nline 3: not an email address\n");
        let there = admin(&["export-suppressed", "--region", "eu-west-1"], "");
        assert_eq!(there.lines().count(), 2, "{there}");
        admin(&["import-suppressed", "-", "--delete"], &list);
        assert_eq!(admin(&["export-suppressed"], ""), "");
    }
}
