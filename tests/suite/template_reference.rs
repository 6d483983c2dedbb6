//! Templates beside Handlebars.js: thousands of templates that are made up are rendered by both. What differs on purpose stands in
//! README ("Templates"): what the data does not have is an error, and nothing is escaped.
use std::io::Write;
use std::process::{Command, Stdio};

use postrider::base::Budget;
use postrider::mail::content::{Template, TemplateData, TemplateError};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const TEMPLATES: usize = 4_000;
const STEPS: u64 = 1_000_000;

const DATA: &str = r#"{"z": 1, "name": "Ann", "10": "ten", "2": "two", "n": 3, "zero": 0, "half": 0.5, "big": 1e21, "yes": true,
    "no": false, "none": null, "empty": "", "list": ["a", "b", "a"], "nothing": [], "odd name": "odd",
    "obj": {"y": 1, "a": "x", "name": "inner", "10": 1, "9": 2}, "bare": {}, "people": [{"name": "Bo", "tags": ["p", "q"],
    "zero": 0}, {"name": "Cy", "tags": [], "zero": 1}], "numbers": [0, 1, 2], "keys": ["name", "a"], "key": "name",
    "mixed": [1, "a", true, {"name": "deep"}, [1, [2, null]]]}"#;

const NAMES: &[&str] = &[
    "name",
    "n",
    "zero",
    "half",
    "big",
    "yes",
    "no",
    "none",
    "empty",
    "list",
    "nothing",
    "[odd name]",
    "obj",
    "bare",
    "people",
    "numbers",
    "mixed",
    "gone",
    "obj.a",
    "obj.gone",
    "obj/name",
    "this",
    ".",
    "this.name",
    "./name",
    "..",
    "../name",
    "../../name",
    "../list",
    "@root.name",
    "@root.people",
    "list.length",
    "name.length",
    "people.0.name",
    "people.[1].tags",
    "tags",
    "key",
    "@index",
    "@key",
    "@first",
    "@last",
    "@../index",
    "@../key",
    "x",
    "x.name",
    "i",
    "(lookup . key)",
    "(lookup obj \"a\")",
    "(lookup ../obj ../key)",
    "(lookup (lookup people 0) \"tags\")",
    "\"text\"",
    "12",
    "true",
    "0",
];
const TEXTS: &[&str] = &["a", " ", "\n", "  ", "b\n", "\n  ", "x y", "\t", "\\{{name}}", "\\\\", "\r\n"];

struct Maker(StdRng);

impl Maker {
    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.0.random_range(0..all.len())]
    }

    fn tag(&mut self, inner: &str) -> String {
        let mut tilde = || if self.0.random_range(0..12) == 0 { "~" } else { "" };
        format!("{{{{{}{inner}{}}}}}", tilde(), tilde())
    }

    fn many(&mut self, depth: u32) -> String {
        let count = self.0.random_range(0..5);
        (0..count).map(|_| self.piece(depth)).collect()
    }

    fn piece(&mut self, depth: u32) -> String {
        let name = self.of(NAMES);
        match self.0.random_range(0..if depth == 0 { 10 } else { 20 }) {
            0..=4 => self.of(TEXTS).to_owned(),
            5 | 6 => self.tag(name),
            7 => {
                let inner = self.of(&[
                    "! note ",
                    "!-- a }} b --",
                    "log name",
                    "log \"x\" n",
                    "lookup . key",
                    "lookup obj \"a\"",
                    "\"name\"",
                    "&name",
                ]);
                self.tag(inner)
            }
            8 => {
                let name = name.trim_matches(['(', ')']).to_owned();
                format!("{{{{{{{name}}}}}}}")
            }
            9 => {
                let inner = self.of(&["> p", "> p obj", "> \"q\"", "> q people.[0]"]);
                self.tag(inner)
            }
            _ => self.block(name, depth - 1),
        }
    }

    fn block(&mut self, name: &str, depth: u32) -> String {
        let bare = !name.starts_with(['(', '"', '@', '.']) && !name.starts_with(|c: char| c.is_ascii_digit());
        let (helper, rest) = match self.0.random_range(0..10) {
            0 | 1 => ("if", ""),
            2 => ("if", " includeZero=true"),
            3 => ("unless", ""),
            4 | 5 => ("each", ""),
            6 => ("each", " as |x i|"),
            7 => ("with", ""),
            8 => ("with", " as |x|"),
            _ if bare => {
                let mark = self.of(&["#", "^"]).to_owned();
                let (open, close) = (self.tag(&format!("{mark}{name}")), self.tag(&format!("/{name}")));
                let otherwise =
                    if self.0.random_range(0..3) == 0 { self.tag("else") + &self.many(depth) } else { String::new() };
                return open + &self.many(depth) + &otherwise + &close;
            }
            _ => ("if", ""),
        };
        let mut made = self.tag(&format!("#{helper} {name}{rest}")) + &self.many(depth);
        match self.0.random_range(0..6) {
            0 => made += &(self.tag("else") + &self.many(depth)),
            1 => made += &(self.tag("^") + &self.many(depth)),
            2 => {
                let other = self.of(NAMES);
                made += &(self.tag(&format!("else if {other}"))
                    + &self.many(depth)
                    + &self.tag("else")
                    + &self.many(depth));
            }
            _ => {}
        }
        made + &self.tag(&format!("/{helper}"))
    }
}

/// What Handlebars.js makes of them.
fn reference(templates: &[String]) -> Vec<Value> {
    let modules = std::env::var("POSTRIDER_TEST_NODE_MODULES").expect("start the tests with ./tests/run");
    let mut child = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node/handlebars.js"))
        .env("NODE_PATH", modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let asked: Vec<Value> = templates.iter().map(|template| json!({"template": template, "data": DATA})).collect();
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(Value::from(asked).to_string().as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "is npm's handlebars there? ./tests/run installs it");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn ours(template: &str, data: &TemplateData) -> Result<String, TemplateError> {
    let mut budget = Budget::new(STEPS);
    Template::parse(template, &mut budget)?.render(data, &mut budget)
}

/// Without white space.
fn bare(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn templates_that_are_made_up_come_out_as_handlebars_has_them() {
    let mut maker = Maker(StdRng::seed_from_u64(20_261_130));
    let partials =
        "{{#*inline \"p\"}}<{{this}}>{{/inline}}{{#*inline \"q\"}}\n1 {{#if name}}{{name}}{{/if}}\n2\n{{/inline}}";
    let templates: Vec<String> = (0..TEMPLATES).map(|_| format!("{partials}{}", maker.many(3))).collect();
    let data: TemplateData = serde_json::from_str(DATA).expect("JSON");
    let (mut compared, mut different) = (0, Vec::new());
    for (template, reference) in templates.iter().zip(reference(&templates)) {
        let shown = template.strip_prefix(partials).unwrap_or(template);
        match (ours(template, &data), reference["text"].as_str()) {
            // On purpose: what is not there is an error here, and nothing there.
            (Err(TemplateError::Missing(_)), Some(_)) => continue,
            (Ok(text), Some(reference)) if text == reference => {}
            // On purpose: the end of a block with `else if` goes with its line as any other does. Handlebars.js looks at the line of
            // the first `else` for it.
            (Ok(text), Some(reference)) if template.contains("else if") && bare(&text) == bare(reference) => {}
            (Err(TemplateError::Syntax { .. }), None) => {}
            (ours, _) => different.push(format!("{shown:?}\n  ours {ours:?}\n  theirs {reference}")),
        }
        compared += 1;
    }
    assert!(
        different.is_empty(),
        "{} of {compared} differ:\n{}",
        different.len(),
        different.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
    assert!(compared > TEMPLATES / 3, "{compared}");
}
