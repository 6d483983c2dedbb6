//! The DNS records of a domain identity, and the change of its keys.
use crate::app::admin::{Admin, AdminError};
use crate::base::Scope;
use crate::mail::identity::{self, Found};

impl Admin {
    /// The DNS records that prove a domain identity and let receivers check its signatures.
    ///
    /// # Errors
    /// When the store fails, or there is no such identity.
    pub async fn dns_records(&self, scope: &Scope, domain: &str) -> Result<Vec<String>, AdminError> {
        let found = self.identities.get(&scope.account, &scope.region, domain).await?;
        if found.identity.kind != "DOMAIN" {
            return Err(AdminError::NoIdentity(domain.to_owned()));
        }
        Ok(self.lines(&found))
    }

    /// Begins to change a domain's DKIM key, and gives the records to set now.
    ///
    /// # Errors
    /// When there is no such domain, or its key is the owner's.
    pub async fn rotate_dkim(&self, scope: &Scope, domain: &str) -> Result<Vec<String>, AdminError> {
        Ok(self.lines(&self.identities.rotate(&scope.account, &scope.region, domain).await?))
    }

    /// Adds an Ed25519 key to a domain, or takes it away, and gives the records to set now.
    ///
    /// # Errors
    /// When there is no such domain.
    pub async fn dkim_ed25519(&self, scope: &Scope, domain: &str, on: bool) -> Result<Vec<String>, AdminError> {
        Ok(self.lines(&self.identities.set_ed25519(&scope.account, &scope.region, domain, on).await?))
    }

    fn lines(&self, found: &Found) -> Vec<String> {
        let records = identity::dns_records(found, self.identities.dkim_zone(), &self.hostname);
        let line = |record: identity::DnsRecord| match record.kind {
            "TXT" => format!("{} TXT \"{}\"", record.name, record.value),
            kind => format!("{} {kind} {}", record.name, record.value),
        };
        let (zone, owner): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| record.in_zone);
        let mut lines: Vec<String> = owner.into_iter().map(line).collect();
        if !zone.is_empty() {
            lines.push("; in your zone:".to_owned());
            lines.extend(zone.into_iter().map(line));
        }
        lines
    }
}
