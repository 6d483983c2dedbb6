//! The flags and commands.
pub(crate) mod admin;
pub(crate) mod administer;
pub(crate) mod print;

use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use postrider::app::admin::Whose;
use postrider::base::{AccountId, Region};
use postrider::config::Given;

use admin::AdminFlags;

/// Amazon SES, with the SNS and SQS under it, on your own machine.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// The settings that the commands of `admin` go by. The others may be given all the same, so that one file and one environment serve
/// both; the help of `admin` does not show them.
const OF_ADMIN: [&str; 10] = [
    "data_dir",
    "database_url",
    "config",
    "master_key_file",
    "master_key",
    "hostname",
    "dkim_zone",
    "regions",
    "bounce_rules",
    "functions",
];

impl Cli {
    /// Reads the command line. Settings may stand before and after a command of `admin`. What it says of an account and a region
    /// comes beside it.
    pub(crate) fn read() -> Result<(Self, Whose), clap::Error> {
        let matches = Self::whole().try_get_matches()?;
        let cli = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut Self::command()))?;
        Ok((cli, whose(&matches)))
    }

    fn whole() -> clap::Command {
        let setting = |arg: clap::Arg| {
            let counts = OF_ADMIN.contains(&arg.get_id().as_str());
            arg.global(true)
                .hide(!counts)
                .help_heading("Settings; what is not given is as the server of the data directory has it")
        };
        Self::command().mut_subcommand("admin", |admin| admin.mut_args(setting))
    }
}

/// The account and the region that the innermost command is about.
fn whose(matches: &ArgMatches) -> Whose {
    let mut inner = matches;
    while let Some((_, next)) = inner.subcommand() {
        inner = next;
    }
    let account = inner.try_get_one::<AccountId>("account").ok().flatten().cloned();
    Whose { account, region: inner.try_get_one::<Region>("region").ok().flatten().cloned() }
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, parsed once")]
pub(crate) enum Command {
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
pub(crate) struct Flags {
    #[command(flatten)]
    pub given: Given,

    /// TOML file with any of these settings, same names [default: none]
    #[arg(long, value_name = "FILE", env = "POSTRIDER_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Whether what clap has to say is help, not a complaint.
pub(crate) fn is_help(error: &clap::Error) -> bool {
    let kind = error.kind();
    !error.use_stderr() || kind == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// What is wrong with the command line, in one line.
pub(crate) fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let words: Vec<&str> = what.split_whitespace().collect();
    format!("{} (see --help)", words.join(" "))
}
