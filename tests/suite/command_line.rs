//! The command line: what is wrong is said in one line, with exit code 2.
use std::process::{Command, Output};

use crate::engine::Engine;
use crate::house::House;

fn postrider(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args(arguments).env_clear().output().expect("it runs")
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data").display().to_string();
    let file = dir.path().join("postrider.toml");
    std::fs::write(&file, "mx-port = 25\nmx_prot = 1\n").expect("written");
    let file = file.display().to_string();
    let rules = dir.path().join("rules.toml");
    std::fs::write(&rules, "[[rule]]\nname = \"x\"\ncause = \"rate\"\nsource = \"us\"\nwords = [\"{x}\"]\n")
        .expect("written");
    let rules = rules.display().to_string();
    for (arguments, said) in [
        (vec!["dev", "--colour", "red"], "--colour"),
        (vec!["dev", "--mx-port", "99999"], "99999"),
        (vec!["dev", "--http", "0.0.0.0:0"], "dev listens on loopback only"),
        (vec!["serve", "--delivery", "pigeon"], "delivery must be capture, mx, relay://"),
        (vec!["serve", "--database-url", "mysql://x"], "sqlite: or postgres://"),
        (vec!["serve", "--config", &file], "mx_prot"),
        (vec!["serve", "--functions", "resize=ftp://x"], "http:// or https://"),
        (vec!["serve", "--streams", "events=My_Bucket"], "bucket name"),
        (vec!["serve", "--event-buses", "default=https://x.example"], "event-bus-secret"),
        (vec!["serve", "--dkim-canonicalization", "simple"], "relaxed/simple"),
        (vec!["serve", "--webhook-ca", "/nowhere"], "/nowhere"),
        (vec!["serve", "--smtp-tarpit", "21"], "smtp-tarpit 21 is not from 0 to 20"),
        (vec!["serve", "--smtp-connections-per-minute", "0"], "smtp-connections-per-minute 0"),
        (vec!["serve", "--smtp-sessions-per-peer", "0"], "smtp-sessions-per-peer 0"),
        (vec!["serve", "--queues-per-account", "0"], "queues-per-account 0 is not from 1 to 10000000"),
        (vec!["serve", "--regions", "us-east-1,Moon"], "a region's name"),
        (vec!["serve", "--object-store", "floppy"], "floppy"),
        (vec!["serve", "--object-store", "azure"], "azure-account"),
        (vec!["serve", "--gcs-service-account", "/nowhere", "--object-store", "gcs"], "/nowhere"),
        (vec!["serve", "--push-url", "example.com"], "push-url"),
        (vec!["serve", "--bounce-rules", "/nowhere"], "bounce-rules: cannot read /nowhere"),
        (vec!["serve", "--bounce-rules", &rules], "there is no class"),
        (vec!["serve", "--tls-certificate", "/nowhere", "--tls-key", "/nowhere"], "/nowhere"),
    ] {
        let mut arguments = arguments;
        let free = ["--data-dir", &data, "--smtp", "127.0.0.1:0", "--submission", "127.0.0.1:0"];
        arguments.extend(free);
        if !arguments.contains(&"--http") {
            arguments.extend(["--http", "127.0.0.1:0", "--submissions", "127.0.0.1:0"]);
        }
        let output = postrider(&arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_stand_before_and_after_a_command_of_admin() {
    let house = House::serve(Engine::Sqlite).await;
    let data = house.database.dir.path().join("data").display().to_string();
    let made = postrider(&["admin", "--data-dir", &data, "account", "create", "one", "--id", "111122223333"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for arguments in [
        vec!["admin", "account", "list", "--data-dir", &data],
        vec!["admin", "account", "--data-dir", &data, "list"],
        vec!["admin", "--data-dir", &data, "account", "list", "--log", "warn"],
    ] {
        let listed = postrider(&arguments);
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.status.success() && text.contains("111122223333"), "{arguments:?}: {text}");
    }
    let granted = postrider(&[
        "admin",
        "grant-production",
        "--account",
        "111122223333",
        "--max-per-second",
        "5",
        "--data-dir",
        &data,
    ]);
    assert!(granted.status.success(), "{}", String::from_utf8_lossy(&granted.stderr));
    let refused = postrider(&["serve", "--data-dir", &data, "--smtp-sessions-per-peer", "1001"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("1001 is not from 1 to 1000: smtp-sessions is what all peers have together"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reading_is_no_reason_to_panic() {
    let house = House::serve(Engine::Sqlite).await;
    let data = house.database.dir.path().join("data").display().to_string();
    for arguments in [&["admin", "account", "list"][..], &["admin", "account", "create", "a"], &["admin", "no-such"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command.args(arguments).env("POSTRIDER_DATA_DIR", &data).env_remove("POSTRIDER_MASTER_KEY");
        let ended = if arguments.contains(&"no-such") {
            command.stderr(writer).output().expect("it runs")
        } else {
            command.stdout(writer).stderr(std::process::Stdio::piped()).output().expect("it runs")
        };
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        let code = if arguments.contains(&"no-such") { 2 } else { 0 };
        assert_eq!((ended.status.code(), said.as_str()), (Some(code), ""), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_there() {
    for (arguments, said) in [(vec!["--version"], "postrider 0."), (vec!["serve", "--help"], "POSTRIDER_DATA_DIR")] {
        let output = postrider(&arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains(said), "{arguments:?}");
    }
}

/// What it prints, and how it ends.
fn printed(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    let output = command.args(arguments).env_clear().envs(environment.iter().copied()).output().expect("it runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn the_sample_of_settings_can_be_used_with_every_line_in_force() {
    let (code, sample) = printed(&["sample-config"], &[]);
    assert_eq!(code, Some(0));
    for name in ["http", "s3-region", "capture-smtp", "feedback-domain", "master-key-file", "sms-url"] {
        assert!(sample.contains(&format!("\n#{name} = \n")), "{name}");
    }
    // Each name is one that the file knows: with a value that no setting has, the complaint is about the value.
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("postrider.toml");
    let names = sample.lines().filter_map(|line| line.strip_prefix('#')?.strip_suffix(" = "));
    for name in names.filter(|name| !name.starts_with(' ')) {
        std::fs::write(&file, format!("{name} = [[1979-05-27]]\n")).expect("written");
        let said = postrider(&["check-config", "--config", &file.display().to_string()]);
        let said = String::from_utf8(said.stderr).expect("text");
        assert!(!said.is_empty() && !said.contains("unknown field"), "{name}: {said}");
    }
}

#[test]
fn doubtful_settings_are_warned_of() {
    let environment = [("POSTRIDER_HTPP", "127.0.0.1:1"), ("POSTRIDER_MX_PORT", "26")];
    let (code, said) = printed(&["check-config", "--hostname", "mx.example.com"], &environment);
    assert_eq!(code, Some(0));
    assert!(said.contains("POSTRIDER_HTPP") && !said.contains("POSTRIDER_MX_PORT"), "{said}");
    let (code, said) = printed(&["check-config", "--hostname", "mx.example.com"], &[]);
    assert_eq!((code, said.as_str()), (Some(0), "the settings can be used\n"));
    let buses = ["check-config", "--event-buses", "default=http://ann:secret@10.0.0.1/bus"];
    let secret = ("POSTRIDER_EVENT_BUS_SECRET", "a secret of more than 16");
    let (code, said) = printed(&buses, &[secret]);
    assert_eq!(code, Some(0));
    let warning = "warning: event-buses: default: http://10.0.0.1/bus cannot be reached";
    assert!(said.starts_with(warning) && said.contains("webhook-allow"), "{said}");
    let (_, said) = printed(&buses, &[secret, ("POSTRIDER_WEBHOOK_ALLOW", "10.0.0.0/8")]);
    assert_eq!(said, "the settings can be used\n");
}

#[test]
fn a_reply_and_a_report_are_classified_with_the_rule_that_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("reply");
    let file = path.display().to_string();
    let classify = |text: &str, more: &[&str]| {
        std::fs::write(&path, text).expect("written");
        let output = postrider(&[&["admin", "classify", file.as_str()][..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = classify("550 5.1.1 <a@there.example>: User unknown", &[]);
    let lines = "type: Permanent\nsubtype: General\nsuppressed: yes\nblame: recipient's address\ncause: no-such-user\nrule: unknown-user\n";
    assert!(said.starts_with(lines), "{said}");
    let said = classify("550", &["--stage", "rcpt", "--host", "mx.there.example"]);
    assert!(said.contains("rule: code 550"), "{said}");
    let report = "From: MAILER-DAEMON@q.example\nSubject: failure notice\n\nHi. This is the qmail-send program at q.example.\n\n\
                  <a@there.example>:\nuser is over quota\n";
    let said = classify(report, &[]);
    assert!(said.starts_with("bounce of a@there.example") && said.contains("  subtype: MailboxFull"), "{said}");
    assert_eq!(classify("From: a@there.example\nSubject: hi\n\nhello\n", &[]), "no report: it goes on to the sender\n");
}

#[test]
fn settings_that_no_server_could_use_are_told_without_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("postrider.toml");
    std::fs::write(&file, "log-format = \"JSON\"\n").expect("written");
    let file = file.display().to_string();
    for (arguments, said) in [
        (&["--delivery", "pigeon"][..], "delivery must be"),
        (&["--database-url", "mysql://x"], "sqlite: or postgres://"),
        (&["--tls-certificate", "/nowhere", "--tls-key", "/nowhere"], "/nowhere"),
        (&["--bounce-rules", "/nowhere"], "/nowhere"),
        (&["--master-key-file", "/nowhere"], "/nowhere"),
        (&["--object-store", "azure"], "azure-account"),
        (&["--config", &file], "log-format must be text or json"),
        (&["--log", "postrider=loud"], "log \"postrider=loud\" is no filter"),
        (&["--http", "127.0.0.1:25", "--smtp", "0.0.0.0:25"], "http 127.0.0.1:25 and smtp 0.0.0.0:25: two listeners"),
        (&["--admin", "127.0.0.1:4566"], "http 127.0.0.1:4566 and admin 127.0.0.1:4566: two listeners"),
        (&["--tls-key", "/nowhere"], "tls-key is given and tls-certificate is not"),
        (&["--root-access-key-id", "AKIAEXAMPLE"], "root-access-key-id is given and root-secret-access-key is not"),
    ] {
        let output = postrider(&[&["check-config"][..], arguments].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}

#[test]
fn settings_that_go_together_may_come_from_flag_environment_and_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("postrider.toml");
    std::fs::write(&file, "root-access-key-id = \"AKIAEXAMPLE\"\n").expect("written");
    let file = file.display().to_string();
    let secret = ("POSTRIDER_ROOT_SECRET_ACCESS_KEY", "wJalrXUtnFEMI");
    let (code, said) = printed(&["check-config", "--config", &file], &[secret]);
    assert_eq!((code, said.as_str()), (Some(0), "the settings can be used\n"));
    let secret = ["--root-secret-access-key", "wJalrXUtnFEMI"];
    let (code, said) = printed(&[&["check-config", "--config", &file][..], &secret].concat(), &[]);
    assert_eq!((code, said.as_str()), (Some(0), "the settings can be used\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_reads_the_settings_of_a_dev() {
    let house = House::dev(Engine::Sqlite).await;
    let environment =
        [("POSTRIDER_ANY_ADDRESS", "true"), ("POSTRIDER_PORT_OFFSET", "5"), ("POSTRIDER_CAPTURE_SMTP", "none")];
    let data = house.database.dir.path().join("data").display().to_string();
    let (code, _) = printed(&["admin", "account", "create", "one", "--data-dir", &data], &environment);
    assert_eq!(code, Some(0));
}
