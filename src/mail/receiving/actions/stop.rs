//! The Stop action: no later action and no later rule sees the mail.
use crate::base::{Arn, EmailAddress};
use crate::mail::receiving::actions::Run;
use crate::mail::receiving::notification::ActionTaken;

/// Tells the topic, if one is named. The caller ends the rule set.
pub fn run(run: &mut Run<'_>, recipients: &[&EmailAddress], topic: Option<&Arn>) {
    if let Some(topic) = topic {
        run.tell(topic, recipients, &ActionTaken::stop(topic));
    }
}
