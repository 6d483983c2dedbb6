//! Receipt IP filters: which clients may deliver mail for an account (SES developer guide, "Using IP address filters").
use crate::base::Scope;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::mail::receiving::rules::{check_name, one_line};
use crate::mail::receiving::{Error, Receiving};
use crate::store::{Tx, receipt_filters};

pub use crate::mail::receiving::candidate::{Filter, Policy};

/// How many filters an account can have in a region.
pub const MAX_FILTERS: usize = 100;

/// An address alone is a range of one.
fn network(cidr: &str) -> Option<IpNet> {
    let alone = || cidr.parse::<IpAddr>().ok().map(IpNet::from);
    cidr.parse::<IpNet>().ok().or_else(alone).map(|net| net.trunc())
}

/// Whether the client may deliver: the filter with the longest prefix decides, `Allow` where two are equally long, and
/// who no filter is for may deliver.
pub(in crate::mail::receiving) fn lets_in(filters: &[Filter], peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    let covering = filters.iter().filter_map(|filter| {
        let network = network(&filter.cidr).filter(|network| network.contains(&peer))?;
        Some((network.prefix_len(), filter.policy == Policy::Allow))
    });
    covering.max().is_none_or(|(_, allowed)| allowed)
}

impl Receiving {
    /// Makes a filter.
    pub async fn create_filter(&self, owner: &Scope, filter: Filter) -> Result<(), Error> {
        if filter.name.is_empty() {
            return Err(Error::Invalid("filterName must not be empty".to_owned()));
        }
        check_name("filterName", &filter.name)?;
        if network(&filter.cidr).is_none() {
            return Err(Error::Invalid(format!("Invalid CIDR block: {}", one_line(&filter.cidr))));
        }
        let owner = owner.clone();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let Scope { account, region } = &owner;
                    receipt_filters::hold(tx, account, region).await?;
                    let known = receipt_filters::list(tx, account, region).await?;
                    if known.iter().any(|known| known.name == filter.name) {
                        return Err(Error::FilterExists(filter.name));
                    }
                    if known.len() >= MAX_FILTERS {
                        return Err(Error::LimitExceeded("Too many filters".to_owned()));
                    }
                    let policy = filter.policy.as_str().to_owned();
                    let row = receipt_filters::ReceiptFilter { name: filter.name, policy, cidr: filter.cidr };
                    receipt_filters::insert(tx, account, region, &row).await?;
                    Ok(())
                })
            })
            .await
    }

    /// All filters, by name.
    pub async fn filters(&self, owner: &Scope) -> Result<Vec<Filter>, Error> {
        let owner = owner.clone();
        self.store().read(move |tx| Box::pin(async move { read(tx, &owner).await })).await
    }

    /// Removes a filter; one that does not exist is fine.
    pub async fn delete_filter(&self, owner: &Scope, name: &str) -> Result<(), Error> {
        let (owner, name) = (owner.clone(), name.to_owned());
        self.store()
            .write(move |tx| {
                Box::pin(async move { Ok(receipt_filters::delete(tx, &owner.account, &owner.region, &name).await?) })
            })
            .await
    }
}

pub(in crate::mail::receiving) async fn read(tx: &mut Tx, owner: &Scope) -> Result<Vec<Filter>, Error> {
    let rows = receipt_filters::list(tx, &owner.account, &owner.region).await?;
    let filter = |row: receipt_filters::ReceiptFilter| Filter {
        name: row.name,
        policy: if row.policy == Policy::Allow.as_str() { Policy::Allow } else { Policy::Block },
        cidr: row.cidr,
    };
    Ok(rows.into_iter().map(filter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(list: &[(&str, Policy)]) -> Vec<Filter> {
        let filter = |(cidr, policy): &(&str, Policy)| Filter {
            name: "f".to_owned(),
            policy: *policy,
            cidr: (*cidr).to_owned(),
        };
        list.iter().map(filter).collect()
    }

    #[test]
    fn the_most_specific_filter_decides() {
        use Policy::{Allow, Block};
        let list = filters(&[
            ("10.0.0.0/8", Block),
            ("10.1.0.1/16", Allow),
            ("10.1.2.3", Block),
            ("10.9.9.9", Block),
            ("10.9.9.9/32", Allow),
            ("2001:db8::/32", Block),
            ("2001:db8:1::/48", Allow),
        ]);
        for (peer, open) in [
            ("10.2.0.1", false),
            ("10.1.0.1", true),
            ("10.1.2.3", false),
            ("10.9.9.9", true),
            ("::ffff:10.2.0.1", false),
            ("192.0.2.1", true),
            ("2001:db8::1", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", true),
        ] {
            assert_eq!(lets_in(&list, peer.parse().expect("an address")), open, "{peer}");
        }
        assert!(!lets_in(&filters(&[("0.0.0.0/0", Block)]), "192.0.2.1".parse().expect("an address")));
        assert!(lets_in(&[], "192.0.2.1".parse().expect("an address")));
    }

    #[test]
    fn ranges_are_read_as_ses_reads_them() {
        for good in ["10.0.0.1", "10.0.0.1/24", "0.0.0.0/0", "::1", "2001:db8::1/64"] {
            assert!(network(good).is_some(), "{good}");
        }
        for bad in ["", "10.0.0", "10.0.0.1/33", "10.0.0.1/", "x", "10.0.0.1/24/1", " 10.0.0.1"] {
            assert!(network(bad).is_none(), "{bad}");
        }
    }
}
