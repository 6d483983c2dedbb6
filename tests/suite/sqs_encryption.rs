//! Encryption at rest: nothing of a message can be read in the database, and keys are asked for.
use std::os::unix::fs::PermissionsExt;
use std::str::FromStr;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use postrider::base::{AccountId, Clock, Secret};
use postrider::config::{Encryption, Given, KmsKey, KmsState, Mode};
use postrider::store::{Database, Store, accounts};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::house::{House, SECRET};

/// Everything that the database holds, as its files or as the text of every row.
async fn dump(database: &TestDatabase) -> String {
    let Database::Postgres(url) = database.database() else {
        let files = std::fs::read_dir(database.dir.path()).expect("the folder").flatten();
        let files = files.filter(|file| file.file_name().to_string_lossy().starts_with("postrider.db"));
        let bytes: Vec<u8> = files.flat_map(|file| std::fs::read(file.path()).expect("readable")).collect();
        return String::from_utf8_lossy(&bytes).into_owned();
    };
    let mut connection = PgConnection::connect(&url).await.expect("connected");
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    let tables = sqlx::query(tables).fetch_all(&mut connection).await.expect("tables");
    let mut all = String::new();
    for table in tables {
        let table: String = table.get(0);
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT t::text FROM {table} t")));
        for row in rows.fetch_all(&mut connection).await.expect("rows") {
            all.push_str(row.get(0));
            all.push('\n');
        }
    }
    all
}

fn kms(id: &str, state: KmsState) -> KmsKey {
    KmsKey { id: id.to_owned(), aliases: vec![format!("alias/{id}")], state }
}

fn with_keys(kms_keys: Vec<KmsKey>) -> Given {
    Given { encryption: Encryption { kms_keys, ..Encryption::default() }, ..Given::default() }
}

async fn make(sqs: &Client, name: &str, attributes: &[(Name, &str)]) -> String {
    let create = sqs.create_queue().queue_name(name);
    let create = attributes.iter().fold(create, |create, (name, value)| create.attributes(name.clone(), *value));
    create.send().await.expect("made").queue_url.expect("a URL")
}

async fn send(sqs: &Client, url: &str, text: &str) {
    sqs.send_message().queue_url(url).message_body(text).send().await.expect("sent");
}

async fn bodies(sqs: &Client, url: &str) -> Vec<String> {
    let got = sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await.expect("received");
    got.messages.unwrap_or_default().into_iter().filter_map(|m| m.body).collect()
}

fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> String {
    answer.expect_err("refused").code().unwrap_or_default().to_owned()
}

/// What `postrider admin master-keys` prints.
fn master_keys(database: &TestDatabase, keys: &str) -> Vec<String> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_postrider"));
    command
        .arg("admin")
        .arg("--data-dir")
        .arg(database.dir.path().join("data"))
        .args(["--database-url", &database.url]);
    let output = command.arg("master-keys").env("POSTRIDER_MASTER_KEY", keys).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

both_engines! {
    async fn the_database_shows_nothing_of_a_message_in_an_encrypted_queue(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let secrets = [
            make(&sqs, "default", &[]).await,
            make(&sqs, "kms", &[(Name::KmsMasterKeyId, "alias/aws/sqs")]).await,
        ];
        let open = make(&sqs, "open", &[(Name::SqsManagedSseEnabled, "false")]).await;
        send(&sqs, &open, "for-everybody-to-see").await;
        for url in &secrets {
            let text = |value: &str| {
                MessageAttributeValue::builder().data_type("String").string_value(value).build().expect("a value")
            };
            let trace = MessageSystemAttributeValue::builder().data_type("String").string_value("Root=1-veiled-trace");
            let sent = sqs.send_message().queue_url(url).message_body("veiled-body")
                .message_attributes("veiled-name", text("veiled-value"))
                .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace.build().expect("a value"));
            sent.send().await.expect("sent");
        }
        let topic = house.sns().create_topic().name("news").send().await.expect("made").topic_arn.expect("an ARN");
        let endpoint = "arn:aws:sqs:us-east-1:000000000000:default";
        house.sns().subscribe().topic_arn(&topic).protocol("sqs").endpoint(endpoint).send().await.expect("subscribed");
        let publish = house.sns().publish().topic_arn(&topic).subject("veiled-subject").message("veiled-news");
        publish.send().await.expect("published");

        let dumped = dump(&house.database).await;
        assert!(dumped.contains("for-everybody-to-see"), "the look into the database finds what is there");
        assert!(!dumped.contains("veiled"), "something of a message can be read");
        assert!(!dumped.contains(SECRET), "the secret of an access key can be read");

        for (url, count) in secrets.iter().zip([2, 1]) {
            let got = sqs.receive_message().queue_url(url).max_number_of_messages(10).message_attribute_names("All")
                .message_system_attribute_names("All".into());
            let got = got.send().await.expect("received").messages.unwrap_or_default();
            assert_eq!(got.len(), count);
            assert_eq!(got[0].body(), Some("veiled-body"));
            let value = got[0].message_attributes().and_then(|a| a.get("veiled-name")).and_then(|v| v.string_value());
            assert_eq!(value, Some("veiled-value"));
            let trace = got[0].attributes().and_then(|a| a.get(&"AWSTraceHeader".into()));
            assert_eq!(trace.map(String::as_str), Some("Root=1-veiled-trace"));
        }
    }

    async fn messages_stay_readable_when_encryption_changes_and_when_they_move(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        make(&sqs, "dead", &[(Name::SqsManagedSseEnabled, "false")]).await;
        let redrive = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}"#;
        let open = [(Name::SqsManagedSseEnabled, "false"), (Name::RedrivePolicy, redrive), (Name::VisibilityTimeout, "0")];
        let url = make(&sqs, "q", &open).await;
        send(&sqs, &url, "open").await;
        for (name, value, text) in [
            (Name::SqsManagedSseEnabled, "true", "managed"),
            (Name::KmsMasterKeyId, "alias/aws/sqs", "kms"),
            (Name::KmsMasterKeyId, "", "open again"),
        ] {
            sqs.set_queue_attributes().queue_url(&url).attributes(name, value).send().await.expect("set");
            send(&sqs, &url, text).await;
        }
        let all = ["open", "managed", "kms", "open again"];
        assert_eq!(bodies(&sqs, &url).await, all);
        assert!(bodies(&sqs, &url).await.is_empty(), "they move");
        let dead = url.replace("/q", "/dead");
        assert_eq!(bodies(&sqs, &dead).await, all);
    }

    async fn kms_keys_must_be_there_and_enabled(engine: Engine) {
        let keys = |state| with_keys(vec![kms("orders", state)]);
        let house = House::start(Mode::Serve, engine, keys(KmsState::Enabled)).await;
        let sqs = house.sqs();
        let known = make(&sqs, "known", &[(Name::KmsMasterKeyId, "alias/orders")]).await;
        send(&sqs, &known, "hello").await;
        // Nobody asks for the key before a message comes.
        let unknown = make(&sqs, "unknown", &[(Name::KmsMasterKeyId, "alias/nothing")]).await;
        let sent = sqs.send_message().queue_url(&unknown).message_body("x").send().await;
        assert!(sent.as_ref().is_err_and(|e| e.as_service_error().is_some_and(|e| e.is_kms_not_found())), "{sent:?}");
        assert_eq!(code(sqs.receive_message().queue_url(&unknown).send().await), "KMS.NotFoundException");

        let database = house.stop().await;
        let started = House::start_on(database, Mode::Serve, keys(KmsState::Disabled)).await;
        let house = started.unwrap_or_else(|(_, problem)| panic!("{problem}"));
        let sqs = house.sqs();
        let known = format!("{}/000000000000/known", house.endpoint());
        assert_eq!(code(sqs.send_message().queue_url(&known).message_body("x").send().await), "KMS.DisabledException");
        assert_eq!(code(sqs.receive_message().queue_url(&known).send().await), "KMS.DisabledException");
        // The message waits under its own key, whatever the queue uses now; others come without it.
        sqs.set_queue_attributes().queue_url(&known).attributes(Name::SqsManagedSseEnabled, "true").send().await.expect("set");
        send(&sqs, &known, "later").await;
        assert_eq!(bodies(&sqs, &known).await, ["later"]);

        let database = house.stop().await;
        let started = House::start_on(database, Mode::Serve, keys(KmsState::Enabled)).await;
        let house = started.unwrap_or_else(|(_, problem)| panic!("{problem}"));
        house.clock.advance(std::time::Duration::from_secs(60));
        let known = format!("{}/000000000000/known", house.endpoint());
        let mut all = bodies(&house.sqs(), &known).await;
        all.sort();
        assert_eq!(all, ["hello", "later"]);
    }

    async fn attributes_show_one_encryption(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let url = make(&sqs, "q", &[]).await;
        let shown = async || {
            let got = sqs.get_queue_attributes().queue_url(&url).attribute_names(Name::All).send().await.expect("shown");
            let got = got.attributes.unwrap_or_default();
            [Name::SqsManagedSseEnabled, Name::KmsMasterKeyId, Name::KmsDataKeyReusePeriodSeconds].map(|n| got.get(&n).cloned())
        };
        let texts = |all: [Option<&str>; 3]| all.map(|text| text.map(str::to_owned));
        assert_eq!(shown().await, texts([Some("true"), None, None]));
        let set = async |pairs: &[(Name, &str)]| {
            let set = sqs.set_queue_attributes().queue_url(&url);
            pairs.iter().fold(set, |set, (name, value)| set.attributes(name.clone(), *value)).send().await
        };
        set(&[(Name::KmsMasterKeyId, "alias/aws/sqs")]).await.expect("set");
        assert_eq!(shown().await, texts([Some("false"), Some("alias/aws/sqs"), Some("300")]));
        set(&[(Name::KmsDataKeyReusePeriodSeconds, "60")]).await.expect("set");
        assert_eq!(shown().await, texts([Some("false"), Some("alias/aws/sqs"), Some("60")]));
        let both = set(&[(Name::KmsMasterKeyId, "k"), (Name::SqsManagedSseEnabled, "true")]).await;
        assert_eq!(code(both), "InvalidAttributeName");
        assert_eq!(code(set(&[(Name::KmsDataKeyReusePeriodSeconds, "59")]).await), "InvalidAttributeValue");
        assert_eq!(code(set(&[(Name::SqsManagedSseEnabled, "maybe")]).await), "InvalidAttributeValue");
        let again = sqs.create_queue().queue_name("q").attributes(Name::KmsMasterKeyId, "other").send().await;
        assert_eq!(code(again), "QueueAlreadyExists");
        let again = sqs.create_queue().queue_name("q").attributes(Name::KmsMasterKeyId, "alias/aws/sqs").send().await;
        assert_eq!(again.expect("the same").queue_url, Some(url.clone()));
        set(&[(Name::KmsMasterKeyId, ""), (Name::SqsManagedSseEnabled, "false")]).await.expect("set");
        assert_eq!(shown().await, texts([Some("false"), None, None]));
    }

    async fn the_master_key_is_made_once_kept_and_can_be_replaced(engine: Engine) {
        const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let house = House::serve(engine).await;
        make(&house.sqs(), "q", &[(Name::VisibilityTimeout, "0")]).await;
        let url = |house: &House| format!("{}/000000000000/q", house.endpoint());
        send(&house.sqs(), &url(&house), "under the first key").await;
        let (_, credentials) = house.other_account().await;
        let path = house.database.dir.path().join("data/master-key");
        assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
        let first = std::fs::read_to_string(&path).expect("the file");

        let given = |key: &str| Given {
            encryption: Encryption { master_key: Some(Secret::new(key)), ..Encryption::default() },
            ..Given::default()
        };
        // Another key alone, or none at all, cannot read what is there; so nothing starts, and no new key is made.
        let database = house.stop().await;
        let (database, problem) = House::start_on(database, Mode::Serve, given(NEW)).await.err().expect("refused");
        assert!(problem.contains("was not given"), "{problem}");
        let kept = path.with_extension("kept");
        std::fs::rename(&path, &kept).expect("moved");
        let (database, problem) = House::start_on(database, Mode::Serve, Given::default()).await.err().expect("refused");
        assert!(problem.contains("was not given") && !path.exists(), "{problem}");
        let (database, problem) = House::start_on(database, Mode::Serve, given("short")).await.err().expect("refused");
        assert!(problem.contains("32 bytes"), "{problem}");

        // A new key first and the old one after it: old messages and secrets open, new ones are under the new key.
        let both = given(&format!("{NEW} {first}"));
        let house = House::start_on(database, Mode::Serve, both).await.unwrap_or_else(|(_, p)| panic!("{p}"));
        house.sqs_as(credentials.clone()).list_queues().send().await.expect("the secret opens");
        assert_eq!(bodies(&house.sqs(), &url(&house)).await, ["under the first key"]);
        // As long as a message is sealed under the old key it is needed.
        let database = house.stop().await;
        let (database, problem) = House::start_on(database, Mode::Serve, given(NEW)).await.err().expect("refused");
        assert!(problem.contains("still seals 1 messages: give it behind the others"), "{problem}");
        let lines = master_keys(&database, &format!("{NEW} {first}"));
        assert!(lines.len() == 2 && lines[0].contains(" seals: ") && lines[1].ends_with(" opens: 1 messages"), "{lines:?}");
        let both = given(&format!("{NEW} {first}"));
        let house = House::start_on(database, Mode::Serve, both).await.unwrap_or_else(|(_, p)| panic!("{p}"));
        house.sqs().purge_queue().queue_url(url(&house)).send().await.expect("purged");
        send(&house.sqs(), &url(&house), "under the second key").await;
        let database = house.stop().await;
        std::fs::rename(&kept, &path).expect("moved back");
        let (database, _) = House::start_on(database, Mode::Serve, Given::default()).await.err().expect("refused");
        let house = House::start_on(database, Mode::Serve, given(NEW)).await.unwrap_or_else(|(_, p)| panic!("{p}"));
        house.sqs_as(credentials).list_queues().send().await.expect("the secret was sealed anew");
        assert_eq!(bodies(&house.sqs(), &url(&house)).await, ["under the second key"]);
    }

    async fn secrets_from_before_encryption_are_sealed_at_the_start(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let store = Store::open(&Database::from_str(&database.url).expect("a URL"), Clock::system()).await.expect("opened");
        store.write(|tx| Box::pin(async move {
            accounts::insert_account(tx, &AccountId::development(), "root").await?;
            accounts::insert_key(tx, "OLDKEY", &AccountId::development(), &Secret::new("an-old-secret-in-clear")).await
        })).await.expect("added");
        assert!(dump(&database).await.contains("an-old-secret-in-clear"));
        drop(store);
        let house = House::start_on(database, Mode::Serve, Given::default()).await.unwrap_or_else(|(_, p)| panic!("{p}"));
        let sqs = house.sqs_as(crate::house::credentials("OLDKEY", "an-old-secret-in-clear"));
        sqs.list_queues().send().await.expect("the secret opens");
        let tx = &mut house.app.store().reader().await.expect("a connection");
        let stored = tx.one("SELECT secret FROM access_keys WHERE id = $1", vec!["OLDKEY".into()]).await.expect("read");
        let stored = stored.expect("the key").text("secret").expect("a text");
        assert!(!stored.contains("an-old-secret"), "{stored}");
    }
}
