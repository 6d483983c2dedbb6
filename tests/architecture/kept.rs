//! Kept tables are written by the functions that make what nodes keep of them stale, and by no others.
use std::collections::BTreeMap;

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{ImplItemFn, Item, ItemFn};

use crate::complain;
use crate::source::{Kind, Source, Token, sources, tokens};

/// What writes to a kept table and makes what is kept of it stale.
const CHANGES: &[&str] = &["change", "change_returning"];
/// What writes to a kept table nothing that is kept.
const TOUCHES: &[&str] = &["touch", "touch_returning"];
/// Functions that touch a kept table, and why nothing that is kept changes.
const TOUCHING: &[(&str, &str)] = &[
    ("access/accounts.rs lock_account", "holds the row"),
    ("access/accounts.rs insert_key", "that there is no such key is not kept"),
    ("access/accounts.rs seal_secrets", "what is kept is the secret, however it is sealed"),
    ("identity/dkim_keys.rs seal", "what is kept is the key, however it is sealed"),
    ("identity/identities.rs hold", "holds the row"),
    ("identity/identities.rs take_due", "when to look next is not kept"),
    ("identity/identities.rs give_back", "when to look next is not kept"),
    ("mail/configuration_sets.rs hold", "holds the row"),
    ("mail/receipt_filters.rs hold", "makes and holds a row that is no filter"),
    ("mail/receipt_rules.rs hold", "holds the row, by a number that is not kept"),
    ("mail/sending_accounts.rs lock", "holds the row; one that it makes says what was so without it"),
    ("queue/queues.rs insert", "that there is no such queue is not kept"),
    ("queue/queues.rs set_tags", "tags are not kept"),
];
/// Rooms whose statements name tables by a list, and how that goes for kept tables.
const BY_LIST: &[(&str, &str)] = &[
    ("engine/rows.rs", "adds rows to tables for merged values, of which none is kept"),
    ("engine/dialect.rs", "deletes rows of a table that its caller names, a queue's messages"),
    ("access/master_key.rs", "names the tables that have sealed texts, and only looks into them"),
    ("whole/account_holdings.rs", "only counts"),
    ("whole/account_removal.rs", "says of each that settings have changed"),
    ("whole/reset.rs", "says of all together that settings have changed"),
];

/// The tables that a text of SQL writes to, wherever in it.
fn written(text: &str) -> Vec<String> {
    let words: Vec<String> =
        text.split(|c: char| c.is_whitespace() || "(),;".contains(c)).map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    let after = |n: usize| words.get(n).map(|word| word.trim_matches('"').to_owned());
    let table = |n: usize| match words[n] {
        "into" => after(n + 1),
        "from" if n > 0 && words[n - 1] == "delete" => after(n + 1),
        "update" if after(n + 1).as_deref() == Some("only") => after(n + 2),
        "update" => after(n + 1),
        _ => None,
    };
    (0..words.len()).filter_map(table).collect()
}

#[test]
fn writes_are_seen_wherever_they_stand_in_a_statement() {
    for text in [
        "INSERT INTO t (a) VALUES (1)",
        "insert or ignore into t(a) select 1",
        "UPDATE t SET a = 1",
        "delete\n from t WHERE a = 1",
        "WITH x AS (DELETE FROM t WHERE a = 1 RETURNING a) INSERT INTO u SELECT a FROM x",
        "WITH x AS (SELECT 1) UPDATE ONLY t SET a = 1",
        "MERGE INTO t USING u ON true",
    ] {
        assert!(written(text).contains(&"t".to_owned()), "{text}");
    }
    for text in [
        "SELECT a FROM t FOR UPDATE",
        "SELECT a FROM t",
        "INSERT INTO u SELECT a FROM t ON CONFLICT DO UPDATE SET t = 1",
    ] {
        assert!(!written(text).contains(&"t".to_owned()), "{text}");
    }
}

/// The kept tables, by the names of their declarations.
fn declared(sources: &[Source]) -> BTreeMap<String, String> {
    let mut tables = BTreeMap::new();
    for source in sources {
        for item in &source.items {
            let Item::Const(item) = item else { continue };
            if !item.ty.to_token_stream().to_string().ends_with("KeptTable") {
                continue;
            }
            let table = tokens(&item.expr).into_iter().find_map(|token| match token.kind {
                Kind::Text(text) => Some(text),
                _ => None,
            });
            let before = tables.insert(item.ident.to_string(), table.expect("a table's name"));
            assert!(before.is_none(), "src/{}: `{}` is declared twice", source.name, item.ident);
        }
    }
    assert!(tables.len() > 10, "the declarations were not found");
    tables
}

/// A function's name, its first line and its tokens.
struct Function(String, usize, Vec<Token>);

#[derive(Default)]
struct Functions(Vec<Function>);

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.0.push(Function(item.sig.ident.to_string(), item.sig.fn_token.span.start().line, tokens(item)));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.0.push(Function(item.sig.ident.to_string(), item.sig.fn_token.span.start().line, tokens(item)));
        visit::visit_impl_item_fn(self, item);
    }
}

fn functions(source: &Source) -> Vec<Function> {
    let mut functions = Functions::default();
    source.items.iter().for_each(|item| functions.visit_item(item));
    functions.0
}

/// The declarations that calls of these methods name: `.change(&TABLE, …`.
fn named(tokens: &[Token], methods: &[&str]) -> Vec<String> {
    let calls = tokens.windows(3).enumerate().filter(|(_, w)| {
        w[0].is(".") && w[1].word().is_some_and(|word| methods.contains(&word)) && w[2].kind == Kind::Open('(')
    });
    let name = |from: usize| {
        let path = tokens[from + 3..].iter().take_while(|token| !token.is(","));
        path.filter_map(Token::word).last().unwrap_or_default().to_owned()
    };
    calls.map(|(at, _)| name(at)).collect()
}

fn texts(tokens: &[Token]) -> impl Iterator<Item = (usize, &str)> {
    tokens.iter().filter_map(|token| match &token.kind {
        Kind::Text(text) => Some((token.line, text.as_str())),
        _ => None,
    })
}

#[test]
fn who_writes_to_a_kept_table_names_it() {
    let sources: Vec<Source> = sources().into_iter().filter(|source| source.floor == "store").collect();
    let tables = declared(&sources);
    let mut wrong = vec![];
    for source in &sources {
        let mut in_functions = 0;
        for Function(name, line, tokens) in functions(source) {
            let mut written: Vec<String> = texts(&tokens).flat_map(|(_, text)| written(text)).collect();
            written.retain(|table| tables.values().any(|kept| kept == table));
            in_functions += written.len();
            let calls = named(&tokens, &[CHANGES, TOUCHES].concat());
            let mut named: Vec<String> = calls.iter().filter_map(|name| tables.get(name)).cloned().collect();
            written.sort();
            named.sort();
            if written != named {
                wrong.push(format!("src/{}:{line}: `{name}` writes to {written:?} and names {named:?}", source.name));
            }
        }
        let all = source.texts().flat_map(|(_, text)| written(text));
        let all = all.filter(|table| tables.values().any(|kept| kept == table)).count();
        if all != in_functions {
            wrong.push(format!(
                "src/{}: a statement that writes to a kept table stands outside of a function",
                source.name
            ));
        }
    }
    complain(wrong);
}

#[test]
fn who_touches_a_kept_table_and_changes_nothing_is_known() {
    let mut seen = vec![];
    for source in sources().iter().filter(|source| source.floor == "store") {
        let room = source.name.trim_start_matches("store/");
        let touching =
            functions(source).into_iter().filter(|Function(_, _, tokens)| !named(tokens, TOUCHES).is_empty());
        seen.extend(touching.map(|Function(name, ..)| format!("{room} {name}")));
    }
    let unknown = seen.iter().filter(|name| !TOUCHING.iter().any(|(known, _)| known == name));
    let mut wrong: Vec<String> =
        unknown.map(|name| format!("{name} touches a kept table: is nothing of it kept?")).collect();
    let gone = TOUCHING.iter().filter(|(known, _)| !seen.iter().any(|name| name == known));
    wrong.extend(gone.map(|(name, _)| format!("{name} touches no kept table any more: take it out of the list")));
    complain(wrong);
}

#[test]
fn tables_are_written_by_a_list_in_few_rooms() {
    let sources: Vec<Source> = sources().into_iter().filter(|source| source.floor == "store").collect();
    let tables = declared(&sources);
    let mut wrong = vec![];
    for source in &sources {
        let room = source.name.trim_start_matches("store/");
        if BY_LIST.iter().any(|(known, _)| *known == room) {
            continue;
        }
        for (line, text) in source.texts() {
            if written(text).iter().any(|table| table.starts_with('{') && !table.starts_with("{{")) {
                wrong.push(format!("src/{}:{line}: writes to a table that no text names", source.name));
            }
        }
        let declares =
            |item: &&Item| !matches!(item, Item::Const(item) if tables.contains_key(&item.ident.to_string()));
        for item in source.items.iter().filter(declares) {
            for (line, text) in texts(&tokens(item)).filter(|(_, text)| tables.values().any(|table| table == text)) {
                wrong.push(format!("src/{}:{line}: `{text}` is kept, and not named by its declaration", source.name));
            }
        }
    }
    complain(wrong);
}
