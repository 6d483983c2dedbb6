//! Holds the building to its plan (ARCHITECTURE.md): who may use whom, where SQL, time, tasks and SMTP replies may
//! stand, how long a file and a function may be, and that each file says what it is for.
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A floor uses only floors listed before it; rooms on one floor here do not use each other.
const FLOORS: &[&[&str]] = &[
    &["base"],
    &["config"],
    &["store"],
    &["workers"],
    &["access"],
    &["queues"],
    &["outlets"],
    &["topics"],
    &["mail"],
    &["aws", "operator"],
    &["smtp", "http"],
    &["console"],
    &["app"],
    &["lib", "main", "cli", "settings_file"],
];
/// Beside the order: who may not use whom, although it stands below.
const FORBIDDEN: &[(&str, &str)] = &[("smtp", "aws"), ("smtp", "http"), ("http", "smtp")];
const LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const NAMES_FORBIDDEN: &[&str] = &["util", "utils", "common", "helpers", "misc"];

struct Source {
    /// Path below `src`.
    name: String,
    /// The floor.
    floor: String,
    /// The whole text.
    text: String,
}

impl Source {
    /// The code without comments and unit tests (a module at the end, or a room named `…tests.rs`), with line numbers
    /// from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let all_tests = self.name.ends_with("tests.rs");
        self.text
            .lines()
            .enumerate()
            .take_while(move |(_, line)| !all_tests && !line.starts_with("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(n, line)| (n + 1, line))
    }

    /// Complains about each line of code that has one of `words`.
    fn lines_with(&self, words: &[&str], why: &str) -> Vec<String> {
        self.code()
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
            .map(|(n, line)| format!("src/{}:{n}: {why}: {}", self.name, line.trim()))
            .collect()
    }
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = vec![];
    files(&root, &mut paths);
    assert!(paths.len() > 20, "the sources were not found");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("below src").display().to_string();
        let floor = name.split(['/', '.']).next().unwrap_or_default().to_owned();
        Source { floor, text: fs::read_to_string(path).expect("readable"), name }
    };
    paths.into_iter().map(read).collect()
}

fn complain(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&name))
}

#[test]
fn a_floor_uses_only_what_stands_before_it() {
    let mut wrong = vec![];
    for source in sources() {
        let own = floor(&source.floor).unwrap_or_else(|| panic!("src/{}: stands on no floor", source.name));
        for (n, line) in source.code() {
            // Grouped imports would hide names from this reading by lines.
            if line.contains("crate::{") {
                wrong.push(format!("src/{}:{n}: write one `use crate::` for each module", source.name));
            }
            for (at, _) in line.match_indices("crate::") {
                let used: String = line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let forbidden = FORBIDDEN.contains(&(source.floor.as_str(), used.as_str()));
                if used != source.floor && (forbidden || floor(&used).is_some_and(|f| f >= own)) {
                    wrong.push(format!("src/{}:{n}: `{}` may not use `{used}`", source.name, source.floor));
                }
            }
        }
    }
    complain(wrong);
}

#[test]
fn files_are_short_named_for_a_thing_and_say_what_they_are_for() {
    let mut wrong = vec![];
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("src/{}: {lines} lines, longer than {LINES_MAX}", source.name));
        }
        if !source.text.starts_with("//!") {
            wrong.push(format!("src/{}: does not start with a `//!` line", source.name));
        }
        if source.name.trim_end_matches(".rs").split('/').any(|part| NAMES_FORBIDDEN.contains(&part)) {
            wrong.push(format!("src/{}: this name says nothing", source.name));
        }
    }
    complain(wrong);
}

#[test]
fn functions_are_short() {
    let mut wrong = vec![];
    for source in sources() {
        // (indent, first line, name) of the functions that are open; rustfmt puts the closing brace at their indent.
        let mut open: Vec<(usize, usize, String)> = vec![];
        for (n, line) in source.text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if line.trim_end() == format!("{}}}", " ".repeat(indent)) {
                while let Some((at, first, name)) = open.pop_if(|(at, ..)| *at >= indent) {
                    let lines = n + 1 - first;
                    if at == indent && lines > FUNCTION_LINES_MAX {
                        let place = format!("src/{}:{}", source.name, first + 1);
                        wrong.push(format!("{place}: `{name}` has {lines} lines, more than {FUNCTION_LINES_MAX}"));
                    }
                }
            }
            let words = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(super) ");
            let words =
                words.trim_start_matches("pub(crate) ").trim_start_matches("const ").trim_start_matches("async ");
            if let Some(rest) = words.strip_prefix("fn ")
                && !line.trim_end().ends_with([';', '}'])
            {
                let name = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                open.push((indent, n, name));
            }
        }
    }
    complain(wrong);
}

#[test]
fn sql_stands_only_in_the_store() {
    let outside = |s: &&Source| s.floor != "store";
    let words = ["sqlx", "\"SELECT ", "\"INSERT INTO", "\"UPDATE ", "\"DELETE FROM"];
    complain(sources().iter().filter(outside).flat_map(|s| s.lines_with(&words, "SQL outside store")).collect());
}

#[test]
fn only_the_clock_reads_the_time() {
    let words = ["SystemTime", "Instant::now", "tokio::time", "::now_utc(", "Utc::now(", "thread::sleep"];
    let outside = |s: &&Source| s.name != "base/clock.rs";
    complain(sources().iter().filter(outside).flat_map(|s| s.lines_with(&words, "time outside the clock")).collect());
}

#[test]
fn tasks_start_only_in_workers_lanes_and_listeners() {
    let allowed = |s: &&Source| {
        s.floor != "workers"
            && !matches!(s.name.as_str(), "store/open.rs" | "store/lanes.rs" | "smtp/listener.rs" | "http/listener.rs")
    };
    complain(sources().iter().filter(allowed).flat_map(|s| s.lines_with(&["tokio::spawn"], "a task")).collect());
}

#[test]
fn smtp_replies_stand_in_one_table() {
    let reply = |line: &str| {
        line.match_indices('"').any(|(at, _)| {
            let text: Vec<char> = line[at + 1..].chars().take(4).collect();
            matches!(text[..], ['2'..='5', '0'..='9', '0'..='9', ' ' | '-'])
        })
    };
    let mut wrong = vec![];
    for source in sources().iter().filter(|s| s.floor == "smtp" && s.name != "smtp/reply.rs") {
        for (n, line) in source.code().filter(|(_, line)| reply(line)) {
            wrong.push(format!("src/{}:{n}: an SMTP reply outside smtp/reply.rs: {}", source.name, line.trim()));
        }
    }
    complain(wrong);
}

#[test]
fn nothing_panics_on_input() {
    let words = [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!(", "dbg!("];
    complain(sources().iter().flat_map(|s| s.lines_with(&words, "may panic")).collect());
}
