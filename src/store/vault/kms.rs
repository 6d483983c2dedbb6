//! The named keys that stand for AWS's KMS keys: listed in the settings, each with a state.
use std::collections::HashMap;

use crate::config::{KmsKey, KmsState};
use crate::store::vault::VaultError;

/// A key that every account has, for one service alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Managed {
    /// `alias/aws/sqs`.
    Sqs,
    /// `alias/aws/ses`.
    Ses,
}

impl Managed {
    fn id(self) -> &'static str {
        match self {
            Managed::Sqs => "aws/sqs",
            Managed::Ses => "aws/ses",
        }
    }
}

/// The KMS keys by id and by alias.
#[derive(Default)]
pub(super) struct KmsKeys {
    states: HashMap<String, KmsState>,
    /// From alias to id.
    aliases: HashMap<String, String>,
}

impl KmsKeys {
    pub(super) fn new(keys: &[KmsKey]) -> Self {
        let states = keys.iter().map(|key| (key.id.clone(), key.state)).collect();
        let aliases = keys.iter().flat_map(|key| key.aliases.iter().map(|alias| (alias.clone(), key.id.clone())));
        Self { states, aliases: aliases.collect() }
    }

    /// The id of the key that an id, an alias or an ARN names, if it can be used. `managed`: the service that asks.
    pub(super) fn usable<'k>(&'k self, name: &'k str, managed: Managed) -> Result<&'k str, VaultError> {
        // The accounts and regions of ARNs are not looked at: the settings' keys belong to the whole installation.
        let name = match name.strip_prefix("arn:") {
            Some(rest) => rest.splitn(5, ':').nth(4).unwrap_or_default(),
            None => name,
        };
        let id = if name.strip_prefix("alias/") == Some(managed.id()) {
            managed.id()
        } else if name.starts_with("alias/") {
            self.aliases.get(name).ok_or_else(|| VaultError::KmsMissing(name.to_owned()))?
        } else {
            // A service's own key goes by its alias alone; other ids have no slash.
            let id = name.strip_prefix("key/").unwrap_or(name);
            if id.contains('/') {
                return Err(VaultError::KmsMissing(name.to_owned()));
            }
            id
        };
        self.check(id).map(|()| id)
    }

    /// Whether the key of this id can be used.
    pub(super) fn check(&self, id: &str) -> Result<(), VaultError> {
        if id == Managed::Sqs.id() || id == Managed::Ses.id() {
            return Ok(());
        }
        match self.states.get(id) {
            Some(KmsState::Enabled) => Ok(()),
            Some(KmsState::Disabled) => Err(VaultError::KmsDisabled(id.to_owned())),
            Some(KmsState::PendingDeletion) => Err(VaultError::KmsPendingDeletion(id.to_owned())),
            None => Err(VaultError::KmsMissing(id.to_owned())),
        }
    }
}
