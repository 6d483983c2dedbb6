//! An identity's name: a domain or an address, in lower case.
use crate::base::{Domain, EmailAddress};
use crate::mail::identity::Error;
use crate::store::identities::IdentityKind;

/// The name of an identity, checked and in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityName {
    /// A single address.
    Address(EmailAddress),
    /// A domain with everything under it.
    Domain(Domain),
}

impl IdentityName {
    /// Reads a name: with an `@` it is an address.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Name(text.chars().take(320).collect());
        if text.contains('@') {
            let address: EmailAddress = text.parse().map_err(|_| wrong())?;
            return address.folded().parse().map(Self::Address).map_err(|_| wrong());
        }
        let domain: Domain = text.parse().map_err(|_| wrong())?;
        // A name without a dot is no domain that mail on the Internet could come from, but for a machine of one's own.
        if domain.as_str().contains('.') || domain.as_str() == "localhost" {
            Ok(Self::Domain(domain))
        } else {
            Err(wrong())
        }
    }

    /// The form in which the store has `text`; what is no name has none there, and is not found in any.
    pub fn folded(text: &str) -> String {
        Self::parse(text).map_or_else(|_| text.to_owned(), |name| name.as_str().to_owned())
    }

    /// The name as it stands in the store.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Address(address) => address.as_str(),
            Self::Domain(domain) => domain.as_str(),
        }
    }

    /// What kind of identity it names.
    pub fn kind(&self) -> IdentityKind {
        match self {
            Self::Address(_) => IdentityKind::EmailAddress,
            Self::Domain(_) => IdentityKind::Domain,
        }
    }

    /// The names of the identities that cover an address, nearest first: itself, its domain, the domains above.
    pub fn covering(address: &EmailAddress) -> Vec<String> {
        let local = address.local_part().to_ascii_lowercase();
        let forms = address.domain().forms();
        let mut names: Vec<String> = forms.iter().map(|domain| format!("{local}@{domain}")).collect();
        // Nearest first, whatever its form.
        let mut above: Vec<String> = forms.iter().flat_map(Domain::and_parents).map(str::to_owned).collect();
        above.sort_by_key(|name| std::cmp::Reverse(name.matches('.').count()));
        above.dedup();
        names.extend(above);
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_addresses_or_domains_in_lower_case() {
        assert_eq!(IdentityName::parse("Ann@Example.com").expect("good").as_str(), "ann@example.com");
        assert_eq!(IdentityName::parse("Example.COM").expect("good").kind(), IdentityKind::Domain);
        for bad in ["", "nodot", "a b.example", "@x.example", "a@", "Ann <a@b.example>", "x.example\r\n"] {
            assert!(IdentityName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_letter_becomes_another() {
        let kelvin = "\u{212a}im@x.example";
        assert_eq!(IdentityName::parse(kelvin).expect("good").as_str(), kelvin);
        assert_ne!(IdentityName::covering(&kelvin.parse().expect("good"))[0], "kim@x.example");
        assert_eq!(IdentityName::folded("Ann@X.example."), "ann@x.example");
    }

    #[test]
    fn an_address_is_covered_by_itself_its_domain_and_those_above() {
        let address = "Ann@a.b.example".parse().expect("good");
        assert_eq!(IdentityName::covering(&address), ["ann@a.b.example", "a.b.example", "b.example"]);
        let address = "Ann@a.bücher.example".parse().expect("good");
        let names =
            ["ann@a.bücher.example", "ann@a.xn--bcher-kva.example", "a.bücher.example", "a.xn--bcher-kva.example"];
        let above = ["bücher.example", "xn--bcher-kva.example"];
        assert_eq!(IdentityName::covering(&address), [names.as_slice(), &above].concat());
    }
}
