//! What is printed once the server takes work: where to reach it, what it works with, and what is not fit for production.
use std::fmt::Write;

use crate::access::RootKey;
use crate::app::certificate::SOON;
use crate::app::{App, steady};
use crate::base::{Clock, Timestamp};
use crate::config::{DatabaseFrom, Mode, Settings};

/// What is printed once the server takes work. `from` is what named the database.
pub fn greeting(settings: &Settings, app: &App, from: DatabaseFrom) -> String {
    let a = app.addresses();
    // What a program on this machine writes down: nobody connects to 0.0.0.0.
    let here = if a.http.ip().is_unspecified() { format!("127.0.0.1:{}", a.http.port()) } else { a.http.to_string() };
    let endpoint = format!("http://{here}");
    let mut text = String::new();
    let dev = settings.mode == Mode::Dev;
    let kind = if dev { "dev: any credentials, identities verify at once" } else { "serve" };
    let mail = if app.parts().captures { "mail is captured, nothing is sent" } else { "mail is delivered" };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "Postrider {} ({kind}; {mail})", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "  endpoint    {endpoint}  (SES, SNS, SQS, STS)");
    let ports = [(a.smtp, "in"), (a.submission, "submission (STARTTLS)"), (a.submissions, "submission (TLS)")];
    let ports: Vec<_> = ports.iter().filter_map(|(at, what)| Some(format!("{} {what}", (*at)?))).collect();
    let _ = writeln!(text, "  smtp        {}", if ports.is_empty() { "none".to_owned() } else { ports.join(", ") });
    if let Some(capture) = a.capture_smtp {
        let _ = writeln!(text, "  capture     smtp://{capture} takes any mail into the inbox");
    }
    if let Some(admin) = a.admin {
        let _ = writeln!(text, "  admin       http://{admin}/_postrider/health and /metrics");
    }
    if app.parts().inbox {
        let _ = writeln!(text, "  inbox       {endpoint}/_postrider/inbox");
    }
    let kept = if settings.dev.ephemeral { " (goes when the server stops)" } else { "" };
    let _ = writeln!(text, "  data        {}{kept}", settings.data_dir.display());
    let named = if from == DatabaseFrom::Bare { "  (DATABASE_URL)" } else { "" };
    let _ = writeln!(text, "  database    {}{named}", without_secrets(&settings.database_url));
    if let Some(why) = app.health().held() {
        let _ = writeln!(text, "warning: nothing is delivered, since {why}; `postrider admin release` ends that");
    }
    if steady::buckets_are_apart(settings, app.store(), &app.parts().objects) {
        text.push_str(
            "warning: buckets are folders of this node, where other nodes on the database would not find them \
             (--object-store, --objects-shared)\n",
        );
    }
    if dev {
        if settings.dev.any_address {
            text.push_str(
                "warning: whoever reaches these addresses uses this server without credentials (--any-address)\n",
            );
        }
        if from == DatabaseFrom::DefaultNotBare {
            text.push_str(
                "  not used    DATABASE_URL, which may be another program's: POSTRIDER_DATABASE_URL names Postrider's\n",
            );
        }
        let _ = writeln!(
            text,
            "try: AWS_ACCESS_KEY_ID=dev AWS_SECRET_ACCESS_KEY=dev AWS_DEFAULT_REGION=us-east-1 \\\n     aws --endpoint-url {endpoint} sqs create-queue --queue-name hello"
        );
        return text;
    }
    let until = app.certificate_until();
    works_with(&mut text, settings, app, until);
    for warning in warnings(settings, from, until, Clock::system().now()) {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

/// The settings that an operator looks for on the first bad night.
fn works_with(text: &mut String, settings: &Settings, app: &App, until: Option<Timestamp>) {
    let _ = writeln!(text, "  hostname    {}", settings.hostname);
    let _ = writeln!(text, "  delivery    {}", without_secrets(&settings.delivery));
    let bounces = settings.feedback.domain.as_ref().map_or("to senders themselves".to_owned(), ToString::to_string);
    let _ = writeln!(text, "  bounces     {bounces}");
    let links = settings.public_url.clone().unwrap_or_else(|| format!("http://{}", app.addresses().http));
    let _ = writeln!(text, "  links       {links}");
    let file = settings.tls.as_ref().map_or("self-signed".to_owned(), |(file, _)| file.display().to_string());
    let until = until.filter(|_| settings.tls.is_some());
    let end = until.map_or_else(String::new, |until| format!(", until {}", day(until)));
    let _ = writeln!(text, "  certificate {file}{end}");
    match app.root_key() {
        Some(RootKey::Written(path)) => {
            let _ = writeln!(text, "  root key    written to {} (AWS shared-credentials format)", path.display());
        }
        Some(RootKey::Given) => text.push_str("  root key    as given\n"),
        Some(RootKey::Kept) => {
            let file = settings.data_dir.join("credentials");
            let place =
                if file.exists() { format!("in {}", file.display()) } else { "as at the first start".to_owned() };
            let _ = writeln!(text, "  root key    {place}");
        }
        None => {}
    }
}

/// What works and is wrong for production.
fn warnings(settings: &Settings, from: DatabaseFrom, until: Option<Timestamp>, now: Timestamp) -> Vec<String> {
    let mut all = Vec::new();
    if !settings.hostname.as_str().contains('.') {
        let name = &settings.hostname;
        all.push(format!(
            "the hostname {name:?} has no dot: other mail servers refuse it (--hostname)",
            name = name.as_str()
        ));
    }
    if from == DatabaseFrom::Default {
        all.push("no database was named, so it is a SQLite file in the data directory (--database-url)".to_owned());
    }
    if settings.delivery == "capture" {
        all.push("mail is captured and goes nowhere (--delivery)".to_owned());
    }
    if settings.feedback.domain.is_none() {
        all.push("bounces go to the senders, so they are no events (--feedback-domain)".to_owned());
    }
    if settings.public_url.is_none() {
        let why =
            "links in mails and notifications lead to the http address, where others may not get to (--public-url)";
        all.push(why.to_owned());
    }
    if settings.tls.is_none() {
        let why =
            "the SMTP certificate is self-signed: programs that submit mail will not trust it (--tls-certificate)";
        all.push(why.to_owned());
    }
    match until {
        Some(until) if until <= now => all.push(format!("the SMTP certificate ended on {}", day(until))),
        Some(until) if until.since(now) < SOON => all.push(format!("the SMTP certificate ends on {}", day(until))),
        _ => {}
    }
    all
}

fn day(at: Timestamp) -> String {
    at.iso_millis().chars().take_while(|c| *c != 'T').collect()
}

/// A URL without the password in it, and without parameters, where one may stand as well.
pub(super) fn without_secrets(url: &str) -> String {
    let cut = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
    let Some((scheme, rest)) = url.split_once("://") else { return cut(url) };
    // The last @: a password may hold one, and a question mark too.
    let Some((user, host)) = rest.rsplit_once('@') else { return format!("{scheme}://{}", cut(rest)) };
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{}", cut(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Given;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn warned(given: Given, from: DatabaseFrom, until: Option<Timestamp>) -> Vec<String> {
        warnings(&Settings::resolve(Mode::Serve, given).expect("good settings"), from, until, NOW)
    }

    #[test]
    fn what_is_wrong_for_production_is_warned_of_and_nothing_else() {
        let all =
            Given { hostname: Some("localhost".to_owned()), delivery: Some("capture".to_owned()), ..Given::default() };
        let said = warned(all, DatabaseFrom::Default, None);
        for word in ["hostname \"localhost\"", "SQLite", "captured", "bounces", "--public-url", "self-signed"] {
            assert!(said.iter().any(|line| line.contains(word)), "{word}: {said:?}");
        }
        let good = || Given {
            hostname: Some("mx.example.com".to_owned()),
            public_url: Some("https://mail.example.com".to_owned()),
            tls_certificate: Some("a.pem".into()),
            tls_key: Some("a.key".into()),
            ..Given::default()
        };
        let late = NOW + SOON;
        assert_eq!(warned(good(), DatabaseFrom::Setting, Some(late)), Vec::<String>::new());
        for (end, word) in [(NOW + SOON / 2, "ends on 2027-01-22"), (NOW, "ended on 2027-01-15")] {
            let said = warned(good(), DatabaseFrom::Bare, Some(end));
            assert!(said.len() == 1 && said[0].contains(word), "{said:?}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("postgres://me:se@cret@db:5432/postrider?password=x", "postgres://me@db:5432/postrider"),
            ("postgres://db/postrider", "postgres://db/postrider"),
            ("relay://user:pass@host:587", "relay://user@host:587"),
            ("relay://user:pa?s#word@host:587", "relay://user@host:587"),
            ("postgres://db/postrider?password=x", "postgres://db/postrider"),
            ("sqlite:data/postrider.db", "sqlite:data/postrider.db"),
            ("mx", "mx"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
