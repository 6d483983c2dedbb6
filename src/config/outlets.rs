//! Settings of the ways out: the functions that stand for AWS Lambda.
use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;

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
        let pair = |item: &str| {
            let (name, url) = item.split_once('=').ok_or_else(|| format!("{item:?} is not NAME=URL"))?;
            Ok((name.trim().to_owned(), url.trim().to_owned()))
        };
        let items = text.split(',').filter(|item| !item.trim().is_empty());
        items.map(pair).collect::<Result<BTreeMap<_, _>, String>>()?.try_into()
    }
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
        for bad in ["a", "=http://x", "a=ftp://x", "a=http://x?y=1"] {
            assert!(bad.parse::<Functions>().is_err(), "{bad}");
        }
    }
}
