//! Who may use whom: floors from the ground up, the order of the rooms within a floor, and circles of files.
use std::collections::BTreeSet;

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
    &["aws", "operator"],
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

/// Circles of files that are still there: one file of each, how many files it has at most, and what holds it together. None may be
/// added, and none may grow; one that is gone is taken out.
const CIRCLES: &[(&str, usize, &str)] = &[
    ("app/start.rs", 9, "what is started is built of what tells how the start failed"),
    ("cli/mod.rs", 2, "clap's tree: the commands hold the flags, and the flags stand in the commands"),
    ("config/settings.rs", 7, "what was given becomes settings, part by part, in the room of each part"),
    (
        "mail/sending/accept.rs",
        23,
        "our own mails go through the door of sent mail, and identities send some: to be taken apart",
    ),
    ("mail/content/templates.rs", 2, "a template is prepared, and what is prepared is kept with it"),
    ("mail/feedback/loose.rs", 2, "an answer may quote a report, and a report may look like an answer"),
    ("mail/published/server.rs", 2, "a check of the server's own records is one of records"),
    (
        "mail/receiving/accept.rs",
        2,
        "a job of received mail may hold work that was handed on, and handing on makes a job",
    ),
    ("mail/receiving/handle.rs", 6, "the handle keeps what it has read, in rooms that read by it: to be taken apart"),
    ("mail/receiving/rules.rs", 2, "one list of actions, cut in AWS's and our own"),
    ("queues/mod.rs", 14, "the handle keeps what it has read, in rooms that read by it: to be taken apart"),
    ("store/engine/lane.rs", 14, "the lanes name each kind of merged value: to be taken apart"),
    ("store/queue/groups.rs", 4, "one claim over messages in groups, in order and without: to be taken apart"),
    ("store/engine/sql.rs", 2, "rows of both drivers, and the writer's own: to be taken apart"),
    ("store/vault/mod.rs", 5, "the vault and its parts share one error: to be taken apart"),
    ("topics/topic.rs", 10, "attributes of a topic are checked where each is used: to be taken apart"),
    ("topics/confirmation.rs", 3, "a subscription asks, and the answer makes the subscription"),
    ("topics/delivery/carry.rs", 2, "to be taken apart"),
    ("topics/delivery/letter.rs", 2, "to be taken apart"),
];

#[test]
fn files_use_each_other_in_no_circle() {
    let sources = sources();
    let graph = Graph::of(&sources);
    let circles = graph.circles();
    let has = |circle: &BTreeSet<usize>, name: &str| circle.iter().any(|n| sources[*n].name == name);
    let mut wrong = vec![];
    for circle in &circles {
        if CIRCLES.iter().any(|(name, size, _)| *size >= circle.len() && has(circle, name)) {
            continue;
        }
        wrong.push(format!("a circle of {} files:", circle.len()));
        for n in circle {
            for (used, line) in graph.uses[*n].iter().filter(|(used, _)| circle.contains(used)) {
                wrong.push(format!("    src/{}:{line} uses {}", sources[*n].name, sources[*used].name));
            }
        }
    }
    for (name, size, _) in CIRCLES {
        match circles.iter().find(|circle| has(circle, name)) {
            None => wrong.push(format!("no circle with {name} any more: take it out of the list")),
            Some(circle) if circle.len() < *size => wrong.push(format!("{name}: {} files are left", circle.len())),
            Some(_) => {}
        }
    }
    complain(wrong);
}
