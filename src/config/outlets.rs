//! Settings of the ways out: functions that stand for AWS Lambda, streams that stand for Data Firehose, gateways.
use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use serde::Deserialize;

use crate::base::Secret;

/// Where functions listen: name or ARN of each, and its URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Functions(pub BTreeMap<String, String>);

impl TryFrom<BTreeMap<String, String>> for Functions {
    type Error = String;

    fn try_from(functions: BTreeMap<String, String>) -> Result<Self, String> {
        for (name, url) in &functions {
            let fine = (url.starts_with("http://") || url.starts_with("https://"))
                && url.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#');
            if name.is_empty() || !fine {
                return Err(format!("{name:?} needs an http:// or https:// URL without a query, not {url:?}"));
            }
        }
        Ok(Self(functions))
    }
}

/// `NAME=URL,NAME=URL`, the form of the flag.
impl FromStr for Functions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        pairs(text)?.try_into()
    }
}

/// Where event buses are: name or ARN of each, and the URL that its events are posted to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct EventBuses(pub BTreeMap<String, String>);

impl TryFrom<BTreeMap<String, String>> for EventBuses {
    type Error = String;

    fn try_from(buses: BTreeMap<String, String>) -> Result<Self, String> {
        for (name, url) in &buses {
            let fine = (url.starts_with("http://") || url.starts_with("https://"))
                && url.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
            if name.is_empty() || !fine {
                return Err(format!("{name:?} needs an http:// or https:// URL, not {url:?}"));
            }
        }
        Ok(Self(buses))
    }
}

/// `NAME=URL,NAME=URL`, the form of the flag.
impl FromStr for EventBuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        pairs(text)?.try_into()
    }
}

/// Where delivery streams go: name or ARN of each, and `BUCKET` or `BUCKET/PREFIX`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Streams(pub BTreeMap<String, String>);

/// `NAME=BUCKET/PREFIX,…`, the form of the flag.
impl FromStr for Streams {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        pairs(text).map(Self)
    }
}

/// Reads `NAME=VALUE,NAME=VALUE`.
pub(super) fn pairs(text: &str) -> Result<BTreeMap<String, String>, String> {
    let pair = |item: &str| {
        let (name, value) = item.split_once('=').ok_or_else(|| format!("{item:?} is not NAME=VALUE"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    text.split(',').filter(|item| !item.trim().is_empty()).map(pair).collect()
}

/// The gateways that take messages to phones and devices. Without one, what needs it is refused.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Gateways {
    /// URL that takes text messages, one POST with a JSON body each [default: none; in dev they are captured as mails]
    #[arg(long, value_name = "URL", env = "POSTRIDER_SMS_URL")]
    pub sms_url: Option<String>,

    /// What it is shown as `Authorization: Bearer`; give it in the environment, not as a flag
    #[arg(
        long,
        value_name = "TOKEN",
        env = "POSTRIDER_SMS_TOKEN",
        hide_env_values = true,
        value_parser = |text: &str| Ok::<_, std::convert::Infallible>(Secret::new(text))
    )]
    pub sms_token: Option<Secret>,

    /// Whether accounts may send text messages to verified numbers only [default: true; dev: false]
    #[arg(long, value_name = "BOOL", env = "POSTRIDER_SMS_SANDBOX")]
    pub sms_sandbox: Option<bool>,

    /// URL that takes push messages, one POST with a JSON body each [default: none]
    #[arg(long, value_name = "URL", env = "POSTRIDER_PUSH_URL")]
    pub push_url: Option<String>,

    /// What it is shown as `Authorization: Bearer`; give it in the environment, not as a flag
    #[arg(
        long,
        value_name = "TOKEN",
        env = "POSTRIDER_PUSH_TOKEN",
        hide_env_values = true,
        value_parser = |text: &str| Ok::<_, std::convert::Infallible>(Secret::new(text))
    )]
    pub push_token: Option<Secret>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_come_as_a_list_or_as_a_table() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:b";
        let list: Functions = format!("a=http://127.0.0.1:9000, {arn}=https://host/x").parse().expect("good");
        let table: Functions =
            toml::from_str(&format!("a = \"http://127.0.0.1:9000\"\n\"{arn}\" = \"https://host/x\"\n")).expect("good");
        assert_eq!(list, table);
        let buses: EventBuses = "default=https://host/x?y=1".parse().expect("good");
        assert_eq!(buses.0["default"], "https://host/x?y=1");
        assert!("default=host".parse::<EventBuses>().is_err());
        for bad in ["a", "=http://x", "a=ftp://x", "a=http://x?y=1"] {
            assert!(bad.parse::<Functions>().is_err(), "{bad}");
        }
    }
}
