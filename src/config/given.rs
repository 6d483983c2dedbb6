//! What the operator gave: flags, then the environment, then the file. Not yet checked, nothing filled in.
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use ipnet::IpNet;
use serde::Deserialize;

use crate::base::{Domain, Region, Secret};
use crate::config::address;
use crate::config::{
    DevGiven, Encryption, EventBuses, FeedbackGiven, Functions, Gateways, Listen, Mode, Objects, Octets, Problem,
    Streams,
};

/// Every setting, each as a flag, as an environment variable, and as a key of the file given by `--config` (same
/// names). A flag wins over the environment, and that over the file.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Given {
    /// Address of the AWS endpoint, health and metrics: IP:PORT, localhost:PORT, :PORT for all addresses of IPv4, or PORT for
    /// this machine alone [default: 127.0.0.1:4566]
    #[arg(long, value_name = "ADDR", env = "POSTRIDER_HTTP")]
    pub http: Option<Listen>,

    /// Address for incoming mail (MX), or none [default: 127.0.0.1:2525]
    #[arg(long, value_name = "ADDR", env = "POSTRIDER_SMTP")]
    pub smtp: Option<Listen>,

    /// Address for mail submission with STARTTLS and AUTH, or none [default: 127.0.0.1:2587]
    #[arg(long, value_name = "ADDR", env = "POSTRIDER_SUBMISSION")]
    pub submission: Option<Listen>,

    /// Address for mail submission with TLS from the first byte and AUTH, or none [default: 127.0.0.1:2465]
    #[arg(long, value_name = "ADDR", env = "POSTRIDER_SUBMISSIONS")]
    pub submissions: Option<Listen>,

    /// Address of a listener for health and metrics alone, with places of its own [default: none]
    #[arg(long, value_name = "ADDR", env = "POSTRIDER_ADMIN")]
    pub admin: Option<Listen>,

    /// Seconds for which a stop lets health answer 503 before anything closes, so that a load balancer looks elsewhere, 0 to 3600
    /// [default: 0]
    #[arg(long, value_name = "SECONDS", env = "POSTRIDER_DRAIN")]
    pub drain: Option<u64>,

    /// Directory for the database, received objects and keys [default: ./data]
    #[arg(long, value_name = "DIR", env = "POSTRIDER_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// sqlite:PATH or postgres://… [default: a SQLite file in the data directory; serve and admin: what DATABASE_URL says]
    #[arg(long, value_name = "URL", env = "POSTRIDER_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// MiB of the disk that are kept back beside a SQLite database, 0 to 65536; on a full disk they are let go, so that what is
    /// stored can be received and deleted [default: serve: 64; dev: 0]
    #[arg(long, value_name = "MIB", env = "POSTRIDER_DISK_RESERVE")]
    pub disk_reserve: Option<u64>,

    /// How mail leaves: capture, mx, relay://host:port or relay://user:pass@host:port [default: dev: capture; serve: mx]
    #[arg(long, value_name = "MODE", env = "POSTRIDER_DELIVERY", hide_env_values = true)]
    pub delivery: Option<String>,

    /// DNS servers to ask, as IP or IP:PORT,… [default: the system's]
    #[arg(long, value_name = "LIST", env = "POSTRIDER_DNS", value_delimiter = ',', value_parser = address::name_server)]
    #[serde(deserialize_with = "address::name_servers")]
    pub dns: Option<Vec<SocketAddr>>,

    /// Networks (CIDR) that webhooks may reach although private [default: none; dev: loopback]
    #[arg(long, value_name = "LIST", env = "POSTRIDER_WEBHOOK_ALLOW", value_delimiter = ',')]
    pub webhook_allow: Option<Vec<IpNet>>,

    /// Networks (CIDR) that mail may go to although private, where delivery is mx [default: none; dev: loopback]
    #[arg(long, value_name = "LIST", env = "POSTRIDER_MX_ALLOW", value_delimiter = ',')]
    pub mx_allow: Option<Vec<IpNet>>,

    /// Addresses of this machine that mail goes out from: one IPv4, one IPv6 or both [default: the system's choice]
    #[arg(long, value_name = "LIST", env = "POSTRIDER_SOURCE_ADDRESS", value_delimiter = ',')]
    pub source_address: Option<Vec<IpAddr>>,

    /// Functions that stand for AWS Lambda: name or ARN of each, and the URL of its runtime [default: none]
    #[arg(long, value_name = "NAME=URL,…", env = "POSTRIDER_FUNCTIONS")]
    pub functions: Option<Functions>,

    /// Delivery streams that stand for Data Firehose: name or ARN of each, and where its objects go [default: none]
    #[arg(long, value_name = "NAME=BUCKET/PREFIX,…", env = "POSTRIDER_STREAMS")]
    pub streams: Option<Streams>,

    /// Event buses that stand for EventBridge: name or ARN of each, and the URL that its events are posted to [default: none]
    #[arg(long, value_name = "NAME=URL,…", env = "POSTRIDER_EVENT_BUSES")]
    pub event_buses: Option<EventBuses>,

    /// What signs these posts (Standard Webhooks); give it in the environment, not as a flag
    #[arg(
        long,
        value_name = "SECRET",
        env = "POSTRIDER_EVENT_BUS_SECRET",
        hide_env_values = true,
        value_parser = |text: &str| Ok::<_, std::convert::Infallible>(Secret::new(text))
    )]
    pub event_bus_secret: Option<Secret>,

    /// What SigningCertURL starts with, such as <https://sns.us-east-1.amazonaws.com>, for receivers that insist on
    /// AWS's host [default: as other links]
    #[arg(long, value_name = "URL", env = "POSTRIDER_SIGNING_URL")]
    pub signing_url: Option<String>,

    /// PEM file with authorities that https webhooks and functions may be certified by, besides the public ones
    #[arg(long, value_name = "FILE", env = "POSTRIDER_WEBHOOK_CA")]
    pub webhook_ca: Option<PathBuf>,

    /// Port that mx delivery connects to [default: 25]
    #[arg(long, value_name = "N", env = "POSTRIDER_MX_PORT")]
    pub mx_port: Option<u16>,

    /// Domain whose addresses behave as those of simulator.amazonses.com do [default: none]
    #[arg(long, value_name = "DOMAIN", env = "POSTRIDER_SIMULATOR_DOMAIN")]
    pub simulator_domain: Option<Domain>,

    /// Name in the SMTP banner, EHLO and Message-ID [default: the machine's]
    #[arg(long, value_name = "NAME", env = "POSTRIDER_HOSTNAME")]
    pub hostname: Option<String>,

    /// Zone in which you publish DKIM keys; owners of domains then set CNAMEs that lead there [default: none, owners
    /// publish their keys themselves]
    #[arg(long, value_name = "NAME", env = "POSTRIDER_DKIM_ZONE")]
    pub dkim_zone: Option<String>,

    /// What DKIM signatures let pass on the way, for header and body: relaxed (white space may change) or simple (nothing
    /// may) [default: relaxed/relaxed]
    #[arg(long, value_name = "HEADER/BODY", env = "POSTRIDER_DKIM_CANONICALIZATION",
        value_parser = ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"])]
    pub dkim_canonicalization: Option<String>,

    /// What becomes of sent mail with lines over 998 octets: keep, it goes out as it is, or encode, its parts are encoded anew
    /// before they are signed [default: keep]
    #[arg(long, value_name = "WAY", env = "POSTRIDER_LONG_LINES", value_parser = ["keep", "encode"])]
    pub long_lines: Option<String>,

    /// Base of the links in notifications and mails, and of queue URLs, such as <http://mail.example.com:4566>, whatever name
    /// callers use [default: http:// and the http address; queue URLs begin with what the caller named]
    #[arg(long, value_name = "URL", env = "POSTRIDER_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Regions of your own, beside AWS's; requests for any other are refused [default: none]
    #[arg(long, value_name = "LIST", env = "POSTRIDER_REGIONS", value_delimiter = ',')]
    pub regions: Option<Vec<Region>>,

    /// Queues that an account may have in a region, 1 to 10,000,000 [default: 100000]
    #[arg(long, value_name = "N", env = "POSTRIDER_QUEUES_PER_ACCOUNT")]
    pub queues_per_account: Option<u32>,

    /// Certificate chain for SMTP, PEM [default: a self-signed one in the data directory]
    #[arg(long, value_name = "FILE", env = "POSTRIDER_TLS_CERTIFICATE")]
    pub tls_certificate: Option<PathBuf>,

    /// Private key of that certificate, PEM
    #[arg(long, value_name = "FILE", env = "POSTRIDER_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Take calls and mail, but leave the jobs (delivery, receipt rules, notifications) to other nodes of the same
    /// database, or to this one when it is started without this [default: false]
    #[arg(long, env = "POSTRIDER_ACCEPT_ONLY", num_args = 0..=1, default_missing_value = "true")]
    pub accept_only: Option<bool>,

    /// Take calls and mail, and work what stays inside, such as queues, but let nothing leave: no mail, notification, function,
    /// receipt rule or object; on all nodes of the database, until `postrider admin release` [default: false]
    #[arg(long, env = "POSTRIDER_HOLD_DELIVERY", num_args = 0..=1, default_missing_value = "true")]
    pub hold_delivery: Option<bool>,

    /// Memory for requests, mail and answers on their way through all listeners together, such as 512MiB; what does not
    /// fit is put off [default: a quarter of the machine's memory, at most 1GiB]
    #[arg(long, value_name = "SIZE", env = "POSTRIDER_MEMORY_BUDGET")]
    pub memory_budget: Option<Octets>,

    /// HTTP connections at one time [default: 4096]
    #[arg(long, value_name = "N", env = "POSTRIDER_HTTP_CONNECTIONS")]
    pub http_connections: Option<usize>,

    /// HTTP connections at one time from one address (IPv6: from one /64) [default: half of all]
    #[arg(long, value_name = "N", env = "POSTRIDER_HTTP_CONNECTIONS_PER_PEER")]
    pub http_connections_per_peer: Option<usize>,

    /// SMTP sessions at one time on each of the three listeners [default: 1000]
    #[arg(long, value_name = "N", env = "POSTRIDER_SMTP_SESSIONS")]
    pub smtp_sessions: Option<usize>,

    /// SMTP sessions at one time from one address (IPv6: from one /64) [default: 50]
    #[arg(long, value_name = "N", env = "POSTRIDER_SMTP_SESSIONS_PER_PEER")]
    pub smtp_sessions_per_peer: Option<usize>,

    /// SMTP connections in a minute from one address (IPv6: from one /64); loopback has no such limit [default: 120]
    #[arg(long, value_name = "N", env = "POSTRIDER_SMTP_CONNECTIONS_PER_MINUTE")]
    pub smtp_connections_per_minute: Option<u32>,

    /// Errors and refused recipients in an SMTP session after which each one more makes the next reply wait [default: 5]
    #[arg(long, value_name = "N", env = "POSTRIDER_SMTP_TARPIT_AFTER")]
    pub smtp_tarpit_after: Option<u32>,

    /// Seconds that each of those makes it wait; 0 for no wait [default: 2]
    #[arg(long, value_name = "SECONDS", env = "POSTRIDER_SMTP_TARPIT")]
    pub smtp_tarpit: Option<u64>,

    /// Form of the log on stderr: text or json [default: text]
    #[arg(long, value_name = "FORM", env = "POSTRIDER_LOG_FORMAT", value_parser = ["text", "json"])]
    pub log_format: Option<String>,

    /// What is logged, such as info or postrider=debug [default: info]
    #[arg(long, value_name = "FILTER", env = "POSTRIDER_LOG")]
    pub log: Option<String>,

    /// Access key id of the root account's first key [default: made at the first start of serve]
    #[arg(long, value_name = "ID", env = "POSTRIDER_ROOT_ACCESS_KEY_ID")]
    pub root_access_key_id: Option<String>,

    /// Secret of that key; give it in the environment, not as a flag
    #[arg(
        long,
        value_name = "SECRET",
        env = "POSTRIDER_ROOT_SECRET_ACCESS_KEY",
        hide_env_values = true,
        value_parser = |text: &str| Ok::<_, std::convert::Infallible>(Secret::new(text))
    )]
    pub root_secret_access_key: Option<Secret>,

    /// Where buckets are kept.
    #[command(flatten)]
    pub objects: Objects,

    /// What takes messages to phones and devices.
    #[command(flatten)]
    pub gateways: Gateways,

    /// How what is stored is encrypted.
    #[command(flatten)]
    pub encryption: Encryption,

    /// Where bounces and complaints arrive.
    #[command(flatten)]
    pub feedback: FeedbackGiven,

    /// What `dev` has and `serve` has not.
    #[command(flatten)]
    pub dev: DevGiven,
}

/// What named the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseFrom {
    /// A flag, the environment, or the file.
    Setting,
    /// Nothing: it is the file in the data directory.
    Default,
    /// The variable `DATABASE_URL`.
    Bare,
    /// Nothing, since `DATABASE_URL` is not looked at in `dev`.
    DefaultNotBare,
}

/// Takes each field from the second where the first has none.
macro_rules! fill_up {
    ($first:ident, $second:ident: $($field:ident),* $(,)?) => { $($first.$field = $first.$field.or($second.$field);)* };
}

impl Given {
    /// Whether a secret is among it: a key, a token, or a password within a URL.
    pub fn has_secrets(&self) -> bool {
        let in_url = |url: &Option<String>| url.as_ref().is_some_and(|url| url.contains('@'));
        let (objects, gateways) = (&self.objects, &self.gateways);
        let secrets = [
            &self.root_secret_access_key,
            &self.event_bus_secret,
            &self.encryption.master_key,
            &objects.s3_secret_access_key,
            &objects.azure_access_key,
            &gateways.sms_token,
            &gateways.push_token,
        ];
        secrets.iter().any(|secret| secret.is_some()) || in_url(&self.database_url) || in_url(&self.delivery)
    }

    /// Takes the database that the variable `DATABASE_URL` names, where nothing else names one. Many programs share it, so it counts
    /// for `serve` only. Call after [`Given::or_from_file`].
    pub fn or_bare_database(mut self, mode: Mode, bare: Option<String>) -> (Self, DatabaseFrom) {
        if self.database_url.is_some() {
            return (self, DatabaseFrom::Setting);
        }
        let Some(bare) = bare.filter(|url| !url.is_empty()) else { return (self, DatabaseFrom::Default) };
        if mode == Mode::Dev {
            return (self, DatabaseFrom::DefaultNotBare);
        }
        self.database_url = Some(bare);
        (self, DatabaseFrom::Bare)
    }

    /// Fills what is not given from the file.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, or has a key that is not a setting.
    pub fn or_from_file(self, path: &Path) -> Result<Self, Problem> {
        Ok(self.or(Self::of_file(path)?))
    }

    /// Fills what is not given from others.
    #[must_use]
    pub fn or(mut self, file: Self) -> Self {
        let (file_objects, mut objects) = (file.objects, self.objects);
        let (mut encryption, flags) = (file.encryption, self.encryption);
        // The key and its file are one setting: a flag wins over both of the file's.
        if flags.master_key.is_some() || flags.master_key_file.is_some() {
            (encryption.master_key, encryption.master_key_file) = (flags.master_key, flags.master_key_file);
        }
        // No flag names these, but a file may be filled up from another place.
        if !flags.kms_keys.is_empty() {
            encryption.kms_keys = flags.kms_keys;
        }
        fill_up!(self, file: http, smtp, submission, submissions, admin, drain, memory_budget, http_connections,
            http_connections_per_peer, smtp_sessions, data_dir, database_url, delivery, dns, webhook_allow,
            disk_reserve, regions, queues_per_account, mx_allow, source_address, functions, streams, event_buses, event_bus_secret, signing_url, webhook_ca, mx_port, simulator_domain, accept_only, hold_delivery,
            smtp_sessions_per_peer, smtp_connections_per_minute, smtp_tarpit_after, smtp_tarpit, hostname,
            dkim_zone, dkim_canonicalization, long_lines, public_url, tls_certificate, tls_key, log_format, log, root_access_key_id,
            root_secret_access_key);
        let (file_gateways, mut gateways) = (file.gateways, self.gateways);
        fill_up!(gateways, file_gateways: sms_url, sms_token, sms_sandbox, push_url, push_token);
        fill_up!(objects, file_objects: object_store, objects_shared, s3_endpoint, s3_region, s3_access_key_id, s3_secret_access_key,
            gcs_service_account, azure_account, azure_access_key, azure_endpoint);
        let (file_feedback, mut feedback) = (file.feedback, self.feedback);
        fill_up!(feedback, file_feedback: feedback_domain, complaints_address, bounce_rules);
        let (file_dev, mut dev) = (file.dev, self.dev);
        fill_up!(dev, file_dev: capture_smtp, any_address, allow_hosts, ephemeral, port_offset);
        Self { objects, gateways, encryption, feedback, dev, ..self }
    }
}
