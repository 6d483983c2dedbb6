//! The story, driven from outside by Python (boto3, smtplib, plain sockets) against the binary itself: in each mode, on
//! each engine. What it checks stands in `tests/python`.
use std::process::{Command, Stdio};

use crate::both_engines;
use crate::engine::{Engine, TestDatabase};

async fn tell(engine: Engine, mode: &str) {
    let python =
        std::env::var("POSTRIDER_TEST_PYTHON").expect("the story needs Python: start the tests with ./tests/run");
    let database = TestDatabase::new(engine).await;
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/story.py"));
    command.args(["--binary", env!("CARGO_BIN_EXE_postrider"), "--mode", mode]);
    if engine == Engine::Postgres {
        command.args(["--database-url", &database.url]);
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    let told = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("Python runs");
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{text}\n{}", String::from_utf8_lossy(&told.stderr));
    print!("{text}");
}

both_engines! {
    async fn dev(engine: Engine) {
        tell(engine, "dev").await;
    }

    async fn serve(engine: Engine) {
        tell(engine, "serve").await;
    }
}
