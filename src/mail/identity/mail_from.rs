//! MAIL FROM domains: the domain of the envelope's sender, so that SPF speaks of the identity's owner (SES guide, "custom
//! MAIL FROM domain").
use crate::base::{AccountId, Domain, EmailAddress, Region};
use crate::mail::identity::{Error, Identities, IdentityName};
use crate::store::identities::{self, MailFrom, Standing};
use crate::store::{self, Tx};

/// Where the reverse path of an identity's mail leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversePath {
    /// The identity has no MAIL FROM domain that works: the usual one.
    Usual,
    /// To this domain.
    Domain(String),
    /// Its MAIL FROM domain does not work, and it wants no mail to go out then.
    Refused {
        /// The domain that does not work.
        domain: String,
    },
}

/// The reverse path's domain for mail from `source`: that of the MAIL FROM domain of the nearest verified identity that
/// covers it and has one. The only place that decides this; what stands before the `@` is up to who sends.
pub async fn reverse_path(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    source: &EmailAddress,
) -> Result<ReversePath, store::Error> {
    for name in IdentityName::covering(source) {
        let found = identities::find(tx, account, region, &name).await?;
        let Some(mail_from) = found.filter(|identity| identity.is_verified()).and_then(|i| i.mail_from) else {
            continue;
        };
        return Ok(match mail_from.status {
            Standing::Success => ReversePath::Domain(mail_from.domain),
            _ if mail_from.reject => ReversePath::Refused { domain: mail_from.domain },
            _ => ReversePath::Usual,
        });
    }
    Ok(ReversePath::Usual)
}

impl Identities {
    /// Gives an identity a MAIL FROM domain, which is looked for in the DNS from now on, or takes it away (none, or an empty one). `reject`: mail is
    /// refused while the domain does not work.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::MailFromDomain`], for one that is not under the identity's domain.
    pub async fn set_mail_from(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        mail_from: Option<&str>,
        reject: bool,
    ) -> Result<(), Error> {
        let at_once = self.settings.at_once;
        let mail_from = mail_from.filter(|domain| !domain.is_empty()).map(str::to_owned);
        self.change(account, region, name, move |identity, now| {
            identity.mail_from = match mail_from {
                None => None,
                Some(text) => {
                    let domain = under(&text, &identity.name)?;
                    let same =
                        identity.mail_from.take().filter(|had| had.domain == domain && had.status != Standing::Failed);
                    let status = if at_once { Standing::Success } else { Standing::Pending };
                    let new = MailFrom { domain, status, since: (!at_once).then_some(now), reject };
                    // Only what to do in case of failure changes: what was found stays found.
                    Some(same.map_or(new, |had| MailFrom { reject, ..had }))
                }
            };
            if identity.mail_from.is_some() && !at_once {
                identity.next_check_at = Some(now);
            }
            Ok(())
        })
        .await
        .map(drop)
    }
}

/// The domain, if it is a subdomain of the identity's.
fn under(text: &str, identity: &str) -> Result<String, Error> {
    let parent = identity.rsplit_once('@').map_or(identity, |(_, domain)| domain);
    let wrong = || Error::MailFromDomain { mail_from: text.chars().take(253).collect(), identity: identity.to_owned() };
    let domain: Domain = text.parse().map_err(|_| wrong())?;
    let sub = domain.as_str().strip_suffix(parent).and_then(|rest| rest.strip_suffix('.'));
    if sub.is_some_and(|sub| !sub.is_empty()) { Ok(domain.to_string()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_from_domain_is_under_the_identity() {
        for (domain, identity) in [("Bounce.X.example", "x.example"), ("b.x.example", "ann@x.example")] {
            assert_eq!(under(domain, identity).expect("good"), domain.to_lowercase());
        }
        for domain in ["x.example", ".x.example", "yx.example", "b.y.example", "", "b x.x.example"] {
            assert!(under(domain, "x.example").is_err(), "{domain}");
        }
    }
}
