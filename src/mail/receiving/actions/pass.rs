//! One pass of a mail through the rules of the active rule set, in order.
use crate::base::EmailAddress;
use crate::mail::receiving::actions::lambda::Flow;
use crate::mail::receiving::actions::webhook::Hook;
use crate::mail::receiving::actions::{Run, add_header, bounce, forward, lambda, s3, sns, sqs, stop, webhook};
use crate::mail::receiving::matching::Addressed;
use crate::mail::receiving::rules::{Action, Rule};

/// Runs the actions of every rule that is for one of the recipients, in order, until a Stop action or the end. A function
/// that does not tell its decision ends the run: it was for nothing, and the next attempt begins anew.
pub async fn run_rules(run: &mut Run<'_>, rules: &[Rule]) {
    let facts = run.facts;
    let all = Addressed::new(&facts.recipients);
    for rule in rules {
        let recipients = all.matched(rule, run.tls);
        if recipients.is_empty() {
            continue;
        }
        run.matched += 1;
        run.rule.clone_from(&rule.name);
        for action in &rule.actions {
            match run_action(run, &recipients, action).await {
                Flow::Continue => {}
                Flow::StopRule => break,
                Flow::StopRuleSet | Flow::Unknown => return,
            }
        }
    }
}

async fn run_action(run: &mut Run<'_>, recipients: &[&EmailAddress], action: &Action) -> Flow {
    match action {
        Action::S3 { bucket, prefix, topic, kms, .. } => {
            let place = s3::Place { bucket, prefix: prefix.as_deref(), kms: kms.as_deref() };
            s3::run(run, recipients, place, topic.as_ref()).await;
        }
        Action::Sns { topic, encoding } => sns::run(run, recipients, topic, *encoding),
        Action::Bounce { reply_code, status, message, sender, topic } => {
            let words = bounce::Words { reply_code, status: status.as_deref(), message };
            bounce::run(run, recipients, words, sender, topic.as_ref());
        }
        Action::Lambda { function, waits, topic } => {
            return lambda::run(run, recipients, function, *waits, topic.as_ref()).await;
        }
        Action::Webhook { url, secret, bucket, prefix, topic } => {
            let hook = Hook { url, secret, bucket: bucket.as_deref(), prefix: prefix.as_deref() };
            webhook::run(run, recipients, hook, topic.as_ref()).await;
        }
        Action::Sqs { queue, encoding, topic } => sqs::run(run, recipients, queue, *encoding, topic.as_ref()),
        Action::Forward { to, topic } => forward::run(run, recipients, to, topic.as_ref()),
        Action::AddHeader { name, value } => add_header::run(run, name, value),
        Action::Stop { topic } => {
            stop::run(run, recipients, topic.as_ref());
            return Flow::StopRuleSet;
        }
    }
    Flow::Continue
}
