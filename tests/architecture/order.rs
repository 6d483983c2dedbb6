//! Who may use whom: floors from the ground up, the order of the rooms within a floor, and circles of files.
use std::collections::BTreeSet;

use crate::complain;
use crate::graph::Graph;
use crate::source::{Source, sources};

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

/// The order of the rooms within a floor, from the ground up. A room is a folder or a file of the floor. It uses only rooms listed
/// before it; those in one line do not use each other. The floor's `mod.rs` is its door and stands in no room.
const WITHIN: &[(&str, &[&[&str]])] = &[
    (
        "store",
        &[
            &["vault"],
            // Lanes, transactions, both drivers: knows no noun.
            &["engine"],
            &["access", "queue"],
            &["identity", "topic"],
            &["mail"],
            // Knows all tables.
            &["whole"],
            // Names each kind of merged value.
            &["opening"],
        ],
    ),
    (
        "mail",
        &[
            &["message", "marks", "resolver", "bounce"],
            &["own"],
            &["identity"],
            &["content"],
            &["sending"],
            &["feedback"],
            &["receiving"],
            // Says what receivers make of a record, and asks their rooms.
            &["published"],
        ],
    ),
];

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

/// The room within its floor that a file stands in.
fn room(source: &Source) -> Option<&str> {
    let rest = source.name.strip_prefix(&source.floor)?.strip_prefix('/')?;
    rest.split(['/', '.']).next().filter(|room| *room != "mod")
}

#[test]
fn a_room_uses_only_what_stands_before_it_in_its_floor() {
    let sources = sources();
    let graph = Graph::of(&sources);
    let mut wrong = vec![];
    for (n, source) in sources.iter().enumerate() {
        let Some((_, order)) = WITHIN.iter().find(|(floor, _)| *floor == source.floor) else { continue };
        let Some(own) = room(source) else { continue };
        let place = |room: &str| order.iter().position(|line| line.contains(&room));
        let Some(at) = place(own) else {
            wrong.push(format!("src/{}: `{own}` stands nowhere in the order of `{}`", source.name, source.floor));
            continue;
        };
        for (used, line) in &graph.uses[n] {
            let other = Some(&sources[*used]).filter(|used| used.floor == source.floor).and_then(room);
            if let Some(other) = other.filter(|other| *other != own && place(other).is_some_and(|there| there >= at)) {
                wrong.push(format!("src/{}:{line}: `{own}` may not use `{other}`, which stands above it", source.name));
            }
        }
    }
    for (floor, order) in WITHIN {
        for named in order.iter().copied().flatten() {
            if !sources.iter().any(|source| source.floor == *floor && room(source) == Some(named)) {
                wrong.push(format!("there is no room `{named}` in `{floor}` any more: take it out of the order"));
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
    ("mail/content/templates.rs", 2, "a template is prepared, and what is prepared is kept with it"),
    ("mail/feedback/loose.rs", 2, "an answer may quote a report, and a report may look like an answer"),
    ("mail/published/server.rs", 2, "a check of the server's own records is one of records"),
    (
        "mail/receiving/accept.rs",
        2,
        "a job of received mail may hold work that was handed on, and handing on makes a job",
    ),
    ("mail/receiving/rules.rs", 2, "one list of actions, cut in AWS's and our own"),
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
