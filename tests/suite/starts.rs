//! Many processes start at once on what is empty: each serves, or says in one line why not, and what they leave is whole.
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::house::{KEY, SECRET};

const AT_ONCE: usize = 4;
const ROUNDS: usize = 3;
/// 32 octets.
const MASTER_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn serve(data: &Path, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.arg("serve").args(["--delivery", "capture", "--hostname", "mx.postrider.example", "--disk-reserve", "1"]);
    for port in ["--http", "--smtp", "--submission", "--submissions"] {
        command.args([port, "127.0.0.1:0"]);
    }
    command.arg("--data-dir").arg(data).args(["--database-url", database]).env_remove("POSTRIDER_MASTER_KEY");
    command.env("POSTRIDER_ROOT_ACCESS_KEY_ID", KEY).env("POSTRIDER_ROOT_SECRET_ACCESS_KEY", SECRET);
    command.env("POSTRIDER_LOG", "error").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits until a server serves, or has ended: then what it said, and its code.
fn up(mut child: Child) -> Result<Child, (String, Option<i32>)> {
    let said = BufReader::new(child.stdout.take().expect("piped"));
    if said.lines().map_while(Result::ok).any(|line| line.trim_start().starts_with("endpoint")) {
        return Ok(child);
    }
    let mut text = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
    let code = child.wait().expect("gone").code();
    Err((text, code))
}

type Ended = Result<Child, (String, Option<i32>)>;

/// Starts servers at once. Gives those that serve, and what the others said.
fn start(commands: Vec<Command>) -> (Vec<Child>, Vec<(String, Option<i32>)>) {
    let children: Vec<Child> = commands.into_iter().map(|mut command| command.spawn().expect("it starts")).collect();
    let threads: Vec<_> = children.into_iter().map(|child| std::thread::spawn(move || up(child))).collect();
    let ended: Vec<Ended> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    let (mut serving, mut others) = (vec![], vec![]);
    for one in ended {
        match one {
            Ok(child) => serving.push(child),
            Err(said) => others.push(said),
        }
    }
    (serving, others)
}

fn end(servers: Vec<Child>) {
    for mut server in servers {
        server.kill().expect("killed");
        server.wait().expect("gone");
    }
}

fn admin(data: &Path, database: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.arg("admin").arg("--data-dir").arg(data).args(["--database-url", database]).args(arguments);
    command.env_remove("POSTRIDER_MASTER_KEY").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn one_of_those_who_start_on_a_directory_serves_and_the_others_say_so() {
    for _ in 0..ROUNDS {
        let dir = tempfile::tempdir().expect("a folder");
        let (data, url) = (dir.path().join("data"), format!("sqlite:{}", dir.path().join("data/db").display()));
        let (serving, others) = start((0..AT_ONCE).map(|_| serve(&data, &url)).collect());
        assert_eq!((serving.len(), others.len()), (1, AT_ONCE - 1), "{others:?}");
        for (said, code) in others {
            assert!(said.contains("another postrider uses it") && said.lines().count() == 1, "{said}");
            assert_eq!(code, Some(2));
        }
        // Another directory does not help to a database that is in use.
        let (none, others) = start(vec![serve(&dir.path().join("other"), &url)]);
        end(none);
        assert!(others[0].0.contains("another postrider uses the database"), "{others:?}");
        end(serving);
        let (serving, others) = start(vec![serve(&data, &url)]);
        assert!(others.is_empty(), "{others:?}");
        end(serving);
    }
}

#[test]
fn a_master_key_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, key) = (dir.path().join("data"), dir.path().join("key"));
    let url = format!("sqlite:{}", dir.path().join("db").display());
    std::fs::write(&key, MASTER_KEY).expect("written");
    for (mode, serves) in [(0o644, false), (0o640, false), (0o600, true)] {
        std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).expect("its mode");
        let mut command = serve(&data, &url);
        command.arg("--master-key-file").arg(&key);
        let (serving, others) = start(vec![command]);
        assert_eq!(serving.len(), usize::from(serves), "{mode:o} {others:?}");
        for (said, code) in others {
            assert!(said.contains("others can read it") && said.lines().count() == 1, "{said}");
            assert_eq!(code, Some(2));
        }
        end(serving);
    }
}

both_engines! {
    async fn admin_beside_a_first_start_works_or_says_that_nothing_is_there_yet(engine: Engine) {
        for round in 0..ROUNDS {
            let database = TestDatabase::empty(engine).await;
            let data = database.dir.path().join("data");
            let make = |n: usize| admin(&data, &database.url, &["account", "create", &format!("a{n}")]);
            let children: Vec<Child> = (0..AT_ONCE).map(|n| make(n).spawn().expect("it starts")).collect();
            let (serving, others) = start(vec![serve(&data, &database.url)]);
            assert!(others.is_empty(), "round {round}: {others:?}");
            for child in children {
                let output = child.wait_with_output().expect("it ends");
                let said = text(&output);
                let early = said.contains("there is no Postrider data") || said.contains("there is no master key");
                assert!(output.status.success() || (early && said.lines().count() == 1), "round {round}: {said}");
            }
            // All at once, beside the server.
            let children: Vec<Child> = (10..10 + AT_ONCE).map(|n| make(n).spawn().expect("it starts")).collect();
            for child in children {
                let output = child.wait_with_output().expect("it ends");
                assert!(output.status.success(), "round {round}: {}", text(&output));
            }
            let list = admin(&data, &database.url, &["account", "list"]).output().expect("it ends");
            let listed = String::from_utf8_lossy(&list.stdout).into_owned();
            assert!((10..10 + AT_ONCE).all(|n| listed.contains(&format!("a{n}"))), "{listed} {}", text(&list));
            end(serving);
        }
    }
}

#[tokio::test]
async fn nodes_that_start_at_once_on_an_empty_postgresql_serve_or_say_what_they_lack() {
    for given in [true, false] {
        let database = TestDatabase::empty(crate::engine::Engine::Postgres).await;
        let node = |n: usize| {
            let mut command = serve(&database.dir.path().join(format!("node{n}")), &database.url);
            if given {
                command.env("POSTRIDER_MASTER_KEY", MASTER_KEY);
            }
            command
        };
        let (serving, others) = start((0..AT_ONCE).map(node).collect());
        assert_eq!(serving.len(), if given { AT_ONCE } else { 1 }, "{others:?}");
        for (said, _) in others {
            assert!(said.contains("the store is sealed under the master key") && said.lines().count() == 1, "{said}");
        }
        end(serving);
        let keys = (0..AT_ONCE).filter(|n| database.dir.path().join(format!("node{n}/master-key")).exists()).count();
        assert_eq!(keys, usize::from(!given), "who was late leaves no key");
    }
}
