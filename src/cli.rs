//! The flags and commands.
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use postrider::base::{AccountId, Domain, Region};
use postrider::config::Given;

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

#[derive(Args)]
pub struct AdminFlags {
    #[command(flatten)]
    pub flags: Flags,

    #[command(subcommand)]
    pub command: AdminCommand,
}

#[derive(Subcommand)]
pub enum AdminCommand {
    /// Make and list accounts
    #[command(subcommand)]
    Account(AccountCommand),
    /// Make, list and switch off access keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Print the SMTP user and password that belong to an access key
    SmtpCredentials {
        /// Access key id
        key: String,
        #[arg(long, default_value = "us-east-1")]
        region: Region,
    },
    /// Take an account out of the sandbox
    GrantProduction {
        account: AccountId,
        #[arg(long, default_value = "us-east-1")]
        region: Region,
        /// Recipients in 24 hours; -1: no limit
        #[arg(long, default_value_t = 50_000, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
        max_24_hour: i64,
        /// Recipients per second; -1: no limit
        #[arg(long, default_value_t = 14, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
        max_per_second: i64,
    },
    /// List the requests for production access that wait
    ProductionRequests,
    /// Say no to an account's request for production access
    DenyProduction {
        account: AccountId,
        #[arg(long, default_value = "us-east-1")]
        region: Region,
    },
    /// Make or change a receipt rule from JSON, with the actions that no SDK can send: WebhookAction, SqsAction, ForwardAction
    ReceiptRule {
        /// The rule set
        rule_set: String,
        /// File with a ReceiptRule as JSON; - is standard input
        file: PathBuf,
        /// The rule after which a new one is placed [default: the first place]
        #[arg(long)]
        after: Option<String>,
        #[arg(long, default_value = "000000000000")]
        account: AccountId,
        #[arg(long, default_value = "us-east-1")]
        region: Region,
    },
    /// Give back a mail that an S3 action encrypted under a KMS key
    DecryptObject {
        /// The object as it was stored; - is standard input
        object: PathBuf,
        /// File with the object's metadata as JSON: what stands beside an object in a folder, or what `aws s3api head-object`
        /// prints [default: the object's name and .instruction]
        #[arg(long)]
        metadata: Option<PathBuf>,
        /// Where the mail goes [default: standard output]
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Print how many stored texts each master key still seals; one that seals none may be taken out of the file
    MasterKeys,
    /// Print the newest attempts to deliver messages of topics to a subscriber
    Deliveries {
        /// A subscription's ARN, a phone number, or the ARN of a device's endpoint or of an event bus
        to: String,
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Print what became of a sent mail: each recipient, and what both sides said in each attempt to deliver
    Transcript {
        /// The MessageId of SES
        message_id: String,
    },
    /// Say what a reply of a mail host, or a bounce, means: type, subtype, who is to blame, and the rule that says so
    Classify {
        /// File with the reply or the message; - is standard input
        #[arg(default_value = "-")]
        file: PathBuf,
        /// The host that said it [default: the one in the report]
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
        /// The command that the reply answers
        #[arg(long, value_parser = ["connect", "ehlo", "mail", "rcpt", "data"])]
        stage: Option<String>,
    },
    /// Print an account's suppression list as CSV: address, reason, since when
    ExportSuppressed {
        #[arg(long, default_value = "000000000000")]
        account: AccountId,
        #[arg(long, default_value = "us-east-1")]
        region: Region,
    },
    /// Put the addresses of a file on an account's suppression list: a line each, ADDRESS,REASON
    ImportSuppressed {
        /// The file; - is standard input
        file: PathBuf,
        /// Each line is a JSON object with emailAddress and reason
        #[arg(long)]
        json: bool,
        /// Take the addresses off the list
        #[arg(long)]
        delete: bool,
        #[arg(long, default_value = "000000000000")]
        account: AccountId,
        #[arg(long, default_value = "us-east-1")]
        region: Region,
    },
    /// Print the DNS records that verify a domain identity
    DnsRecords {
        domain: Domain,
        #[arg(long, default_value = "000000000000")]
        account: AccountId,
        #[arg(long, default_value = "us-east-1")]
        region: Region,
    },
    /// Begin to change a domain's DKIM key; prints the records to set
    RotateDkim {
        domain: Domain,
        #[arg(long, default_value = "000000000000")]
        account: AccountId,
        #[arg(long, default_value = "us-east-1")]
        region: Region,
    },
    /// Sign a domain's mail with an Ed25519 key too; prints the records to set
    DkimEd25519 {
        domain: Domain,
        #[arg(long, default_value = "000000000000")]
        account: AccountId,
        #[arg(long, default_value = "us-east-1")]
        region: Region,
        /// Take the key away again
        #[arg(long)]
        off: bool,
    },
}

impl AdminCommand {
    /// The region that it is for, if it is for one.
    pub fn region(&self) -> Option<&Region> {
        match self {
            Self::SmtpCredentials { region, .. }
            | Self::GrantProduction { region, .. }
            | Self::DenyProduction { region, .. }
            | Self::ReceiptRule { region, .. }
            | Self::ExportSuppressed { region, .. }
            | Self::ImportSuppressed { region, .. }
            | Self::DnsRecords { region, .. }
            | Self::RotateDkim { region, .. }
            | Self::DkimEd25519 { region, .. } => Some(region),
            Self::Account(_)
            | Self::Key(_)
            | Self::ProductionRequests
            | Self::DecryptObject { .. }
            | Self::MasterKeys
            | Self::Classify { .. }
            | Self::Deliveries { .. }
            | Self::Transcript { .. } => None,
        }
    }
}

#[derive(Subcommand)]
pub enum AccountCommand {
    /// Make an account and print its number
    Create {
        name: String,
        /// 12 digits [default: random]
        #[arg(long)]
        id: Option<AccountId>,
    },
    /// List accounts
    List,
}

#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make an access key and print it; the secret is shown this once
    Create { account: AccountId },
    /// List an account's access keys
    List { account: AccountId },
    /// Switch an access key off
    Deactivate { id: String },
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
