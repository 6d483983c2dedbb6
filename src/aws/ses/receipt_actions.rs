//! The actions of a receipt rule on the wire, and the way to and from the core's.
use serde::{Deserialize, Serialize};

use crate::aws::ses::constraint::Violations;
use crate::aws::ses::receipt_error::ReceiptError;
use crate::aws::ses::receipt_members::{encoding, invalid, optional_topic, topic, word};
use crate::aws::ses::receipt_own_actions;
use crate::aws::ses::receipt_own_actions::{ForwardAction, SqsAction, WebhookAction, forward, sqs, webhook};
use crate::base::Arn;
use crate::mail::receiving::rules::{Action, one_line};

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
pub(super) struct S3Action {
    topic_arn: Option<String>,
    bucket_name: Option<String>,
    object_key_prefix: Option<String>,
    kms_key_arn: Option<String>,
    iam_role_arn: Option<String>,
}

/// Sends a bounce.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BounceAction {
    topic_arn: Option<String>,
    smtp_reply_code: Option<String>,
    status_code: Option<String>,
    message: Option<String>,
    sender: Option<String>,
}

/// Hands the mail to Amazon WorkMail: refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WorkmailAction {
    topic_arn: Option<String>,
    organization_arn: Option<String>,
}

/// Calls a Lambda function.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LambdaAction {
    topic_arn: Option<String>,
    function_arn: Option<String>,
    invocation_type: Option<String>,
}

/// Ends the rule set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StopAction {
    scope: Option<String>,
    topic_arn: Option<String>,
}

/// Adds a header field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddHeaderAction {
    header_name: Option<String>,
    header_value: Option<String>,
}

/// Publishes the mail to a topic.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SNSAction {
    topic_arn: Option<String>,
    encoding: Option<String>,
}

/// Hands the mail to Amazon Connect: refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ConnectAction {
    #[serde(rename = "InstanceARN")]
    instance_arn: Option<String>,
    #[serde(rename = "IAMRoleARN")]
    iam_role_arn: Option<String>,
}

impl ReceiptAction {
    /// Notes what breaks the model's constraints, in SES's order. `path` leads to the action, with a dot at its end.
    pub(super) fn check(&self, path: &str, found: &mut Violations) {
        let mut needed = |name: &str, member: &Option<String>| found.present(&format!("{path}{name}"), member.as_ref());
        if let Some(header) = &self.add_header_action {
            needed("addHeaderAction.headerName", &header.header_name);
            needed("addHeaderAction.headerValue", &header.header_value);
        }
        if let Some(bounce) = &self.bounce_action {
            needed("bounceAction.smtpReplyCode", &bounce.smtp_reply_code);
            needed("bounceAction.sender", &bounce.sender);
            needed("bounceAction.message", &bounce.message);
        }
        if let Some(connect) = &self.connect_action {
            needed("connectAction.instanceARN", &connect.instance_arn);
            needed("connectAction.iAMRoleARN", &connect.iam_role_arn);
        }
        if let Some(workmail) = &self.workmail_action {
            needed("workmailAction.organizationArn", &workmail.organization_arn);
        }
        if let Some(lambda) = &self.lambda_action {
            needed("lambdaAction.functionArn", &lambda.function_arn);
            let kinds = &["RequestResponse", "Event"];
            found.one_of(&format!("{path}lambdaAction.invocationType"), lambda.invocation_type.as_deref(), kinds);
        }
        if let Some(sns) = &self.sns_action {
            found.one_of(&format!("{path}sNSAction.encoding"), sns.encoding.as_deref(), &["Base64", "UTF-8"]);
            found.present(&format!("{path}sNSAction.topicArn"), sns.topic_arn.as_ref());
        }
        if let Some(s3) = &self.s3_action {
            found.present(&format!("{path}s3Action.bucketName"), s3.bucket_name.as_ref());
        }
        if let Some(stop) = &self.stop_action {
            let path = format!("{path}stopAction.scope");
            found.present(&path, stop.scope.as_ref());
            found.one_of(&path, stop.scope.as_deref(), &["RuleSet"]);
        }
    }
}

/// Of an action that [`ReceiptAction::check`] has nothing against.
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
            action.stop_action.map(|stop| Ok(Action::Stop { topic: optional_topic(stop.topic_arn)? })),
            action.sns_action.map(sns),
            action.lambda_action.map(lambda),
            action.webhook_action.map(webhook),
            action.sqs_action.map(sqs),
            action.forward_action.map(forward),
            action.add_header_action.map(add_header),
        ]
        .into_iter()
        .flatten();
        match (all.next(), all.next()) {
            (Some(one), None) => one,
            _ => Err(invalid("Exactly one action type must be specified for each ReceiptAction")),
        }
    }
}

fn s3(action: S3Action) -> Result<Action, ReceiptError> {
    let bucket = action.bucket_name.filter(|bucket| !bucket.is_empty());
    Ok(Action::S3 {
        topic: optional_topic(action.topic_arn)?,
        bucket: bucket.ok_or_else(|| invalid("Bucket name must not be empty"))?,
        prefix: action.object_key_prefix.filter(|prefix| !prefix.is_empty()),
        role: action.iam_role_arn,
        kms: action.kms_key_arn.filter(|key| !key.is_empty()),
    })
}

fn add_header(action: AddHeaderAction) -> Result<Action, ReceiptError> {
    let (name, value) = (action.header_name.unwrap_or_default(), action.header_value.unwrap_or_default());
    Ok(Action::AddHeader { name, value })
}

fn bounce(action: BounceAction) -> Result<Action, ReceiptError> {
    let sender = action.sender.unwrap_or_default();
    Ok(Action::Bounce {
        topic: optional_topic(action.topic_arn)?,
        reply_code: action.smtp_reply_code.unwrap_or_default(),
        status: action.status_code.filter(|status| !status.is_empty()),
        message: action.message.unwrap_or_default(),
        sender: sender.parse().map_err(|_| invalid(format!("Identity is not verified: {}", one_line(&sender))))?,
    })
}

fn sns(action: SNSAction) -> Result<Action, ReceiptError> {
    let topic = topic(action.topic_arn.unwrap_or_default())?;
    Ok(Action::Sns { topic, encoding: encoding(action.encoding.as_deref())? })
}

fn lambda(action: LambdaAction) -> Result<Action, ReceiptError> {
    let topic = optional_topic(action.topic_arn)?;
    let function = action.function_arn.unwrap_or_default();
    if function.is_empty() {
        return Err(invalid("Lambda function ARN must not be empty"));
    }
    let function = function.parse().map_err(|_| ReceiptError::InvalidLambdaFunction(one_line(&function)))?;
    Ok(Action::Lambda { function, waits: action.invocation_type.as_deref() == Some("RequestResponse"), topic })
}

impl From<Action> for ReceiptAction {
    fn from(action: Action) -> Self {
        let text = |topic: Option<Arn>| topic.map(|topic| topic.to_string());
        let mut wire = Self::default();
        match action {
            Action::S3 { bucket, prefix, topic, role, kms } => {
                wire.s3_action = Some(S3Action {
                    topic_arn: text(topic),
                    bucket_name: Some(bucket),
                    object_key_prefix: prefix,
                    kms_key_arn: kms,
                    iam_role_arn: role,
                });
            }
            Action::Sns { topic, encoding } => {
                let topic_arn = Some(topic.to_string());
                wire.sns_action = Some(SNSAction { topic_arn, encoding: Some(word(encoding)) });
            }
            Action::Bounce { reply_code, status, message, sender, topic } => {
                wire.bounce_action = Some(BounceAction {
                    topic_arn: text(topic),
                    smtp_reply_code: Some(reply_code),
                    status_code: status,
                    message: Some(message),
                    sender: Some(sender.to_string()),
                });
            }
            Action::Stop { topic } => {
                wire.stop_action = Some(StopAction { scope: Some("RuleSet".to_owned()), topic_arn: text(topic) });
            }
            Action::Lambda { function, waits, topic } => {
                let invocation_type = Some(if waits { "RequestResponse" } else { "Event" }.to_owned());
                let function_arn = Some(function.to_string());
                wire.lambda_action = Some(LambdaAction { topic_arn: text(topic), function_arn, invocation_type });
            }
            own @ (Action::Webhook { .. } | Action::Sqs { .. } | Action::Forward { .. }) => {
                (wire.webhook_action, wire.sqs_action, wire.forward_action) = receipt_own_actions::told(own);
            }
            Action::AddHeader { name, value } => {
                wire.add_header_action = Some(AddHeaderAction { header_name: Some(name), header_value: Some(value) });
            }
        }
        wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::receiving::rules::Encoding;

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
        let lambda = LambdaAction { topic_arn: None, function_arn: Some("arn:f".to_owned()), invocation_type: None };
        let wire = ReceiptAction { lambda_action: Some(lambda), ..ReceiptAction::default() };
        assert!(matches!(Action::try_from(wire), Err(ReceiptError::InvalidLambdaFunction(_))));
        let workmail = WorkmailAction { topic_arn: None, organization_arn: Some("arn:o".to_owned()) };
        let wire = ReceiptAction { workmail_action: Some(workmail), ..ReceiptAction::default() };
        assert!(matches!(Action::try_from(wire), Err(ReceiptError::InvalidParameterValue(_))));
        assert!(Action::try_from(ReceiptAction::default()).is_err());
    }
}
