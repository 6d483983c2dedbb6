//! Counters of events, in place of SES's CloudWatch destinations: `postrider_ses_events_total` at `/metrics`, with the
//! event, the configuration set and the destination's dimensions as labels.
//!
//! The values come from tags and headers of mails, so they could be any number: a process makes up to 10,000 series; after
//! that, a mail with values not seen before counts under the dimensions' defaults.
use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use metrics::{Label, counter};

use crate::store::Error;
use crate::store::event_destinations::{Dimension, DimensionSource};
use crate::store::mails::Mail;

/// Series of one process.
const SERIES_MAX: usize = 10_000;
/// The longest value, in characters.
const VALUE_LENGTH: usize = 256;

static SERIES: LazyLock<Mutex<HashSet<Vec<String>>>> = LazyLock::new(Mutex::default);

/// Counts an event of `mail`; `event` is its name in a record.
///
/// # Errors
/// [`Error::Corrupt`], and nothing is counted, where what a dimension asks for cannot be read.
pub(super) fn count(mail: &Mail, event: &'static str, dimensions: &[Dimension]) -> Result<(), Error> {
    let set = mail.configuration_set.clone().unwrap_or_default();
    let mut values: Vec<String> =
        dimensions.iter().map(|dimension| value(mail, dimension)).collect::<Result<_, _>>()?;
    let mut key = vec![event.to_owned(), mail.account.to_string(), set.clone()];
    key.extend(dimensions.iter().zip(&values).flat_map(|(d, v)| [d.name.clone(), v.clone()]));
    let mut known = SERIES.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= SERIES_MAX && !known.contains(&key) {
        values = dimensions.iter().map(|dimension| dimension.default.clone()).collect();
    } else {
        known.insert(key);
    }
    drop(known);
    let mut labels = vec![
        Label::new("event", event),
        Label::new("account", mail.account.to_string()),
        Label::new("configuration_set", set),
    ];
    labels.extend(dimensions.iter().zip(values).map(|(dimension, value)| Label::new(label(&dimension.name), value)));
    counter!("postrider_ses_events_total", labels).increment(1);
    Ok(())
}

/// A mail's value of a dimension.
fn value(mail: &Mail, dimension: &Dimension) -> Result<String, Error> {
    let found = match dimension.source {
        DimensionSource::MessageTag => {
            let tags = mail.tags.read()?;
            tags.into_iter().find(|(name, _)| *name == dimension.name).map(|(_, value)| value)
        }
        DimensionSource::EmailHeader => {
            let headers = mail.headers.read()?.headers;
            let found = headers.into_iter().find(|line| line.name.eq_ignore_ascii_case(&dimension.name));
            found.map(|line| line.value)
        }
        DimensionSource::LinkTag => None,
    };
    let kept = |value: String| value.chars().filter(|c| !c.is_control()).take(VALUE_LENGTH).collect::<String>();
    Ok(found.map(kept).filter(|value| !value.is_empty()).unwrap_or_else(|| dimension.default.clone()))
}

/// A dimension's name as a label: Prometheus allows letters, digits and `_`. Ours stand before it, and cannot be taken.
fn label(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("dimension_{clean}")
}
