//! Who may use whom: floors from the ground up, the order of the rooms within a floor, and circles of files.
use crate::complain;
use crate::graph::Graph;
use crate::source::sources;

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
    &["aws"],
    &["smtp", "http"],
    &["console"],
    &["app"],
    &["lib", "main", "cli", "settings_file"],
];
/// Beside the order: who may not use whom, although it stands below.
const FORBIDDEN: &[(&str, &str)] = &[("smtp", "aws"), ("smtp", "http"), ("http", "smtp")];

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&name))
}

#[test]
fn a_floor_uses_only_what_stands_before_it() {
    let sources = sources();
    let graph = Graph::of(&sources);
    let mut wrong = vec![];
    for (n, source) in sources.iter().enumerate() {
        let own = floor(&source.floor).unwrap_or_else(|| panic!("src/{}: stands on no floor", source.name));
        for (used, line) in &graph.uses[n] {
            let used = sources[*used].floor.as_str();
            let forbidden = FORBIDDEN.contains(&(source.floor.as_str(), used));
            if used != source.floor && (forbidden || floor(used).is_some_and(|f| f >= own)) {
                wrong.push(format!("src/{}:{line}: `{}` may not use `{used}`", source.name, source.floor));
            }
        }
    }
    complain(wrong);
}

/// Circles of files that a noun explains, by the file that names them, and the reason.
const CIRCLES: &[(&str, usize, &str)] = &[];

#[test]
fn files_use_each_other_in_no_circle() {
    let sources = sources();
    let graph = Graph::of(&sources);
    let mut wrong = vec![];
    for circle in graph.circles() {
        let named = |(name, size, _): &&(&str, usize, &str)| {
            *size >= circle.len() && circle.iter().any(|n| sources[*n].name == *name)
        };
        if CIRCLES.iter().find(named).is_some() {
            continue;
        }
        wrong.push(format!("a circle of {} files:", circle.len()));
        for n in &circle {
            for (used, line) in graph.uses[*n].iter().filter(|(used, _)| circle.contains(used)) {
                wrong.push(format!("    src/{}:{line} uses {}", sources[*n].name, sources[*used].name));
            }
        }
    }
    complain(wrong);
}
