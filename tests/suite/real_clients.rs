//! Other people's mail programs deliver to the binary on each engine: smtplib, and swaks, msmtp and Postfix where they are
//! installed. What is not is named on stderr, whether the test passes or not; with POSTRIDER_TEST_ALL_CLIENTS=1 it fails.
use std::io::Write;
use std::process::{Command, Stdio};

use crate::both_engines;
use crate::engine::{Engine as OneOf, TestDatabase};

async fn deliver(engine: OneOf) {
    let python = std::env::var("POSTRIDER_TEST_PYTHON").expect("this needs Python: start the tests with ./tests/run");
    let database = TestDatabase::new(engine).await;
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/real_clients.py"));
    command.args(["--binary", env!("CARGO_BIN_EXE_postrider")]);
    if engine == OneOf::Postgres {
        command.args(["--database-url", &database.url]);
    }
    if std::env::var_os("POSTRIDER_TEST_ALL_CLIENTS").is_some() {
        command.arg("--all");
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    let done = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("Python runs");
    let text = String::from_utf8_lossy(&done.stdout);
    // Past the test's own output, which is not shown when it passes.
    for line in text.lines().filter(|line| line.starts_with("NOT RUN")) {
        writeln!(std::io::stderr(), "real_clients, {engine:?}: {line}").expect("written");
    }
    assert!(done.status.success(), "{text}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(text.contains("smtplib: 4 mails"), "{text}");
}

both_engines! {
    async fn real_clients_deliver(engine: Engine) {
        deliver(engine).await;
    }
}
