//! Places for received mail and what its rules hand over. Most of those who hold one wait for the network, so there are many;
//! they are shared by account, by where the mail comes from, and by who is waited for.
use std::net::IpAddr;

use crate::base::{AccountId, EmailAddress, Instant, Share, Shares};
use crate::mail::receiving::checks::MAX_HEADER_BYTES;
use crate::mail::receiving::line::{Line, Turn};

/// How many jobs are worked on at once.
pub const AT_ONCE: usize = 256;
/// How many of them are of one group (`group`), so that one flood is claimed no faster than it finds places.
pub const PER_GROUP: u32 = 128;
/// Octets that messages which are not small may take at once, by what [`octets`] reckons for them, beside the one whose turn it is
/// ([`Line`]).
const OCTETS: u64 = 160 * 1024 * 1024;
/// The most that is reckoned for one message. With what all others may take it is 256 MiB.
const LARGEST: u64 = 96 * 1024 * 1024;
/// Messages up to this size, in octets, are not counted: all places together hold 100 MiB of them at the worst.
const SMALL: i64 = 16 * 1024;
/// How many groups the mail of an account is parted into, by where it comes from. Each group has its turns, so an account
/// has no more of them than this beside others.
const GROUPS: u64 = 16;

/// The places of this node.
pub(super) struct Places {
    /// Three quarters for one account: where there is only one, others still find a place at once.
    accounts: Shares<String>,
    /// Half for one source of mail, or one endpoint.
    sources: Shares<String>,
    /// Three quarters for one network of clients, whatever sources it names.
    networks: Shares<String>,
    octets_of_accounts: Shares<String>,
    octets_of_sources: Shares<String>,
    large: Line,
}

/// A place, until it is dropped.
#[derive(Default)]
pub(super) struct Place {
    _shares: Vec<Share<String>>,
    _turn: Option<Turn>,
}

impl Place {
    fn of(shares: Vec<Share<String>>) -> Self {
        Self { _shares: shares, _turn: None }
    }
}

impl Default for Places {
    fn default() -> Self {
        let places = u64::try_from(AT_ONCE).unwrap_or(u64::MAX);
        Self {
            accounts: Shares::new(places, 3),
            sources: Shares::new(places, 1),
            networks: Shares::new(places, 3),
            octets_of_accounts: Shares::new(OCTETS, 1),
            octets_of_sources: Shares::new(OCTETS, 1),
            large: Line::default(),
        }
    }
}

impl Places {
    /// A place for a mail to `account`, and one for its checks, which wait for the name servers of its source; `None` when one
    /// of them holds its part.
    pub(super) fn enter(&self, account: &AccountId, (source, network): (&str, &str)) -> Option<(Place, Place)> {
        let account = self.accounts.take(&account.to_string(), 1)?;
        let source = self.sources.take(&source.to_owned(), 1)?;
        let network = self.networks.take(&network.to_owned(), 1)?;
        Some((Place::of(vec![account]), Place::of(vec![source, network])))
    }

    /// A place for work that waits for an endpoint; `None` as above.
    pub(super) fn enter_for(&self, account: Option<&AccountId>, endpoint: &str) -> Option<Place> {
        let source = self.sources.take(&format!("to {endpoint}"), 1)?;
        let mut shares = vec![source];
        if let Some(account) = account {
            shares.push(self.accounts.take(&account.to_string(), 1)?);
        }
        Some(Place::of(shares))
    }

    /// Room for the message of `mail`, of `size` octets; `None` when there is none now. Then it asks again in about a second: its
    /// turn comes, however many others there are that need less.
    pub(super) fn load(
        &self,
        (mail, size): (&str, i64),
        account: &AccountId,
        source: &str,
        now: Instant,
    ) -> Option<Place> {
        if size <= SMALL {
            return Some(Place::default());
        }
        let Some(room) = self.beside_others(octets(size), account, source) else {
            let turn = self.large.ask(mail, account, source, now)?;
            return Some(Place { _shares: vec![], _turn: Some(turn) });
        };
        self.large.leave(mail);
        Some(room)
    }

    fn beside_others(&self, octets: u64, account: &AccountId, source: &str) -> Option<Place> {
        let account = self.octets_of_accounts.take(&account.to_string(), octets)?;
        let source = self.octets_of_sources.take(&source.to_owned(), octets)?;
        Some(Place::of(vec![account, source]))
    }
}

/// What a message takes in memory at the worst: itself and the copy that actions make, and what the library keeps of a hostile
/// header (see [`MAX_HEADER_BYTES`]).
fn octets(size: i64) -> u64 {
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    let header = size.min(u64::try_from(MAX_HEADER_BYTES).unwrap_or(u64::MAX));
    size.saturating_mul(2).saturating_add(20 * header).min(LARGEST)
}

/// Where a mail comes from: the registered domain of its reverse path, or the client's network for the null one.
pub(super) fn source_of(source: Option<&str>, peer: &str) -> String {
    match source.and_then(|source| source.rsplit_once('@')) {
        Some((_, domain)) => {
            let domain = domain.to_ascii_lowercase();
            psl::domain_str(&domain).map_or_else(|| domain.clone(), str::to_owned)
        }
        None => network_of(peer),
    }
}

/// The client's network, as far as one party has it: 256 addresses of IPv4, a /48 of IPv6.
pub(super) fn network_of(peer: &str) -> String {
    match peer.parse().map(|peer: IpAddr| peer.to_canonical()) {
        Ok(IpAddr::V4(peer)) => {
            let [a, b, c, _] = peer.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Ok(IpAddr::V6(peer)) => {
            let [a, b, c, ..] = peer.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
        Err(_) => peer.to_owned(),
    }
}

/// The job's group: the account's mail from some of all sources. So a flood from one source does not stand before the mail of
/// others, and a flood to one account not before that to another.
pub(super) fn group(account: &AccountId, source: Option<&EmailAddress>, peer: IpAddr) -> String {
    let source = source_of(source.map(EmailAddress::as_str), &peer.to_string());
    // FNV-1a: alike on all nodes and in all versions.
    let hash = source
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{account} {}", hash % GROUPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(digit: char) -> AccountId {
        digit.to_string().repeat(12).parse().expect("an account")
    }

    #[test]
    fn a_source_a_network_and_an_account_leave_places_to_others() {
        let places = Places::default();
        let (one, other) = (account('1'), account('2'));
        let enter = |account: &AccountId, source: &str, network: &str| places.enter(account, (source, network));
        let flood: Vec<_> = std::iter::from_fn(|| enter(&one, "silent.example", "192.0.2.0/24")).collect();
        assert_eq!(flood.len(), 128);
        let good = enter(&one, "good.example", "192.0.2.0/24").expect("another source");
        let many: Vec<_> = (0..).map_while(|n| enter(&one, &n.to_string(), "192.0.2.0/24")).collect();
        assert_eq!(flood.len() + 1 + many.len(), 192, "whatever sources it names");
        assert!(enter(&other, "good.example", "192.0.2.0/24").is_none(), "the network has its part");
        assert!(enter(&other, "good.example", "198.51.100.0/24").is_some());
        assert!(places.enter_for(Some(&other), "hooks.example").is_some());
        drop((flood, many, good));
        let hanging: Vec<_> =
            std::iter::from_fn(|| enter(&one, "good.example", "192.0.2.0/24").map(|(place, _)| place)).collect();
        assert_eq!(hanging.len(), 192, "whoever is through its checks is in nobody's way but the account's");
        assert!(enter(&other, "good.example", "192.0.2.0/24").is_some());
        drop(hanging);
        assert_eq!((places.accounts.used(), places.sources.used(), places.networks.used()), (0, 0, 0));
        let hanging: Vec<_> = std::iter::from_fn(|| places.enter_for(None, "hooks.example")).collect();
        assert_eq!(hanging.len(), 128);
        assert!(places.enter_for(Some(&one), "others.example").is_some());
    }

    #[test]
    fn large_messages_of_one_account_or_source_leave_room_to_others() {
        let (places, now) = (Places::default(), Instant::default());
        let load = |mail: &str, size, whose, source: &str| places.load((mail, size), &account(whose), source, now);
        let medium = 10 * 1024 * 1024;
        let held: Vec<_> = (0..).map_while(|n| load(&n.to_string(), medium, '1', "a.example")).collect();
        assert_eq!(held.len(), 3 + 1, "half of the room, and the turn of a large one");
        assert!(load("b", medium, '2', "a.example").is_none());
        assert!(load("c", medium, '2', "b.example").is_some());
        assert!(load("d", SMALL, '1', "a.example").is_some(), "small ones need none");
        drop(held);
        assert!(load("e", i64::MAX, '1', "a.example").is_some(), "one that is larger than all");
    }

    #[test]
    fn a_large_message_has_its_turn_however_much_small_mail_comes() {
        let (places, now) = (Places::default(), Instant::default());
        let load = |mail: &str, size, whose| places.load((mail, size), &account(whose), "a.example", now);
        let (small, large) = (64 * 1024, 40 * 1024 * 1024);
        let fill = || (0..).map_while(|_| places.beside_others(octets(small), &account('1'), "a.example"));
        // Whatever room comes free is taken at once by small mail of the same account and source.
        let mut steady: Vec<_> = fill().collect();
        let first = load("first", large, '1').expect("the turn is free");
        assert!(load("second", large, '1').is_none() && load("other", large, '2').is_none());
        for _ in 0..100 {
            steady.pop();
            steady.extend(fill());
            assert!(load("second", large, '1').is_none(), "one at a time");
        }
        drop(first);
        assert!(load("other", large, '2').is_none(), "the second was here before");
        drop(load("second", large, '1').expect("its turn"));
        assert!(load("other", large, '2').is_some());
        drop(steady);
    }

    #[test]
    fn mail_comes_from_a_registered_domain_or_a_network() {
        for (source, peer, from) in [
            (Some("a@b.News.There.co.uk"), "192.0.2.7", "there.co.uk"),
            (Some("a@there.example"), "192.0.2.7", "there.example"),
            (None, "192.0.2.7", "192.0.2.0/24"),
            (None, "::ffff:192.0.2.7", "192.0.2.0/24"),
            (None, "2001:db8:1:2::7", "2001:db8:1::/48"),
            (None, "?", "?"),
        ] {
            assert_eq!(source_of(source, peer), from);
        }
        let peer: IpAddr = [192, 0, 2, 7].into();
        let of = |source: &str| group(&account('1'), Some(&source.parse().expect("an address")), peer);
        assert_eq!(of("a@x.there.example"), of("b@there.example"));
        assert!(of("a@there.example").starts_with("111111111111 "));
    }
}
