//! The commands of `postrider admin …`.
use std::path::PathBuf;

use clap::{Args, Subcommand};
use postrider::base::{AccountId, Domain, Region};

use crate::cli::Flags;

/// Whose, and where.
#[derive(Args)]
pub struct Of {
    /// The account
    #[arg(long, value_name = "ACCOUNT", default_value = "000000000000")]
    pub account: AccountId,
    /// The region
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub region: Region,
}

/// Whose.
#[derive(Args)]
pub struct OfAccount {
    /// The account
    #[arg(long, value_name = "ACCOUNT", default_value = "000000000000")]
    pub account: AccountId,
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
        #[command(flatten)]
        of: Of,
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
        #[command(flatten)]
        of: Of,
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
        #[command(flatten)]
        of: Of,
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
    /// Print what became of a sent mail: each recipient, what both sides said in each attempt, and when the next one is
    Transcript {
        /// The MessageId of SES, or the field Message-ID with it
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
        #[command(flatten)]
        of: Of,
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
        #[command(flatten)]
        of: Of,
    },
    /// Print the DNS records that verify a domain identity
    DnsRecords {
        domain: Domain,
        #[command(flatten)]
        of: Of,
    },
    /// Begin to change a domain's DKIM key; prints the records to set
    RotateDkim {
        domain: Domain,
        #[command(flatten)]
        of: Of,
    },
    /// Sign a domain's mail with an Ed25519 key too; prints the records to set
    DkimEd25519 {
        domain: Domain,
        #[command(flatten)]
        of: Of,
        /// Take the key away again
        #[arg(long)]
        off: bool,
    },
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
    Create {
        #[command(flatten)]
        of: OfAccount,
    },
    /// List an account's access keys
    List {
        #[command(flatten)]
        of: OfAccount,
    },
    /// Switch an access key off
    Deactivate { id: String },
}
