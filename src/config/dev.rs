//! Settings of `dev` alone: who reaches it, and how it stands beside others on one machine.
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use crate::config::settings::{Mode, Problem};
use crate::config::{Given, Listen};

/// As given.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DevGiven {
    /// dev: address of an SMTP port that takes any mail from anybody into the inbox, without TLS and with any password or
    /// none [default: 127.0.0.1:1025]
    #[arg(long, value_name = "ADDR", env = "POSTRIDER_CAPTURE_SMTP")]
    pub capture_smtp: Option<Listen>,

    /// dev: listen on all addresses, for a container or a CI service: whoever reaches it needs no credentials [default: false]
    #[arg(long, env = "POSTRIDER_ANY_ADDRESS", num_args = 0..=1, default_missing_value = "true")]
    pub any_address: Option<bool>,

    /// dev: names by which this server may be called, beside those that cannot be a stranger's [default: none]
    #[arg(long, value_name = "LIST", env = "POSTRIDER_ALLOW_HOSTS", value_delimiter = ',')]
    pub allow_hosts: Option<Vec<String>>,

    /// dev: keep everything in a new folder, whatever data-dir says, that goes when the server stops [default: false]
    #[arg(long, env = "POSTRIDER_EPHEMERAL", num_args = 0..=1, default_missing_value = "true")]
    pub ephemeral: Option<bool>,

    /// dev: added to each port that is not given, for a second server beside the first; its data is in ./data-N then [default: 0]
    #[arg(long, value_name = "N", env = "POSTRIDER_PORT_OFFSET")]
    pub port_offset: Option<u16>,
}

/// In force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dev {
    /// Where any mail is taken into the inbox.
    pub capture_smtp: Option<SocketAddr>,
    /// Whether that address is the default: where something else listens there already, the server does without.
    pub capture_smtp_is_default: bool,
    /// Whether all addresses are listened on.
    pub any_address: bool,
    /// Names by which the server may be called.
    pub allow_hosts: Vec<String>,
    /// Whether what is stored goes at the end.
    pub ephemeral: bool,
    /// What is added to the default ports.
    pub port_offset: u16,
}

impl Dev {
    /// What was given, and the defaults. Fails where `serve` is given something of this.
    pub(super) fn resolve(mode: Mode, given: &Given) -> Result<Self, Problem> {
        let DevGiven { capture_smtp, any_address, allow_hosts, ephemeral, port_offset } = given.dev.clone();
        if mode == Mode::Serve {
            let given = [
                ("capture-smtp", capture_smtp.is_some_and(|listen| listen != Listen::None)),
                ("any-address", any_address == Some(true)),
                ("allow-hosts", allow_hosts.is_some()),
                ("ephemeral", ephemeral == Some(true)),
                ("port-offset", port_offset.is_some()),
            ];
            return match given.into_iter().find(|(_, given)| *given) {
                Some((name, _)) => Err(Problem::new(format!("{name} is a setting of dev; serve has no such thing"))),
                None => Ok(Self::default()),
            };
        }
        let ephemeral = ephemeral.unwrap_or(false);
        if ephemeral && given.database_url.is_some() {
            return Err(Problem::new("ephemeral does not go with database-url: nothing there would go"));
        }
        let mut dev = Self {
            any_address: any_address.unwrap_or(false),
            allow_hosts: allow_hosts.unwrap_or_default(),
            ephemeral,
            port_offset: port_offset.unwrap_or(0),
            capture_smtp_is_default: capture_smtp.is_none(),
            capture_smtp: None,
        };
        dev.capture_smtp = match capture_smtp {
            Some(listen) => listen.address(),
            None => Some(dev.address(1025)?),
        };
        Ok(dev)
    }

    /// Where everything is kept when nothing is given.
    pub(super) fn data_dir(&self) -> PathBuf {
        match self.port_offset {
            0 => PathBuf::from("data"),
            offset => PathBuf::from(format!("data-{offset}")),
        }
    }

    /// Where something listens when nothing is given.
    pub(super) fn address(&self, port: u16) -> Result<SocketAddr, Problem> {
        let ip = if self.any_address { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        let port = port.checked_add(self.port_offset);
        let port = port.ok_or_else(|| {
            Problem::new(format!("port-offset {} is too large: ports end at 65535", self.port_offset))
        })?;
        Ok(SocketAddr::from((ip, port)))
    }
}

impl Given {
    /// The same for `admin`, which may read the file and the environment of a `dev`: what only a server asks for is left out.
    #[must_use]
    pub fn for_admin(mut self) -> Self {
        let dev = std::mem::take(&mut self.dev);
        let dev = Dev { port_offset: dev.port_offset.unwrap_or(0), ..Dev::default() };
        self.data_dir = self.data_dir.or_else(|| Some(dev.data_dir()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn given(dev: DevGiven) -> Given {
        Given { dev, ..Given::default() }
    }

    #[test]
    fn an_offset_moves_all_that_two_servers_would_share() {
        let second = given(DevGiven { port_offset: Some(100), ..DevGiven::default() });
        let second = Settings::resolve(Mode::Dev, second).expect("good settings");
        assert_eq!((second.http.port(), second.smtp.map(|a| a.port())), (4666, Some(2625)));
        assert_eq!(second.dev.capture_smtp.map(|a| a.port()), Some(1125));
        assert_eq!(second.data_dir.display().to_string(), "data-100");
        let problem = given(DevGiven { port_offset: Some(65_000), ..DevGiven::default() });
        let problem = Settings::resolve(Mode::Dev, problem).expect_err("no such port").to_string();
        assert!(problem.contains("ports end at 65535"), "{problem}");
    }

    #[test]
    fn all_addresses_only_where_it_is_asked_for() {
        let open = given(DevGiven { any_address: Some(true), ..DevGiven::default() });
        let open = Settings::resolve(Mode::Dev, open).expect("good settings");
        assert!(open.http.ip().is_unspecified() && open.dev.capture_smtp.is_some_and(|a| a.ip().is_unspecified()));
        let capture = given(DevGiven { capture_smtp: "0.0.0.0:1025".parse().ok(), ..DevGiven::default() });
        let problem = Settings::resolve(Mode::Dev, capture).expect_err("anybody could reach it").to_string();
        assert!(problem.contains("any-address"), "{problem}");
    }

    #[test]
    fn serve_has_none_of_it() {
        for (dev, name) in [
            (DevGiven { capture_smtp: "1025".parse().ok(), ..DevGiven::default() }, "capture-smtp"),
            (DevGiven { any_address: Some(true), ..DevGiven::default() }, "any-address"),
            (DevGiven { ephemeral: Some(true), ..DevGiven::default() }, "ephemeral"),
        ] {
            let problem = Settings::resolve(Mode::Serve, given(dev)).expect_err(name).to_string();
            assert!(problem.contains(name), "{problem}");
        }
    }

    #[test]
    fn what_is_somebodys_is_not_ephemeral() {
        let dev = DevGiven { ephemeral: Some(true), ..DevGiven::default() };
        let kept = Given { database_url: Some("sqlite:app.db".to_owned()), ..given(dev) };
        let problem = Settings::resolve(Mode::Dev, kept).expect_err("it would stay").to_string();
        assert!(problem.contains("ephemeral does not go with database-url"), "{problem}");
    }
}
