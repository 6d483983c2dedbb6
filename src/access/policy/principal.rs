//! The principals of a statement.
use serde_json::Value;

use crate::access::policy::request::{Principal, root_arn};
use crate::access::policy::words::{Malformed, texts};
use crate::base::AccountId;

/// One statement's `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Principals {
    /// `"*"`, or `{"AWS": "*"}`: everybody.
    everybody: bool,
    accounts: Vec<AccountId>,
    services: Vec<String>,
    /// All of them, also those that nobody here can be: users and roles, federated and canonical users.
    count: usize,
}

impl Principals {
    /// Reads the element.
    pub(super) fn read(value: &Value) -> Result<Self, Malformed> {
        let mut all = Self::default();
        match value {
            Value::String(star) if star == "*" => {
                all.everybody = true;
                all.count = 1;
            }
            Value::Object(kinds) if !kinds.is_empty() => {
                for (kind, value) in kinds {
                    for text in texts(value)? {
                        all.add(kind, text)?;
                    }
                }
            }
            _ => return Err(Malformed::Principal),
        }
        Ok(all)
    }

    fn add(&mut self, kind: &str, text: String) -> Result<(), Malformed> {
        self.count += 1;
        match kind {
            "AWS" if text == "*" => self.everybody = true,
            "AWS" => self.accounts.extend(account_of(&text)?),
            "Service" if text == "*" || is_host(&text) => self.services.push(text),
            "Federated" | "CanonicalUser" if !text.is_empty() => {}
            _ => return Err(Malformed::Principal),
        }
        Ok(())
    }

    /// How many it names.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether `who` is one of them. `{"AWS": "*"}` and `"*"` are everybody, services too.
    pub(super) fn include(&self, who: &Principal) -> bool {
        self.everybody
            || match who {
                Principal::Account(account) => self.accounts.contains(account),
                Principal::Service { name, .. } => {
                    self.services.iter().any(|s| s == "*" || s.eq_ignore_ascii_case(name))
                }
            }
    }
}

/// The account that a principal names: by its number or its root. Users, roles and sessions are well-formed, but
/// nobody here can be one: `None`.
fn account_of(text: &str) -> Result<Option<AccountId>, Malformed> {
    if let Ok(account) = text.parse::<AccountId>() {
        return Ok(Some(account));
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam" | "sts", "", account, name] = parts[..] else { return Err(Malformed::Principal) };
    let account: AccountId = account.parse().map_err(|_| Malformed::Principal)?;
    // A wildcard in a name would look as if it worked; AWS refuses it too.
    if !partition.starts_with("aws") || name.is_empty() || name.contains(['*', '?']) {
        return Err(Malformed::Principal);
    }
    Ok(if text == root_arn(&account) { Some(account) } else { None })
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}
