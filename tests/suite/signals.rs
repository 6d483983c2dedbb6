//! Signals to the running program.
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// Waits for a line with these words.
fn heard(lines: &Receiver<String>, words: &str) {
    assert!(lines.iter().any(|line| line.contains(words)), "it ended without {words:?}");
}

#[test]
fn hang_up_reads_again_quit_stops_and_others_do_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("postrider.toml");
    std::fs::write(&file, "log = \"warn\"\n").expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args(["dev", "--delivery", "capture"]).arg("--config").arg(&file);
    for port in ["--http", "--smtp", "--submission", "--submissions"] {
        command.args([port, "127.0.0.1:0"]);
    }
    command.arg("--data-dir").arg(dir.path().join("data")).env_remove("POSTRIDER_LOG");
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(server.stdout.take().expect("piped")).lines();
    assert!(said.any(|line| line.expect("text").contains("endpoint")), "it serves");
    let (log, pid) = (BufReader::new(server.stderr.take().expect("piped")), server.id());
    let (put, lines) = channel();
    let reader = std::thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| put.send(line)));

    for ignored in ["USR1", "USR2", "ALRM", "PIPE"] {
        signal(pid, ignored);
    }
    std::fs::write(&file, "log = \"info\"\n").expect("written");
    signal(pid, "HUP");
    heard(&lines, "what is logged was read again");
    std::fs::write(&file, "log = \"debug\"\nno-such = 1\n").expect("written");
    signal(pid, "HUP");
    heard(&lines, "what is logged stays the same");
    signal(pid, "QUIT");
    heard(&lines, "stopping");
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
    drop(lines);
    let _ = reader.join();
}
