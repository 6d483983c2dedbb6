//! The command line: what is wrong is said in one line, with exit code 2.
use std::process::{Command, Output};

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

#[test]
fn help_and_version_are_there() {
    for (arguments, said) in [(vec!["--version"], "postrider 0."), (vec!["serve", "--help"], "POSTRIDER_DATA_DIR")] {
        let output = postrider(&arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains(said), "{arguments:?}");
    }
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
