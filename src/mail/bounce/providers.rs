//! Who a host belongs to: rules may be for one provider alone.

/// Providers by the end of their mail hosts' names, or of their reporting hosts'.
const HOSTS: &[(&str, &str)] = &[
    ("google", "google.com"),
    ("google", "googlemail.com"),
    ("google", "gmail.com"),
    ("microsoft", "outlook.com"),
    ("microsoft", "hotmail.com"),
    ("microsoft", "outlook.de"),
    ("microsoft", "live.com"),
    ("microsoft", "office365.us"),
    ("yahoo", "yahoodns.net"),
    ("yahoo", "yahoo.com"),
    ("yahoo", "aol.com"),
    ("yahoo-japan", "yahoo.co.jp"),
    ("apple", "icloud.com"),
    ("apple", "apple.com"),
    ("apple", "me.com"),
    ("comcast", "comcast.net"),
    ("united-internet", "gmx.net"),
    ("united-internet", "gmx.de"),
    ("united-internet", "web.de"),
    ("united-internet", "kundenserver.de"),
    ("united-internet", "1and1.com"),
    ("united-internet", "ionos.com"),
    ("t-online", "t-online.de"),
    ("orange", "orange.fr"),
    ("orange", "wanadoo.fr"),
    ("free", "free.fr"),
    ("free", "proxad.net"),
    ("sfr", "sfr.fr"),
    ("mail-ru", "mail.ru"),
    ("yandex", "yandex.ru"),
    ("yandex", "yandex.net"),
    ("docomo", "docomo.ne.jp"),
    ("kddi", "ezweb.ne.jp"),
    ("kddi", "au.com"),
    ("softbank", "softbank.jp"),
    ("softbank", "softbank.ne.jp"),
    ("softbank", "vodafone.ne.jp"),
    ("tencent", "qq.com"),
    ("netease", "163.com"),
    ("netease", "126.com"),
    ("netease", "netease.com"),
    ("naver", "naver.com"),
    ("daum", "daum.net"),
    ("daum", "hanmail.net"),
    ("daum", "kakao.com"),
    ("zoho", "zoho.com"),
    ("zoho", "zoho.eu"),
    ("barracuda", "barracudanetworks.com"),
    ("proofpoint", "pphosted.com"),
    ("proofpoint", "ppe-hosted.com"),
    ("mimecast", "mimecast.com"),
    ("cisco", "iphmx.com"),
    ("trend-micro", "trendmicro.com"),
    ("messagelabs", "messagelabs.com"),
    ("amazon", "amazonses.com"),
    ("amazon", "amazonaws.com"),
    ("amazon", "awsapps.com"),
    ("proton", "protonmail.ch"),
    ("fastmail", "messagingengine.com"),
    ("uol", "uol.com.br"),
    ("locaweb", "locaweb.com.br"),
];

/// The provider of a host, as rules name it. What stands before and after the name does not matter:
/// `dns; mx.x.example (192.0.2.1)`.
pub fn provider(host: &str) -> Option<&'static str> {
    let host = host.rsplit(';').next().unwrap_or_default().trim().trim_start_matches(['<', '[']);
    let host = host.split([' ', '(', '[', ':', '>', ']']).next().unwrap_or_default();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let of = |end: &str| host.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    HOSTS.iter().find(|(_, end)| of(end)).map(|(name, _)| *name)
}

/// Whether rules may name it.
pub(super) fn is_known(name: &str) -> bool {
    HOSTS.iter().any(|(known, _)| *known == name)
}

/// A host of the provider, for rules' examples.
pub(super) fn host_of(name: &str) -> Option<&'static str> {
    HOSTS.iter().find(|(known, _)| *known == name).map(|(_, host)| *host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_by_their_ends() {
        for (host, name) in [
            ("gmail-smtp-in.l.google.com", Some("google")),
            ("dns; GMAIL-SMTP-IN.L.GOOGLE.COM. (192.0.2.1, the server)", Some("google")),
            ("mx.notgoogle.com", None),
            ("x-com.mail.protection.outlook.com:25", Some("microsoft")),
            ("", None),
        ] {
            assert_eq!(provider(host), name, "{host}");
        }
    }
}
