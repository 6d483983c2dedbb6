//! The commands of `postrider admin …`.
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use postrider::app::admin::Which;
use postrider::base::{AccountId, Domain, Region};
use postrider::workers::SystemQueue;

use crate::cli::Flags;

/// Whose, and where.
#[derive(Args)]
pub(crate) struct Of {
    /// The account
    #[arg(long, value_name = "ACCOUNT", default_value = "000000000000")]
    pub account: AccountId,
    /// The region
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub region: Region,
}

/// Where.
#[derive(Args)]
pub(crate) struct OfRegion {
    /// The region
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub region: Region,
}

/// Whose.
#[derive(Args)]
pub(crate) struct OfAccount {
    /// The account
    #[arg(long, value_name = "ACCOUNT", default_value = "000000000000")]
    pub account: AccountId,
}

/// Whose, without a default.
#[derive(Args)]
pub(crate) struct OfThis {
    /// The account
    #[arg(long, value_name = "ACCOUNT")]
    pub account: AccountId,
}

#[derive(Args)]
pub(crate) struct AdminFlags {
    #[command(flatten)]
    pub flags: Flags,

    #[command(subcommand)]
    pub command: AdminCommand,
}

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Make, list, suspend and delete accounts
    #[command(subcommand)]
    Account(AccountCommand),
    /// Make, list, switch off and on, and delete access keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Print the SMTP user and password that belong to an access key
    SmtpCredentials {
        /// Access key id
        key: String,
        #[command(flatten)]
        of: OfRegion,
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
    /// List the accounts in the sandbox that told of themselves: "asks" for production access, or only "tells"
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
        /// The rule after which it is placed [default: the first place; a rule that is there keeps its place]
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
    /// Let leave what is held: mail, notifications, functions, receipt rules, objects; a running server follows within a few seconds
    Release,
    /// Print how many stored texts each master key still seals; one that seals none may be taken out of the file
    MasterKeys,
    /// List jobs that were given up, try them again, drop them
    #[command(subcommand)]
    Jobs(JobsCommand),
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
    /// Print the DNS records that verify a domain identity, or that the server itself needs
    DnsRecords {
        /// The domain
        #[arg(required_unless_present = "server", conflicts_with = "server")]
        domain: Option<Domain>,
        /// Those of the server: its name and addresses, the feedback domain
        #[arg(long)]
        server: bool,
        /// Look each up, and say what stands instead and when it is looked for. The exit code is 0 when all that are required
        /// are there, and 1 otherwise
        #[arg(long)]
        check: bool,
        /// text, or zone: lines of a zone file
        #[arg(long, value_enum, default_value_t)]
        format: RecordFormat,
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

/// How DNS records are printed.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum RecordFormat {
    #[default]
    Text,
    Zone,
}

#[derive(Subcommand)]
pub(crate) enum AccountCommand {
    /// Make an account and print its number
    Create {
        name: String,
        /// 12 digits [default: random]
        #[arg(long)]
        id: Option<AccountId>,
    },
    /// List accounts
    List,
    /// Refuse an account's keys and SMTP passwords, hold its mail back and put off mail for it; what it holds stays
    Suspend {
        #[command(flatten)]
        of: OfThis,
    },
    /// End an account's suspension
    Resume {
        #[command(flatten)]
        of: OfThis,
    },
    /// Print what an account holds; with --confirm, delete the account with all of it
    Delete {
        #[command(flatten)]
        of: OfThis,
        /// The account's number once more: delete it, for good
        #[arg(long, value_name = "ACCOUNT")]
        confirm: Option<AccountId>,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
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
    /// Switch an access key off; servers refuse it within a second
    Deactivate { id: String },
    /// Switch an access key on again
    Activate { id: String },
    /// Delete an access key, active or not; servers refuse it within a second
    Delete { id: String },
}

/// A queue of the system.
#[derive(Clone, Copy, ValueEnum)]
pub enum QueueName {
    /// Sent mail, a job for each recipient
    Outbound,
    /// Received mail, and what receipt rules have handed over
    Inbound,
    /// Messages of topics for endpoints, texts, events
    #[value(alias = "delivery")]
    TopicDelivery,
    /// Messages for the many subscriptions of a topic
    FanOut,
}

impl From<QueueName> for SystemQueue {
    fn from(name: QueueName) -> Self {
        match name {
            QueueName::Outbound => Self::Outbound,
            QueueName::Inbound => Self::Inbound,
            QueueName::TopicDelivery => Self::TopicDelivery,
            QueueName::FanOut => Self::FanOut,
        }
    }
}

/// How many jobs a list shows at the most.
pub(crate) const JOBS_MAX: i64 = 100_000;

#[derive(Subcommand)]
pub(crate) enum JobsCommand {
    /// List them, oldest first: id, queue, account, region, since when, attempts, what for, why
    List {
        /// Those of this queue: outbound, inbound, topic-delivery or fan-out [default: of all]
        #[arg(long, hide_possible_values = true)]
        queue: Option<QueueName>,
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=JOBS_MAX))]
        limit: u32,
    },
    /// Put jobs back into their queue: they are tried at once, with all their attempts
    Retry(JobsGiven),
    /// Drop jobs for good
    Drop(JobsGiven),
}

/// Which jobs: some by id, or all of a queue.
#[derive(Args)]
pub struct JobsGiven {
    /// Ids of jobs, as the list shows them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with_all = ["all", "queue"])]
    pub ids: Vec<i64>,
    /// All jobs of a queue
    #[arg(long, requires = "queue")]
    pub all: bool,
    /// The queue: outbound, inbound, topic-delivery or fan-out
    #[arg(long, requires = "all", hide_possible_values = true)]
    pub queue: Option<QueueName>,
}

impl From<JobsGiven> for Which {
    fn from(given: JobsGiven) -> Self {
        match given.queue {
            Some(queue) => Self::AllOf(queue.into()),
            None => Self::Ids(given.ids),
        }
    }
}
