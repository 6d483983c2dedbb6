//! What may stand in which room only: SQL, the time, tasks and threads, SMTP replies, panics, what differs by engine.
use crate::complain;
use crate::source::{Kind, Source, sources};

fn places(outside: impl Fn(&Source) -> bool, paths: &[&[&str]], why: &str) -> Vec<String> {
    let sources = sources();
    let rooms = sources.iter().filter(|source| outside(source));
    rooms.flat_map(|source| paths.iter().flat_map(|path| source.places_of(path, why))).collect()
}

/// Whether a text begins as a statement of SQL does, whatever its case and lines.
fn is_sql(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_all = |text: &str| text.chars().all(|c| c.is_ascii_uppercase() || c.is_whitespace());
    match words[..] {
        ["SELECT" | "WITH", ref rest @ ..] => rest.contains(&"FROM"),
        ["INSERT" | "REPLACE" | "MERGE", "INTO", ..] | ["INSERT", "OR", ..] | ["DELETE", "FROM", ..] => true,
        ["UPDATE", ref rest @ ..] => rest.contains(&"SET"),
        ["CREATE" | "ALTER" | "DROP", "TABLE" | "INDEX" | "VIEW" | "SCHEMA" | "UNIQUE", ..] => true,
        ["PRAGMA" | "VACUUM" | "SAVEPOINT" | "ROLLBACK", ..] => is_all(text),
        _ => false,
    }
}

#[test]
fn sql_stands_only_in_the_store() {
    let outside = |source: &Source| source.floor != "store";
    let mut wrong = places(outside, &[&["sqlx"], &["rusqlite"]], "SQL outside store");
    for source in sources().iter().filter(|source| outside(source)) {
        for (line, text) in source.texts().filter(|(_, text)| is_sql(text)) {
            wrong.push(format!("src/{}:{line}: SQL outside store: {text}", source.name));
        }
    }
    complain(wrong);
}

#[test]
fn sql_is_seen_however_it_is_written() {
    for text in [
        "select 1 from t",
        "\n  SELECT\n a\nFROM b WHERE 1",
        "with a as (select 1 from c) select 1 from a",
        "insert\ninto t values (1)",
        "INSERT OR IGNORE INTO t VALUES (1)",
        "Update t SET a = 1",
        "delete from t",
    ] {
        assert!(is_sql(text), "{text}");
    }
    for text in ["Select a topic", "update", "With best wishes", "delete-message", "Create a queue", "Update it"] {
        assert!(!is_sql(text), "{text}");
    }
}

#[test]
fn only_the_clock_reads_the_time() {
    let paths: &[&[&str]] = &[
        &["SystemTime"],
        &["Instant", "now"],
        &["tokio", "time"],
        &["OffsetDateTime", "now_utc"],
        &["Utc", "now"],
        &["UtcDateTime", "now"],
        &["thread", "sleep"],
    ];
    complain(places(|source| source.name != "base/clock.rs", paths, "time outside the clock"));
}

/// Rooms that start tasks or threads, beside the floor `workers`, and why each does.
const STARTERS: &[(&str, &str)] = &[
    ("app/data_dir.rs", "a lock on a file may have to be waited for"),
    ("http/listener.rs", "a task for each connection, in a tracker that is waited for"),
    ("mail/identity/keys.rs", "to make an RSA key takes the processor for a second"),
    ("smtp/listener.rs", "a task for each session, in a tracker that is waited for"),
    ("store/engine/lanes.rs", "the lanes, and the thread of SQLite's writer"),
    ("store/engine/mover.rs", "the thread that moves SQLite's log into the database"),
    ("store/engine/open.rs", "the tasks beside the lanes"),
    ("topics/signing/signer.rs", "to make an RSA key takes the processor for a second"),
];

#[test]
fn tasks_start_only_in_workers_lanes_and_listeners() {
    let paths: &[&[&str]] = &[
        &["tokio", "spawn"],
        &["task", "spawn"],
        &["spawn_blocking"],
        &["spawn_local"],
        &["JoinSet"],
        &["thread", "Builder"],
        &["thread", "spawn"],
        &["rayon"],
    ];
    let outside = |source: &Source| source.floor != "workers" && !STARTERS.iter().any(|(name, _)| *name == source.name);
    complain(places(outside, paths, "a task or a thread"));
}

#[test]
fn smtp_replies_stand_in_one_table() {
    let reply = |text: &str| {
        let first: Vec<char> = text.chars().take(4).collect();
        matches!(first[..], ['2'..='5', '0'..='9', '0'..='9', ' ' | '-'])
    };
    let mut wrong = vec![];
    for source in sources().iter().filter(|s| s.floor == "smtp" && s.name != "smtp/reply.rs") {
        for (line, text) in source.texts().filter(|(_, text)| reply(text)) {
            wrong.push(format!("src/{}:{line}: an SMTP reply outside smtp/reply.rs: {text}", source.name));
        }
    }
    complain(wrong);
}

/// Methods of the house that share a name with one that panics.
const OWN: &[(&str, &str)] = &[("store/vault/mod.rs", "unwrap")];

#[test]
fn nothing_panics_on_input() {
    let mut wrong = vec![];
    for source in sources() {
        for window in source.tokens.windows(3) {
            let [before, word, after] = window else { continue };
            let Some(name) = word.word() else { continue };
            let call = before.is(".") && ["unwrap", "expect", "unwrap_err", "expect_err"].contains(&name);
            let call = call && after.kind == Kind::Open('(') && !OWN.contains(&(source.name.as_str(), name));
            let panics = ["panic", "unreachable", "todo", "unimplemented", "dbg", "assert", "assert_eq", "assert_ne"];
            if call || (after.is("!") && panics.contains(&name)) {
                wrong.push(format!("src/{}:{}: may panic: {name}", source.name, word.line));
            }
        }
    }
    complain(wrong);
}

/// Rooms of the store whose part it is to know the engine.
const ENGINE_ROOMS: &[&str] = &[
    "store/engine/batch.rs",
    "store/engine/dialect.rs",
    "store/engine/handle.rs",
    "store/engine/lane.rs",
    "store/engine/open.rs",
    "store/engine/pool.rs",
    "store/engine/tx.rs",
];
/// Rooms that have statements in two forms, or some for one engine alone, and why. They ask what an engine can do
/// (`has_other_writers`, `changes_in_with`), and not which it is. None may be added; one that needs none any more is taken out.
const TWO_FORMS: &[(&str, &str)] = &[
    ("store/whole/reset.rs", "locks all tables, where others could write into them meanwhile"),
    ("store/mail/accepted.rs", "one round trip where others write, statement by statement where nobody does"),
    ("store/mail/mail_attempts.rs", "recipients and attempts in the parts of one WITH, where those may change rows"),
    ("store/mail/sending_use.rs", "charges after the mails, so that an account's row is held for a moment only"),
    ("store/queue/claiming.rs", "passes over what others hold, and over what is gone and not yet vacuumed"),
    ("store/queue/crowded.rs", "holds the groups first that several statements change"),
    ("store/queue/groups.rs", "keeps or locks the rows of groups before it changes them"),
    ("store/queue/ordered.rs", "locks the rows of groups before it changes them"),
    (
        "store/queue/settled.rs",
        "jobs and what is written with them in the parts of one WITH, where those may change rows",
    ),
    ("store/topic/topic_order.rs", "locks the rows of groups before it changes them"),
];

#[test]
fn only_the_dialect_asks_which_engine_it_is() {
    let words: &[&[&str]] = &[&["Engine", "Sqlite"], &["Engine", "Postgres"]];
    complain(places(|source| !ENGINE_ROOMS.contains(&source.name.as_str()), words, "asks for the engine"));
}

#[test]
fn statements_in_two_forms_are_known() {
    const ASKS: [&str; 2] = ["has_other_writers", "changes_in_with"];
    let sources = sources();
    let asking = sources.iter().filter(|source| !ENGINE_ROOMS.contains(&source.name.as_str()));
    let asking: Vec<(&Source, Vec<String>)> = asking
        .map(|source| {
            (source, ASKS.iter().flat_map(|word| source.places_of(&[word], "asks what the engine can do")).collect())
        })
        .filter(|(_, places): &(_, Vec<String>)| !places.is_empty())
        .collect();
    let is_known = |source: &Source| TWO_FORMS.iter().any(|(room, _)| *room == source.name);
    let unknown = asking.iter().filter(|(source, _)| !is_known(source));
    let mut wrong: Vec<String> = unknown.flat_map(|(_, places)| places.iter().cloned()).collect();
    for (room, _) in TWO_FORMS {
        if !asking.iter().any(|(source, _)| source.name == *room) {
            wrong.push(format!("{room} has no statement in two forms any more: take it out of the list"));
        }
    }
    complain(wrong);
}
