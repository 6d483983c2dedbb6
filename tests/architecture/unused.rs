//! Everything is used: what stands in the library is reached from another place of it, or from the program. A test is no use.
use std::collections::HashMap;

use syn::{ImplItem, Item};

use crate::complain;
use crate::source::{Source, attributes, is_for_tests, sources, words_of};

/// The names of functions, constants and types that a source makes, and the line of each.
fn made(items: &[Item], out: &mut Vec<(usize, String)>) {
    for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
        let name = match item {
            Item::Fn(item) => &item.sig.ident,
            Item::Const(item) => &item.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Mod(item) => {
                if let Some((_, items)) = &item.content {
                    made(items, out);
                }
                continue;
            }
            Item::Impl(item) if item.trait_.is_none() => {
                for inner in &item.items {
                    match inner {
                        ImplItem::Fn(inner) if !is_for_tests(&inner.attrs) => {
                            out.push((inner.sig.ident.span().start().line, inner.sig.ident.to_string()));
                        }
                        ImplItem::Const(inner) => out.push((inner.ident.span().start().line, inner.ident.to_string())),
                        _ => {}
                    }
                }
                continue;
            }
            _ => continue,
        };
        out.push((name.span().start().line, name.to_string()));
    }
}

/// What something else finds by its name or its attribute.
const FOUND_ELSEWHERE: &[&str] = &["main", "ALLOCATOR"];

/// What only a test opens, and why the test cannot do without.
const DOORS_OF_TESTS: &[(&str, &str)] = &[
    ("check_pending", "a round of looks at the DNS, at the time that the test chooses"),
    ("emptied_tables", "that a reset forgets no table"),
    ("settings_generation", "that nothing which nobody keeps makes anything stale"),
    ("skewed", "the clock of a machine that is wrong"),
    ("with_in_flight_max", "120,000 messages in flight take minutes to make"),
    ("with_limits", "a hundred thousand topics take minutes to make"),
    ("with_scanner", "there is no scanner yet, and what is done with its verdicts is there"),
];

#[test]
fn everything_is_used() {
    let sources = sources();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for word in sources.iter().flat_map(|source| source.tokens.iter().filter_map(|token| token.word())) {
        *times.entry(word).or_default() += 1;
    }
    let texts: Vec<String> = sources.iter().flat_map(Source::texts).flat_map(|(_, text)| named_in(text)).collect();
    for word in &texts {
        *times.entry(word).or_default() += 1;
    }
    // Re-exports say a name once more without a use.
    for word in sources.iter().flat_map(doors) {
        *times.entry(word).or_default() -= 1;
    }
    let benches: Vec<String> = words_of("benches").into_iter().chain(words_of("fuzz/fuzz_targets")).collect();
    let mut wrong = vec![];
    for source in &sources {
        let mut names = vec![];
        made(&source.items, &mut names);
        for (line, name) in names {
            let known =
                FOUND_ELSEWHERE.contains(&name.as_str()) || DOORS_OF_TESTS.iter().any(|(door, _)| *door == name);
            if !known && times.get(name.as_str()).is_some_and(|n| *n < 2) && !benches.contains(&name) {
                wrong.push(format!("src/{}:{line}: nothing uses `{name}`", source.name));
            }
        }
    }
    complain(wrong);
}

/// The names that a text to be formatted puts in (`{NAME}`), and the last word of a path.
fn named_in(text: &str) -> Vec<String> {
    let named = text.split('{').skip(1).map(|rest| rest.split(['}', ':']).next().unwrap_or_default().to_owned());
    // serde names functions by their paths.
    let path = text.rsplit_once("::").filter(|_| !text.contains(' ')).map(|(_, name)| name.to_owned());
    named.chain(path).filter(|name| !name.is_empty()).collect()
}

/// The words of `pub use`.
fn doors(source: &Source) -> impl Iterator<Item = &str> {
    let mut out = vec![];
    let tokens = &source.tokens;
    for at in 1..tokens.len() {
        let after_pub =
            tokens[at - 1].word() == Some("pub") || matches!(tokens[at - 1].kind, crate::source::Kind::Close(')'));
        if tokens[at].word() == Some("use") && after_pub {
            let end = tokens[at..].iter().position(|token| token.is(";")).map_or(tokens.len(), |n| at + n);
            // Under another name it is that one which is used.
            let renamed = |n: usize| tokens.get(n + 1).and_then(|token| token.word()) == Some("as");
            out.extend((at..end).filter(|n| !renamed(*n)).filter_map(|n| tokens[n].word()));
        }
    }
    out.into_iter().filter(|word| *word != "use")
}
