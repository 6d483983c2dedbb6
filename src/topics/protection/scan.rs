//! The scan of a text: everything that is to be found in it, each kind in one walk.
use std::collections::{BTreeMap, BTreeSet};

use crate::topics::protection::keywords::Keywords;
use crate::topics::protection::numbers::Numbers;
use crate::topics::protection::{Identifier, addresses, bank, card, national, phone, secrets};

/// What was found: where each begins and ends, in octets and in order. Those of one kind do not overlap. A kind of which there
/// is nothing is not there.
pub type Findings = BTreeMap<Identifier, Vec<(usize, usize)>>;

/// Finds what is wanted. The time is that of the text's length, for each kind.
pub fn scan(text: &str, wanted: &BTreeSet<Identifier>) -> Findings {
    let numbers = Numbers::of(text);
    let found = wanted.iter().map(|identifier| (*identifier, find(text, &numbers, *identifier)));
    found.filter(|(_, found)| !found.is_empty()).collect()
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
