//! Which file uses which: paths are followed through re-exports to the file where a thing is made.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::source::{Kind, Source, Token};

/// What each file uses, and a line where it does. By number in the list of sources.
pub(crate) struct Graph {
    pub uses: Vec<BTreeMap<usize, usize>>,
}

struct Modules {
    /// Path of a module, and its file.
    files: HashMap<String, usize>,
    /// What a module re-exports: the name there, and the whole path that it stands for.
    doors: HashMap<String, HashMap<String, Vec<String>>>,
    /// Modules of which a module re-exports everything.
    open_doors: HashMap<String, Vec<Vec<String>>>,
}

impl Graph {
    pub(crate) fn of(sources: &[Source]) -> Self {
        let modules = Modules::of(sources);
        let mut uses = vec![BTreeMap::new(); sources.len()];
        for (n, source) in sources.iter().enumerate() {
            for used in paths(source, &modules).into_iter().filter(|used| !used.door) {
                match modules.file(&used.path, 0) {
                    Some(file) if file != n => _ = uses[n].entry(file).or_insert(used.line),
                    _ => {}
                }
            }
        }
        Self { uses }
    }

    /// The circles: sets of files that use each other, over however many stays.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<usize>> {
        let reach: Vec<BTreeSet<usize>> = (0..self.uses.len()).map(|from| self.reach(from)).collect();
        let mut circles: Vec<BTreeSet<usize>> = vec![];
        for n in 0..self.uses.len() {
            if circles.iter().any(|circle| circle.contains(&n)) || !reach[n].contains(&n) {
                continue;
            }
            circles.push(reach[n].iter().copied().filter(|other| reach[*other].contains(&n)).collect());
        }
        circles
    }

    fn reach(&self, from: usize) -> BTreeSet<usize> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            next.extend(self.uses[at].keys().filter(|used| seen.insert(**used)));
        }
        seen
    }
}

impl Modules {
    fn of(sources: &[Source]) -> Self {
        let files: HashMap<String, usize> = sources.iter().enumerate().map(|(n, s)| (s.module(), n)).collect();
        let mut modules = Self { files, doors: HashMap::new(), open_doors: HashMap::new() };
        for source in sources {
            for used in paths(source, &modules).into_iter().filter(|used| used.door) {
                match used.name {
                    Some(name) => {
                        modules.doors.entry(source.module()).or_default().insert(name, used.path);
                    }
                    None => modules.open_doors.entry(source.module()).or_default().push(used.path),
                }
            }
        }
        modules
    }

    /// The file where what the path names is made.
    fn file(&self, path: &[String], depth: usize) -> Option<usize> {
        let mut module = String::new();
        for (n, part) in path.iter().enumerate() {
            let deeper = if module.is_empty() { part.clone() } else { format!("{module}::{part}") };
            if self.files.contains_key(&deeper) {
                module = deeper;
                continue;
            }
            if depth < 8 {
                if let Some(real) = self.doors.get(&module).and_then(|doors| doors.get(part)) {
                    let whole: Vec<String> = real.iter().chain(&path[n + 1..]).cloned().collect();
                    return self.file(&whole, depth + 1);
                }
                for open in self.open_doors.get(&module).into_iter().flatten() {
                    let whole: Vec<String> = open.iter().chain(&path[n..]).cloned().collect();
                    let own = self.files.get(&open.join("::")).copied();
                    if let Some(file) = self.file(&whole, depth + 1).filter(|file| Some(*file) != own) {
                        return Some(file);
                    }
                }
            }
            break;
        }
        self.files.get(&module).copied()
    }
}

struct Used {
    line: usize,
    path: Vec<String>,
    /// Whether the path is passed on (`pub use`), and under which name; none for all names.
    door: bool,
    name: Option<String>,
}

/// The paths within the crate, whole.
fn paths(source: &Source, modules: &Modules) -> Vec<Used> {
    let module: Vec<String> = source.module().split("::").map(str::to_owned).collect();
    let mut out = vec![];
    let tokens = &source.tokens;
    let mut at = 0;
    while at < tokens.len() {
        // `pub(in crate::mail)` says who may see, and uses nothing.
        let seen = at > 0 && tokens[at - 1].word() == Some("in") && at > 1 && tokens[at - 2].kind == Kind::Open('(');
        let begins = at == 0 || !(seen || tokens[at - 1].is("::") || tokens[at - 1].is("."));
        let Some(word) = tokens[at].word().filter(|_| begins && tokens.get(at + 1).is_some_and(|t| t.is("::"))) else {
            at += 1;
            continue;
        };
        let child = format!("{}::{word}", source.module());
        let base = match word {
            "crate" => vec![],
            "super" => module[..module.len() - 1].to_vec(),
            "self" => module.clone(),
            _ if modules.files.contains_key(&child) => [module.clone(), vec![word.to_owned()]].concat(),
            _ => {
                at += 1;
                continue;
            }
        };
        let door = is_door(tokens, at);
        let mut found = vec![];
        let (line, end) = (tokens[at].line, follow(tokens, at + 1, base, &mut found));
        out.extend(found.into_iter().map(|(path, name)| Used { line, path, door, name }));
        at = end.max(at + 1);
    }
    out
}

/// Whether the path at `at` stands in a `pub use`.
fn is_door(tokens: &[Token], at: usize) -> bool {
    let Some(word) = at.checked_sub(1).filter(|n| tokens[*n].word() == Some("use")) else { return false };
    match word.checked_sub(1).map(|n| &tokens[n].kind) {
        Some(Kind::Word(word)) => word == "pub",
        // pub(super) and its like
        Some(Kind::Close(')')) => true,
        _ => false,
    }
}

/// Reads on behind the first word of a path; gives where the path ends.
fn follow(
    tokens: &[Token],
    mut at: usize,
    mut path: Vec<String>,
    out: &mut Vec<(Vec<String>, Option<String>)>,
) -> usize {
    while tokens.get(at).is_some_and(|token| token.is("::")) {
        match tokens.get(at + 1).map(|token| &token.kind) {
            Some(Kind::Word(word)) if word == "super" => {
                path.pop();
                at += 2;
            }
            Some(Kind::Word(word)) => {
                path.push(word.clone());
                at += 2;
            }
            Some(Kind::Sign(sign)) if sign == "*" => {
                out.push((path, None));
                return at + 2;
            }
            Some(Kind::Open('{')) => return group(tokens, at + 2, &path, out),
            _ => break,
        }
    }
    let renamed = (tokens.get(at).and_then(Token::word) == Some("as")).then(|| tokens[at + 1].word()).flatten();
    let name = renamed.map(str::to_owned).or_else(|| path.last().cloned());
    out.push((path, name));
    if renamed.is_some() { at + 2 } else { at }
}

fn group(tokens: &[Token], mut at: usize, path: &[String], out: &mut Vec<(Vec<String>, Option<String>)>) -> usize {
    while at < tokens.len() && tokens[at].kind != Kind::Close('}') {
        match &tokens[at].kind {
            Kind::Word(word) if word == "self" => {
                out.push((path.to_vec(), path.last().cloned()));
                at += 1;
            }
            Kind::Word(word) => {
                let deeper = [path, std::slice::from_ref(word)].concat();
                at = follow(tokens, at + 1, deeper, out);
            }
            Kind::Sign(sign) if sign == "*" => {
                out.push((path.to_vec(), None));
                at += 1;
            }
            _ => at += 1,
        }
    }
    at + 1
}
