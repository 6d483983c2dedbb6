//! Templates that are ready to be rendered, once or for many mails, without holding up those who have nothing to do with them.
use std::sync::Arc;

use crate::base::{AccountId, Budget};
use crate::mail::content::template::data::Data as TemplateData;
use crate::mail::content::template::{STEPS_MAX, TemplateError};
use crate::mail::content::templates::{Compiled, Error, Parts, read_data};
use crate::workers::Compute;

/// Octets of a template that is kept read. One that is larger is read again for each mail: read, it takes fifty times its
/// octets in memory, and many may wait for their turn.
const KEPT_READ_MAX: usize = 16 * 1024;

/// A template that was found good. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Prepared {
    name: String,
    parts: Arc<Parts>,
    read: Option<Arc<Compiled>>,
    plain: bool,
}

/// The data of one mail, as it came. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// The mail's own. What is an empty object counts as absent.
    own: Option<Arc<str>>,
    /// What is taken where there is no own, as a whole: the two are not merged.
    default: Option<Arc<str>>,
}

impl Data {
    /// The data of a mail that has its own.
    pub fn of(text: &str) -> Self {
        Self { own: None, default: Some(text.into()) }
    }

    /// The data of one mail of many: `own` where it has any, else `default`, else an empty object. (SES: the default is
    /// used where the replacement is absent or an empty object.)
    pub fn own_or(own: Option<String>, default: Option<&Arc<str>>) -> Self {
        Self { own: own.map(Into::into), default: default.cloned() }
    }

    fn read(&self, budget: &mut Budget) -> Result<TemplateData, Error> {
        if let Some(own) = &self.own {
            let own = read_data(own, budget)?;
            if own.has_members() {
                return Ok(own);
            }
        }
        read_data(self.default.as_deref().unwrap_or("{}"), budget)
    }
}

impl Prepared {
    /// Checks parts of a template of `account`.
    pub(super) async fn new(compute: &Compute, account: &AccountId, name: String, parts: Parts) -> Result<Self, Error> {
        let parts = Arc::new(parts);
        let (given, called) = (parts.clone(), name.clone());
        let keep = parts.size() <= KEPT_READ_MAX;
        let read = move |budget: &mut Budget| {
            let compiled = given.compile(&called, budget)?;
            let plain = compiled.is_plain();
            Ok::<_, Error>((plain, keep.then(|| Arc::new(compiled))))
        };
        let (plain, read) = compute.soon(account.as_str(), STEPS_MAX, read).await??;
        Ok(Self { name, parts, read, plain })
    }

    /// The template's name; empty for one that came with the call.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    pub(super) fn into_parts(self) -> Arc<Parts> {
        self.parts
    }

    /// Renders all parts with `data`, for a mail of `account`.
    ///
    /// # Errors
    /// The outer: data that is none, or too much work of the account that waits. The inner: data that lacks something; more
    /// steps, levels or output than a mail may take.
    pub async fn render(
        &self,
        compute: &Compute,
        account: &AccountId,
        data: Data,
    ) -> Result<Result<Parts, TemplateError>, Error> {
        let template = self.clone();
        let render = move |budget: &mut Budget| match template.rendered(&data, budget) {
            Ok(parts) => Ok(Ok(parts)),
            Err(Error::Rendering(why)) => Ok(Err(why)),
            Err(error) => Err(error),
        };
        compute.soon(account.as_str(), STEPS_MAX, render).await?
    }

    fn rendered(&self, data: &Data, budget: &mut Budget) -> Result<Parts, Error> {
        let data = data.read(budget)?;
        match &self.read {
            Some(compiled) => Ok(compiled.render(&data, budget)?),
            None => {
                let compiled = self.parts.compile(&self.name, budget).map_err(|error| match error {
                    Error::Invalid { why, .. } => Error::Rendering(why),
                    other => other,
                })?;
                Ok(compiled.render(&data, budget)?)
            }
        }
    }
}
