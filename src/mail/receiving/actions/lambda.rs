//! The Lambda action: calls a function with the mail's record (SES developer guide, "Invoke Lambda function action"), and
//! does what the function decides where the rule waits for it.
use serde::{Deserialize, Serialize};

use crate::base::{Arn, EmailAddress};
use crate::mail::receiving::actions::Run;
use crate::mail::receiving::handed::Task;
use crate::mail::receiving::notification::{ActionTaken, MailPart, ReceiptPart, told};
use crate::outlets::functions::{Invocation, InvokeError, Invoked};
use crate::workers::Reason;

/// How the mail goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// To the next action.
    Continue,
    /// To the next rule.
    StopRule,
    /// To its end.
    StopRuleSet,
    /// Nobody knows: the function did not answer, and another attempt will ask it again.
    Unknown,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_source: &'static str,
    event_version: &'static str,
    ses: Ses<'a>,
}

#[derive(Serialize)]
struct Ses<'a> {
    mail: MailPart<'a>,
    receipt: ReceiptPart<'a>,
}

#[derive(Deserialize)]
struct Answer {
    disposition: Option<String>,
}

/// Calls the function, or queues the call where nobody waits for it.
pub async fn run(
    run: &mut Run<'_>,
    recipients: &[&EmailAddress],
    function: &Arn,
    waits: bool,
    topic: Option<&Arn>,
) -> Flow {
    let how = if waits { Invocation::RequestResponse } else { Invocation::Event };
    let action = ActionTaken::lambda(topic, function, how);
    let (mail, receipt) = told(run.facts, recipients, &action, run.clock.now());
    let ses = Ses { mail, receipt };
    let event = Event { records: [Record { event_source: "aws:ses", event_version: "1.0", ses }] };
    let payload = match serde_json::to_string(&event) {
        Ok(payload) => payload,
        Err(error) => {
            run.fail(Reason::Internal, format!("cannot write the record for the function: {error}"), false);
            return Flow::Continue;
        }
    };
    if let Some(topic) = topic {
        run.tell(topic, recipients, &action);
    }
    if !waits {
        run.hand(Task::Function { function: function.clone(), payload });
        return Flow::Continue;
    }
    let asked = run.functions.invoke(function, how, payload.into_bytes());
    let asked = run.endpoints.ask(Some(run.account), &function.to_string(), asked).await;
    let rests = asked.is_err();
    run.rested += usize::from(rests);
    match asked.map_or_else(|rests| Err((rests.to_string(), true)), judge) {
        Ok(flow) => flow,
        Err((text, temporary)) => {
            run.fail(Reason::Deferred, format!("Lambda action, function {function}: {text}"), temporary);
            // Its answer decides what happens to the mail, so nothing happens without it, as long as it may still come.
            if temporary && run.goes_on_later(rests) { Flow::Unknown } else { Flow::Continue }
        }
    }
}

/// What a function decided; else why it did not, and whether it may when it is asked again. No disposition, or one that is
/// not known, lets the mail go on.
fn judge(answer: Result<Invoked, InvokeError>) -> Result<Flow, (String, bool)> {
    let invoked = answer.map_err(|error| (error.to_string(), true))?;
    if let Some(error) = invoked.function_error {
        return Err((format!("the function failed: {error}"), true));
    }
    if !(200..300).contains(&invoked.status) {
        let temporary = invoked.status >= 500 || matches!(invoked.status, 404 | 408 | 409 | 429);
        return Err((format!("the runtime answered {}", invoked.status), temporary));
    }
    let disposition = serde_json::from_slice::<Answer>(&invoked.body).ok().and_then(|answer| answer.disposition);
    Ok(match disposition.as_deref().map(str::to_ascii_uppercase).as_deref() {
        Some("STOP_RULE") => Flow::StopRule,
        Some("STOP_RULE_SET") => Flow::StopRuleSet,
        _ => Flow::Continue,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, function_error: Option<&str>, body: &str) -> Result<Invoked, InvokeError> {
        let function_error = function_error.map(str::to_owned);
        Ok(Invoked { status, function_error, body: body.into(), complete: true })
    }

    #[test]
    fn dispositions_are_those_of_ses() {
        for (body, flow) in [
            ("{\"disposition\":\"STOP_RULE\"}", Flow::StopRule),
            ("{\"disposition\":\"stop_rule_set\"}", Flow::StopRuleSet),
            ("{\"disposition\":\"CONTINUE\"}", Flow::Continue),
            ("{\"disposition\":\"DANCE\"}", Flow::Continue),
            ("{\"disposition\":null}", Flow::Continue),
            ("{\"disposition\":1}", Flow::Continue),
            ("null", Flow::Continue),
            ("", Flow::Continue),
        ] {
            assert_eq!(judge(answered(200, None, body)), Ok(flow), "{body}");
        }
    }

    #[test]
    fn a_function_that_does_not_decide_is_asked_again() {
        let stop = "{\"disposition\":\"STOP_RULE\"}";
        for (answer, temporary) in [
            (answered(200, Some("Unhandled"), stop), true),
            (answered(429, None, ""), true),
            (answered(502, None, ""), true),
            (answered(400, None, ""), false),
            (Err(InvokeError::Silent), true),
            (Err(InvokeError::Unreachable("no".to_owned())), true),
            (Err(InvokeError::Unknown), true),
        ] {
            assert_eq!(judge(answer.clone()).map_err(|(_, temporary)| temporary), Err(temporary), "{answer:?}");
        }
    }
}
