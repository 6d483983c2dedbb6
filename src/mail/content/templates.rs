//! The templates of all accounts, and the parts that they have.
use std::sync::Arc;

use crate::base::{AccountId, Budget, Clock, Region};
use crate::mail::content::prepared::Prepared;
use crate::mail::content::template::data::Data;
use crate::mail::content::template::{Template, TemplateError};
use crate::store::templates::{self, EmailTemplate};
use crate::store::{self, Json, Pairs, Store};
use crate::workers::{Compute, NotDone};

/// SES: templates of an account in a region, octets of one, characters of the data.
const TEMPLATES_MAX: i64 = 20_000;
const SIZE_MAX: usize = 500 * 1024;
const DATA_MAX: usize = 262_144;
/// Octets of the data that are read for a step: each value of it takes memory.
const DATA_OCTETS_PER_STEP: usize = 4;
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
    /// It was not read or rendered: too much of this account's work waits.
    #[error(transparent)]
    NotDone(#[from] NotDone),
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

/// The parts of a template, read.
#[derive(Debug)]
pub(super) struct Compiled {
    subject: Option<Template>,
    text: Option<Template>,
    html: Option<Template>,
}

impl Parts {
    /// Their octets.
    pub(super) fn size(&self) -> usize {
        [&self.subject, &self.text, &self.html].into_iter().flatten().map(String::len).sum()
    }

    /// Reads the parts as templates.
    ///
    /// # Errors
    /// Too large, empty, or not a template.
    pub(super) fn compile(&self, name: &str, budget: &mut Budget) -> Result<Compiled, Error> {
        if self.size() > SIZE_MAX {
            return Err(Error::TooLarge(SIZE_MAX));
        }
        if self.size() == 0 {
            return Err(Error::Empty);
        }
        let mut read = |part: &Option<String>| {
            let read = part.as_deref().map(|text| Template::parse(text, budget)).transpose();
            read.map_err(|why| Error::Invalid { name: name.to_owned(), why })
        };
        Ok(Compiled { subject: read(&self.subject)?, text: read(&self.text)?, html: read(&self.html)? })
    }
}

impl Compiled {
    /// Whether all parts only put values in.
    pub(super) fn is_plain(&self) -> bool {
        [&self.subject, &self.text, &self.html].into_iter().flatten().all(Template::is_plain)
    }

    /// Renders all parts with `data`.
    ///
    /// # Errors
    /// Those of [`Template::render`].
    pub(super) fn render(&self, data: &Data, budget: &mut Budget) -> Result<Parts, TemplateError> {
        let mut render = |part: &Option<Template>| part.as_ref().map(|part| part.render(data, budget)).transpose();
        Ok(Parts { subject: render(&self.subject)?, text: render(&self.text)?, html: render(&self.html)? })
    }
}

/// Reads the data of a call.
///
/// # Errors
/// What is no JSON object, or is too long.
pub(super) fn read_data(text: &str, budget: &mut Budget) -> Result<Data, Error> {
    if text.len() > DATA_MAX * 4 || text.chars().count() > DATA_MAX {
        return Err(Error::Data);
    }
    budget.spend(text.len() / DATA_OCTETS_PER_STEP).map_err(TemplateError::from)?;
    serde_json::from_str(text).ok().filter(Data::is_object).ok_or(Error::Data)
}

/// The templates of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct Templates {
    pub(super) store: Store,
    clock: Clock,
    compute: Compute,
}

impl Templates {
    /// The templates in `store`, read and rendered on threads of their own.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, compute: Compute::default() }
    }

    /// The same templates, read and rendered by `compute`.
    pub fn with_compute(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// Where templates are read and rendered.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Keeps a new template.
    ///
    /// # Errors
    /// A name that is none or taken; a template that cannot be read; too many.
    pub async fn create(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        parts: Parts,
        tags: Pairs,
    ) -> Result<(), Error> {
        check_name(name)?;
        let parts = self.checked(account, name, parts).await?;
        let template = self.row(name, parts, &tags)?;
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
        let parts = self.checked(account, name, parts).await?;
        let template = self.row(name, parts, &Pairs::new())?;
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

    /// The template of this name, ready to be rendered.
    ///
    /// # Errors
    /// One that does not exist.
    pub async fn prepared(&self, account: &AccountId, region: &Region, name: &str) -> Result<Prepared, Error> {
        let EmailTemplate { name, subject, text, html, .. } = self.get(account, region, name).await?;
        Prepared::new(&self.compute, account, name, Parts { subject, text, html }).await
    }

    /// A template that came with a call: it may only put values in.
    ///
    /// # Errors
    /// Too large, empty, not a template, or anything but values.
    pub async fn prepared_plain(&self, account: &AccountId, parts: Parts) -> Result<Prepared, Error> {
        let prepared = Prepared::new(&self.compute, account, String::new(), parts).await?;
        if prepared.is_plain() { Ok(prepared) } else { Err(Error::NotPlain) }
    }

    /// The parts, when they are templates.
    async fn checked(&self, account: &AccountId, name: &str, parts: Parts) -> Result<Parts, Error> {
        let prepared = Prepared::new(&self.compute, account, name.to_owned(), parts).await?;
        Ok(Arc::unwrap_or_clone(prepared.into_parts()))
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

    fn row(&self, name: &str, parts: Parts, tags: &Pairs) -> Result<EmailTemplate, Error> {
        let Parts { subject, text, html } = parts;
        let tags = Json::of(tags)?;
        Ok(EmailTemplate { name: name.to_owned(), subject, text, html, tags, created_at: self.clock.now() })
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fine = (1..=NAME_LENGTH).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fine { Ok(()) } else { Err(Error::Name(name.chars().take(NAME_LENGTH).collect())) }
}
