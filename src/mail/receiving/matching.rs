//! Which rules are for a recipient. Pure: rules and addresses in, a decision out.
use std::collections::{BTreeSet, HashMap};

use crate::base::{Domain, EmailAddress};
use crate::mail::receiving::rules::{Rule, TlsPolicy};

/// Whether the rule is used for mail to `recipient`, an address of a verified domain.
pub fn matches(rule: &Rule, recipient: &EmailAddress, tls: bool) -> bool {
    rule.enabled
        && (tls || rule.tls == TlsPolicy::Optional)
        && (rule.recipients.is_empty() || rule.recipients.iter().any(|pattern| covers(pattern, recipient)))
}

/// The recipients of a mail, by all patterns that cover one. A set of rules may have 20,000 patterns, and a mail 100
/// recipients: they are not compared one by one.
pub struct Addressed<'a> {
    all: &'a [EmailAddress],
    covered: HashMap<String, Vec<usize>>,
}

impl<'a> Addressed<'a> {
    /// Those of one mail.
    pub fn new(all: &'a [EmailAddress]) -> Self {
        let mut covered: HashMap<String, Vec<usize>> = HashMap::new();
        for (n, address) in all.iter().enumerate() {
            for pattern in patterns(address) {
                covered.entry(pattern).or_default().push(n);
            }
        }
        Self { all, covered }
    }

    /// The recipients that the rule is for, in their order.
    pub fn matched(&self, rule: &Rule, tls: bool) -> Vec<&'a EmailAddress> {
        if !rule.enabled || !(tls || rule.tls == TlsPolicy::Optional) {
            return Vec::new();
        }
        if rule.recipients.is_empty() {
            return self.all.iter().collect();
        }
        let covered = rule.recipients.iter().filter_map(|pattern| self.covered.get(&pattern.to_lowercase()));
        let places: BTreeSet<usize> = covered.flatten().copied().collect();
        places.into_iter().filter_map(|n| self.all.get(n)).collect()
    }
}

/// All patterns that cover an address, in lower case. A domain has two forms where it has letters outside ASCII; either may
/// stand in a rule.
fn patterns(address: &EmailAddress) -> Vec<String> {
    let local = address.local_part().to_lowercase();
    let mut all: Vec<String> =
        address.domain().forms().iter().flat_map(|domain| of_domain(&local, domain.as_str())).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn of_domain(local: &str, domain: &str) -> Vec<String> {
    let parents = domain.match_indices('.').filter(|(at, _)| *at > 0).filter_map(|(at, _)| domain.get(at..));
    let mut all: Vec<String> = parents.map(str::to_owned).collect();
    all.push(domain.to_owned());
    if let Some((base, _)) = local.split_once('+').filter(|(base, _)| !base.starts_with('"')) {
        all.push(format!("{base}@{domain}"));
    }
    all.push(format!("{local}@{domain}"));
    all
}

/// Whether a pattern of a rule covers an address. `user@domain` is that address, and the address with a label
/// (`user+label@domain`); `domain` is every address of that domain and not of its subdomains; `.domain` is every
/// address of its subdomains and not of the domain itself. All without regard to case, and to the form of the domain.
pub fn covers(pattern: &str, address: &EmailAddress) -> bool {
    address.domain().forms().iter().any(|domain| covers_in(pattern, address, domain))
}

fn covers_in(pattern: &str, address: &EmailAddress, domain: &Domain) -> bool {
    if let Some(parent) = pattern.strip_prefix('.') {
        let parent = parent.to_lowercase();
        return domain.as_str().strip_suffix(parent.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
    }
    let Some((local, pattern_domain)) = pattern.rsplit_once('@') else {
        return pattern.to_lowercase() == domain.as_str();
    };
    if pattern_domain.to_lowercase() != domain.as_str() {
        return false;
    }
    let (local, ours) = (local.to_lowercase(), address.local_part().to_lowercase());
    local == ours || ours.split_once('+').is_some_and(|(base, _)| base == local && !base.starts_with('"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> EmailAddress {
        text.parse().expect("an address")
    }

    fn rule(recipients: &[&str]) -> Rule {
        Rule {
            name: "r".to_owned(),
            enabled: true,
            tls: TlsPolicy::Optional,
            recipients: recipients.iter().map(|&text| text.to_owned()).collect(),
            scan: false,
            actions: vec![],
        }
    }

    #[test]
    fn patterns_cover_what_ses_says() {
        for (pattern, recipient, covered) in [
            ("ann@x.example", "ann@x.example", true),
            ("Ann@X.example", "aNN@x.EXAMPLE", true),
            ("ann@x.example", "ann+news@x.example", true),
            ("ann+news@x.example", "ann+news@x.example", true),
            ("ann+news@x.example", "ann@x.example", false),
            ("ann@x.example", "bob@x.example", false),
            ("ann@x.example", "ann@sub.x.example", false),
            ("x.example", "any.one@x.example", true),
            ("x.example", "ann@sub.x.example", false),
            ("x.example", "ann@notx.example", false),
            (".x.example", "ann@sub.x.example", true),
            (".x.example", "ann@a.b.x.example", true),
            (".x.example", "ann@x.example", false),
            (".x.example", "ann@notx.example", false),
            ("xn--bcher-kva.example", "ann@bücher.example", true),
            ("ann@bücher.example", "ann+x@xn--bcher-kva.example", true),
            (".bücher.example", "ann@a.xn--bcher-kva.example", true),
            ("bücher.example", "ann@xn--bchr-kva.example", false),
        ] {
            assert_eq!(covers(pattern, &address(recipient)), covered, "{pattern} {recipient}");
        }
    }

    #[test]
    fn disabled_rules_and_missing_tls_do_not_match() {
        let ann = address("ann@x.example");
        assert!(matches(&rule(&[]), &ann, false));
        assert!(!matches(&Rule { enabled: false, ..rule(&[]) }, &ann, true));
        let secure = Rule { tls: TlsPolicy::Require, ..rule(&["x.example"]) };
        assert!(matches(&secure, &ann, true) && !matches(&secure, &ann, false));
        let both = [address("bob@y.example"), ann.clone()];
        assert_eq!(Addressed::new(&both).matched(&rule(&["x.example"]), false), [&ann]);
    }

    proptest! {
        /// Asked together, recipients match as they do one by one.
        #[test]
        fn many_recipients_match_as_each_does(
            recipients in proptest::collection::vec("[ab]{1,2}(\\+[ab])?@([ab]\\.){0,2}example", 0..8),
            named in proptest::collection::vec("(([aB]{1,2}(\\+[ab])?@)|\\.)?([Ab]\\.){0,2}example", 0..4),
            enabled: bool, tls: bool, secure: bool,
        ) {
            let all: Vec<EmailAddress> = recipients.iter().map(|text| address(text)).collect();
            let policy = if secure { TlsPolicy::Require } else { TlsPolicy::Optional };
            let rule = Rule { enabled, tls: policy, recipients: named, ..rule(&[]) };
            let each: Vec<&EmailAddress> = all.iter().filter(|one| matches(&rule, one, tls)).collect();
            prop_assert_eq!(Addressed::new(&all).matched(&rule, tls), each);
        }

        #[test]
        fn an_address_is_covered_by_itself_its_domain_and_its_label(
            local in "[a-z0-9]{1,8}", label in "[a-z0-9]{0,5}", domain in "[a-z]{1,6}\\.[a-z]{2,4}", sub in "[a-z]{1,5}"
        ) {
            let plain = format!("{local}@{domain}");
            prop_assert!(covers(&plain, &address(&plain)));
            let labelled = address(&format!("{local}+{label}@{domain}"));
            prop_assert!(covers(&plain.to_uppercase(), &labelled));
            prop_assert!(covers(&domain, &address(&plain)));
            let below = address(&format!("{local}@{sub}.{domain}"));
            let subdomains = format!(".{domain}");
            prop_assert!(covers(&subdomains, &below));
            prop_assert!(!covers(&domain, &below));
            prop_assert!(!covers(&plain, &below));
        }

        #[test]
        fn any_pattern_is_judged_without_trouble(pattern in ".{0,40}") {
            let _ = covers(&pattern, &address("ann@x.example"));
        }
    }
}
