//! The templates of all accounts: kept, tried out, rendered.
use serde_json::Value;

use crate::base::{AccountId, Clock, Region};
use crate::mail::content::template::{Template, TemplateError};
use crate::store::templates::{self, EmailTemplate};
use crate::store::{self, Store};

/// SES: templates of an account in a region, octets of one, characters of the data.
const TEMPLATES_MAX: i64 = 20_000;
const SIZE_MAX: usize = 500 * 1024;
const DATA_MAX: usize = 262_144;
/// SES: letters, digits, `_` and `-`, at most 64.
const NAME_LENGTH: usize = 64;

/// What can go wrong with templates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that is not 1 to 64 letters, digits, `_` or `-`.
    #[error("{0:?} is not a name for a template")]
    Name(String),
    /// There is one of this name in this account.
    #[error("template {0} of account {1} exists already")]
    Exists(String, AccountId),
    /// There is none of this name.
    #[error("template {0} does not exist")]
    Missing(String),
    /// As many as there may be.
    #[error("there may be {0} templates")]
    TooMany(i64),
    /// More octets than a template may have.
    #[error("a template may have {0} octets")]
    TooLarge(usize),
    /// Neither subject nor text nor HTML.
    #[error("a template needs a subject and a body")]
    Empty,
    /// It cannot be read.
    #[error("template {name}: {why}")]
    Invalid {
        /// Its name.
        name: String,
        /// Why.
        why: TemplateError,
    },
    /// Blocks or partials where only values may be put in.
    #[error("only values may be put in here")]
    NotPlain,
    /// The data is not a JSON object, or too long.
    #[error("the data is not a JSON object of at most {DATA_MAX} characters")]
    Data,
    /// It cannot be rendered with the data.
    #[error(transparent)]
    Rendering(#[from] TemplateError),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}

/// The parts of a mail, before or after rendering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The subject.
    pub subject: Option<String>,
    /// The body as plain text.
    pub text: Option<String>,
    /// The body as HTML.
    pub html: Option<String>,
}

/// The parts of a template, read: rendering many mails reads it once.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The template's name; empty for one that came with the call.
    pub name: String,
    subject: Option<Template>,
    text: Option<Template>,
    html: Option<Template>,
}

impl Parts {
    /// Reads the parts as templates.
    ///
    /// # Errors
    /// Too large, empty, or not a template.
    pub fn compile(&self, name: &str) -> Result<Compiled, Error> {
        let all = [&self.subject, &self.text, &self.html];
        let size: usize = all.iter().filter_map(|part| part.as_ref()).map(String::len).sum();
        if size > SIZE_MAX {
            return Err(Error::TooLarge(SIZE_MAX));
        }
        if all.iter().all(|part| part.as_ref().is_none_or(String::is_empty)) {
            return Err(Error::Empty);
        }
        let read = |part: &Option<String>| {
            let read = part.as_deref().map(Template::parse).transpose();
            read.map_err(|why| Error::Invalid { name: name.to_owned(), why })
        };
        let (subject, text, html) = (read(&self.subject)?, read(&self.text)?, read(&self.html)?);
        Ok(Compiled { name: name.to_owned(), subject, text, html })
    }

    /// Reads parts that came with a call: they may only put values in.
    ///
    /// # Errors
    /// Those of [`Parts::compile`], and anything but values.
    pub fn compile_plain(&self) -> Result<Compiled, Error> {
        let compiled = self.compile("")?;
        let parts = [&compiled.subject, &compiled.text, &compiled.html];
        if parts.into_iter().flatten().all(Template::is_plain) { Ok(compiled) } else { Err(Error::NotPlain) }
    }
}

impl Compiled {
    /// Renders all parts with `data`.
    ///
    /// # Errors
    /// Those of [`Template::render`].
    pub fn render(&self, data: &Value) -> Result<Parts, TemplateError> {
        let render = |part: &Option<Template>| part.as_ref().map(|part| part.render(data)).transpose();
        Ok(Parts { subject: render(&self.subject)?, text: render(&self.text)?, html: render(&self.html)? })
    }
}

/// Reads the data of a call.
///
/// # Errors
/// What is no JSON object, or is too long.
pub fn read_data(text: &str) -> Result<Value, Error> {
    if text.len() > DATA_MAX * 4 || text.chars().count() > DATA_MAX {
        return Err(Error::Data);
    }
    serde_json::from_str(text).ok().filter(Value::is_object).ok_or(Error::Data)
}

/// The templates of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct Templates {
    pub(super) store: Store,
    clock: Clock,
}

impl Templates {
    /// The templates in `store`.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Keeps a new template. `tags` is a JSON list of `[name, value]`.
    ///
    /// # Errors
    /// A name that is none or taken; a template that cannot be read; too many.
    pub async fn create(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        parts: Parts,
        tags: String,
    ) -> Result<(), Error> {
        check_name(name)?;
        parts.compile(name)?;
        let template = self.row(name, parts, tags);
        let (account, region) = (account.clone(), region.clone());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if templates::find(tx, &account, &region, &template.name).await?.is_some() {
                        return Err(Error::Exists(template.name, account));
                    }
                    if templates::count(tx, &account, &region).await? >= TEMPLATES_MAX {
                        return Err(Error::TooMany(TEMPLATES_MAX));
                    }
                    let inserted = templates::insert(tx, &account, &region, &template).await;
                    inserted.map_err(|error| match error.is_unique_violation() {
                        true => Error::Exists(template.name, account),
                        false => Error::Internal(error),
                    })
                })
            })
            .await
    }

    /// Replaces the parts of a template.
    ///
    /// # Errors
    /// One that does not exist; a template that cannot be read.
    pub async fn update(&self, account: &AccountId, region: &Region, name: &str, parts: Parts) -> Result<(), Error> {
        parts.compile(name)?;
        let template = self.row(name, parts, String::new());
        let (account, region) = (account.clone(), region.clone());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    match templates::update(tx, &account, &region, &template).await? {
                        true => Ok(()),
                        false => Err(Error::Missing(template.name)),
                    }
                })
            })
            .await
    }

    /// The template of this name.
    ///
    /// # Errors
    /// One that does not exist.
    pub async fn get(&self, account: &AccountId, region: &Region, name: &str) -> Result<EmailTemplate, Error> {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .read(move |tx| {
                Box::pin(
                    async move { templates::find(tx, &account, &region, &name).await?.ok_or(Error::Missing(name)) },
                )
            })
            .await
    }

    /// The template of this name, read.
    ///
    /// # Errors
    /// One that does not exist.
    pub async fn compiled(&self, account: &AccountId, region: &Region, name: &str) -> Result<Compiled, Error> {
        let EmailTemplate { name, subject, text, html, .. } = self.get(account, region, name).await?;
        Parts { subject, text, html }.compile(&name)
    }

    /// Up to `limit` names after the name `after`, in order, with the times at which they were made.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn list(
        &self,
        account: &AccountId,
        region: &Region,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, crate::base::Timestamp)>, Error> {
        let (account, region, after) = (account.clone(), region.clone(), after.to_owned());
        self.store
            .read(move |tx| Box::pin(async move { Ok(templates::list(tx, &account, &region, &after, limit).await?) }))
            .await
    }

    /// Removes a template; false when there was none.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn delete(&self, account: &AccountId, region: &Region, name: &str) -> Result<bool, Error> {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .write(move |tx| Box::pin(async move { Ok(templates::delete(tx, &account, &region, &name).await?) }))
            .await
    }

    fn row(&self, name: &str, parts: Parts, tags: String) -> EmailTemplate {
        let Parts { subject, text, html } = parts;
        EmailTemplate { name: name.to_owned(), subject, text, html, tags, created_at: self.clock.now() }
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fine = (1..=NAME_LENGTH).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fine { Ok(()) } else { Err(Error::Name(name.chars().take(NAME_LENGTH).collect())) }
}
