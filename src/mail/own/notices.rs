//! Mails to the subscribers of topics: what topics' `Mailer` asks for, composed and queued as mails of our own. They count in no
//! quota and in no sandbox: only addresses that confirmed get them, and how often one is asked is bounded.
use std::time::Duration;

use futures::future::BoxFuture;
use handlebars::Handlebars;
use serde_json::json;

use crate::base::EmailAddress;
use crate::mail::message::{self, Draft, Mailbox, compose};
use crate::mail::own::system::{SystemMail, send_in};
use crate::store::{self, Tx, throttles};
use crate::topics::mailer::{MailContent, Mailer, Notice};
use crate::workers::Record;

/// How often an address is asked to confirm something in a window, whoever asks: so that nobody is flooded with links.
const ASKED_MAX: u32 = 10;
const ASKED_WINDOW: Duration = Duration::from_secs(3_600);

/// The longest link that stands in a header too, in bytes. A longer one stands in the text only.
const LINK_MAX: usize = 900;

const CONFIRM: &str = include_str!("../../../templates/subscription.txt.hbs");
const ENDED: &str = include_str!("../../../templates/unsubscribed.txt.hbs");
const MESSAGE: &str = include_str!("../../../templates/notification.txt.hbs");

/// Sends mails to subscribers, from `no-reply@` this server.
#[derive(Clone, Debug)]
pub struct Notices {
    hostname: String,
}

impl Notices {
    /// A sender that calls itself `hostname`.
    pub fn new(hostname: impl Into<String>) -> Self {
        Self { hostname: hostname.into() }
    }

    fn draft(&self, notice: &Notice) -> Result<Draft, String> {
        let from = Mailbox::parse(&format!("no-reply@{}", self.hostname)).map_err(|why| why.to_string())?;
        let name = notice.display_name.clone().unwrap_or_else(|| "Notifications".to_owned());
        let mut headers = vec![("Auto-Submitted".to_owned(), "auto-generated".to_owned())];
        let text = match &notice.content {
            MailContent::Confirm { topic, link } => render(CONFIRM, json!({ "topic": topic, "link": link }))?,
            MailContent::Ended { topic, link } => render(ENDED, json!({ "topic": topic, "link": link }))?,
            MailContent::Message { text, link } => {
                // RFC 8058: the page behind the link takes the POST that mail programs send.
                if link.len() <= LINK_MAX {
                    headers.push(("List-Unsubscribe".to_owned(), format!("<{link}>")));
                    headers.push(("List-Unsubscribe-Post".to_owned(), "List-Unsubscribe=One-Click".to_owned()));
                }
                render(MESSAGE, json!({ "text": text, "link": link }))?
            }
            MailContent::Plain(text) => text.clone(),
        };
        Ok(Draft {
            from: Mailbox { name: Some(name), address: from.address },
            to: vec![Mailbox { name: None, address: notice.to.clone() }],
            cc: Vec::new(),
            reply_to: Vec::new(),
            subject: notice.subject.clone(),
            text: Some(text),
            html: None,
            attachments: Vec::new(),
            headers,
        })
    }
}

impl Mailer for Notices {
    fn compose(&self, notice: &Notice) -> Result<Record, String> {
        let draft = self.draft(notice)?;
        let mail = SystemMail {
            account: notice.account.clone(),
            region: notice.region.clone(),
            source: draft.from.address.clone(),
            recipient: notice.to.clone(),
            raw: compose(&draft).map_err(|why: message::Error| why.to_string())?,
            hostname: self.hostname.clone(),
        };
        Ok(Box::new(move |tx| {
            Box::pin(async move { send_in(tx, mail).await.map(drop).map_err(store::Error::corrupt) })
        }))
    }

    fn may_ask<'t>(&'t self, tx: &'t mut Tx, to: &'t EmailAddress) -> BoxFuture<'t, Result<bool, store::Error>> {
        Box::pin(may_ask(tx, to))
    }
}

/// Whether an address may be asked once more to confirm something: a subscription, or that it is somebody's own. Counts the
/// question.
///
/// # Errors
/// When the store fails.
pub async fn may_ask(tx: &mut Tx, to: &EmailAddress) -> Result<bool, store::Error> {
    let key = to.as_str().to_lowercase();
    Ok(throttles::count_question(tx, &key, ASKED_WINDOW).await? <= ASKED_MAX)
}

fn render(template: &str, values: serde_json::Value) -> Result<String, String> {
    Handlebars::new().render_template(template, &values).map_err(|why| why.to_string())
}
