//! Templates for the mails that verify addresses, in the words and the look of the account's own (SES guide, "custom
//! verification email templates").
use crate::base::{AccountId, EmailAddress, Region};
use crate::mail::identity::changes::tagged;
use crate::mail::identity::identities::insert;
use crate::mail::identity::{Error, Identities, IdentityName, NewIdentity, authorization, links};
use crate::mail::message::{Draft, Mailbox, compose};
use crate::store::Tx;
use crate::store::identities;
use crate::store::verification_templates::{self, VerificationTemplate};

/// SES: templates of an account in a region.
const TEMPLATES_MAX: i64 = 50;
/// SES: octets of a template's content.
const CONTENT_MAX: usize = 10 * 1024 * 1024;
const NAME_MAX: usize = 64;
const SUBJECT_MAX: usize = 998;
const URL_MAX: usize = 2048;

/// A mail that invites an address to verify itself, to be sent as the account's.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The sender.
    pub source: EmailAddress,
    /// The complete message.
    pub raw: Vec<u8>,
}

impl Identities {
    /// Stores a new template.
    ///
    /// # Errors
    /// [`Error::TemplateName`], [`Error::TemplateContent`], [`Error::FromNotVerified`], [`Error::TemplateExists`],
    /// [`Error::TooManyTemplates`].
    pub async fn create_template(
        &self,
        account: &AccountId,
        region: &Region,
        template: VerificationTemplate,
    ) -> Result<(), Error> {
        check(&template)?;
        let (account, region) = (account.clone(), region.clone());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    check_sender(tx, &account, &region, &template.from).await?;
                    check_pages(&template)?;
                    let exists = || Error::TemplateExists(template.name.clone());
                    if verification_templates::find(tx, &account, &region, &template.name).await?.is_some() {
                        return Err(exists());
                    }
                    if verification_templates::count(tx, &account, &region).await? >= TEMPLATES_MAX {
                        return Err(Error::TooManyTemplates(TEMPLATES_MAX));
                    }
                    let stored = verification_templates::insert(tx, &account, &region, &template).await;
                    stored.map_err(|e| if e.is_unique_violation() { exists() } else { Error::Internal(e) })
                })
            })
            .await
    }

    /// Changes a template: `change` gets it as it is.
    ///
    /// # Errors
    /// [`Error::TemplateMissing`], [`Error::TemplateContent`], [`Error::FromNotVerified`].
    pub async fn update_template(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        change: impl FnOnce(VerificationTemplate) -> VerificationTemplate + Send + 'static,
    ) -> Result<(), Error> {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let found = verification_templates::find(tx, &account, &region, &name).await?;
                    let template = change(found.ok_or(Error::TemplateMissing(name))?);
                    check(&template)?;
                    check_sender(tx, &account, &region, &template.from).await?;
                    check_pages(&template)?;
                    verification_templates::update(tx, &account, &region, &template).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Adds tags to a template, each in the place of one of the same name, and takes others away.
    ///
    /// # Errors
    /// [`Error::TemplateMissing`], [`Error::TooManyTags`].
    pub async fn tag_template(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        add: Vec<(String, String)>,
        remove: Vec<String>,
    ) -> Result<(), Error> {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let found = verification_templates::find(tx, &account, &region, &name).await?;
                    let mut template = found.ok_or(Error::TemplateMissing(name))?;
                    template.tags = tagged(&template.tags, add, &remove)?;
                    verification_templates::update(tx, &account, &region, &template).await?;
                    Ok(())
                })
            })
            .await
    }

    /// The template of this name.
    ///
    /// # Errors
    /// [`Error::TemplateMissing`].
    pub async fn template(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
    ) -> Result<VerificationTemplate, Error> {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let found = verification_templates::find(tx, &account, &region, &name).await?;
                    found.ok_or(Error::TemplateMissing(name))
                })
            })
            .await
    }

    /// Up to `limit` templates after the name `after`, in the order of names.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn templates(
        &self,
        account: &AccountId,
        region: &Region,
        after: &str,
        limit: i64,
    ) -> Result<Vec<VerificationTemplate>, Error> {
        let (account, region, after) = (account.clone(), region.clone(), after.to_owned());
        self.store
            .read(move |tx| {
                Box::pin(async move { Ok(verification_templates::page(tx, &account, &region, &after, limit).await?) })
            })
            .await
    }

    /// Removes a template.
    ///
    /// # Errors
    /// [`Error::TemplateMissing`].
    pub async fn delete_template(&self, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let gone = verification_templates::delete(tx, &account, &region, &name).await?;
                    if gone { Ok(()) } else { Err(Error::TemplateMissing(name)) }
                })
            })
            .await
    }

    /// Makes the identity of an address where there is none, and the mail with a link for it, by a template. The mail is
    /// the caller's to send.
    ///
    /// # Errors
    /// [`Error::TemplateMissing`], [`Error::FromNotVerified`], [`Error::TooManyMails`], [`Error::TooMany`].
    pub async fn invite(
        &self,
        account: &AccountId,
        region: &Region,
        address: &EmailAddress,
        template: &str,
    ) -> Result<Invitation, Error> {
        let name = IdentityName::parse(address.as_str())?;
        let new = self.prepared(account, region, &name, NewIdentity::default()).await?;
        let (account, region, template) = (account.clone(), region.clone(), template.to_owned());
        let (settings, address) = (self.settings.clone(), address.clone());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let found = verification_templates::find(tx, &account, &region, &template).await?;
                    let template = found.ok_or(Error::TemplateMissing(template))?;
                    check_sender(tx, &account, &region, &template.from).await?;
                    identities::hold(tx, &account, &region, name.as_str()).await?;
                    let there = identities::find(tx, &account, &region, name.as_str()).await?;
                    let identity = match there {
                        Some(identity) => identity,
                        None => {
                            insert(tx, &new).await?;
                            new.identity
                        }
                    };
                    let redirects = Some((template.success_url.clone(), template.failure_url.clone()));
                    let link = links::make(tx, &settings, &identity, redirects).await?;
                    written(&template, &address, &link)
                })
            })
            .await
    }
}

fn written(template: &VerificationTemplate, address: &EmailAddress, link: &str) -> Result<Invitation, Error> {
    let from = Mailbox::parse(&template.from)?;
    let source = from.address.clone();
    let draft = Draft {
        from,
        to: vec![Mailbox { name: None, address: address.clone() }],
        cc: Vec::new(),
        reply_to: Vec::new(),
        subject: template.subject.clone(),
        text: None,
        html: Some(with_link(&template.content, link)),
        attachments: Vec::new(),
        headers: Vec::new(),
    };
    Ok(Invitation { source, raw: compose(&draft)? })
}

/// The content with the link at its end, within the page's body.
fn with_link(content: &str, link: &str) -> String {
    let end = content.to_ascii_lowercase().rfind("</body>").unwrap_or(content.len());
    let (before, after) = content.split_at_checked(end).unwrap_or((content, ""));
    format!("{before}\r\n<p><a href=\"{link}\">{link}</a></p>\r\n{after}")
}

fn check(template: &VerificationTemplate) -> Result<(), Error> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(1..=NAME_MAX).contains(&template.name.len()) || !template.name.chars().all(fine) {
        return Err(Error::TemplateName(template.name.chars().take(NAME_MAX).collect()));
    }
    let wrong = |what| Err(Error::TemplateContent(what));
    if template.subject.is_empty() || template.subject.chars().count() > SUBJECT_MAX {
        return wrong("the subject is empty or longer than 998 characters");
    }
    if template.subject.chars().any(char::is_control) {
        return wrong("the subject has a control character");
    }
    if template.content.trim().is_empty() || template.content.len() > CONTENT_MAX {
        return wrong("the content is empty or larger than 10 MB");
    }
    Ok(())
}

/// Checks where a template leads. SES looks at this last, after the sender.
fn check_pages(template: &VerificationTemplate) -> Result<(), Error> {
    let pages = [("success", &template.success_url), ("failure", &template.failure_url)];
    pages.into_iter().find(|(_, url)| !is_page(url)).map_or(Ok(()), |(which, _)| Err(Error::Redirection(which)))
}

/// Whether a URL may stand in a redirection: an absolute one of a page, of characters that need no escape there.
fn is_page(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    url.len() <= URL_MAX
        && url.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'<' && b != b'>')
        && host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
}

async fn check_sender(tx: &mut Tx, account: &AccountId, region: &Region, from: &str) -> Result<(), Error> {
    let sender = Mailbox::parse(from)?;
    match authorization::covering(tx, account, region, &sender.address).await? {
        Some(_) => Ok(()),
        None => Err(Error::FromNotVerified(sender.address.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_stands_in_the_body_of_the_page() {
        assert_eq!(with_link("<p>Hi", "L"), "<p>Hi\r\n<p><a href=\"L\">L</a></p>\r\n");
        assert_eq!(with_link("<body>é</BODY></html>", "L"), "<body>é\r\n<p><a href=\"L\">L</a></p>\r\n</BODY></html>");
    }

    #[test]
    fn only_pages_are_redirected_to() {
        for good in ["https://x.example/ok?a=b#c", "http://x.example"] {
            assert!(is_page(good), "{good}");
        }
        for bad in ["", "x.example", "javascript:alert(1)", "http://", "https:///x", "http://x/\r\nA: b", "http://x/é"]
        {
            assert!(!is_page(bad), "{bad}");
        }
    }
}
