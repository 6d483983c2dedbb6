//! A small disk for a test, that can be full, and the binary with its data on it. It is a tmpfs in a mount namespace of its own, which
//! Linux gives to anybody, unless the machine's owner forbids it.
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use tempfile::TempDir;

use crate::house::credentials;

/// The disk. It is gone when this is dropped.
pub(crate) struct SmallDisk {
    place: TempDir,
    /// Holds the namespace.
    holder: Child,
}

impl SmallDisk {
    /// A disk of so many MiB; `None` where the machine gives none.
    pub(crate) fn new(mib: usize) -> Option<Self> {
        let place = tempfile::tempdir().expect("a folder");
        let script = format!("mount -t tmpfs -o size={mib}m tmpfs \"$0\" && echo mounted && exec cat");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(place.path());
        let holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let (mut holder, mut said) = (holder.ok()?, String::new());
        BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut said).expect("text");
        if said.trim() != "mounted" {
            let _ = holder.wait();
            let must = std::env::var_os("POSTRIDER_TEST_ALL_CLIENTS").is_some();
            assert!(!must, "this machine gives no small disk");
            return None;
        }
        Some(Self { place, holder })
    }

    /// The disk's root, as it is seen from outside.
    pub(crate) fn folder(&self) -> PathBuf {
        let place = self.place.path().strip_prefix("/").expect("absolute");
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(place)
    }

    /// Takes all the room that there is.
    pub(crate) fn fill(&self) {
        let mut filler = File::create(self.folder().join("filler")).expect("made");
        let block = [0_u8; 4_096];
        while filler.write_all(&block).is_ok() {}
    }

    /// Gives it back.
    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.folder().join("filler")).expect("removed");
    }

    /// The binary, in `dev`, with its data on the disk and 4 MiB of it kept back.
    pub(crate) fn serve(&self) -> Server {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--user", "--mount", "--preserve-credentials"]);
        command.args([env!("CARGO_BIN_EXE_postrider"), "dev", "--delivery", "capture", "--disk-reserve", "4"]);
        command.args(["--hostname", "mx.postrider.example"]);
        for port in ["--http", "--smtp", "--submission", "--submissions"] {
            command.args([port, "127.0.0.1:0"]);
        }
        let data = self.place.path().join("data");
        command.arg("--database-url").arg(format!("sqlite:{}", data.join("postrider.db").display()));
        command.arg("--data-dir").arg(&data).env_remove("POSTRIDER_MASTER_KEY").env("POSTRIDER_LOG", "off");
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let said = BufReader::new(process.stdout.take().expect("piped"));
        let endpoint = said.lines().map_while(Result::ok).find_map(|line| {
            let rest = line.trim_start().strip_prefix("endpoint")?;
            rest.split_whitespace().next().map(str::to_owned)
        });
        Server { process, endpoint: endpoint.expect("it serves") }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The running binary.
pub(crate) struct Server {
    process: Child,
    endpoint: String,
}

impl Server {
    /// A client that asks once.
    pub(crate) fn sqs(&self) -> Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .credentials_provider(credentials("dev", "dev"));
        Client::from_conf(config.build())
    }

    /// Kills it, or asks it to stop, and waits until it is gone.
    pub(crate) fn end(mut self, kill: bool) {
        let signal = if kill { "-KILL" } else { "-TERM" };
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        self.process.wait().expect("gone");
    }
}
