//! `postrider admin classify`: what a reply or a report means by the rules in force, and which rule says so.
use crate::app::admin::AdminError;
use crate::config::Settings;
use crate::mail::bounce::{Classifier, Finding, Said, Stage};
use crate::mail::feedback::judged;
use crate::mail::feedback::letter::{Letter, judge};
use crate::mail::feedback::report::{Action, Fate, Read};
use crate::mail::message::parse;

/// The rules in force: the built-in ones, and the operator's before them.
pub(in crate::app) fn classifier(settings: &Settings) -> Result<Classifier, String> {
    let Some(path) = &settings.feedback.bounce_rules else { return Ok(Classifier::default()) };
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("bounce-rules: cannot read {shown}: {error}"))?;
    Classifier::with_own(&shown, &text).map_err(|error| format!("bounce-rules: {error}"))
}

/// What else is known of a reply.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The host that said it.
    pub host: Option<String>,
    /// The command that it answers: connect, ehlo, mail, rcpt or data.
    pub stage: Option<String>,
}

/// Judges a reply, or a whole message where the data begins with header fields. Gives the lines to print.
///
/// # Errors
/// When the operator's rules cannot be used, or there is no such command.
pub fn classify(settings: &Settings, data: &[u8], asked: &Asked) -> Result<Vec<String>, AdminError> {
    let classifier = classifier(settings).map_err(AdminError::Settings)?;
    if !is_message(data) {
        let text = String::from_utf8_lossy(data);
        let stage = asked.stage.as_deref().map(stage).transpose()?;
        let said = Said { text: text.trim(), stage, host: asked.host.as_deref(), ..Said::default() };
        return Ok(lines(&classifier.judge(&said)));
    }
    let message = Read::new(data, true);
    let report = match judge(&message) {
        Letter::Status(report) => report,
        Letter::Complaint(complaint) => {
            return Ok(vec![format!("complaint {}", complaint.feedback_type.as_deref().unwrap_or("-"))]);
        }
        Letter::Automatic => return Ok(vec!["automatic answer".to_owned()]),
        Letter::Other => return Ok(vec!["no report: it goes on to the sender".to_owned()]),
    };
    let reporting = asked.host.clone().or(report.reporting_mta).unwrap_or_default();
    Ok(report.recipients.iter().flat_map(|fate| of_fate(&classifier, fate, &reporting)).collect())
}

fn of_fate(classifier: &Classifier, fate: &Fate, reporting_mta: &str) -> Vec<String> {
    let address = if fate.addresses.is_empty() { "-".to_owned() } else { fate.addresses.join(", ") };
    let status = fate.status.as_deref().unwrap_or("-");
    let mut out = vec![match fate.action {
        Action::Failed => format!("bounce of {address}, status {status}"),
        Action::Delayed => format!("delay of {address}, status {status}"),
        Action::Fine => format!("no bounce of {address}: it arrived, or goes on"),
    }];
    out.extend(fate.diagnostic.iter().map(|text| format!("  said: {text}")));
    match fate.action {
        Action::Failed => {
            let found = judged::judge(classifier, fate, reporting_mta);
            out.extend(lines(&found).into_iter().map(|line| format!("  {line}")));
        }
        Action::Delayed => {
            out.push(format!("  delay type: {}", judged::delay_type(classifier, fate, reporting_mta)));
        }
        Action::Fine => {}
    }
    out
}

fn lines(found: &Finding) -> Vec<String> {
    let (kind, sub_type) = found.cause.kind();
    vec![
        format!("type: {kind}"),
        format!("subtype: {sub_type}"),
        format!("suppressed: {}", if found.cause.suppresses() { "yes" } else { "no" }),
        format!("blame: {}", found.cause.blame().as_str()),
        format!("cause: {}", found.cause.as_str()),
        format!("rule: {}", found.rule),
        format!("source: {}", found.source),
    ]
}

fn stage(name: &str) -> Result<Stage, AdminError> {
    match name {
        "connect" => Ok(Stage::Connect),
        "ehlo" => Ok(Stage::Ehlo),
        "mail" => Ok(Stage::Mail),
        "rcpt" => Ok(Stage::Rcpt),
        "data" => Ok(Stage::Data),
        _ => Err(AdminError::Settings(format!("stage {name:?} is none of connect, ehlo, mail, rcpt, data"))),
    }
}

/// Whether it begins with the fields that every message has.
fn is_message(data: &[u8]) -> bool {
    let known = ["from", "date", "subject", "received", "return-path", "message-id", "content-type", "mime-version"];
    let fields = parse::header_fields(data);
    fields.iter().filter(|field| known.contains(&field.name.to_ascii_lowercase().as_str())).count() >= 2
}
