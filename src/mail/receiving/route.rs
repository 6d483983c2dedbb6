//! Who receives mail for an address: asked by SMTP for each RCPT, before anything is accepted.
use std::net::IpAddr;

use crate::base::{AccountId, EmailAddress, Region, Scope};
use crate::mail::marks::Purpose;
use crate::mail::receiving::candidate::{Candidate, Filter};
use crate::mail::receiving::handle::House;
use crate::mail::receiving::{Error, Receiving, filters, matching};
use crate::store::mails;

/// How many levels of a domain are looked up: the recipient's own and those above it, nearest first.
const MAX_LEVELS: usize = 10;

/// The account and region that receive an address's mail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Whether the address is one of ours for what comes back: no rules run on its mail.
    pub feedback: bool,
}

/// Who wants to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address that it connects from.
    pub peer: IpAddr,
    /// Whether the connection is under TLS.
    pub tls: bool,
}

/// What becomes of mail for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// It is taken.
    To(Route),
    /// Nobody here receives it.
    Nobody,
    /// All rules for it want TLS (TlsPolicy `Require`).
    NeedsTls,
    /// The account that receives it is suspended: the client should keep it for a while.
    Suspended,
    /// An IP filter of who would receive it blocks the client.
    Blocked,
}

/// Whether it is the address that every mail domain must have (RFC 5321, 4.5.1).
pub(in crate::mail::receiving) fn is_postmaster(address: &EmailAddress) -> bool {
    address.local_part().eq_ignore_ascii_case("postmaster")
}

impl Receiving {
    /// Finds who receives mail for `recipient`: an account and region where the recipient's domain, or one above it, is
    /// a verified identity, and whose active rule set has an enabled rule for it.
    ///
    /// The nearest domain wins over one above it. Of several accounts and regions that have verified the same domain
    /// and have a rule for the recipient, the one that verified it first wins, so that nobody can take another's mail by
    /// verifying later; the others receive nothing. That account's IP filters then decide about the client.
    ///
    /// Whoever comes before an account whose rules cannot be read gets its mail; what may be that account's is put off.
    ///
    /// `postmaster` of a domain that receives at all, and of this server's own name, is always taken (RFC 5321, 4.5.1):
    /// where no rule is for it, the inbound worker keeps the mail in a bucket of its own.
    pub async fn route(&self, recipient: &EmailAddress, client: Client) -> Result<Routed, Error> {
        if let Some(purpose) = self.return_paths().and_then(|paths| paths.purpose(recipient, self.clock().now())) {
            return self.feedback_route(purpose).await;
        }
        // A refusal is for good, so it is never given for what another node may just have changed.
        let known = self.known();
        let levels = levels(recipient);
        let again = levels.iter().any(|domain| known.holds(domain.as_str()));
        let routed = self.look(recipient, client).await?;
        if again && !matches!(routed, Routed::To(_)) {
            levels.iter().for_each(|domain| known.forget(domain.as_str()));
            return self.look(recipient, client).await;
        }
        Ok(routed)
    }

    async fn look(&self, recipient: &EmailAddress, client: Client) -> Result<Routed, Error> {
        let (mut for_tls, mut postmaster) = (false, None);
        let domain = recipient.domain();
        let own = domain.forms();
        for level in levels(recipient) {
            let candidates = self.candidates(&level).await?;
            for (n, candidate) in candidates.iter().enumerate() {
                let rules = candidate.rules()?;
                if rules.iter().any(|rule| matching::matches(rule, recipient, client.tls)) {
                    return Ok(candidate.admit(client));
                }
                for_tls |= rules.iter().any(|rule| matching::matches(rule, recipient, true));
                if is_postmaster(recipient) && postmaster.is_none() && own.iter().any(|own| own.as_str() == level) {
                    postmaster = Some((n, candidates.clone()));
                }
            }
        }
        if let Some(candidate) = postmaster.as_ref().and_then(|(n, candidates)| candidates.get(*n)) {
            return Ok(candidate.admit(client));
        }
        if let Some(house) = self.house().filter(|house| is_postmaster(recipient) && domain == house.hostname) {
            let filters = filters::read(&mut self.store().reader().await?, &house.owner).await?;
            return Ok(admit(&house.owner, &filters, client));
        }
        Ok(if for_tls { Routed::NeedsTls } else { Routed::Nobody })
    }

    /// What comes back goes to who sent, while it is known what became of the mail; complaints go to the house.
    async fn feedback_route(&self, purpose: Purpose) -> Result<Routed, Error> {
        let mark = match (purpose, self.house()) {
            (Purpose::Returned(mark), _) => mark,
            (Purpose::Complaints, None) => return Ok(Routed::Nobody),
            (Purpose::Complaints, Some(House { owner: Scope { account, region }, .. })) => {
                return Ok(Routed::To(Route { account: account.clone(), region: region.clone(), feedback: true }));
            }
        };
        self.store()
            .read(move |tx| {
                Box::pin(async move {
                    let Some(mail) = mails::find(tx, &mark.mail).await? else { return Ok(Routed::Nobody) };
                    let recipient = mails::recipient(tx, &mark.mail, i64::from(mark.recipient)).await?;
                    let to = Route { account: mail.account, region: mail.region, feedback: true };
                    Ok(recipient.map_or(Routed::Nobody, |_| Routed::To(to)))
                })
            })
            .await
    }
}

/// The recipient's domain and those above it, nearest first, each in both forms that it has.
fn levels(recipient: &EmailAddress) -> Vec<String> {
    let forms = recipient.domain().forms();
    let mut levels: Vec<String> =
        forms.iter().flat_map(|domain| domain.and_parents().take(MAX_LEVELS)).map(str::to_owned).collect();
    levels.sort_by_key(|level| std::cmp::Reverse(level.matches('.').count()));
    levels.dedup();
    levels
}

impl Candidate {
    fn admit(&self, client: Client) -> Routed {
        if self.suspended {
            return Routed::Suspended;
        }
        admit(&self.owner, &self.filters, client)
    }
}

fn admit(owner: &Scope, filters: &[Filter], client: Client) -> Routed {
    if !filters::lets_in(filters, client.peer) {
        return Routed::Blocked;
    }
    Routed::To(Route { account: owner.account.clone(), region: owner.region.clone(), feedback: false })
}
