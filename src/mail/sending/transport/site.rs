//! The site that a mail goes to: the mail host, or the provider where one gives each customer a host name of its own. Domains
//! that share a site share its limits.

/// Providers whose mail hosts are many names of one system.
const PROVIDERS: [&str; 9] = [
    "google.com",
    "googlemail.com",
    "protection.outlook.com",
    "mx.microsoft",
    "yahoodns.net",
    "pphosted.com",
    "mimecast.com",
    "messagelabs.com",
    "icloud.com",
];

/// The site of a domain whose mail hosts are these, best first. Hosts of one preference come in random order, so the
/// choice must not depend on it: the first by name.
pub(super) fn of(hosts: &[String]) -> String {
    let host = hosts.iter().min().map(|host| host.to_ascii_lowercase()).unwrap_or_default();
    let inside =
        |provider: &&&str| host.strip_suffix(**provider).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    PROVIDERS.iter().find(inside).map_or(host.clone(), |provider| (*provider).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_of_a_provider_share_a_site_and_others_do_not() {
        let site = |hosts: &[&str]| of(&hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>());
        assert_eq!(site(&["a-com.mail.protection.outlook.com"]), site(&["b-org.mail.protection.OUTLOOK.com"]));
        assert_eq!(site(&["alt1.aspmx.l.google.com", "aspmx.l.google.com"]), "google.com");
        assert_eq!(site(&["b.example", "a.example"]), site(&["a.example", "b.example"]));
        assert_ne!(site(&["mx.notgoogle.com"]), "google.com");
        assert_ne!(site(&["mx.a.example"]), site(&["mx.b.example"]));
    }
}
