//! Event buses: what stands for Amazon EventBridge. The settings say which URL each bus is; events are posted there, signed.
use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;

use crate::base::{Arn, Reach};
use crate::config::Settings;
use crate::outlets::{Barred, signature};

/// The event buses of the settings. Cheap to clone.
#[derive(Clone, Default)]
pub struct EventBuses(Arc<Inner>);

#[derive(Default)]
struct Inner {
    urls: BTreeMap<String, Url>,
    key: Vec<u8>,
}

/// The name in an event bus's ARN (`…:event-bus/NAME`). `None` for any other ARN.
pub fn name_of(bus: &Arn) -> Option<&str> {
    let name = bus.resource.strip_prefix("event-bus/").filter(|_| bus.service == "events")?;
    let fine =
        (1..=256).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    fine.then_some(name)
}

impl EventBuses {
    /// The buses that the settings name.
    ///
    /// # Errors
    /// A line for the operator: a URL that is none, or no secret to sign with.
    pub fn from_settings(settings: &Settings) -> Result<Self, String> {
        let url = |(name, url): (&String, &String)| {
            let parsed = url.parse().map_err(|why| format!("event-buses: {name}: {url:?}: {why}"))?;
            Ok((name.clone(), parsed))
        };
        let urls: BTreeMap<String, Url> = settings.event_buses.0.iter().map(url).collect::<Result<_, String>>()?;
        let key = settings.event_bus_secret.as_ref().and_then(|secret| signature::key(secret.reveal()));
        if !urls.is_empty() && key.is_none() {
            let text =
                "event-buses needs event-bus-secret: 16 to 256 characters, or whsec_ and 24 to 64 octets in base64";
            return Err(text.to_owned());
        }
        Ok(Self(Arc::new(Inner { urls, key: key.unwrap_or_default() })))
    }

    /// Where the settings send the events of this bus.
    pub fn url(&self, bus: &Arn) -> Option<&Url> {
        let by_name = || self.0.urls.get(name_of(bus)?);
        self.0.urls.get(&bus.to_string()).or_else(by_name)
    }

    /// The buses whose URL may not be reached, as far as that is known without a look-up: the name in the settings, and why.
    pub fn barred(&self, reach: &Reach) -> Vec<(String, Barred)> {
        let barred = |(name, url): (&String, &Url)| Some((name.clone(), Barred::of(reach, url.as_str())?));
        self.0.urls.iter().filter_map(barred).collect()
    }

    /// What signs.
    pub fn key(&self) -> &[u8] {
        &self.0.key
    }
}
