//! Looking at the DNS, again and again: whether domains are their accounts', whether their keys and the records of MAIL FROM
//! domains are published. What the looks mean is decided in `standing`.
use std::time::Duration;

use tracing::{error, info};

use crate::base::{Share, Timestamp};
use crate::mail::identity::looks::LOOKS_AT_ONCE;
use crate::mail::identity::seen::Seen;
use crate::mail::identity::standing::{Finding, after, next_look};
use crate::mail::identity::{Error, Identities, dkim, identities, keys, links};
use crate::store::dkim_keys::{DkimKey, KeyAlgorithm, KeyState};
use crate::store::identities::{self as rows, Identity, IdentityKind, Standing};
use crate::store::{Tx, dkim_keys};
use crate::workers::{Pieces, Taken, one_round};

/// Identities that are taken in one transaction.
const TAKE: usize = 50;
/// How often more are taken to fill the places, where some of those taken had none.
const TAKES_MAX: usize = 8;
/// Until when nobody else looks at what was taken: longer than a look lasts.
const TAKEN_FOR: Duration = Duration::from_secs(60);
/// When an identity comes again whose zone has its part of the looks.
const CROWDED: Duration = Duration::from_secs(5);

/// An identity that was taken to be looked at.
pub struct Look {
    identity: Identity,
    keys: Vec<DkimKey>,
    _shares: [Share<String>; 2],
}

/// What a look found of each thing; `None` where nothing was looked for.
#[derive(Clone, Debug, Default)]
struct Findings {
    txt: Option<Finding>,
    dkim: Option<Finding>,
    mail_from: Option<Finding>,
    /// The selectors of keys that may sign from now on.
    found_next: Vec<String>,
    /// Each record, for the log.
    seen: Vec<Seen>,
}

impl Findings {
    fn add(&mut self, seen: Seen) -> Finding {
        let finding = seen.finding;
        self.seen.push(seen);
        finding
    }
}

impl Identities {
    /// One round: looks at identities whose check is due. The number that was looked at; call again when it is not 0.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn check_pending(&self) -> Result<usize, Error> {
        Ok(one_round(self, LOOKS_AT_ONCE).await?.0)
    }

    /// Takes identities that are due, until `room` of them have a place or no others are. Those of an account that has its
    /// part are given back at once, and those of others are taken.
    async fn take_due(&self, room: usize) -> Result<Taken<Look>, Error> {
        let mut taken = Taken { pieces: vec![], more: false };
        let mut full = self.looks.accounts.holders_without(1);
        taken.more = !full.is_empty();
        for _ in 0..TAKES_MAX {
            let limit = TAKE.min(room - taken.pieces.len());
            let due = self.due(limit, full.clone()).await?;
            if due.is_empty() {
                break;
            }
            let mut back = Vec::new();
            for (identity, keys) in due {
                let now = self.clock.now();
                let account = identity.account.to_string();
                let zone = psl::domain_str(&identity.name).unwrap_or(&identity.name).to_owned();
                let Some(place) = self.looks.accounts.take(&account, 1) else {
                    if !full.contains(&account) {
                        full.push(account);
                    }
                    back.push((identity, now));
                    continue;
                };
                match self.looks.zones.take(&zone, 1) {
                    Some(zone) => taken.pieces.push(Look { identity, keys, _shares: [place, zone] }),
                    None => back.push((identity, now + CROWDED)),
                }
            }
            taken.more |= !back.is_empty();
            self.give_back(back).await?;
            if taken.pieces.len() >= room {
                break;
            }
        }
        Ok(taken)
    }

    async fn due(&self, limit: usize, except: Vec<String>) -> Result<Vec<(Identity, Vec<DkimKey>)>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let again_at = self.clock.now() + TAKEN_FOR;
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut due = Vec::new();
                    for identity in rows::take_due(tx, again_at, limit, &except).await? {
                        let (account, region, name) = (&identity.account, &identity.region, &identity.name);
                        match dkim_keys::list(tx, account, region, name).await {
                            Ok(keys) => due.push((identity, keys)),
                            Err(error) if error.is_corrupt() => {
                                error!(%account, identity.name = %name, %error, "the keys of an identity cannot be read");
                            }
                            Err(error) => return Err(error.into()),
                        }
                    }
                    Ok(due)
                })
            })
            .await
    }

    async fn give_back(&self, mut back: Vec<(Identity, Timestamp)>) -> Result<(), Error> {
        if back.is_empty() {
            return Ok(());
        }
        // In one order for all who change several.
        back.sort_by(|(a, _), (b, _)| (&a.account, &a.region, &a.name).cmp(&(&b.account, &b.region, &b.name)));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    for (identity, at) in &back {
                        rows::give_back(tx, identity, *at).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Removes links that count for nothing any more. The number that was removed; call again when it is not 0.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(&self) -> Result<u64, Error> {
        let before = self.clock.now() - links::KEPT_FOR;
        self.store
            .write(move |tx| {
                Box::pin(async move { Ok(crate::store::verification_links::sweep(tx, before, 1_000).await?) })
            })
            .await
    }

    async fn look(&self, identity: &Identity, keys: &[DkimKey]) -> Findings {
        let mut findings = Findings::default();
        if let Some(token) = &identity.txt_token {
            let name = format!("_amazonses.{}.", identity.name);
            let records = self.looks.ask(&identity.name, self.lookup.txt(&name)).await;
            let fits = |records: &[String]| records.iter().any(|record| record.trim() == token);
            findings.txt = Some(findings.add(Seen::of(&name, "TXT", records, fits)));
        }
        for key in keys.iter().filter(|key| matches!(key.state, KeyState::Current | KeyState::Next)) {
            let name = format!("{}._domainkey.{}.", key.selector, identity.name);
            let records = self.looks.ask(&identity.name, self.lookup.txt(&name)).await;
            let fits = |records: &[String]| records.iter().any(|r| keys::publishes(r, &key.public_key));
            let finding = findings.add(Seen::of(&name, "TXT", records, fits));
            if key.state == KeyState::Next {
                if finding == Finding::Published {
                    findings.found_next.push(key.selector.clone());
                }
            } else if key.algorithm == KeyAlgorithm::Rsa {
                findings.dkim = Some(finding);
            }
        }
        if let Some(mail_from) = &identity.mail_from {
            for seen in self.look_at_mail_from(&mail_from.domain).await {
                findings.mail_from = Some(findings.add(seen));
            }
        }
        findings
    }

    /// Whether a MAIL FROM domain has one MX record, which leads here, and one SPF record; the last that is seen decides.
    async fn look_at_mail_from(&self, domain: &str) -> Vec<Seen> {
        let name = format!("{domain}.");
        let here = &self.settings.hostname;
        let mx = self.looks.ask(domain, self.lookup.mx(&name)).await;
        let mx = Seen::of(&name, "MX", mx, |hosts| matches!(hosts, [host] if host.eq_ignore_ascii_case(here)));
        if mx.finding != Finding::Published {
            return vec![mx];
        }
        let is_spf = |record: &&String| record.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("v=spf1"));
        let records = self.looks.ask(domain, self.lookup.txt(&name)).await;
        vec![mx, Seen::of(&name, "TXT", records, |records| records.iter().filter(is_spf).count() == 1)]
    }

    async fn settle(&self, taken: Identity, findings: Findings) -> Result<(), Error> {
        let (before, seen) = (taken.clone(), findings.seen.clone());
        let settled: Result<Option<Identity>, Error> = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let (account, region) = (&taken.account, &taken.region);
                    rows::hold(tx, account, region, &taken.name).await?;
                    let mut found = match identities::found(tx, account, region, &taken.name).await {
                        Ok(found) => found,
                        Err(Error::Missing(_)) => return Ok(None),
                        Err(other) => return Err(other),
                    };
                    let now = tx.now();
                    let mut next_key = next_since(&found.keys);
                    // What was changed while we looked is looked at again at once.
                    let as_taken = Identity { next_check_at: found.identity.next_check_at, ..taken.clone() };
                    if found.identity != as_taken {
                        found.identity.next_check_at = Some(now);
                        rows::update(tx, &found.identity).await?;
                        return Ok(None);
                    }
                    apply(&mut found.identity, &findings, now);
                    for selector in &findings.found_next {
                        promote(tx, &mut found, selector).await?;
                        next_key = None;
                    }
                    found.identity.next_check_at = match found.identity.kind {
                        IdentityKind::Domain => next_look(&found.identity, next_key, now),
                        IdentityKind::EmailAddress => links::next_look(&mut found.identity, now),
                    };
                    rows::update(tx, &found.identity).await?;
                    Ok(Some(found.identity))
                })
            })
            .await;
        if let Some(now) = settled? {
            self.looks.told.tell(&before, &now, &seen);
        }
        Ok(())
    }
}

impl Pieces for Identities {
    type Piece = Look;
    type Error = Error;

    async fn take(&self, room: usize) -> Result<Taken<Look>, Error> {
        // Where everything is verified at once the DNS knows nothing of it.
        if self.settings.at_once { Ok(Taken { pieces: vec![], more: false }) } else { self.take_due(room).await }
    }

    async fn work(&self, look: Look) -> Result<usize, Error> {
        let findings = self.look(&look.identity, &look.keys).await;
        self.settle(look.identity, findings).await.map(|()| 1)
    }
}

fn next_since(keys: &[DkimKey]) -> Option<Timestamp> {
    keys.iter().filter(|key| key.state == KeyState::Next).map(|key| key.created_at).max()
}

async fn promote(tx: &mut Tx, found: &mut identities::Found, selector: &str) -> Result<(), Error> {
    // One that was replaced meanwhile was not looked at.
    if let Some(key) = found.keys.iter().find(|key| key.selector == selector && key.state == KeyState::Next) {
        info!(account = %found.identity.account, identity.name = %found.identity.name, selector, "dkim key changed");
        dkim::promote(tx, &found.identity, &found.keys, selector, key.algorithm).await?;
    }
    Ok(())
}

/// What the findings make of an identity.
fn apply(identity: &mut Identity, findings: &Findings, now: Timestamp) {
    identity.checked_at = Some(now);
    // A key that is found after its search was given up proves nothing: somebody has to ask again.
    let dkim = findings.dkim.filter(|_| identity.dkim.status != Standing::Failed);
    if let Some(finding) = dkim {
        let (status, since) = after(identity.dkim.status, identity.dkim.since, finding, now);
        (identity.dkim.status, identity.dkim.since) = (status, since);
    }
    let proof = [findings.txt, dkim].into_iter().flatten().reduce(Finding::or);
    if let Some(proof) = proof.filter(|_| identity.kind == IdentityKind::Domain) {
        let (status, since) = after(identity.status, identity.since, proof, now);
        (identity.status, identity.since) = (status, since);
        identity.error = proof.error();
        if proof == Finding::Published && status == Standing::Success {
            identity.verified_at = Some(now);
        }
    }
    if let (Some(finding), Some(mail_from)) = (findings.mail_from, identity.mail_from.as_mut()) {
        // A DNS that does not answer for a moment must not change where mail comes from.
        if finding != Finding::NoAnswer || mail_from.status != Standing::Success {
            let (status, since) = after(mail_from.status, mail_from.since, finding, now);
            (mail_from.status, mail_from.since) = (status, since);
        }
    }
}
