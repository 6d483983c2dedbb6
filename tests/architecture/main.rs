//! Holds the building to its plan (ARCHITECTURE.md): who may use whom, where SQL, time, tasks and SMTP replies may
//! stand, how long a file and a function may be, that each file says what it is for, and that everything is used.
mod graph;
mod kept;
mod order;
mod source;
mod unused;
mod words;

use source::sources;
use syn::visit::{self, Visit};

const LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const NAMES_FORBIDDEN: &[&str] = &["util", "utils", "common", "helpers", "misc"];

fn complain(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
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

/// The functions that are too long, tests included.
#[derive(Default)]
struct Long {
    wrong: Vec<(usize, String, usize)>,
}

impl Long {
    fn look(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let lines = block.brace_token.span.close().end().line + 1 - first;
        if lines > FUNCTION_LINES_MAX {
            self.wrong.push((first, signature.ident.to_string(), lines));
        }
    }
}

impl<'ast> Visit<'ast> for Long {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.look(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.look(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.look(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[test]
fn functions_are_short() {
    let mut wrong = vec![];
    for source in sources() {
        let mut long = Long::default();
        long.visit_file(&syn::parse_file(&source.text).expect("read before"));
        wrong.extend(long.wrong.into_iter().map(|(line, name, lines)| {
            format!("src/{}:{line}: `{name}` has {lines} lines, more than {FUNCTION_LINES_MAX}", source.name)
        }));
    }
    complain(wrong);
}
