//! The log on stderr, and what is logged, which may change while the server runs.
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::Settings;
use crate::store::NOTICES;

type SetFilter = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// What is logged.
pub struct LogFilter(SetFilter);

impl LogFilter {
    /// Logs this from now on, in the words of `tracing_subscriber::EnvFilter`.
    ///
    /// # Errors
    /// When it is no filter; what was logged before is logged on.
    pub fn set(&self, filter: &str) -> Result<(), String> {
        (self.0)(read(filter)?)
    }
}

/// Whether this is a filter, in the words of `tracing_subscriber::EnvFilter`; else what is wrong.
///
/// # Errors
/// When it is none.
pub(super) fn check_filter(filter: &str) -> Result<(), String> {
    read(filter).map(|_| ())
}

/// The filter, which lets the database's notices through from warnings on, unless it names them itself.
fn read(text: &str) -> Result<EnvFilter, String> {
    let filter = EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    // To one that lets less through, the directive would add.
    let is_quiet = filter.max_level_hint().is_some_and(|most| most <= LevelFilter::WARN);
    match format!("{NOTICES}=warn").parse() {
        Ok(directive) if !is_quiet && !text.contains(NOTICES) => Ok(filter.add_directive(directive)),
        _ => Ok(filter),
    }
}

/// Starts the log of this process. What is no filter counts as `info`, and the log says so.
pub fn start_log(settings: &Settings) -> LogFilter {
    let log = start(settings);
    if let Err(error) = check_filter(&settings.log) {
        tracing::warn!(filter = settings.log, error, "the setting log is no filter: info is logged");
    }
    log
}

fn start(settings: &Settings) -> LogFilter {
    let filter = read(&settings.log).or_else(|_| read("info")).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Whoever read the log may be gone; to say that there would be in vain, and end the thread.
    let log = log.log_internal_errors(false);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if settings.log_json {
        let log = log.json().flatten_event(true).with_filter_reloading();
        let handle = log.reload_handle();
        log.init();
        LogFilter(Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())))
    } else {
        let log = log.with_target(false).with_filter_reloading();
        let handle = log.reload_handle();
        log.init();
        LogFilter(Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())))
    }
}
