//! The flags and commands.
pub mod admin;
pub mod administer;

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use postrider::config::Given;

use admin::AdminFlags;

/// Amazon SES, with the SNS and SQS under it, on your own machine.
#[derive(Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line. Settings may stand before and after a command of `admin`.
    pub fn read() -> Result<Self, clap::Error> {
        let admin = |admin: clap::Command| admin.mut_args(|setting| setting.global(true));
        let matches = Self::command().mut_subcommand("admin", admin).try_get_matches()?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut Self::command()))
    }
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, parsed once")]
pub enum Command {
    /// For a developer's machine: loopback, any credentials, identities verify at once, mail is captured
    Dev(Flags),
    /// For production: signatures checked, sandbox on, identities verify by DNS or by mail
    Serve(Flags),
    /// Accounts, access keys, production access, SMTP credentials, DNS records, attempts to deliver
    Admin(AdminFlags),
    /// Say whether the settings of serve can be used, and what may be wrong with them
    CheckConfig(Flags),
    /// Print a file with all settings, each as a comment
    SampleConfig,
}

#[derive(Args)]
pub struct Flags {
    #[command(flatten)]
    pub given: Given,

    /// TOML file with any of these settings, same names [default: none]
    #[arg(long, value_name = "FILE", env = "POSTRIDER_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Whether what clap has to say is help, not a complaint.
pub fn is_help(error: &clap::Error) -> bool {
    let kind = error.kind();
    !error.use_stderr() || kind == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// What is wrong with the command line, in one line.
pub fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let words: Vec<&str> = what.split_whitespace().collect();
    format!("{} (see --help)", words.join(" "))
}
