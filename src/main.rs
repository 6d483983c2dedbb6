//! The command line: `postrider dev`, `postrider serve`, `postrider admin …`.
#![forbid(unsafe_code)]

mod cli;
mod settings_file;

use std::path::PathBuf;
use std::process::ExitCode;

use postrider::app::admin::{Place, Whose};
use postrider::app::{App, Asked, LogFilter, Signals, StartError, check_settings};
use postrider::app::{greeting, start_log, use_small_pages, warn_if_open};
use postrider::base::{Clock, ids};
use postrider::config::{DatabaseFrom, Given, Mode, Problem, Settings};

use cli::admin::AdminCommand;
use cli::administer::carry_out;
use cli::print::{fail, say};
use cli::{Cli, Command, Flags};

/// Requests make many small texts on several threads at once; the machine's own allocator takes twice as long for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code for flags and settings that cannot be used.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    use_small_pages();
    let (cli, whose) = match Cli::read() {
        Ok(read) => read,
        // Help, version, and help for a command that is not finished.
        Err(error) if cli::is_help(&error) => error.exit(),
        Err(error) => return fail(USAGE, &cli::first_line(&error)),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("cannot start: {error}")),
    };
    let end = runtime.block_on(run(cli, whose));
    // Nothing of ours runs any more; a stuck thread of a library must not keep the process.
    runtime.shutdown_background();
    end
}

async fn run(cli: Cli, whose: Whose) -> ExitCode {
    let (mode, flags) = match cli.command {
        Command::Dev(flags) => (Mode::Dev, flags),
        Command::Serve(flags) => (Mode::Serve, flags),
        Command::Admin(admin) => {
            use_ring();
            return administer(&admin.flags, admin.command, &whose).await;
        }
        Command::CheckConfig(flags) => return check_config(flags),
        Command::SampleConfig => return say(&settings_file::sample()),
    };
    let (mut settings, from) = match resolve(mode, &flags) {
        Ok(settings) => settings,
        Err(problem) => return fail(USAGE, &problem.to_string()),
    };
    use_ring();
    let _goes = settings.dev.ephemeral.then(|| Ephemeral::of(&mut settings));
    serve(settings, flags, from).await
}

/// Every TLS connection, also those of the libraries, uses this one.
fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A folder that goes when the server has ended.
struct Ephemeral(PathBuf);

impl Ephemeral {
    /// Has the settings keep all in a new folder among the machine's temporary files; it is made when the server starts.
    fn of(settings: &mut Settings) -> Self {
        let folder = std::env::temp_dir().join(format!("postrider-{}", ids::token(12)));
        settings.keep_in(folder.clone());
        Self(folder)
    }
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What was given: flags, the environment and the file.
fn given(flags: &Flags) -> Result<Given, Problem> {
    match &flags.config {
        Some(path) => flags.given.clone().or_from_file(path),
        None => Ok(flags.given.clone()),
    }
}

/// What the variable says that many programs share.
fn bare_database() -> Option<String> {
    std::env::var("DATABASE_URL").ok()
}

/// The settings in force, and what named the database.
fn resolve(mode: Mode, flags: &Flags) -> Result<(Settings, DatabaseFrom), Problem> {
    let (given, from) = given(flags)?.or_bare_database(mode, bare_database());
    Ok((Settings::resolve(mode, given)?, from))
}

fn check_config(flags: Flags) -> ExitCode {
    let settings = resolve(Mode::Serve, &flags).map_err(|problem| problem.to_string());
    match settings.and_then(|(settings, _)| check_settings(&settings).map(|()| settings)) {
        Ok(settings) => {
            let doubts = settings_file::doubts(&settings).into_iter().map(|doubt| format!("warning: {doubt}\n"));
            say(&(doubts.collect::<String>() + "the settings can be used\n"))
        }
        Err(problem) => fail(USAGE, &problem),
    }
}

async fn serve(settings: Settings, again: Flags, from: DatabaseFrom) -> ExitCode {
    let log = start_log(&settings);
    for variable in settings_file::unknown_variables() {
        tracing::warn!(variable, "this variable is set, and no setting has its name");
    }
    if let Some(path) = again.config.as_ref().filter(|path| Given::of_file(path).is_ok_and(|file| file.has_secrets())) {
        warn_if_open("secrets", path);
    }
    let shown = settings.clone();
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(1, &format!("cannot listen for signals: {error}")),
    };
    let started = tokio::select! {
        started = App::start(settings, Clock::system(), true) => started,
        // Nothing was taken yet, and what is half made the next start finishes.
        () = signals.stop() => return fail(1, "stopped before it was up"),
    };
    let app = match started {
        Ok(app) => app,
        Err(error @ (StartError::Settings(_) | StartError::Tls(_) | StartError::DataDir(..))) => {
            return fail(USAGE, &error.to_string());
        }
        Err(error) => return fail(1, &error.to_string()),
    };
    say(&greeting(&shown, &app, from));
    while signals.next().await == Asked::Reload {
        reload(&app, &log, &again);
    }
    tracing::info!("stopping");
    tokio::select! {
        () = app.stop() => {}
        // A second one does not wait. What is in flight is found again at the next start.
        () = signals.stop() => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

/// Takes up what may change while the server runs: the certificate, and what is logged, from the file of settings. What a flag
/// or the environment says stands.
fn reload(app: &App, log: &LogFilter, again: &Flags) {
    match app.reload_certificate() {
        Ok(true) => tracing::info!("a new smtp certificate is in use"),
        Ok(false) => tracing::info!("the smtp certificate is the same"),
        Err(error) => tracing::error!(%error, "the new smtp certificate cannot be used, the one before stays"),
    }
    let Some(path) = &again.config else {
        return tracing::info!("there is no file of settings (config): what is logged stays the same");
    };
    let filter = again.given.clone().or_from_file(path).map_err(|problem| problem.to_string());
    let filter = filter.map(|given| given.log.unwrap_or_else(|| "info".to_owned()));
    match filter.and_then(|filter| log.set(&filter).map(|()| filter)) {
        Ok(filter) => tracing::info!(filter, "what is logged was read again"),
        Err(error) => tracing::error!(error, "what is logged stays the same"),
    }
}

async fn administer(flags: &Flags, command: AdminCommand, whose: &Whose) -> ExitCode {
    let place = match given(flags).and_then(|given| Place::of(given, bare_database())) {
        Ok(place) => place,
        Err(problem) => return fail(USAGE, &problem.to_string()),
    };
    let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    match carry_out(&place, command, whose).await {
        Ok(lines) => say(&text(&lines)),
        Err(error) => {
            say(&text(error.lines()));
            fail(1, &error.to_string())
        }
    }
}
