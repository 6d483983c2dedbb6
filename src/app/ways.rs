//! The ways out of topics, opened as the settings say.
use std::sync::Arc;

use crate::base::{Clock, Reach, Secret};
use crate::config::{Mode, Settings};
use crate::mail::own::Notices;
use crate::mail::resolver::Dns;
use crate::outlets::{EventBuses, Functions, Gateway, Streams, barred, client};
use crate::topics::delivery::{Lookup, Poster};
use crate::topics::{Texts, Ways};

/// Opens the ways. Fails with a line for the operator.
pub(super) fn open(settings: &Settings, clock: &Clock, streams: &Streams) -> Result<Ways, String> {
    let gateways = &settings.gateways;
    let dev = settings.mode == Mode::Dev;
    let texts = gateway(settings, clock, "sms-url", gateways.sms_url.as_deref(), gateways.sms_token.clone())?;
    let captured = || (dev && settings.delivery == "capture").then_some(Texts::Captured);
    let reach = Reach::new(settings.webhook_allow.clone());
    let buses = EventBuses::from_settings(settings)?;
    for (bus, barred) in buses.barred(&reach) {
        tracing::warn!(bus, setting = barred::SETTING, "event bus: {barred}");
    }
    Ok(Ways {
        functions: Some(Functions::from_settings(settings, clock.clone())?),
        mailer: Some(Arc::new(Notices::new(settings.hostname.to_string()))),
        streams: Some(streams.clone()),
        buses,
        reach,
        texts: texts.map(Texts::Gateway).or_else(captured),
        sms_sandbox: gateways.sms_sandbox.unwrap_or(!dev),
        pushes: gateway(settings, clock, "push-url", gateways.push_url.as_deref(), gateways.push_token.clone())?,
    })
}

fn gateway(
    settings: &Settings,
    clock: &Clock,
    name: &str,
    url: Option<&str>,
    token: Option<Secret>,
) -> Result<Option<Gateway>, String> {
    let Some(url) = url else { return Ok(None) };
    let fine = url.starts_with("http://") || url.starts_with("https://");
    let url =
        url.parse().ok().filter(|_| fine).ok_or_else(|| format!("{name} {url:?} is not an http:// or https:// URL"))?;
    let authorities = client::authorities(settings.webhook_ca.as_deref()).map_err(|why| why.to_string())?;
    let client = client::plain(&authorities).map_err(|why| why.to_string())?;
    Ok(Some(Gateway::new(client, clock.clone(), url, token)))
}

/// What posts to webhooks: it asks the configured name servers, where there are some.
pub(super) fn poster(settings: &Settings, clock: &Clock, dns: &Dns) -> Result<Poster, String> {
    let authorities = client::authorities(settings.webhook_ca.as_deref()).map_err(|why| why.to_string())?;
    let lookup = (!settings.dns.is_empty()).then(|| Arc::new(dns.clone()) as Arc<dyn Lookup>);
    let reach = Reach::new(settings.webhook_allow.clone());
    Poster::with(clock.clone(), reach, &authorities, lookup).map_err(|why| why.to_string())
}
