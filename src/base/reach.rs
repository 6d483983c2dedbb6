//! Which addresses a webhook or a mail may go to. Whoever subscribes an endpoint or names a recipient chooses where this
//! server connects to, so everything that is not the public Internet is refused unless the operator allowed its network.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The networks that deliveries may reach although they are not public.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    allowed: Vec<IpNet>,
}

impl Reach {
    /// Allows the public Internet and these networks.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether a delivery may connect to `address`.
    pub fn allows(&self, address: IpAddr) -> bool {
        let plain = address.to_canonical();
        self.allowed.iter().any(|network| network.contains(&plain) || network.contains(&address)) || is_public(plain)
    }

    /// Whether it is known without a look-up that no delivery may connect to `host`, as a URL has it: an address, or a
    /// name of the machine itself (RFC 6761). Of other names only a look-up can tell.
    pub fn bars(&self, host: &str) -> bool {
        if let Some(address) = address_of(host) {
            return !self.allows(address);
        }
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let is_own = name == "localhost" || name.ends_with(".localhost");
        is_own && !self.allows(Ipv4Addr::LOCALHOST.into()) && !self.allows(Ipv6Addr::LOCALHOST.into())
    }
}

/// The address that a host of a URL is, where it is no name.
pub fn address_of(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Not in the special-purpose registry of IPv4 (RFC 6890), which includes the metadata services at 169.254.169.254.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, _, _)
    );
    !special
}

/// Global unicast (2000::/3) without its special parts, and the translated forms only when the IPv4 address in them is
/// public: 6to4 (RFC 3056) and NAT64 (RFC 6052).
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([w, x], [y, z]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b) {
        (0x0064, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => v4(g, h),
        (0x2002, high) => v4(high, c),
        // Protocol assignments with Teredo, benchmarking, ORCHID; documentation.
        (0x2001, 0x0000..=0x01ff | 0x0db8) | (0x3fff, 0x0000..=0x0fff) => false,
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(reach: &Reach, address: &str) -> bool {
        reach.allows(address.parse().expect("an address"))
    }

    #[test]
    fn only_public_addresses_may_be_reached() {
        let reach = Reach::default();
        for address in ["8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(allows(&reach, address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2001:0:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!allows(&reach, address), "{address}");
        }
    }

    #[test]
    fn of_a_host_is_known_what_needs_no_look_up() {
        let (closed, open) = (Reach::default(), Reach::new(vec!["127.0.0.0/8".parse().expect("a network")]));
        for host in ["127.0.0.1", "localhost", "LocalHost.", "a.localhost"] {
            assert!(closed.bars(host) && !open.bars(host), "{host}");
        }
        for host in ["10.0.0.1", "[::1]", "[fd00::1]", "169.254.169.254"] {
            assert!(closed.bars(host) && open.bars(host), "{host}");
        }
        for host in ["8.8.8.8", "hooks.example", "localhost.example", "notlocalhost", ""] {
            assert!(!closed.bars(host), "{host}");
        }
    }

    #[test]
    fn the_operator_may_allow_networks() {
        let network = |text: &str| text.parse().expect("a network");
        let reach = Reach::new(vec![network("127.0.0.0/8"), network("fd00::/8")]);
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "fd00::1", "8.8.8.8"] {
            assert!(allows(&reach, address), "{address}");
        }
        assert!(!allows(&reach, "10.0.0.1") && !allows(&reach, "::1"));
    }
}
