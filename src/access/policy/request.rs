//! What a policy is asked: who wants to do what with which resource, and what is known about the circumstances.
use std::net::IpAddr;

use crate::base::{AccountId, Arn, Region, Timestamp};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// An account, that is its root: accounts have no users here.
    Account(AccountId),
    /// A service of ours that acts for a resource, such as SNS for a topic.
    Service {
        /// Such as `sns.amazonaws.com`.
        name: &'static str,
        /// What it acts for: `aws:SourceArn`, whose account is `aws:SourceAccount`.
        source: Arn,
    },
}

/// A question to a policy.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub principal: Principal,
    /// What for: `sqs:SendMessage`.
    pub action: String,
    /// The ARN of the resource.
    pub resource: String,
    /// Where the request comes from; a service of ours comes from nowhere.
    pub source_ip: Option<IpAddr>,
    /// Whether it came over TLS, as the caller or the proxy in front says.
    pub secure: bool,
    /// The region that it is for.
    pub region: Region,
    /// When it was made.
    pub at: Timestamp,
    /// What the service knows besides: condition keys in lower case, with one value or several (`ses:recipients`). They
    /// come before those that all requests have.
    pub more: Vec<(&'static str, Vec<String>)>,
}

/// What is known under a condition key.
pub(super) enum ConditionValue {
    /// The key has these values: one, but for keys that list something.
    Values(Vec<String>),
    /// This server knows the key, and this request does not have it.
    Absent,
    /// This server does not know the key.
    Never,
}

impl Request {
    /// The value of a condition key; keys are the same in upper and lower case (IAM user guide, "AWS global condition
    /// context keys").
    pub(super) fn value(&self, key: &str) -> ConditionValue {
        let (account, source) = match &self.principal {
            Principal::Account(account) => (Some(account), None),
            Principal::Service { source, .. } => (None, Some(source)),
        };
        let key = key.to_ascii_lowercase();
        if let Some((_, values)) = self.more.iter().find(|(own, _)| *own == key) {
            return if values.is_empty() { ConditionValue::Absent } else { ConditionValue::Values(values.clone()) };
        }
        let value = match key.as_str() {
            "aws:sourcearn" => source.map(ToString::to_string),
            "aws:sourceaccount" | "aws:sourceowner" => source.map(|arn| arn.account.to_string()),
            "aws:sourceip" => self.source_ip.map(|ip| ip.to_canonical().to_string()),
            "aws:principalarn" => account.map(root_arn),
            "aws:principalaccount" | "aws:userid" => account.map(ToString::to_string),
            "aws:principaltype" => account.map(|_| "Account".to_owned()),
            // Only users have a name.
            "aws:username" => None,
            "aws:principalisawsservice" => Some(source.is_some().to_string()),
            "aws:principalservicename" => match &self.principal {
                Principal::Service { name, .. } => Some((*name).to_owned()),
                Principal::Account(_) => None,
            },
            "aws:viaawsservice" => Some("false".to_owned()),
            "aws:securetransport" => Some(self.secure.to_string()),
            "aws:requestedregion" => Some(self.region.to_string()),
            "aws:epochtime" | "aws:currenttime" => Some(self.at.secs().to_string()),
            _ => return ConditionValue::Never,
        };
        value.map_or(ConditionValue::Absent, |value| ConditionValue::Values(vec![value]))
    }
}

/// The ARN of an account's root.
pub(super) fn root_arn(account: &AccountId) -> String {
    format!("arn:aws:iam::{account}:root")
}
