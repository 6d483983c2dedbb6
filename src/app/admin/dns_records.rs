//! The DNS records that a domain identity or the server needs, as lines; whether they are there; and the change of keys.
use crate::app::admin::{Admin, AdminError};
use crate::base::{Clock, Scope, Timestamp};
use crate::config::Settings;
use crate::mail::identity::Found;
use crate::mail::published::zone::{line, quoted};
use crate::mail::published::{self, CheckedRecord, DnsRecord, Need, Purpose, Server, State, check, server_records};
use crate::mail::resolver::Dns;
use crate::store::identities::{Identity, IdentityKind};

/// How records are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// For a zone file.
    Zone,
}

/// A record, and what stands in the DNS where that was looked up.
type Listed = (DnsRecord, Option<State>);

impl Admin {
    /// The DNS records that prove a domain identity and let receivers check its signatures; with `look`, whether each is there,
    /// and how the identity stands.
    ///
    /// # Errors
    /// When the store fails, or there is no such identity. [`AdminError::Lacking`], when a required record is not there.
    pub async fn dns_records(
        &self,
        scope: &Scope,
        domain: &str,
        form: Form,
        look: bool,
    ) -> Result<Vec<String>, AdminError> {
        let found = self.identities.get(&scope.account, &scope.region, domain).await?;
        if found.identity.kind != IdentityKind::Domain {
            return Err(AdminError::NoIdentity(domain.to_owned()));
        }
        let mut records = self.records(&found);
        records.extend(published::recommended_records(&found, &self.server.hostname));
        if !look {
            return Ok(lines(unchecked(records), form));
        }
        let checked = check(&self.dns, &self.clock, &self.server, records).await;
        done(standing(&found.identity), checked, form)
    }

    /// Begins to change a domain's DKIM key, and gives the records to set now.
    ///
    /// # Errors
    /// When there is no such domain, or its key is the owner's.
    pub async fn rotate_dkim(&self, scope: &Scope, domain: &str) -> Result<Vec<String>, AdminError> {
        let found = self.identities.rotate(&scope.account, &scope.region, domain).await?;
        Ok(lines(unchecked(self.records(&found)), Form::Text))
    }

    /// Adds an Ed25519 key to a domain, or takes it away, and gives the records to set now.
    ///
    /// # Errors
    /// When there is no such domain.
    pub async fn dkim_ed25519(&self, scope: &Scope, domain: &str, on: bool) -> Result<Vec<String>, AdminError> {
        let found = self.identities.set_ed25519(&scope.account, &scope.region, domain, on).await?;
        Ok(lines(unchecked(self.records(&found)), Form::Text))
    }

    fn records(&self, found: &Found) -> Vec<DnsRecord> {
        published::dns_records(found, self.identities.dkim_zone(), &self.server.hostname)
    }
}

/// The DNS records that the server itself needs; with `look`, whether each is there. It needs no store: records are set before the
/// first start.
///
/// # Errors
/// [`AdminError::Settings`], when the server's name is none that the DNS could have; [`AdminError::Lacking`].
pub async fn server_dns_records(settings: &Settings, form: Form, look: bool) -> Result<Vec<String>, AdminError> {
    let server = Server::from_settings(settings);
    let hostname = &server.hostname;
    if !hostname.contains('.') {
        let line = format!("hostname {hostname} has no dot, so it is nobody's in the DNS; set hostname");
        return Err(AdminError::Settings(line));
    }
    let mut before = Vec::new();
    if server.feedback.is_none() {
        before.push("; feedback-domain is none: bounces go to the senders themselves".to_owned());
    }
    if !server.direct {
        before.push("; mail goes out by a smart host: SPF has to name what its operator says".to_owned());
    } else if server.addresses.is_empty() {
        before
            .push(format!("; no setting names the address of this server (source-address): it is what {hostname} has"));
    }
    if look {
        let dns = Dns::new(&settings.dns).map_err(|error| AdminError::Settings(error.to_string()))?;
        return done(before, server.check(&dns, &Clock::system()).await, form);
    }
    before.extend(lines(unchecked(server_records(&server)), form));
    Ok(before)
}

fn unchecked(records: Vec<DnsRecord>) -> Vec<Listed> {
    records.into_iter().map(|record| (record, None)).collect()
}

fn done(mut before: Vec<String>, checked: Vec<CheckedRecord>, form: Form) -> Result<Vec<String>, AdminError> {
    let in_the_way = checked.iter().filter(|checked| checked.is_lacking());
    let (unknown, lacking): (Vec<_>, Vec<_>) =
        in_the_way.partition(|checked| matches!(checked.state, State::Failed { .. }));
    let (unknown, lacking) = (unknown.len(), lacking.len());
    before.extend(lines(checked.into_iter().map(|checked| (checked.record, Some(checked.state))).collect(), form));
    if lacking + unknown == 0 { Ok(before) } else { Err(AdminError::Lacking { lines: before, lacking, unknown }) }
}

/// How an identity stands, and when it is looked at.
fn standing(identity: &Identity) -> Vec<String> {
    let since = |since: Option<Timestamp>| since.map_or_else(String::new, |at| format!(" since {at}"));
    let error = identity.error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
    let mut lines = vec![
        format!("; {}: {}{}{error}", identity.name, identity.status, since(identity.since)),
        format!("; DKIM: {}{}", identity.dkim.status, since(identity.dkim.since)),
    ];
    if let Some(mail_from) = &identity.mail_from {
        lines.push(format!("; MAIL FROM {}: {}{}", mail_from.domain, mail_from.status, since(mail_from.since)));
    }
    let time = |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), |at| at.to_string());
    lines.push(format!("; last look: {}", time(identity.checked_at, "none yet")));
    lines.push(format!("; next look: {}", time(identity.next_check_at, "none: ask for the verification again")));
    lines
}

/// The lines of records: those of owners, those of the operator's zone, those that are recommended.
fn lines(records: Vec<Listed>, form: Form) -> Vec<String> {
    let (hints, needed): (Vec<_>, Vec<_>) = records.into_iter().partition(|(record, _)| is_hint(record));
    let (zone, owner): (Vec<_>, Vec<_>) = needed.into_iter().partition(|(record, _)| record.in_zone);
    let parts = [(None, owner), (Some("; in your zone:"), zone), (Some("; recommended, mail works without:"), hints)];
    let mut lines = Vec::new();
    for (title, records) in parts {
        if !records.is_empty() {
            lines.extend(title.map(str::to_owned));
            lines.extend(records.iter().flat_map(|listed| described(listed, form)));
        }
    }
    lines
}

/// Whether mail works without a record that nobody has told the owner to set.
fn is_hint(record: &DnsRecord) -> bool {
    let told = matches!(record.purpose, Purpose::DkimKey(_) | Purpose::Verification);
    record.need == Need::Recommended && !told
}

/// What a record is for and whether it is there, and the record.
fn described((record, state): &Listed, form: Form) -> Vec<String> {
    let words = record.purpose.words();
    let mut lines = match state {
        None => vec![format!("; {words}")],
        Some(State::There) => vec![format!("; there: {words}")],
        Some(State::Missing) => vec![format!("; missing: {words}")],
        Some(State::Failed { why }) => vec![format!("; not known: {words}"), format!(";   the DNS: {}", shown(why))],
        Some(State::Wrong { instead, why }) => {
            let instead = instead.iter().map(|value| format!(";   instead stands: {}", shown(value)));
            std::iter::once(format!("; wrong: {words}: {why}")).chain(instead).collect()
        }
    };
    let text = match form {
        // A second SPF or DMARC record would take the force of the first: an owner without one takes the mark away.
        Form::Zone if is_hint(record) && record.kind == "TXT" => format!(";{}", line(record)),
        Form::Zone => line(record),
        Form::Text => match record.kind {
            "TXT" => format!("{} TXT \"{}\"", record.name, record.value),
            kind if record.value.is_empty() => format!("{} {kind} ...", record.name),
            kind => format!("{} {kind} {}", record.name, record.value),
        },
    };
    lines.push(text);
    lines
}

/// A stranger's text, of which the terminal takes nothing for a command.
fn shown(text: &str) -> String {
    quoted(text.as_bytes())
}
