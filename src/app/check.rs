//! Whether the settings can be used, without a server: what a start reads is read.
use crate::app::log::check_filter;
use crate::app::{admin, parts};
use crate::base::Reach;
use crate::config::Settings;
use crate::outlets::EventBuses;
use crate::outlets::objects::Objects;
use crate::smtp::Tls;
use crate::store::Database;

/// Reads what the settings name.
///
/// # Errors
/// What cannot be used, in one line.
pub fn check_settings(settings: &Settings) -> Result<(), String> {
    settings.check_listeners().map_err(|problem| problem.to_string())?;
    check_filter(&settings.log).map_err(|error| format!("log {:?} is no filter: {error}", settings.log))?;
    settings.database_url.parse::<Database>()?;
    parts::check_delivery(settings)?;
    Objects::from_settings(&settings.objects, &settings.data_dir)?;
    admin::classifier(settings)?;
    if let Some((certificate, key)) = &settings.tls {
        Tls::from_files(certificate, key).map_err(|error| format!("tls: {error}"))?;
    }
    if let Some(file) = &settings.encryption.master_key_file {
        std::fs::metadata(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    }
    EventBuses::from_settings(settings)?;
    Ok(())
}

/// What the settings name that cannot be reached: a line each.
pub fn unreachable(settings: &Settings) -> Vec<String> {
    let reach = Reach::new(settings.webhook_allow.clone());
    let barred = EventBuses::from_settings(settings).map(|buses| buses.barred(&reach)).unwrap_or_default();
    barred.into_iter().map(|(bus, barred)| format!("event-buses: {bus}: {barred}")).collect()
}
