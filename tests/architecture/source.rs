//! The sources, read as the compiler reads them: tokens without comments and without what is compiled for tests only.
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item};

/// A word, a sign or a literal, and the line where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// From 1.
    pub line: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word(String),
    /// `::`, `.` and their like, each character apart but for `::`.
    Sign(String),
    /// The text within the quotes.
    Text(String),
    Other,
    Open(char),
    Close(char),
}

impl Token {
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(crate) fn is(&self, sign: &str) -> bool {
        matches!(&self.kind, Kind::Sign(there) if there == sign)
    }
}

pub(crate) struct Source {
    /// Path below `src`.
    pub name: String,
    /// The first part of the path: the floor.
    pub floor: String,
    pub text: String,
    /// What is compiled when no test is.
    pub items: Vec<Item>,
    /// Its tokens.
    pub tokens: Vec<Token>,
}

impl Source {
    fn of(name: String, text: String) -> Self {
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_tests = name.ends_with("tests.rs");
        let items: Vec<Item> =
            file.items.into_iter().filter(|item| !is_tests && !is_for_tests(attributes(item))).collect();
        let tokens = flat(items.iter().map(ToTokens::to_token_stream).collect());
        let floor = name.split(['/', '.']).next().unwrap_or_default().to_owned();
        Self { name, floor, text, items, tokens }
    }

    /// The path of the module, such as `mail::sending`.
    pub(crate) fn module(&self) -> String {
        self.name.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::")
    }

    /// Complains about each place where the words of `path`, joined by `::`, `.` or nothing, stand one after the other.
    pub(crate) fn places_of(&self, path: &[&str], why: &str) -> Vec<String> {
        let signs = |token: &&Token| !token.is("::") && !token.is(".");
        let plain: Vec<&Token> = self.tokens.iter().filter(signs).collect();
        let found = plain.windows(path.len()).filter(|w| w.iter().zip(path).all(|(t, word)| t.word() == Some(*word)));
        found.map(|w| format!("src/{}:{}: {why}: {}", self.name, w[0].line, path.join("::"))).collect()
    }

    /// The literal texts, and the line of each.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (usize, &str)> {
        self.tokens.iter().filter_map(|token| match &token.kind {
            Kind::Text(text) => Some((token.line, text.as_str())),
            _ => None,
        })
    }
}

/// All sources below `src`.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = vec![];
    files(&root, &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "the sources were not found");
    let name = |path: &Path| path.strip_prefix(&root).expect("below src").display().to_string();
    paths.into_iter().map(|path| Source::of(name(&path), fs::read_to_string(&path).expect("readable"))).collect()
}

/// The words in the files of a folder beside `src`.
pub(crate) fn words_of(folder: &str) -> Vec<String> {
    let mut paths = vec![];
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut paths);
    let read = |path: PathBuf| flat(fs::read_to_string(path).expect("readable").parse().expect("tokens"));
    paths.into_iter().flat_map(read).filter_map(|token| token.word().map(str::to_owned)).collect()
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether it is compiled for tests only.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.meta.to_token_stream().to_string().contains("test")
    })
}

/// The tokens of a part of a file, in a row, without documentation.
pub(crate) fn tokens(part: &impl ToTokens) -> Vec<Token> {
    flat(part.to_token_stream())
}

/// Tokens in a row, without documentation.
fn flat(stream: TokenStream) -> Vec<Token> {
    let mut out = vec![];
    push(stream, &mut out);
    out
}

fn push(stream: TokenStream, out: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        let line = trees[at].span().start().line;
        match &trees[at] {
            TokenTree::Punct(sign) if sign.as_char() == '#' && is_doc(trees.get(at + 1)) => at += 1,
            TokenTree::Punct(sign) => {
                let double = sign.as_char() == ':'
                    && sign.spacing() == Spacing::Joint
                    && matches!(trees.get(at + 1), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                at += usize::from(double);
                let text = if double { "::".to_owned() } else { sign.as_char().to_string() };
                out.push(Token { line, kind: Kind::Sign(text) });
            }
            TokenTree::Ident(word) => out.push(Token { line, kind: Kind::Word(word.to_string()) }),
            TokenTree::Literal(literal) => {
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string()).map(|text| Kind::Text(text.value()));
                out.push(Token { line, kind: text.unwrap_or(Kind::Other) });
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ('(', ')'),
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::None => (' ', ' '),
                };
                out.push(Token { line, kind: Kind::Open(open) });
                push(group.stream(), out);
                out.push(Token { line: group.span_close().start().line, kind: Kind::Close(close) });
            }
        }
        at += 1;
    }
}

fn is_doc(tree: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(group)) = tree else { return false };
    matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(word)) if word == "doc")
}
