//! The mailbox simulator: addresses that behave as SES's do (developer guide, "Using the mailbox simulator"). Mails to
//! them have real events and never leave the machine. Anyone may send there, in the sandbox too; such recipients count in
//! no daily quota and put nothing on a suppression list.
use crate::base::{Domain, EmailAddress};

/// SES's own domain for it.
const DOMAIN: &str = "simulator.amazonses.com";

/// What a simulated mailbox does with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulated {
    /// Takes it.
    Success,
    /// Refuses it: no such user.
    Bounce,
    /// Takes it, and an automatic answer comes (RFC 3834), which SES tells as a transient bounce.
    OutOfOffice,
    /// Takes it, and its owner complains (RFC 5965).
    Complaint,
    /// Is on the suppression list that all of SES shares.
    Suppressed,
}

/// Which domains are simulated: SES's, and one of the operator's.
#[derive(Clone, Debug, Default)]
pub struct Simulator {
    own: Option<Domain>,
}

impl Simulator {
    /// With a domain of the operator's beside SES's.
    pub fn new(own: Option<Domain>) -> Self {
        Self { own }
    }

    /// Whether an address is one of the simulator's.
    pub fn has(&self, address: &EmailAddress) -> bool {
        let domain = address.domain();
        domain.as_str() == DOMAIN || self.own.as_ref() == Some(&domain)
    }

    /// What an address does, where it is one of the simulator's. What stands after a `+` makes no difference, and a
    /// mailbox that the simulator does not have bounces.
    pub fn of(&self, address: &EmailAddress) -> Option<Simulated> {
        let local = address.local_part().to_ascii_lowercase();
        let name = local.split_once('+').map_or(local.as_str(), |(name, _)| name);
        self.has(address).then_some(match name {
            "success" => Simulated::Success,
            "ooto" => Simulated::OutOfOffice,
            "complaint" => Simulated::Complaint,
            "suppressionlist" => Simulated::Suppressed,
            _ => Simulated::Bounce,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_case_make_no_difference_and_other_domains_are_not_simulated() {
        let simulator = Simulator::new(Some("try.example".parse().expect("a domain")));
        for (address, wanted) in [
            ("success@simulator.amazonses.com", Some(Simulated::Success)),
            ("Bounce+label1@SIMULATOR.amazonses.com", Some(Simulated::Bounce)),
            ("ooto+a+b@try.example", Some(Simulated::OutOfOffice)),
            ("complaint@try.example", Some(Simulated::Complaint)),
            ("suppressionlist@simulator.amazonses.com", Some(Simulated::Suppressed)),
            ("nobody@try.example", Some(Simulated::Bounce)),
            ("success@sub.try.example", None),
            ("success@amazonses.com", None),
        ] {
            assert_eq!(simulator.of(&address.parse().expect("an address")), wanted, "{address}");
        }
    }
}
