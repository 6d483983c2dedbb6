//! The settings in force: checked, defaults filled in.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::base::{Domain, Regions, Secret};
use crate::config::smtp::within;
use crate::config::{
    Dev, Doors, Encryption, EventBuses, Feedback, Functions, Gateways, Given, Listen, Objects, SmtpClients, Streams,
    hostname,
};

const MIB: u64 = 1024 * 1024;

/// How strict the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A developer's machine: loopback, any credentials, identities verify at once, mail is captured.
    Dev,
    /// Production: signatures checked, sandbox on, identities verify by DNS or by mail.
    Serve,
}

impl Mode {
    /// The command that starts it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Serve => "serve",
        }
    }
}

/// Why the settings cannot be used: one clear line for the operator.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Problem(String);

impl Problem {
    /// A problem, in one line.
    pub fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How strict the server is.
    pub mode: Mode,
    /// Where HTTP listens; port 0 takes a free one, here and below.
    pub http: SocketAddr,
    /// Where incoming mail arrives.
    pub smtp: Option<SocketAddr>,
    /// Where mail is submitted, with STARTTLS.
    pub submission: Option<SocketAddr>,
    /// Where mail is submitted, with TLS from the first byte.
    pub submissions: Option<SocketAddr>,
    /// What `dev` has and `serve` has not.
    pub dev: Dev,
    /// What is kept on disk is in here.
    pub data_dir: PathBuf,
    /// The database's URL.
    pub database_url: String,
    /// Octets of the disk that are kept back beside a SQLite database.
    pub disk_reserve: u64,
    /// How mail leaves: `capture`, `mx` or `relay://…`.
    pub delivery: String,
    /// DNS servers; empty means the system's.
    pub dns: Vec<SocketAddr>,
    /// Private networks that webhooks may reach.
    pub webhook_allow: Vec<IpNet>,
    /// Private networks that mail may go to.
    pub mx_allow: Vec<IpNet>,
    /// Addresses that mail goes out from: at most one of each IP version.
    pub source_address: Vec<IpAddr>,
    /// Where functions listen.
    pub functions: Functions,
    /// Where delivery streams go.
    pub streams: Streams,
    /// Where event buses are.
    pub event_buses: EventBuses,
    /// What signs the events that go there.
    pub event_bus_secret: Option<Secret>,
    /// What takes messages to phones and devices.
    pub gateways: Gateways,
    /// What SigningCertURL starts with, where it differs from other links.
    pub signing_url: Option<String>,
    /// Authorities that webhooks and functions may be certified by, besides the public ones.
    pub webhook_ca: Option<PathBuf>,
    /// The port that MX delivery connects to.
    pub mx_port: u16,
    /// A domain of the mailbox simulator, beside SES's.
    pub simulator_domain: Option<Domain>,
    /// What this server calls itself in mail.
    pub hostname: Domain,
    /// The zone in which the operator publishes DKIM keys.
    pub dkim_zone: Option<Domain>,
    /// The forms that DKIM signs: `HEADER/BODY`.
    pub dkim_canonicalization: String,
    /// Whether parts with lines over 998 octets are encoded anew.
    pub encodes_long_lines: bool,
    /// Base of links, without a slash at its end; `None` means `http://` and the address that HTTP is bound to.
    pub public_url: Option<String>,
    /// The regions in which resources may be made: AWS's and the operator's.
    pub regions: Regions,
    /// Queues that an account may have in a region.
    pub queues_per_account: u32,
    /// Certificate and key for SMTP; `None` means a self-signed pair.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether this node works no jobs.
    pub accept_only: bool,
    /// Whether nothing leaves until `postrider admin release`.
    pub hold_delivery: bool,
    /// What all listeners have together.
    pub doors: Doors,
    /// What one client of the SMTP listeners gets.
    pub smtp_clients: SmtpClients,
    /// Whether the log is JSON.
    pub log_json: bool,
    /// What is logged, in the words of `tracing_subscriber::EnvFilter`.
    pub log: String,
    /// The root account's first access key.
    pub root_key: Option<(String, Secret)>,
    /// Where buckets are kept.
    pub objects: Objects,
    /// How what is stored is encrypted.
    pub encryption: Encryption,
    /// Where bounces and complaints arrive.
    pub feedback: Feedback,
}

fn loopback_networks() -> Vec<IpNet> {
    let v4 = Ipv4Net::new(Ipv4Addr::LOCALHOST, 8).map(|net| IpNet::V4(net.trunc()));
    let v6 = Ipv6Net::new(Ipv6Addr::LOCALHOST, 128).map(IpNet::V6);
    v4.into_iter().chain(v6).collect()
}

impl Settings {
    /// Fills in the defaults of `mode` and checks what was given.
    ///
    /// # Errors
    /// A [`Problem`] that names the setting.
    pub fn resolve(mode: Mode, given: Given) -> Result<Self, Problem> {
        let dev = mode == Mode::Dev;
        let doors = Doors::resolve(&given)?;
        let smtp_clients = SmtpClients::resolve(&given, doors.smtp_sessions)?;
        let dev_settings = Dev::resolve(mode, &given)?;
        let (http, [smtp, submission, submissions]) = listeners(&given, &dev_settings)?;
        let data_dir = given.data_dir.clone().unwrap_or_else(|| dev_settings.data_dir());
        let database = || format!("sqlite:{}", data_dir.join("postrider.db").display());
        let hostname = given.hostname.unwrap_or_else(hostname::of_machine);
        let hostname: Domain = hostname.parse().map_err(|e| Problem::new(format!("hostname {hostname:?}: {e}")))?;
        let settings = Self {
            mode,
            doors,
            smtp_clients,
            http,
            smtp,
            submission,
            submissions,
            dev: dev_settings,
            database_url: given.database_url.unwrap_or_else(database),
            data_dir,
            disk_reserve: within(
                "disk-reserve",
                given.disk_reserve,
                if dev { 0 } else { 64 },
                0..=65_536,
                "a reserve is a small part of a disk",
            )? * MIB,
            delivery: given.delivery.unwrap_or_else(|| if dev { "capture" } else { "mx" }.to_owned()),
            dns: given.dns.unwrap_or_default(),
            webhook_allow: given.webhook_allow.unwrap_or_else(|| if dev { loopback_networks() } else { vec![] }),
            mx_allow: given.mx_allow.unwrap_or_else(|| if dev { loopback_networks() } else { vec![] }),
            source_address: given.source_address.unwrap_or_default(),
            functions: given.functions.unwrap_or_default(),
            streams: given.streams.unwrap_or_default(),
            event_buses: given.event_buses.unwrap_or_default(),
            event_bus_secret: given.event_bus_secret,
            gateways: given.gateways,
            signing_url: given.signing_url.map(|url| checked_url("signing-url", url)).transpose()?,
            webhook_ca: given.webhook_ca,
            mx_port: given.mx_port.unwrap_or(25),
            simulator_domain: given.simulator_domain,
            feedback: given.feedback.resolve(&hostname)?,
            hostname,
            dkim_zone: match given.dkim_zone {
                None => None,
                Some(zone) => Some(zone.parse().map_err(|e| Problem::new(format!("dkim-zone {zone:?}: {e}")))?),
            },
            dkim_canonicalization: given.dkim_canonicalization.unwrap_or_else(|| "relaxed/relaxed".to_owned()),
            encodes_long_lines: long_lines(given.long_lines.as_deref())?,
            public_url: given.public_url.map(|url| checked_url("public-url", url)).transpose()?,
            regions: Regions::with(&given.regions.unwrap_or_default()),
            queues_per_account: queues_per_account(given.queues_per_account)?,
            tls: both((given.tls_certificate, given.tls_key), ("tls-certificate", "tls-key"))?,
            accept_only: given.accept_only.unwrap_or(false),
            hold_delivery: given.hold_delivery.unwrap_or(false),
            log_json: log_json(given.log_format.as_deref())?,
            log: given.log.unwrap_or_else(|| "info".to_owned()),
            root_key: both(
                (given.root_access_key_id, given.root_secret_access_key),
                ("root-access-key-id", "root-secret-access-key"),
            )?,
            objects: given.objects,
            encryption: given.encryption,
        };
        settings.check()?;
        Ok(settings)
    }

    /// Keeps everything in this folder, also the database.
    pub fn keep_in(&mut self, folder: PathBuf) {
        self.database_url = format!("sqlite:{}", folder.join("postrider.db").display());
        self.data_dir = folder;
    }

    /// Where each listener listens, by the name of its setting.
    fn listeners(&self) -> [(&'static str, Option<SocketAddr>); 6] {
        [
            ("http", Some(self.http)),
            ("smtp", self.smtp),
            ("submission", self.submission),
            ("submissions", self.submissions),
            ("admin", self.doors.admin),
            ("capture-smtp", self.dev.capture_smtp),
        ]
    }

    /// Whether each listener can have its address beside the others. A start finds that out by itself.
    ///
    /// # Errors
    /// When two have the same one, or one has all addresses of the other's port.
    pub fn check_listeners(&self) -> Result<(), Problem> {
        let listeners: Vec<_> = self
            .listeners()
            .into_iter()
            .filter_map(|(name, at)| Some((name, at.filter(|at| at.port() != 0)?)))
            .collect();
        for (n, (name, at)) in listeners.iter().enumerate() {
            let clashes = |other: &SocketAddr| {
                let any = other.ip().is_unspecified() || at.ip().is_unspecified();
                other.port() == at.port() && other.is_ipv4() == at.is_ipv4() && (any || other.ip() == at.ip())
            };
            if let Some((other, there)) = listeners.iter().skip(n + 1).find(|(_, there)| clashes(there)) {
                return Err(Problem::new(format!(
                    "{name} {at} and {other} {there}: two listeners cannot have one address"
                )));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Problem> {
        let listeners = self.listeners();
        let open = |(name, addr): (_, Option<SocketAddr>)| Some((name, addr.filter(|addr| !addr.ip().is_loopback())?));
        // dev believes anyone, so only this machine may reach it.
        if self.mode == Mode::Dev
            && !self.dev.any_address
            && let Some((name, addr)) = listeners.into_iter().find_map(open)
        {
            return Err(Problem::new(format!(
                "{name} {addr}: dev listens on loopback only, unless --any-address lets anybody in; serve asks for credentials"
            )));
        }
        let sources = |v4: bool| self.source_address.iter().filter(|address| address.is_ipv4() == v4).count();
        if sources(true) > 1 || sources(false) > 1 {
            return Err(Problem::new("source-address takes one IPv4 and one IPv6 address at the most"));
        }
        self.encryption.check()
    }
}

/// Whether the log is JSON. The flag's own check does not see the file.
fn log_json(given: Option<&str>) -> Result<bool, Problem> {
    match given {
        None | Some("text") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(Problem::new(format!("log-format must be text or json, not {other:?}"))),
    }
}

fn queues_per_account(given: Option<u32>) -> Result<u32, Problem> {
    let why = "an account has some queues, and each has a row";
    within("queues-per-account", given, 100_000, 1..=10_000_000, why)
}

/// Where HTTP, incoming mail, and submission in its two forms are listened for.
fn listeners(given: &Given, dev: &Dev) -> Result<(SocketAddr, [Option<SocketAddr>; 3]), Problem> {
    let at = |given: Option<Listen>, port| match given {
        Some(given) => Ok(given.address()),
        None => dev.address(port).map(Some),
    };
    let http = at(given.http, 4566)?;
    let http = http.ok_or_else(|| Problem::new("http cannot be none: it is what programs talk to"))?;
    Ok((http, [at(given.smtp, 2525)?, at(given.submission, 2587)?, at(given.submissions, 2465)?]))
}

/// Two settings that make sense only together, whichever of flag, environment and file each comes from.
fn both<A, B>(given: (Option<A>, Option<B>), names: (&str, &str)) -> Result<Option<(A, B)>, Problem> {
    match given {
        (Some(first), Some(second)) => Ok(Some((first, second))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Problem::new(format!("{} is given and {} is not; they go together", names.0, names.1))),
        (None, Some(_)) => Err(Problem::new(format!("{} is given and {} is not; they go together", names.1, names.0))),
    }
}

/// The flag is checked as it is read; the file is not.
fn long_lines(way: Option<&str>) -> Result<bool, Problem> {
    match way {
        None | Some("keep") => Ok(false),
        Some("encode") => Ok(true),
        Some(other) => Err(Problem::new(format!("long-lines {other:?} is not keep or encode"))),
    }
}

fn checked_url(name: &str, url: String) -> Result<String, Problem> {
    let fine = (url.starts_with("http://") || url.starts_with("https://"))
        && url.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#');
    if !fine {
        return Err(Problem::new(format!("{name} {url:?} is not an http:// or https:// URL without a query")));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev_and_serve_have_their_defaults() {
        let dev = Settings::resolve(Mode::Dev, Given::default()).expect("defaults are fine");
        assert_eq!((dev.http.to_string().as_str(), dev.delivery.as_str()), ("127.0.0.1:4566", "capture"));
        assert!(dev.webhook_allow.iter().any(|net| net.contains(&std::net::IpAddr::V4(Ipv4Addr::LOCALHOST))));
        let serve = Settings::resolve(Mode::Serve, Given::default()).expect("defaults are fine");
        assert_eq!((serve.delivery.as_str(), serve.mx_port), ("mx", 25));
        assert!(serve.webhook_allow.is_empty());
        assert_eq!(serve.database_url, "sqlite:data/postrider.db");
    }

    #[test]
    fn dev_listens_on_loopback_only() {
        let open = Given { smtp: "0.0.0.0:2525".parse().ok(), ..Given::default() };
        let problem = Settings::resolve(Mode::Dev, open.clone()).expect_err("dev must not be reachable");
        assert!(problem.to_string().contains("smtp 0.0.0.0:2525"), "{problem}");
        Settings::resolve(Mode::Serve, open).expect("serve may");
    }

    #[test]
    fn a_file_fills_what_is_not_given_and_unknown_keys_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("postrider.toml");
        std::fs::write(&path, "mx-port = 2526\nhostname = \"mx.example.com\"\n[objects]\ns3-region = \"eu-west-1\"\n")
            .expect("written");
        let given = Given { mx_port: Some(25), ..Given::default() }.or_from_file(&path).expect("a good file");
        let settings = Settings::resolve(Mode::Serve, given).expect("good settings");
        assert_eq!((settings.mx_port, settings.hostname.as_str()), (25, "mx.example.com"));
        assert_eq!(settings.objects.s3_region.as_deref(), Some("eu-west-1"));

        std::fs::write(&path, "mx-port = 25\n\nmx_prot = 1\n").expect("written");
        let problem = Given::default().or_from_file(&path).expect_err("an unknown key");
        assert!(problem.to_string().contains("line 3") && problem.to_string().contains("mx_prot"), "{problem}");
    }
}
