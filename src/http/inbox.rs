//! The inbox of captured mail, for a developer's machine: as JSON under `/_postrider/inbox`, and in LocalStack's form
//! under `/_aws/ses`. Never as HTML: what a mail holds must not run in a browser.
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::base::memory::Charge;
use crate::base::{Clock, Memory};
use crate::http::peer::Peer;
use crate::http::query::{Nothing, Parameters, with_plus};
use crate::http::room::{self, NoRoom};
use crate::mail::message::Mailbox;
use crate::mail::message::parse::{self, HeaderField};
use crate::mail::message::parts::{self, Attached, Text};
use crate::store;
use crate::store::Store;
use crate::store::captured::{self, Captured};

/// How long a list may wait for its first mail, in seconds, and how often it looks meanwhile.
const MAX_WAIT: u64 = 60;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How many mails a list has when nothing is asked.
const DEFAULT_LIMIT: i64 = 100;
/// How many it has at the most.
const MAX_LIMIT: i64 = 1000;
/// How many mails `/_aws/ses` reads at the most; each one is parsed.
const MAX_PARSED: i64 = 200;
/// Octets of mail that `/_aws/ses` reads at the most: the newest mails that fit.
const MAX_PARSED_SIZE: i64 = 64 * 1024 * 1024;
/// How many header fields are shown.
const MAX_FIELDS: usize = 1000;

/// How many times a mail is in memory while it is shown: as it is stored, put together, as its parts, and in JSON.
const COPIES: u64 = 8;
/// How many times while it is given as it is.
const RAW_COPIES: u64 = 3;

/// What the pages need.
#[derive(Clone)]
struct Inbox {
    store: Store,
    memory: Memory,
    clock: Clock,
}

type Asker = Option<Extension<Peer>>;

impl Inbox {
    fn room(&self, peer: &Asker, octets: i64, copies: u64) -> Result<Charge, InboxRefusal> {
        let octets = u64::try_from(octets).unwrap_or(0).saturating_mul(copies);
        Ok(room::take(&self.memory, peer.as_ref().map(|Extension(peer)| peer), octets)?)
    }
}

/// The inbox's routes. Mount them only where mail is captured: whoever reaches them reads all of it. What they show takes its
/// room of `memory`.
pub fn routes(store: Store, memory: Memory, clock: Clock) -> Router {
    Router::new()
        .route("/_postrider/inbox", get(list).delete(clear))
        .route("/_postrider/inbox/{id}", get(show))
        .route("/_postrider/inbox/{id}/raw", get(raw))
        .route("/_aws/ses", get(localstack).delete(clear))
        .with_state(Inbox { store, memory, clock })
}

/// `?limit=100&before=ID`: the mails before (older than) that one. `to=ADDRESS`: to this recipient alone. `wait=SECONDS`: the
/// answer comes when there is such a mail, or none after so long.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<i64>,
    before: Option<String>,
    to: Option<String>,
    wait: Option<u64>,
}

/// An answer that is no mail.
enum InboxRefusal {
    NotFound,
    BadLimit,
    BadWait,
    NoRoom(NoRoom),
    Internal,
}

impl From<NoRoom> for InboxRefusal {
    fn from(full: NoRoom) -> Self {
        Self::NoRoom(full)
    }
}

impl From<store::Error> for InboxRefusal {
    fn from(error: store::Error) -> Self {
        tracing::error!(%error, "the inbox cannot be read");
        Self::Internal
    }
}

impl IntoResponse for InboxRefusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "no such mail in the inbox"),
            Self::BadWait => (StatusCode::BAD_REQUEST, "wait must be a number of seconds from 0 to 60"),
            Self::NoRoom(full) => return full.into_response(),
            Self::BadLimit => (StatusCode::BAD_REQUEST, "limit must be a number from 1 to 1000"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "the inbox cannot be read"),
        };
        (status, answer(&json!({ "error": text }))).into_response()
    }
}

fn answer(value: &Value) -> Response {
    no_sniff(([(CONTENT_TYPE, "application/json")], value.to_string()))
}

/// A page that took this room while it was made.
fn answer_with(value: &Value, charge: Charge) -> Response {
    let body = room::send(value.to_string().into_bytes(), charge);
    no_sniff(([(CONTENT_TYPE, "application/json")], body))
}

fn no_sniff(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The message id for the first recipient, and `ID.N` for the others: a mail to one recipient is found by the id that
/// SendEmail answered.
fn id_of(c: &Captured) -> String {
    if c.n == 0 { c.mail_id.clone() } else { format!("{}.{}", c.mail_id, c.n) }
}

fn read_id(id: &str) -> (String, i64) {
    let parts = id.rsplit_once('.').and_then(|(mail, n)| Some((mail.to_owned(), n.parse().ok()?)));
    parts.unwrap_or_else(|| (id.to_owned(), 0))
}

/// An entry is a mail to one recipient (`to`): the others of the same mail (`messageId`) have entries of their own, so many in all.
fn summary(c: &Captured) -> Value {
    json!({
        "id": id_of(c),
        "messageId": c.mail_id,
        "from": c.source,
        "to": c.recipient,
        "recipients": c.recipients,
        "subject": c.subject,
        "date": c.captured_at.iso_millis(),
        "size": c.size,
    })
}

async fn list(
    State(Inbox { store, clock, .. }): State<Inbox>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, InboxRefusal> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(InboxRefusal::BadLimit);
    }
    let wait = query.wait.unwrap_or(0);
    if wait > MAX_WAIT {
        return Err(InboxRefusal::BadWait);
    }
    let to = query.to.as_deref().map(with_plus);
    let look = async || read(&store, query.before.as_deref(), to.clone(), limit).await;
    let first = async {
        loop {
            let rows = look().await?;
            if !rows.is_empty() {
                return Ok::<_, InboxRefusal>(rows);
            }
            clock.sleep(LOOK_EVERY).await;
        }
    };
    let found = if wait > 0 { clock.timeout(Duration::from_secs(wait), first).await } else { None };
    let rows = match found {
        Some(rows) => rows?,
        None => look().await?,
    };
    Ok(answer(&rows.iter().map(summary).collect()))
}

async fn read(
    store: &Store,
    before: Option<&str>,
    to: Option<String>,
    limit: i64,
) -> Result<Vec<Captured>, InboxRefusal> {
    let before = before.map(read_id);
    store
        .read(move |tx| {
            Box::pin(async move {
                let before = match before {
                    None => i64::MAX,
                    Some((mail, n)) => captured::find(tx, &mail, n).await?.ok_or(InboxRefusal::NotFound)?.seq,
                };
                Ok::<_, InboxRefusal>(captured::page(tx, before, to.as_deref(), limit).await?)
            })
        })
        .await
}

/// Takes no parameters: whoever names one mail does not mean all of them.
async fn clear(
    State(Inbox { store, .. }): State<Inbox>,
    Parameters(Nothing {}): Parameters<Nothing>,
) -> Result<Response, InboxRefusal> {
    let removed = store.write(|tx| Box::pin(async move { Ok::<_, InboxRefusal>(captured::clear(tx).await?) })).await?;
    Ok(answer(&json!({ "deleted": removed })))
}

/// A mail, read once there is room for so many copies of it.
async fn load(inbox: &Inbox, peer: &Asker, id: &str, copies: u64) -> Result<(Captured, Vec<u8>, Charge), InboxRefusal> {
    let (mail, n) = read_id(id);
    let mut reader = inbox.store.reader().await?;
    let row = captured::find(&mut reader, &mail, n).await?.ok_or(InboxRefusal::NotFound)?;
    let charge = inbox.room(peer, row.size, copies)?;
    let content = captured::content(&mut reader, &mail, n).await?.ok_or(InboxRefusal::NotFound)?;
    Ok((row, content, charge))
}

async fn show(State(inbox): State<Inbox>, peer: Asker, Path(id): Path<String>) -> Result<Response, InboxRefusal> {
    let (row, content, charge) = load(&inbox, &peer, &id, COPIES).await?;
    let mut value = summary(&row);
    let parts = parts::read_up_to(&content, content.len().saturating_mul(3));
    if let Some(value) = value.as_object_mut() {
        value.insert("headers".to_owned(), headers(&content));
        value.insert("text".to_owned(), text(parts.text));
        value.insert("html".to_owned(), text(parts.html));
        value.insert("attachments".to_owned(), parts.attachments.iter().map(attachment).collect());
    }
    Ok(answer_with(&value, charge))
}

async fn raw(State(inbox): State<Inbox>, peer: Asker, Path(id): Path<String>) -> Result<Response, InboxRefusal> {
    let (_, content, charge) = load(&inbox, &peer, &id, RAW_COPIES).await?;
    let headers = [(CONTENT_TYPE, "message/rfc822"), (CONTENT_DISPOSITION, "attachment; filename=\"mail.eml\"")];
    let body: Body = room::send(content, charge);
    Ok(no_sniff((headers, body)))
}

/// The fields in their order, unfolded, encoded words as they are.
fn headers(content: &[u8]) -> Value {
    let fields = parse::header_fields(content).into_iter().take(MAX_FIELDS);
    fields.map(|field| json!({ "name": field.name, "value": field.value })).collect()
}

/// The body in one of its forms, where the mail has that form.
fn text(text: Option<Text>) -> Value {
    text.map_or(Value::Null, |text| Value::from(text.text))
}

fn attachment(part: &Attached) -> Value {
    json!({
        "name": part.name,
        "contentType": part.content_type,
        "contentId": part.content_id,
        "inline": part.inline,
        "size": part.data.len(),
    })
}

/// `?id=MESSAGE-ID` and `?email=SOURCE` as LocalStack has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InboxFilter {
    id: Option<String>,
    email: Option<String>,
}

async fn localstack(
    State(inbox): State<Inbox>,
    peer: Asker,
    Parameters(filter): Parameters<InboxFilter>,
) -> Result<Response, InboxRefusal> {
    let store = &inbox.store;
    let rows = store
        .read(|tx| {
            Box::pin(async move { Ok::<_, InboxRefusal>(captured::page(tx, i64::MAX, None, MAX_PARSED).await?) })
        })
        .await?;
    let mut mails: Vec<(Captured, Vec<String>)> = Vec::new();
    let mut size = 0;
    let fits = |row: &Captured| {
        size += row.size;
        size <= MAX_PARSED_SIZE
    };
    let rows: Vec<Captured> = rows.into_iter().take_while(fits).collect();
    // LocalStack lists the oldest first, and one message for all recipients.
    for row in rows.into_iter().rev() {
        let recipient = row.recipient.clone();
        match mails.iter_mut().find(|(first, _)| first.mail_id == row.mail_id) {
            Some((_, recipients)) => recipients.push(recipient),
            None => mails.push((row, vec![recipient])),
        }
    }
    let email = filter.email.as_deref().map(with_plus);
    let wanted = |c: &Captured| {
        filter.id.as_ref().is_none_or(|id| *id == c.mail_id)
            && email.as_ref().is_none_or(|email| email.eq_ignore_ascii_case(&c.source))
    };
    mails.retain(|(first, _)| wanted(first));
    let charge = inbox.room(&peer, mails.iter().map(|(first, _)| first.size).sum(), COPIES)?;
    let mut messages = Vec::new();
    for (first, recipients) in &mails {
        let (mail, n) = (first.mail_id.clone(), first.n);
        let content = store
            .read(move |tx| Box::pin(async move { Ok::<_, InboxRefusal>(captured::content(tx, &mail, n).await?) }))
            .await?;
        messages.push(localstack_message(first, recipients, &content.unwrap_or_default()));
    }
    Ok(answer_with(&json!({ "messages": messages }), charge))
}

fn localstack_message(c: &Captured, recipients: &[String], content: &[u8]) -> Value {
    let (fields, parts) = (parse::header_fields(content), parts::read_up_to(content, content.len().saturating_mul(3)));
    let named = |name: &str| -> Vec<String> {
        let of_name = |field: &&HeaderField| field.name.eq_ignore_ascii_case(name);
        let lists = fields.iter().filter(of_name).flat_map(|field| Mailbox::parse_list(&field.value));
        let addresses: Vec<String> = lists.flatten().map(|address| address.as_str().to_lowercase()).collect();
        recipients.iter().filter(|r| addresses.contains(&r.to_lowercase())).cloned().collect()
    };
    let (to, cc) = (named("To"), named("Cc"));
    let bcc: Vec<&String> = recipients.iter().filter(|r| !to.contains(r) && !cc.contains(r)).collect();
    json!({
        "Id": c.mail_id,
        "Region": c.region,
        "Source": c.source,
        "Destination": { "ToAddresses": to, "CcAddresses": cc, "BccAddresses": bcc },
        "Subject": c.subject,
        "Body": { "text_part": text(parts.text), "html_part": text(parts.html) },
        "Timestamp": c.captured_at.iso_millis(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_shown_with_the_parts_that_it_has_and_no_others() {
        let html_only = b"Subject: x\r\nContent-Type: text/html\r\n\r\n<b>hi</b>\r\n";
        let parts = parts::read(html_only);
        assert_eq!((text(parts.html), text(parts.text)), ("<b>hi</b>\r\n".into(), Value::Null));
        let mixed = "Content-Type: multipart/mixed; boundary=m\r\n\r\n\
            --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
            --a\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
            --a\r\nContent-Type: text/html\r\n\r\n<p>hello</p>\r\n--a--\r\n\
            --m\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\
            Content-Disposition: attachment; filename=\"a.pdf\"\r\n\r\nAAECAw==\r\n\
            --m\r\nContent-Type: image/png; name=dot.png\r\nContent-ID: <dot>\r\nContent-Disposition: inline\r\n\r\nx\r\n\
            --m--\r\n";
        let parts = parts::read(mixed.as_bytes());
        let attachments: Value = parts.attachments.iter().map(attachment).collect();
        assert_eq!((text(parts.text), text(parts.html)), ("hello".into(), "<p>hello</p>".into()));
        let expected = json!([
            { "name": "a.pdf", "contentType": "application/pdf", "contentId": null, "inline": false, "size": 4 },
            { "name": "dot.png", "contentType": "image/png", "contentId": "dot", "inline": true, "size": 1 },
        ]);
        assert_eq!(attachments, expected);
    }

    #[test]
    fn the_first_recipient_is_found_by_the_message_id_alone() {
        assert_eq!(read_id("0100-abc-000000"), ("0100-abc-000000".to_owned(), 0));
        assert_eq!(read_id("0100-abc-000000.12"), ("0100-abc-000000".to_owned(), 12));
        assert_eq!(read_id("no.number"), ("no.number".to_owned(), 0));
    }
}
