//! The recipients of a mail as a call names them.
use crate::base::EmailAddress;
use crate::mail::message::{Error, Mailbox};

/// The recipients of a mail.
#[derive(Clone, Debug, Default)]
pub struct Recipients {
    /// Those of the To field.
    pub to: Vec<Mailbox>,
    /// Those of the Cc field.
    pub cc: Vec<Mailbox>,
    /// The addresses of all recipients, in the order To, Cc, Bcc.
    pub all: Vec<EmailAddress>,
}

impl Recipients {
    /// Reads the texts of To, Cc and Bcc. One that is no address refuses the whole mail, as SES does.
    ///
    /// # Errors
    /// The first text that is no address.
    pub fn read(to: &[String], cc: &[String], bcc: &[String]) -> Result<Self, Error> {
        let (to, cc, bcc) = (mailboxes(to)?, mailboxes(cc)?, mailboxes(bcc)?);
        let all = to.iter().chain(&cc).chain(&bcc).map(|mailbox| mailbox.address.clone()).collect();
        Ok(Self { to, cc, all })
    }
}

/// Reads a list of mailboxes.
///
/// # Errors
/// The first text that is no address.
pub fn mailboxes(texts: &[String]) -> Result<Vec<Mailbox>, Error> {
    texts.iter().map(|text| Mailbox::parse(text)).collect()
}

/// Reads an address where one is given.
///
/// # Errors
/// A text that is no address.
pub fn address(text: Option<&str>) -> Result<Option<EmailAddress>, Error> {
    text.map(|text| Ok(Mailbox::parse(text)?.address)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_recipients_stand_in_order_and_one_bad_address_refuses_them() {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let read = Recipients::read(&list(&["A <a@x.example>"]), &list(&["c@x.example"]), &list(&["b@x.example"]));
        let read = read.expect("good addresses");
        let all: Vec<_> = read.all.iter().map(EmailAddress::as_str).collect();
        assert_eq!((read.to.len(), read.cc.len(), all), (1, 1, vec!["a@x.example", "c@x.example", "b@x.example"]));
        assert!(Recipients::read(&list(&["a@x.example"]), &[], &list(&["b"])).is_err());
        assert!(address(None).expect("none is fine").is_none() && address(Some("b")).is_err());
    }
}
