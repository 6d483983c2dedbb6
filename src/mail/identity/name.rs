//! An identity's name: a domain or an address, in lower case.
use crate::base::{Domain, EmailAddress};
use crate::mail::identity::Error;

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
        let folded = text.to_lowercase();
        if folded.contains('@') {
            return folded.parse().map(Self::Address).map_err(|_| wrong());
        }
        let domain: Domain = folded.parse().map_err(|_| wrong())?;
        // A name without a dot is no domain that mail on the Internet could come from, but for a machine of one's own.
        if domain.as_str().contains('.') || domain.as_str() == "localhost" {
            Ok(Self::Domain(domain))
        } else {
            Err(wrong())
        }
    }

    /// The name as it stands in the store.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Address(address) => address.as_str(),
            Self::Domain(domain) => domain.as_str(),
        }
    }

    /// `EMAIL_ADDRESS` or `DOMAIN`, the words of SESv2's IdentityType.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "EMAIL_ADDRESS",
            Self::Domain(_) => "DOMAIN",
        }
    }

    /// The names of the identities that cover an address, nearest first: itself, its domain, the domains above.
    pub fn covering(address: &EmailAddress) -> Vec<String> {
        let mut names = vec![address.folded()];
        names.extend(address.domain().and_parents().map(str::to_owned));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_addresses_or_domains_in_lower_case() {
        assert_eq!(IdentityName::parse("Ann@Example.com").expect("good").as_str(), "ann@example.com");
        assert_eq!(IdentityName::parse("Example.COM").expect("good").kind(), "DOMAIN");
        for bad in ["", "nodot", "a b.example", "@x.example", "a@", "Ann <a@b.example>", "x.example\r\n"] {
            assert!(IdentityName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_covered_by_itself_its_domain_and_those_above() {
        let address = "Ann@a.b.example".parse().expect("good");
        assert_eq!(IdentityName::covering(&address), ["ann@a.b.example", "a.b.example", "b.example"]);
    }
}
