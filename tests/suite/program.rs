//! The program itself, as an operator runs it, and what it says in its log.
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use crate::house::{KEY, SECRET};

/// It runs, on ports of its own.
pub(crate) struct Program {
    child: Child,
    pub endpoint: String,
    lines: Receiver<String>,
    heard: Vec<String>,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    /// In `mode`, with these flags too, on this database.
    pub(crate) fn start(mode: &str, data: &Path, database: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command.arg(mode).args(["--hostname", "mx.postrider.example"]);
        for port in ["--http", "--smtp", "--submission", "--submissions"] {
            command.args([port, "127.0.0.1:0"]);
        }
        if mode == "dev" {
            command.args(["--capture-smtp", "none"]);
        } else {
            command.args(["--delivery", "capture", "--disk-reserve", "1"]);
        }
        command.arg("--data-dir").arg(data).args(["--database-url", database]).args(flags);
        for variable in ["POSTRIDER_LOG", "POSTRIDER_MASTER_KEY", "RUST_LOG"] {
            command.env_remove(variable);
        }
        command.env("POSTRIDER_ROOT_ACCESS_KEY_ID", KEY).env("POSTRIDER_ROOT_SECRET_ACCESS_KEY", SECRET);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let endpoint = said.filter_map(|line| line.trim().strip_prefix("endpoint").map(str::to_owned)).next();
        let endpoint = endpoint.expect("it serves").split_whitespace().next().expect("a URL").to_owned();
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let (put, lines) = channel();
        let reader = std::thread::spawn(move || {
            let _ = log.lines().map_while(Result::ok).try_for_each(|line| put.send(line));
        });
        Self { child, endpoint, lines, heard: vec![], reader: Some(reader) }
    }

    /// Waits for a line of the log with all of these words, and gives it.
    pub(crate) fn heard(&mut self, words: &[&str]) -> String {
        let fits = |line: &String| words.iter().all(|word| line.contains(word));
        if let Some(line) = self.heard.iter().find(|line| fits(line)) {
            return line.clone();
        }
        for line in self.lines.iter() {
            self.heard.push(line.clone());
            if fits(&line) {
                return line;
            }
        }
        panic!("it ended without {words:?}: {:#?}", self.heard);
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Stops it, and gives the whole log.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.signal("TERM");
        self.child.wait().expect("it ends");
        self.heard.extend(self.lines.iter());
        self.reader.take().expect("it reads").join().expect("no panic");
        std::mem::take(&mut self.heard)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
