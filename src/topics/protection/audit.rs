//! What is told of findings, and to whom: a line in this server's log, a record of a delivery stream. Never what was found.
use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::base::{Arn, Timestamp};
use crate::outlets::Streams;
use crate::store::{self, Tx};
use crate::topics::protection::policy::{Destinations, Operation, Statement};
use crate::topics::protection::{Findings, Identifier, Who};

/// The most places of one kind that are told; their number is told whole.
const PLACES_MAX: usize = 100;

/// What is told to one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditRecord {
    /// The group of logs that the line is for.
    pub log_group: Option<String>,
    /// The delivery stream.
    pub stream: Option<Arn>,
    /// JSON.
    pub text: String,
}

/// Which message was looked at.
pub(crate) struct About {
    /// The topic.
    pub topic: Arn,
    /// The MessageId.
    pub message: String,
    /// Who published it.
    pub who: Who,
    /// When.
    pub at: Timestamp,
}

/// What a statement's audit tells of a message whose texts have these findings. `None` where nobody wants to know. The time is
/// that of the texts' length for each kind of data.
pub(crate) fn record(of: &Statement, about: &About, texts: &[(String, Findings)]) -> Option<AuditRecord> {
    let Operation::Audit(audit) = &of.operation else { return None };
    let any = texts.iter().any(|(_, findings)| of.identifiers.iter().any(|kind| findings.contains_key(kind)));
    let Destinations { log_group, stream } = if any { &audit.found } else { &audit.nothing };
    if log_group.is_none() && stream.is_none() {
        return None;
    }
    let topic = &about.topic;
    let name =
        |stream: &String| Arn::new("firehose", &topic.region, &topic.account, format!("deliverystream/{stream}"));
    Some(AuditRecord {
        log_group: log_group.clone(),
        stream: stream.as_ref().map(name),
        text: told(of, about, texts).to_string(),
    })
}

fn told(of: &Statement, about: &About, texts: &[(String, Findings)]) -> Json {
    let mut by_kind: BTreeMap<Identifier, (usize, Vec<Json>)> = BTreeMap::new();
    for (text, findings) in texts {
        for (identifier, found) in findings.iter().filter(|(kind, _)| of.identifiers.contains(kind)) {
            let (count, detections) = by_kind.entry(*identifier).or_default();
            *count += found.len();
            let mut places = Places { text, octets: 0, characters: 0 };
            for one in found.iter().take(PLACES_MAX.saturating_sub(detections.len())) {
                detections.push(json!({ "start": places.at(one.start), "end": places.at(one.end) }));
            }
        }
    }
    let kinds = by_kind
        .into_iter()
        .map(|(kind, (count, detections))| json!({ "name": kind.name(), "count": count, "detections": detections }));
    let caller = match &about.who {
        Who::Account(account) => format!("arn:aws:iam::{account}:root"),
        Who::Service => "ses.amazonaws.com".to_owned(),
    };
    json!({
        "messageId": about.message,
        "auditTimestamp": about.at.iso_millis(),
        "callerPrincipal": caller,
        "resourceArn": about.topic.to_string(),
        "dataIdentifiers": kinds.collect::<Vec<_>>(),
    })
}

/// Places in a text by characters, asked for in order.
struct Places<'a> {
    text: &'a str,
    octets: usize,
    characters: usize,
}

impl Places<'_> {
    fn at(&mut self, octets: usize) -> usize {
        self.characters += self.text.get(self.octets..octets).unwrap_or_default().chars().count();
        self.octets = octets;
        self.characters
    }
}

/// Tells it, in the caller's transaction.
///
/// # Errors
/// When the store fails.
pub(crate) async fn tell(tx: &mut Tx, records: &[AuditRecord]) -> Result<(), store::Error> {
    for AuditRecord { log_group, stream, text } in records {
        if let Some(log_group) = log_group {
            tracing::info!(log_group, finding = text, "audited a message for data protection");
        }
        if let Some(stream) = stream {
            Streams::put(tx, stream, text).await?;
        }
    }
    Ok(())
}
