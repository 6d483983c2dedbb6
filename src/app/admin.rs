//! What an operator does with accounts: `postrider admin …`. Each function gives the lines to print.
use std::sync::Arc;

use crate::access;
use crate::app::master_key::{OpenError, lines, open_store};
use crate::aws::ses;
use crate::base::{AccountId, Clock, Region};
use crate::config::Settings;
use crate::mail::identity::{self, Found, Identities};
use crate::mail::receiving::{self, Owner, Receiving};
use crate::mail::sending::resolver::Dns;
use crate::outlets::Functions;
use crate::queues::Queues;
use crate::smtp::auth;
use crate::store::account_settings;
use crate::store::mails;
use crate::store::publications::Attempt;
use crate::store::sending_accounts::{self, SendingAccount};
use crate::store::{self, Store};
use crate::topics::Topics;

/// How many requests are shown at once.
const REQUESTS_SHOWN: i64 = 1000;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The store cannot be opened or failed.
    #[error("store: {0}")]
    Store(#[from] store::Error),
    /// Accounts and keys refused.
    #[error("{0}")]
    Access(#[from] access::Error),
    /// Topics cannot be read.
    #[error("{0}")]
    Topics(String),
    /// The database URL is not one.
    #[error("{0}")]
    Settings(String),
    /// No active key of this id.
    #[error("there is no active access key {0}")]
    NoKey(String),
    /// No request that waits.
    #[error("no request of account {0} for production access waits in this region")]
    NoRequest(AccountId),
    /// No sent mail of this id.
    #[error("there is no sent mail {0}, or no more")]
    NoMail(String),
    /// Identities refused.
    #[error("{0}")]
    Identity(#[from] identity::Error),
    /// A receipt rule was refused.
    #[error("{0}")]
    Receiving(#[from] receiving::Error),
    /// A receipt rule cannot be read.
    #[error("receipt rule: {0}")]
    Rule(String),
    /// A file of addresses cannot be read.
    #[error("{0}")]
    Addresses(String),
    /// An object was not decrypted.
    #[error("the object cannot be decrypted: {0}")]
    Object(String),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// No domain identity of this name.
    #[error("there is no domain identity {0} in this account and region")]
    NoIdentity(String),
}

/// The operator's view of the store.
pub struct Admin {
    pub(super) store: Store,
    clock: Clock,
    identities: Identities,
    hostname: String,
}

impl Admin {
    /// Opens the store that the settings name; a server may be running on it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(settings: &Settings) -> Result<Self, AdminError> {
        let clock = Clock::system();
        let store = open_store(settings, clock.clone()).await.map_err(|error| match error {
            OpenError::Settings(line) => AdminError::Settings(line),
            OpenError::Store(error) => AdminError::Store(error),
        })?;
        let hostname = settings.hostname.to_string();
        let how = identity::Settings {
            // What is made here has to be proved; in `dev` an identity needs no proof to begin with.
            at_once: false,
            link_base: String::new(),
            hostname: hostname.clone(),
            dkim_zone: settings.dkim_zone.as_ref().map(ToString::to_string),
        };
        // Nothing is looked up here, so a machine without name servers must not be in the way.
        let nowhere = |_| Dns::new(&[([127, 0, 0, 1], 53).into()]);
        let dns = Dns::new(&settings.dns).or_else(nowhere).map_err(|e| AdminError::Settings(e.to_string()))?;
        let identities = Identities::new(store.clone(), clock.clone(), how, Arc::new(dns));
        Ok(Self { store, clock, identities, hostname })
    }

    /// The master keys, a line each: id, what it is, and how many stored texts it seals. Objects in buckets are not counted.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn master_keys(&self, settings: &Settings) -> Result<Vec<String>, AdminError> {
        lines(settings, &self.store).await.map_err(|error| match error {
            OpenError::Settings(line) => AdminError::Settings(line),
            OpenError::Store(error) => AdminError::Store(error),
        })
    }

    /// Makes an account.
    ///
    /// # Errors
    /// When the number is taken.
    pub async fn create_account(&self, id: Option<AccountId>, name: &str) -> Result<Vec<String>, AdminError> {
        Ok(vec![access::create_account(&self.store, id, name).await?.to_string()])
    }

    /// Lists accounts: number and name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_accounts(&self) -> Result<Vec<String>, AdminError> {
        let accounts = access::list_accounts(&self.store).await?;
        Ok(accounts.into_iter().map(|account| format!("{} {}", account.id, account.name)).collect())
    }

    /// Makes an access key and prints it in the form of AWS's shared credentials file. The secret is shown this once.
    ///
    /// # Errors
    /// When there is no such account, or it has too many keys.
    pub async fn create_key(&self, account: &AccountId) -> Result<Vec<String>, AdminError> {
        let (id, secret) = access::create_key(&self.store, account).await?;
        Ok(vec![format!("aws_access_key_id = {id}"), format!("aws_secret_access_key = {}", secret.reveal())])
    }

    /// Lists an account's access keys.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_keys(&self, account: &AccountId) -> Result<Vec<String>, AdminError> {
        let keys = access::list_keys(&self.store, account).await?;
        let state = |active| if active { "active" } else { "inactive" };
        Ok(keys.into_iter().map(|key| format!("{} {}", key.id, state(key.active))).collect())
    }

    /// Switches an access key off. Servers may believe it for some seconds more.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn deactivate_key(&self, id: &str) -> Result<Vec<String>, AdminError> {
        access::deactivate_key(&self.store, id).await?;
        Ok(vec![])
    }

    /// The SMTP user and password that belong to an access key, in one region.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn smtp_credentials(&self, key_id: &str, region: &Region) -> Result<Vec<String>, AdminError> {
        let access = access::Access::new(self.store.clone(), self.clock.clone(), access::Trust::KnownKeys);
        let key = access.key(key_id).await?.ok_or_else(|| AdminError::NoKey(key_id.to_owned()))?;
        let password = auth::smtp_password(&key.secret, region.as_str());
        Ok(vec![format!("user = {}", key.id), format!("password = {}", password.reveal())])
    }

    /// Takes an account out of the sandbox in a region, with limits of its own; -1 means none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn grant_production(
        &self,
        account: &AccountId,
        region: &Region,
        max_24_hour: i64,
        max_per_second: i64,
    ) -> Result<Vec<String>, AdminError> {
        let limits = SendingAccount { sending_enabled: true, production_access: true, max_24_hour, max_per_second };
        let (account, region) = (account.clone(), region.clone());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    account_settings::decide(tx, &account, &region, "GRANTED").await?;
                    sending_accounts::put(tx, &account, &region, limits).await
                })
            })
            .await?;
        Ok(vec![])
    }

    /// Lists the requests for production access that wait, oldest first: account, region, what it told of itself.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn production_requests(&self) -> Result<Vec<String>, AdminError> {
        let tx = &mut self.store.reader().await?;
        let waiting = account_settings::pending(tx, REQUESTS_SHOWN).await?;
        let line = |(account, region, settings): (String, String, account_settings::AccountSettings)| {
            format!("{account} {region} {}", settings.details.unwrap_or_default())
        };
        Ok(waiting.into_iter().map(line).collect())
    }

    /// Says no to an account's request for production access.
    ///
    /// # Errors
    /// When the store fails, or no request of this account waits.
    pub async fn deny_production(&self, account: &AccountId, region: &Region) -> Result<Vec<String>, AdminError> {
        let (asked, region) = (account.clone(), region.clone());
        let denied = self
            .store
            .write(move |tx| Box::pin(async move { account_settings::decide(tx, &asked, &region, "DENIED").await }))
            .await?;
        if denied { Ok(vec![]) } else { Err(AdminError::NoRequest(account.clone())) }
    }

    /// Makes or changes a receipt rule from JSON, in the shape of SES's `ReceiptRule`: with the actions that no SDK can
    /// send. Gives the rule as it is kept.
    ///
    /// # Errors
    /// When it is not such JSON, or the rule is refused.
    pub async fn put_receipt_rule(
        &self,
        owner: &Owner,
        set: &str,
        after: Option<&str>,
        json: &str,
        settings: &Settings,
    ) -> Result<Vec<String>, AdminError> {
        let rule = ses::rule_from_json(json).map_err(AdminError::Rule)?;
        let functions = Functions::from_settings(settings, self.clock.clone()).map_err(AdminError::Settings)?;
        // The operator decides who mail is forwarded to, so the sandbox has no say here.
        let receiving = Receiving::new(self.store.clone(), self.clock.clone()).with_functions(functions);
        let name = rule.name.clone();
        match receiving.update_rule(owner, set, rule.clone()).await {
            Err(receiving::Error::RuleMissing(missing)) if missing == name => {
                receiving.create_rule(owner, set, rule, after).await?;
            }
            other => other?,
        }
        let kept = receiving.rule(owner, set, &name).await?;
        Ok(vec![ses::rule_to_json(kept).map_err(AdminError::Rule)?])
    }

    /// The newest attempts to deliver messages of topics to `to`: a subscription's ARN, a phone number, or the ARN of a device's
    /// endpoint. Newest first: time, message id, attempt, status, milliseconds, outcome, the answer's first bytes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn deliveries(&self, to: &str, limit: u32) -> Result<Vec<String>, AdminError> {
        let queues = Queues::new(self.store.clone(), self.clock.clone());
        let topics = Topics::new(self.store.clone(), self.clock.clone(), queues, None, "");
        let attempts = topics.deliveries(to, limit).await.map_err(|error| AdminError::Topics(error.to_string()))?;
        let line = |attempt: Attempt| {
            let status = attempt.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
            let answer: String =
                attempt.answer.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
            format!(
                "{} {} {} {status} {}ms {} {answer}",
                attempt.at,
                attempt.message_id,
                attempt.attempt,
                attempt.latency_micros / 1_000,
                attempt.outcome
            )
        };
        Ok(attempts.into_iter().map(line).collect())
    }

    /// What became of a sent mail: its recipients, and for each the attempts, with what both sides said. Kept for 30 days.
    ///
    /// # Errors
    /// When the store fails, or there is no such mail.
    pub async fn transcript(&self, message_id: &str) -> Result<Vec<String>, AdminError> {
        let tx = &mut self.store.reader().await?;
        let recipients = mails::recipients(tx, message_id).await?;
        if recipients.is_empty() {
            return Err(AdminError::NoMail(message_id.to_owned()));
        }
        let mut lines = Vec::new();
        for to in recipients {
            lines.push(format!("{} {}", to.address, to.status.as_str()));
            for attempt in mails::attempts(tx, message_id, to.n).await? {
                let took = attempt.finished_at.since(attempt.started_at).as_millis();
                let remote = attempt.remote.unwrap_or_else(|| "-".to_owned());
                let tls = attempt.tls.unwrap_or_else(|| "in the clear".to_owned());
                lines.push(format!(
                    "  attempt {} {} {took}ms {} {remote} {tls}",
                    attempt.attempt, attempt.started_at, attempt.outcome
                ));
                lines.extend(attempt.transcript.lines().map(|line| format!("    {line}")));
            }
        }
        Ok(lines)
    }

    /// The DNS records that prove a domain identity and let receivers check its signatures.
    ///
    /// # Errors
    /// When the store fails, or there is no such identity.
    pub async fn dns_records(
        &self,
        account: &AccountId,
        region: &Region,
        domain: &str,
    ) -> Result<Vec<String>, AdminError> {
        let found = self.identities.get(account, region, domain).await?;
        if found.identity.kind != "DOMAIN" {
            return Err(AdminError::NoIdentity(domain.to_owned()));
        }
        Ok(self.lines(&found))
    }

    /// Begins to change a domain's DKIM key, and gives the records to set now.
    ///
    /// # Errors
    /// When there is no such domain, or its key is the owner's.
    pub async fn rotate_dkim(
        &self,
        account: &AccountId,
        region: &Region,
        domain: &str,
    ) -> Result<Vec<String>, AdminError> {
        Ok(self.lines(&self.identities.rotate(account, region, domain).await?))
    }

    /// Adds an Ed25519 key to a domain, or takes it away, and gives the records to set now.
    ///
    /// # Errors
    /// When there is no such domain.
    pub async fn dkim_ed25519(
        &self,
        account: &AccountId,
        region: &Region,
        domain: &str,
        on: bool,
    ) -> Result<Vec<String>, AdminError> {
        Ok(self.lines(&self.identities.set_ed25519(account, region, domain, on).await?))
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
