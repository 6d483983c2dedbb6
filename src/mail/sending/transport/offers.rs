//! What a server offers in its answer to EHLO (RFC 5321, 4.1.1.1).
use lettre::transport::smtp::authentication::Mechanism;

/// The offers that we know. Nothing where the server only knows HELO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// RFC 2920.
    pub(super) pipelining: bool,
    /// RFC 6152.
    pub(super) eight_bit: bool,
    /// RFC 6531.
    pub(super) utf8: bool,
    /// RFC 3207.
    pub(super) starttls: bool,
    /// RFC 1870: offered; with the server's limit in octets, where it has one.
    pub(super) size: Option<Option<u64>>,
    plain: bool,
    login: bool,
}

impl Offers {
    /// Reads the lines after the code; the first one is a greeting. Keywords are in either case.
    pub(super) fn read(lines: &[String]) -> Self {
        let mut offers = Self::default();
        for line in lines.iter().skip(1) {
            // `AUTH=PLAIN` is an old form that some servers still say.
            let line = line.to_ascii_uppercase().replacen("AUTH=", "AUTH ", 1);
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or_default() {
                "PIPELINING" => offers.pipelining = true,
                "8BITMIME" => offers.eight_bit = true,
                "SMTPUTF8" => offers.utf8 = true,
                "STARTTLS" => offers.starttls = true,
                // 0 means that there is no limit.
                "SIZE" => offers.size = Some(words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0)),
                "AUTH" => words.for_each(|word| {
                    offers.plain |= word == "PLAIN";
                    offers.login |= word == "LOGIN";
                }),
                _ => {}
            }
        }
        offers
    }

    /// Whether it takes this kind of AUTH.
    pub(super) fn knows(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::Plain => self.plain,
            Mechanism::Login => self.login,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Offers {
        Offers::read(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn offers_are_read_in_either_case_and_odd_lines_are_passed_over() {
        let offers =
            read(&["PIPELINING.example hello", "pipelining", "  ", "", "Size 1000", "auth=LOGIN", "XFOO \u{fffd}"]);
        let right = Offers { pipelining: true, size: Some(Some(1000)), login: true, ..Offers::default() };
        assert_eq!(offers, right);
        assert!(offers.knows(Mechanism::Login) && !offers.knows(Mechanism::Plain));
        assert_eq!(read(&["hello", "SIZE"]).size, Some(None));
        assert_eq!(read(&["hello", "SIZE 0"]).size, Some(None));
        assert_eq!(read(&["hello", "SIZE 99999999999999999999999"]).size, Some(None));
        assert_eq!(read(&[]), Offers::default());
    }
}
