//! The scan of a text: everything that is to be found in it, each kind in one walk.
use std::collections::{BTreeMap, BTreeSet};

use crate::topics::protection::keywords::Keywords;
use crate::topics::protection::layers::{DEEP, Layers};
use crate::topics::protection::numbers::Numbers;
use crate::topics::protection::{Identifier, addresses, bank, card, cells, national, phone, secrets};

/// Where something was found: octets of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundAt {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// For a value of JSON that is no string: in how many strings of JSON it stands. A string has to take its place.
    pub bare: Option<usize>,
}

/// What was found: where each is, in order. Those of one kind do not overlap. What goes over several strings of JSON is in each
/// of them. A kind of which there is nothing is not there.
pub(crate) type Findings = BTreeMap<Identifier, Vec<FoundAt>>;

/// What was found in a layer, by its place in the source.
struct Seen {
    identifier: Identifier,
    layer: usize,
    start: usize,
    end: usize,
    /// Whether it goes to the end of the text, where nothing ended it before.
    endless: bool,
    /// Whether it began in a cell before.
    begun: bool,
}

/// How many octets a scan looks at for each kind.
pub(crate) fn weight(text: &str) -> usize {
    text.len().saturating_mul(if text.contains('\\') { 1 + DEEP } else { 1 })
}

/// Finds what is wanted. Escapes of JSON are the characters they stand for; what is found are whole ones. The time is that of
/// the text's [`weight`], for each kind.
pub(crate) fn scan(text: &str, wanted: &BTreeSet<Identifier>) -> Findings {
    let layers = Layers::of(text);
    // Who reads JSON sees no escape. Any other text may be read in both ways.
    let first = if cells::is_json(text) { layers.last().min(1) } else { 0 };
    let mut seen = Vec::new();
    for layer in first..=layers.last() {
        let text = layers.text(layer);
        let numbers = Numbers::of(text);
        for identifier in wanted {
            seen.extend(find(text, &numbers, *identifier).into_iter().map(|range| {
                let (start, end) = layers.whole_in_source(layer, range);
                Seen { identifier: *identifier, layer, start, end, endless: range.1 == text.len(), begun: false }
            }));
        }
    }
    seen.sort_by_key(|one| one.start);
    placed(&layers, seen)
}

/// Puts what was seen where the text may be changed.
fn placed(layers: &Layers<'_>, seen: Vec<Seen>) -> Findings {
    let mut findings = Findings::new();
    if seen.is_empty() {
        return findings;
    }
    let (mut waiting, mut open) = (seen.into_iter().peekable(), Vec::new());
    cells::each(layers, &mut |cell| {
        while let Some(one) = waiting.next_if(|one| one.start < cell.end) {
            open.push(one);
        }
        open.retain_mut(|one: &mut Seen| {
            // What is seen only while escapes are not read is not what stands here.
            if one.end <= cell.start || (!one.begun && one.layer < cell.layer) {
                return false;
            }
            // Numbers between the lines of a key are none of it.
            if cell.bare.is_none() || !one.begun {
                let place = match cell.bare {
                    Some(_) => FoundAt { start: cell.start, end: cell.end, bare: cell.bare },
                    None => FoundAt { start: one.start.max(cell.start), end: one.end.min(cell.end), bare: None },
                };
                add(findings.entry(one.identifier).or_default(), place);
            }
            one.begun = true;
            one.end > cell.end && !one.endless
        });
    });
    findings
}

/// Adds a place behind others, or to the last one where they overlap.
fn add(places: &mut Vec<FoundAt>, place: FoundAt) {
    match places.last_mut() {
        Some(last) if place.start < last.end => last.end = last.end.max(place.end),
        _ if place.start < place.end => places.push(place),
        _ => {}
    }
}

fn find(text: &str, numbers: &Numbers<'_>, identifier: Identifier) -> Vec<(usize, usize)> {
    let words = || Keywords::of(text, identifier.keywords());
    match identifier {
        Identifier::EmailAddress => addresses::mail(text),
        Identifier::IpAddress => addresses::ip(text),
        Identifier::CreditCardNumber => card::find(numbers, &words()),
        Identifier::PhoneNumber => phone::find(numbers, &words(), None),
        Identifier::PhoneNumberOf(country) => phone::find(numbers, &words(), Some(country)),
        Identifier::SsnUs => national::ssn_us(numbers, &words()),
        Identifier::BankAccountNumber(country, length) => bank::find(text, &words(), country, length),
        Identifier::CpfCodeBr => national::cpf_br(numbers, &words()),
        Identifier::CnpjBr => national::cnpj_br(numbers, &words()),
        Identifier::SocialInsuranceNumberCa => national::sin_ca(numbers, &words()),
        Identifier::AwsSecretKey => secrets::aws(text, &words()),
        Identifier::OpenSshPrivateKey => secrets::openssh(text),
        Identifier::PgpPrivateKey => secrets::pgp(text),
        Identifier::PkcsPrivateKey => secrets::pkcs(text),
        Identifier::PuttyPrivateKey => secrets::putty(text),
    }
}
