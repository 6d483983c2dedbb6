//! Settings of encryption at rest: the master key, and the named keys that stand for AWS's KMS keys.
use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::base::Secret;
use crate::config::Problem;

/// Where the master key comes from. Without one it is made at the first start, in `master-key` in the data directory.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Encryption {
    /// File with the master key, 32 bytes in base64; more lines are earlier keys, which still open what they sealed
    /// [default: master-key in the data directory, made at the first start]
    #[arg(long, value_name = "FILE", env = "POSTRIDER_MASTER_KEY_FILE", conflicts_with = "master_key")]
    pub master_key_file: Option<PathBuf>,

    /// The master key itself, or several with spaces between; give it in the environment, not as a flag
    #[arg(
        long,
        value_name = "BASE64",
        env = "POSTRIDER_MASTER_KEY",
        hide_env_values = true,
        value_parser = |text: &str| Ok::<_, std::convert::Infallible>(Secret::new(text))
    )]
    pub master_key: Option<Secret>,

    /// The KMS keys that queues and S3 actions may name, besides alias/aws/sqs and alias/aws/ses. In the file only.
    #[arg(skip)]
    pub kms_keys: Vec<KmsKey>,
}

/// A named key, which stands for a KMS key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KmsKey {
    /// Its id: 1 to 128 letters, digits, hyphens or underscores.
    pub id: String,
    /// Its aliases, each `alias/…`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Whether it can be used.
    #[serde(default)]
    pub state: KmsState,
}

/// Whether a KMS key can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KmsState {
    /// It can.
    #[default]
    Enabled,
    /// It cannot: messages are neither taken nor given out.
    Disabled,
    /// It cannot, and is about to go.
    PendingDeletion,
}

impl Encryption {
    /// Checks the keys: ids of a form that fits into an ARN, no name twice.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.master_key.is_some() && self.master_key_file.is_some() {
            return Err(Problem::new("give master-key or master-key-file, not both"));
        }
        let mut seen: Vec<&str> = vec!["alias/aws/sqs", "alias/aws/ses"];
        for key in &self.kms_keys {
            let fine = |name: &str, more: &[u8]| {
                (1..=128).contains(&name.len())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || more.contains(&b))
            };
            if !fine(&key.id, b"") {
                return Err(Problem::new(format!("kms-keys: {:?} is not the id of a key", key.id)));
            }
            let mut names = key.aliases.clone();
            if let Some(bad) = names.iter().find(|a| !a.strip_prefix("alias/").is_some_and(|name| fine(name, b"/"))) {
                return Err(Problem::new(format!("kms-keys: {bad:?} is not an alias, such as alias/orders")));
            }
            names.push(key.id.clone());
            if let Some(twice) = names.iter().find(|name| seen.contains(&name.as_str())) {
                return Err(Problem::new(format!("kms-keys: {twice} is there already")));
            }
            seen.extend(key.aliases.iter().map(String::as_str));
            seen.push(&key.id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Encryption, String> {
        let read: Encryption = toml::from_str(text).map_err(|e| e.to_string())?;
        read.check().map(|()| read).map_err(|problem| problem.to_string())
    }

    #[test]
    fn kms_keys_have_an_id_aliases_and_a_state() {
        let read_keys =
            read("kms-keys = [{id = \"k-1\", aliases = [\"alias/a\"], state = \"disabled\"}, {id = \"k-2\"}]");
        let keys = read_keys.expect("good settings").kms_keys;
        assert_eq!((keys[0].state, keys[1].state), (KmsState::Disabled, KmsState::Enabled));
        for bad in [
            "kms-keys = [{id = \"\"}]",
            "kms-keys = [{id = \"a b\"}]",
            "kms-keys = [{id = \"a\", aliases = [\"b\"]}]",
            "kms-keys = [{id = \"a\"}, {id = \"a\"}]",
            "kms-keys = [{id = \"a\", aliases = [\"alias/aws/sqs\"]}]",
            "kms-keys = [{id = \"a\", state = \"asleep\"}]",
            "master-key = \"x\"\nmaster-key-file = \"y\"",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
