//! `postrider admin`: which server's data a command works on, whose, and what its help says.
use std::path::Path;
use std::process::{Command, Output};

use aws_sdk_sesv2::types::{ContactLanguage, MailType};
use postrider::config::{Given, Mode};
use serde_json::Value;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::house::{House, credentials};

const UNKNOWN: &str = "987654321098";

/// Runs it in a folder, with nothing in the environment but this.
fn admin(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.arg("admin").args(arguments).current_dir(folder).env_clear().envs(environment.iter().copied());
    command.output().expect("it runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it prints where all goes well.
fn printed(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = admin(folder, arguments, environment);
    assert!(output.status.success(), "{arguments:?}: {}", err(&output));
    out(&output)
}

/// The one line that it says where it fails.
fn refused(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = admin(folder, arguments, environment);
    let said = err(&output);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(1), ""), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    said
}

/// The commands, each with its words: those under `admin` that have none under them.
fn commands(under: &[String]) -> Vec<Vec<String>> {
    let words: Vec<&str> = under.iter().map(String::as_str).chain(["--help"]).collect();
    let help = printed(Path::new("/"), &words, &[]);
    let Some((_, rest)) = help.split_once("Commands:\n") else { return vec![under.to_vec()] };
    let names = rest.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then(|| name.to_owned())
    });
    names.flat_map(|name| commands(&[under, &[name]].concat())).collect()
}

both_engines! {
    async fn admin_works_with_what_the_server_of_the_directory_has(engine: Engine) {
        let given = Given {
            regions: Some(vec!["moon-north-1".parse().expect("a region")]),
            dkim_zone: Some("keys.here.example".to_owned()),
            ..Given::default()
        };
        let house = House::start(Mode::Serve, engine, given).await;
        house.sesv2().create_email_identity().email_identity("shop.example").send().await.expect("made");
        let here = house.database.dir.path().to_owned();
        // The directory is ./data; a variable that many programs share leads nowhere.
        let other = [("DATABASE_URL", "postgres://nobody@127.0.0.1:9/nothing")];
        for (folder, more) in [(here.as_path(), None), (Path::new("/"), Some(here.join("data")))] {
            let more = more.map(|dir| dir.display().to_string());
            let more: Vec<&str> = more.iter().flat_map(|dir| ["--data-dir", dir]).collect();
            let records = admin(folder, &[&["dns-records", "shop.example"][..], &more].concat(), &other);
            assert!(out(&records).contains(".keys.here.example"), "{} {}", out(&records), err(&records));
            assert_eq!(err(&records), "");
            printed(folder, &[&["grant-production", "--region", "moon-north-1"][..], &more].concat(), &other);
        }
        let database = house.stop().await;
        let listed = admin(&here, &["account", "list"], &[]);
        assert!(out(&listed).contains("000000000000 root"), "{}", err(&listed));
        let note = format!("postrider: the data in {}; no server runs there now\n", here.join("data").display());
        assert_eq!(err(&listed), note);
        drop(database);
    }

    async fn where_no_server_was_admin_says_so_and_makes_nothing(engine: Engine) {
        let database = TestDatabase::empty(engine).await;
        let here = database.dir.path().to_owned();
        let there = here.join("data").display().to_string();
        for made in [false, true] {
            for words in [&["account", "list"][..], &["account", "create", "one"], &["export-suppressed"], &["master-keys"]] {
                let said = refused(&here, words, &[]);
                assert!(said.contains(&format!("there is no Postrider data in {there}: --data-dir or POSTRIDER_DATA_DIR")), "{said}");
                let said = refused(&here, &[words, &["--database-url", &database.url]].concat(), &[]);
                assert!(said.contains("there is no Postrider data in") && said.contains("--database-url"), "{said}");
                assert!(!database.database().is_there().await.expect("asked"));
                let left: Vec<_> = std::fs::read_dir(&here).expect("read").map(|one| one.expect("read").file_name()).collect();
                assert_eq!(left, if made { vec!["data"] } else { vec![] });
            }
            std::fs::create_dir_all(&there).expect("made");
            assert!(std::fs::read_dir(&there).expect("read").next().is_none());
        }
    }

    async fn an_unknown_account_or_region_is_an_error_of_every_command(engine: Engine) {
        let house = House::serve(engine).await;
        let here = house.database.dir.path().to_owned();
        std::fs::write(here.join("file"), "").expect("written");
        let (mut accounts, mut regions) = (0, 0);
        for command in commands(&[]) {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let help = printed(&here, &[&words[..], &["--help"]].concat(), &[]);
            let usage = help.lines().find_map(|line| line.strip_prefix("Usage: postrider admin ")).expect("a usage");
            let value = |word: &str| match word {
                "<FILE>" => "file".to_owned(),
                "<DOMAIN>" => "shop.example".to_owned(),
                word if word.starts_with('<') => "x".to_owned(),
                word => word.to_owned(),
            };
            // Of the words that it must have, the account comes below; without a domain the records are the server's.
            let must = usage.replace(" --account <ACCOUNT>", "").replace("[DOMAIN]", "<DOMAIN>");
            let given: Vec<String> = must.split(' ').filter(|word| !word.starts_with('[')).map(value).collect();
            let ask = |more: &[&str]| refused(&here, &[&given.iter().map(String::as_str).collect::<Vec<_>>()[..], more].concat(), &[]);
            if help.contains("--account <ACCOUNT>") {
                accounts += 1;
                let said = ask(&["--account", UNKNOWN]);
                assert!(said.contains(&format!("there is no account {UNKNOWN}")), "{command:?}: {said}");
            }
            if help.contains("--region <REGION>") {
                regions += 1;
                let said = ask(&["--region", "moon-north-1"]);
                assert!(said.contains("there is no region moon-north-1"), "{command:?}: {said}");
            }
        }
        assert!(accounts >= 10 && regions >= 9, "{accounts} {regions}");
        // One that was made is known, though it has nothing.
        printed(&here, &["account", "create", "other", "--id", UNKNOWN], &[]);
        assert_eq!(printed(&here, &["export-suppressed", "--account", UNKNOWN], &[]), "");
    }

    async fn in_dev_an_account_is_known_once_it_owns_something(engine: Engine) {
        let house = House::dev(engine).await;
        let here = house.database.dir.path().to_owned();
        assert_eq!(printed(&here, &["export-suppressed", "--account", "000000000000"], &[]), "");
        let said = refused(&here, &["export-suppressed", "--account", UNKNOWN], &[]);
        assert!(said.contains("there is no account"), "{said}");
        let theirs = house.sqs_as(credentials(UNKNOWN, "any"));
        theirs.create_queue().queue_name("jobs").send().await.expect("made");
        assert_eq!(printed(&here, &["export-suppressed", "--account", UNKNOWN], &[]), "");
    }

    async fn accounts_that_told_of_themselves_are_listed_with_what_they_ask(engine: Engine) {
        let house = House::serve(engine).await;
        let here = house.database.dir.path().to_owned();
        let (account, key) = house.other_account().await;
        for (client, asks, site) in
            [(house.sesv2(), Some(true), "https://a.example"), (house.sesv2_as(key), None, "https://b.example")]
        {
            let told = client.put_account_details().mail_type(MailType::Transactional).website_url(site);
            let told = told.contact_language(ContactLanguage::En).use_case_description("receipts");
            told.set_production_access_enabled(asks).send().await.expect("told");
        }
        let list = || printed(&here, &["production-requests"], &[]);
        let lines: Vec<String> = list().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("000000000000 us-east-1 asks {") && line.contains("a.example")), "{lines:?}");
        let tells = format!("{account} us-east-1 tells {{");
        assert!(lines.iter().any(|line| line.starts_with(&tells) && line.contains("b.example")), "{lines:?}");
        for account in ["000000000000", account.as_str()] {
            printed(&here, &["grant-production", "--account", account, "--region", "us-east-1"], &[]);
        }
        assert_eq!(list(), "");
    }

    async fn a_receipt_rule_is_printed_with_what_it_has(engine: Engine) {
        let house = House::dev(engine).await;
        let here = house.database.dir.path().to_owned();
        house.ses().create_receipt_rule_set().rule_set_name("rules").send().await.expect("made");
        let rule = r#"{"Name": "support", "Enabled": true, "Recipients": ["a@shop.example"], "Actions": [
            {"S3Action": {"BucketName": "mails"}}, {"ForwardAction": {"Recipients": ["carol@there.example"]}}]}"#;
        std::fs::write(here.join("rule"), rule).expect("written");
        let text = printed(&here, &["receipt-rule", "rules", "rule", "--account", "000000000000"], &[]);
        let kept: Value = serde_json::from_str(&text).expect("JSON");
        let asked: Value = serde_json::from_str(rule).expect("JSON");
        assert_eq!(kept["Actions"], asked["Actions"], "{text}");
        assert!(!text.contains("null"), "{text}");
        // One that is there stays where it is, or moves behind the one that is named.
        let put = |name: &str, after: &[&str]| {
            std::fs::write(here.join("rule"), rule.replace("support", name)).expect("written");
            [&["receipt-rule", "rules", "rule", "--account", "000000000000"][..], after].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let order = async || {
            let set = house.ses().describe_receipt_rule_set().rule_set_name("rules").send().await.expect("there");
            set.rules().iter().map(|rule| rule.name().to_owned()).collect::<Vec<_>>()
        };
        for (name, after, names) in [
            ("second", &["--after", "support"][..], ["support", "second"]),
            ("support", &[], ["support", "second"]),
            ("support", &["--after", "second"], ["second", "support"]),
        ] {
            let words = put(name, after);
            printed(&here, &words.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
            assert_eq!(order().await, names, "{name} {after:?}");
        }
        let words = put("second", &["--after", "nope"]);
        let said = refused(&here, &words.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        assert!(said.contains("nope"), "{said}");
        assert_eq!(order().await, ["second", "support"]);
    }

    async fn a_name_that_nobody_could_read_is_refused(engine: Engine) {
        let house = House::serve(engine).await;
        let here = house.database.dir.path().to_owned();
        for name in ["", "  ", "two\nlines", &"x".repeat(129)] {
            let said = refused(&here, &["account", "create", name], &[]);
            assert!(said.contains("1 to 128 characters"), "{name:?}: {said}");
        }
        assert_eq!(printed(&here, &["account", "list"], &[]), "000000000000 root\n");
        printed(&here, &["account", "create", &"x".repeat(128)], &[]);
    }

    async fn deliveries_to_what_is_not_there_are_an_error(engine: Engine) {
        let house = House::dev(engine).await;
        let here = house.database.dir.path().to_owned();
        let topic = house.sns().create_topic().name("news").send().await.expect("a topic").topic_arn.expect("its ARN");
        let gone = format!("{topic}:5e3e9847-3183-4f18-9d4e-000000000000");
        let device = "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/app/5e3e9847-3183-3f18";
        for nobody in ["foo", "+12", &topic, &gone, device] {
            let said = refused(&here, &["deliveries", nobody], &[]);
            assert!(said.contains("there is no subscription") && said.contains(nobody), "{said}");
        }
        let there = house.sns().subscribe().topic_arn(&topic).protocol("http").endpoint("http://127.0.0.1:1/");
        let there = there.return_subscription_arn(true).send().await.expect("subscribed").subscription_arn.expect("its ARN");
        for somebody in [there.as_str(), "+15555550100"] {
            assert_eq!(printed(&here, &["deliveries", somebody], &[]), "");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_with_a_password_is_named_without_it() {
    let mut database = TestDatabase::new(crate::engine::Engine::Postgres).await;
    let (scheme, rest) = database.url.split_once("://").expect("a URL");
    let (user, place) = rest.rsplit_once('@').expect("a user");
    let name = user.split(':').next().expect("a name");
    let (told, whole) = (format!("{scheme}://{name}@{place}"), format!("{scheme}://{name}:guess-me@{place}"));
    // The tests' PostgreSQL lets its user in with any password, or with the one that its URL has.
    database.url = if user.contains(':') { database.url.clone() } else { whole };
    let url = database.url.clone();
    let house = House::start_on(database, Mode::Serve, Given::default()).await.unwrap_or_else(|(_, no)| panic!("{no}"));
    let here = house.database.dir.path().to_owned();
    let left = std::fs::read_to_string(here.join("data/server.json")).expect("the server's file");
    assert!(left.contains(&told) && !left.contains(&url), "{left}");
    let said = refused(&here, &["account", "list"], &[]);
    assert!(said.contains(&format!("keeps its data in {told}: give that with its password")), "{said}");
    for variable in ["POSTRIDER_DATABASE_URL", "DATABASE_URL"] {
        assert!(printed(&here, &["account", "list"], &[(variable, &url)]).contains("root"));
    }
    let other = [("DATABASE_URL", "postgres://somebody:else@127.0.0.1:9/nothing")];
    assert!(refused(&here, &["account", "list"], &other).contains("give that with its password"));
}

#[test]
fn the_help_shows_what_counts_here_and_no_more() {
    let (mut all, root) = (commands(&[]), Path::new("/"));
    assert!(all.len() >= 20, "{all:?}");
    all.extend([vec![], vec!["account".to_owned()], vec!["key".to_owned()]]);
    for command in all {
        let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let help = printed(root, &words, &[]);
        assert!(help.lines().count() <= 60, "{command:?} has {} lines", help.lines().count());
        for flag in ["--data-dir", "--database-url", "--config", "--master-key-file", "--regions", "--hostname"] {
            assert!(help.contains(flag), "{command:?} does not show {flag}");
        }
        for flag in ["--http ", "--smtp", "--delivery", "--memory-budget", "--capture-smtp"] {
            assert!(!help.contains(flag), "{command:?} shows {flag}");
        }
    }
    // What is not shown is taken all the same: one environment serves both.
    let folder = tempfile::tempdir().expect("a folder");
    let said = refused(folder.path(), &["account", "list", "--smtp-tarpit", "3"], &[("POSTRIDER_HTTP", "127.0.0.1:1")]);
    assert!(said.contains("there is no Postrider data"), "{said}");
}
