//! The actions of a receipt rule on the wire, and the way to and from the core's.
use serde::{Deserialize, Serialize};

use crate::aws::ses::receipt_error::ReceiptError;
use crate::aws::ses::receipt_own_actions;
use crate::aws::ses::receipt_own_actions::{ForwardAction, SqsAction, WebhookAction, forward, sqs, webhook};
use crate::base::Arn;
use crate::mail::receiving::rules::{Action, Encoding};

/// One action: exactly one member is set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReceiptAction {
    #[serde(rename = "S3Action")]
    s3_action: Option<S3Action>,
    bounce_action: Option<BounceAction>,
    workmail_action: Option<WorkmailAction>,
    lambda_action: Option<LambdaAction>,
    stop_action: Option<StopAction>,
    add_header_action: Option<AddHeaderAction>,
    #[serde(rename = "SNSAction")]
    sns_action: Option<SNSAction>,
    connect_action: Option<ConnectAction>,
    webhook_action: Option<WebhookAction>,
    sqs_action: Option<SqsAction>,
    forward_action: Option<ForwardAction>,
}

/// Puts the mail into a bucket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct S3Action {
    topic_arn: Option<String>,
    bucket_name: String,
    object_key_prefix: Option<String>,
    kms_key_arn: Option<String>,
    iam_role_arn: Option<String>,
}

/// Sends a bounce.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BounceAction {
    topic_arn: Option<String>,
    smtp_reply_code: String,
    status_code: Option<String>,
    message: String,
    sender: String,
}

/// Hands the mail to Amazon WorkMail: refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WorkmailAction {
    topic_arn: Option<String>,
    organization_arn: String,
}

/// Calls a Lambda function.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LambdaAction {
    topic_arn: Option<String>,
    function_arn: String,
    invocation_type: Option<String>,
}

/// Ends the rule set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StopAction {
    scope: String,
    topic_arn: Option<String>,
}

/// Adds a header field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddHeaderAction {
    header_name: String,
    header_value: String,
}

/// Publishes the mail to a topic.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SNSAction {
    topic_arn: String,
    encoding: Option<String>,
}

/// Hands the mail to Amazon Connect: refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConnectAction {
    #[serde(rename = "InstanceARN")]
    instance_arn: String,
    #[serde(rename = "IAMRoleARN")]
    iam_role_arn: String,
}

impl TryFrom<ReceiptAction> for Action {
    type Error = ReceiptError;

    fn try_from(action: ReceiptAction) -> Result<Self, ReceiptError> {
        if action.workmail_action.is_some() {
            return Err(invalid("WorkmailAction is not supported by this server."));
        }
        if action.connect_action.is_some() {
            return Err(invalid("ConnectAction is not supported by this server."));
        }
        let mut all = [
            action.s3_action.map(s3),
            action.bounce_action.map(bounce),
            action.stop_action.map(stop),
            action.sns_action.map(sns),
            action.lambda_action.map(lambda),
            action.webhook_action.map(webhook),
            action.sqs_action.map(sqs),
            action.forward_action.map(forward),
            action.add_header_action.map(|a| Ok(Action::AddHeader { name: a.header_name, value: a.header_value })),
        ]
        .into_iter()
        .flatten();
        match (all.next(), all.next()) {
            (Some(one), None) => one,
            _ => Err(invalid("An action of a receipt rule must have exactly one kind.")),
        }
    }
}

fn s3(action: S3Action) -> Result<Action, ReceiptError> {
    Ok(Action::S3 {
        bucket: action.bucket_name,
        prefix: action.object_key_prefix.filter(|prefix| !prefix.is_empty()),
        topic: optional_topic(action.topic_arn)?,
        role: action.iam_role_arn,
        kms: action.kms_key_arn.filter(|key| !key.is_empty()),
    })
}

fn bounce(action: BounceAction) -> Result<Action, ReceiptError> {
    let sender = action.sender.parse().map_err(|error| invalid(format!("Invalid bounce sender: {error}")))?;
    Ok(Action::Bounce {
        reply_code: action.smtp_reply_code,
        status: action.status_code.filter(|status| !status.is_empty()),
        message: action.message,
        sender,
        topic: optional_topic(action.topic_arn)?,
    })
}

fn stop(action: StopAction) -> Result<Action, ReceiptError> {
    if action.scope != "RuleSet" {
        return Err(invalid("The scope of a StopAction must be RuleSet."));
    }
    Ok(Action::Stop { topic: optional_topic(action.topic_arn)? })
}

fn sns(action: SNSAction) -> Result<Action, ReceiptError> {
    Ok(Action::Sns { topic: topic(action.topic_arn)?, encoding: encoding(action.encoding.as_deref())? })
}

fn lambda(action: LambdaAction) -> Result<Action, ReceiptError> {
    let waits = match action.invocation_type.as_deref() {
        None | Some("" | "Event") => false,
        Some("RequestResponse") => true,
        Some(_) => return Err(invalid("The invocation type of a LambdaAction must be Event or RequestResponse.")),
    };
    let function = action.function_arn.parse().map_err(|_| ReceiptError::InvalidLambdaFunction(action.function_arn))?;
    Ok(Action::Lambda { function, waits, topic: optional_topic(action.topic_arn)? })
}

/// The topic that an action tells, if it names one.
pub(super) fn optional_topic(arn: Option<String>) -> Result<Option<Arn>, ReceiptError> {
    arn.filter(|arn| !arn.is_empty()).map(topic).transpose()
}

fn topic(arn: String) -> Result<Arn, ReceiptError> {
    arn.parse().map_err(|_| ReceiptError::InvalidSnsTopic(arn))
}

/// How the mail is written.
pub(super) fn encoding(name: Option<&str>) -> Result<Encoding, ReceiptError> {
    match name {
        None | Some("" | "UTF-8") => Ok(Encoding::Utf8),
        Some("Base64") => Ok(Encoding::Base64),
        Some(_) => Err(invalid("The encoding must be UTF-8 or Base64.")),
    }
}

/// The name of an encoding.
pub(super) fn word(encoding: Encoding) -> String {
    match encoding {
        Encoding::Utf8 => "UTF-8",
        Encoding::Base64 => "Base64",
    }
    .to_owned()
}

pub(super) fn invalid(text: impl Into<String>) -> ReceiptError {
    ReceiptError::InvalidParameterValue(text.into())
}

impl From<Action> for ReceiptAction {
    fn from(action: Action) -> Self {
        let text = |topic: Option<Arn>| topic.map(|topic| topic.to_string());
        let mut wire = Self::default();
        match action {
            Action::S3 { bucket, prefix, topic, role, kms } => {
                wire.s3_action = Some(S3Action {
                    topic_arn: text(topic),
                    bucket_name: bucket,
                    object_key_prefix: prefix,
                    kms_key_arn: kms,
                    iam_role_arn: role,
                });
            }
            Action::Sns { topic, encoding } => {
                let topic_arn = topic.to_string();
                wire.sns_action = Some(SNSAction { topic_arn, encoding: Some(word(encoding)) });
            }
            Action::Bounce { reply_code, status, message, sender, topic } => {
                wire.bounce_action = Some(BounceAction {
                    topic_arn: text(topic),
                    smtp_reply_code: reply_code,
                    status_code: status,
                    message,
                    sender: sender.to_string(),
                });
            }
            Action::Stop { topic } => {
                wire.stop_action = Some(StopAction { scope: "RuleSet".to_owned(), topic_arn: text(topic) });
            }
            Action::Lambda { function, waits, topic } => {
                let invocation_type = Some(if waits { "RequestResponse" } else { "Event" }.to_owned());
                let function_arn = function.to_string();
                wire.lambda_action = Some(LambdaAction { topic_arn: text(topic), function_arn, invocation_type });
            }
            own @ (Action::Webhook { .. } | Action::Sqs { .. } | Action::Forward { .. }) => {
                (wire.webhook_action, wire.sqs_action, wire.forward_action) = receipt_own_actions::told(own);
            }
            Action::AddHeader { name, value } => {
                wire.add_header_action = Some(AddHeaderAction { header_name: name, header_value: value });
            }
        }
        wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back_and_forth(action: Action) {
        let wire = ReceiptAction::from(action.clone());
        assert_eq!(Action::try_from(wire).expect("a good action"), action);
    }

    #[test]
    fn actions_survive_a_round_trip() {
        let topic: Arn = "arn:aws:sns:us-east-1:000000000000:mail".parse().expect("an arn");
        back_and_forth(Action::Stop { topic: Some(topic.clone()) });
        back_and_forth(Action::Sns { topic: topic.clone(), encoding: Encoding::Base64 });
        back_and_forth(Action::AddHeader { name: "X-A".to_owned(), value: "b".to_owned() });
        let role = Some("arn:aws:iam::000000000000:role/mail".to_owned());
        let kms = Some("arn:aws:kms:us-east-1:000000000000:alias/aws/ses".to_owned());
        back_and_forth(Action::S3 { bucket: "b-1".to_owned(), prefix: Some("in/".to_owned()), topic: None, role, kms });
        let function: Arn = "arn:aws:lambda:us-east-1:000000000000:function:f".parse().expect("an arn");
        back_and_forth(Action::Lambda { function: function.clone(), waits: true, topic: Some(topic.clone()) });
        back_and_forth(Action::Lambda { function, waits: false, topic: None });
        let queue: Arn = "arn:aws:sqs:us-east-1:000000000000:q".parse().expect("an arn");
        back_and_forth(Action::Sqs { queue, encoding: Encoding::Utf8, topic: None });
        let to = vec!["a@x.example".parse().expect("an address"), "b@y.example".parse().expect("an address")];
        back_and_forth(Action::Forward { to, topic: Some(topic.clone()) });
        back_and_forth(Action::Bounce {
            reply_code: "550".to_owned(),
            status: Some("5.1.1".to_owned()),
            message: "no".to_owned(),
            sender: "mailer@x.example".parse().expect("an address"),
            topic: Some(topic),
        });
    }

    #[test]
    fn what_this_server_lacks_is_refused_and_never_kept() {
        let lambda = LambdaAction { topic_arn: None, function_arn: "arn:f".to_owned(), invocation_type: None };
        let wire = ReceiptAction { lambda_action: Some(lambda), ..ReceiptAction::default() };
        assert!(matches!(Action::try_from(wire), Err(ReceiptError::InvalidLambdaFunction(_))));
        let workmail = WorkmailAction { topic_arn: None, organization_arn: "arn:o".to_owned() };
        let wire = ReceiptAction { workmail_action: Some(workmail), ..ReceiptAction::default() };
        assert!(matches!(Action::try_from(wire), Err(ReceiptError::InvalidParameterValue(_))));
        assert!(Action::try_from(ReceiptAction::default()).is_err());
        let stop = Some(StopAction { scope: "Rule".to_owned(), topic_arn: None });
        assert!(Action::try_from(ReceiptAction { stop_action: stop, ..ReceiptAction::default() }).is_err());
    }
}
