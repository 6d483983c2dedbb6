//! Hostile mail of the largest size through the binary as a user runs it: the memory that the process ever held (Linux
//! counts it) stays within a bound, the mails are kept, and a good mail arrives afterwards.
//!
//! The bound is for a message's own copies (as it came in, with our fields on top, in a statement, for the object
//! store) and the binary without optimization: this written, it held 230 MiB on SQLite and 370 MiB on PostgreSQL.
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::hostile_door::{accepted, say};

/// Octets of each hostile mail: as large as the listener takes.
const SIZE: usize = 39 * 1024 * 1024;
/// What the process may hold, in KiB.
const BOUND: u64 = 1024 * 1024;

/// The binary in `dev`, where mail to the address for complaints is read in all its parts.
struct Server {
    process: Child,
    smtp: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(database: &TestDatabase) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command.args(["dev", "--hostname", "mx.postrider.example", "--dns", "127.0.0.1:9"]);
        for port in ["--http", "--smtp", "--submission", "--submissions"] {
            command.args([port, "127.0.0.1:0"]);
        }
        command.arg("--data-dir").arg(database.dir.path().join("data")).args(["--database-url", &database.url]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the server starts");
        let said = BufReader::new(process.stdout.take().expect("piped"));
        let smtp = said.lines().map_while(Result::ok).find_map(|line| {
            let rest = line.trim_start().strip_prefix("smtp")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        Self { process, smtp: smtp.expect("it says where it listens") }
    }

    /// The most memory that it ever held, in KiB.
    fn held(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

fn mails() -> Vec<(&'static str, Vec<u8>)> {
    let header = "From: a@there.example\r\nSubject: abuse report\r\nMIME-Version: 1.0\r\n";
    let mixed = format!("{header}Content-Type: multipart/mixed; boundary=m\r\n\r\n");
    let full =
        |start: &str, piece: &str| (start.to_owned() + &piece.repeat((SIZE - start.len()) / piece.len())).into_bytes();
    vec![
        ("parts", full(&mixed, "--m\r\n\r\n")),
        ("parts whose boundary is nowhere", full(&mixed, "--m\r\nContent-Type: multipart/x; boundary=n\r\n\r\n\r\n")),
        ("fields", full(header, "X:\r\n")),
        ("authors", full(header, "From: a@b.c,a@b.c,a@b.c,a@b.c,a@b.c,a@b.c,a@b.c,a@b.c,a@b.c\r\n")),
        (
            "one text",
            full(&format!("{header}Content-Type: text/plain; charset=utf-16\r\n\r\n"), "0123456789abcdef\r\n"),
        ),
    ]
}

both_engines! {
    async fn the_largest_hostile_mails_do_not_take_all_memory(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let server = Server::start(&database);
        let envelope = "EHLO x\r\nMAIL FROM:<ann@there.example>\r\nRCPT TO:<complaints@mx.postrider.example>\r\n";
        let good = b"From: ann@there.example\r\nSubject: good\r\n\r\nhi\r\n".to_vec();
        for (name, mail) in mails().into_iter().chain([("a good mail", good)]) {
            let chunk = format!("{envelope}BDAT {} LAST\r\n", mail.len());
            let said = say(server.smtp, &[chunk.as_bytes(), &mail].concat()).await;
            let [id] = accepted(&said).try_into().unwrap_or_else(|_| panic!("{name}: {said}"));
            let kept = database.dir.path().join("data/objects/complaints").join(id);
            // The server is another process: nothing here is told when it has worked a mail.
            for _ in 0..2_400 {
                if kept.exists() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(std::fs::read(&kept).expect("an object"), mail, "{name}");
            let held = server.held();
            println!("{name}: {held} KiB");
            assert!(held < BOUND, "{name}: {held} KiB");
        }
    }
}
