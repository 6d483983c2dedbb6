//! Text messages and push messages: what a gateway is told, and what its answer says about the receiver. A 410 says that the
//! receiver wants no more: a phone number is opted out then, a device's endpoint disabled.
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::base::{AccountId, Arn, EmailAddress, Region};
use crate::outlets::gateway::GatewayReply;
use crate::store::{self, platforms, sms};
use crate::topics::attributes;
use crate::topics::delivery::carry::{Tried, gateway_message};
use crate::topics::delivery::parcel::Found;
use crate::topics::delivery::verdict::DeliveryVerdict;
use crate::topics::device;
use crate::topics::envelope::Notification;
use crate::topics::job::{Direct, Way};
use crate::topics::mailer::{MailContent, Notice};
use crate::topics::platform::enabled;
use crate::topics::sms::settings;
use crate::topics::{Error, Texts, Topics};
use crate::workers::{Reason, Record};

/// Sends a message that has no topic.
pub(super) async fn send(topics: &Topics, direct: &Direct) -> Result<Tried, Error> {
    let mut message = json!({
        "id": direct.id,
        "account": direct.account,
        "region": direct.region,
        "message": direct.message,
    });
    add(&mut message, &direct.more);
    match direct.way {
        Way::Sms => text(topics, &direct.account, &direct.region, &direct.to, message).await,
        Way::Push => push(topics, &direct.to, message).await,
    }
}

/// Sends a published message to a subscribed phone number.
pub(super) async fn text_to_subscriber(
    topics: &Topics,
    found: &Found,
    notification: &Notification,
) -> Result<Tried, Error> {
    let (account, region, phone) = (&found.topic.account, &found.topic.region, &found.subscription.endpoint);
    // Who subscribes a number is not asked, so the sandbox is looked at here; Publish looks at it at once.
    if topics.in_sms_sandbox() && !topics.sandbox_knows(account, region, phone).await? {
        return Ok(refused("the phone number is not verified, and the account is in the SMS sandbox"));
    }
    text(topics, account, region, phone, gateway_message(notification, found)).await
}

/// Sends a published message to a subscribed device.
pub(super) async fn push_to_subscriber(
    topics: &Topics,
    found: &Found,
    notification: &Notification,
) -> Result<Tried, Error> {
    push(topics, &found.subscription.endpoint, gateway_message(notification, found)).await
}

fn add(message: &mut Json, more: &BTreeMap<String, String>) {
    if let Json::Object(object) = message {
        more.iter().for_each(|(name, value)| drop(object.insert(name.clone(), value.clone().into())));
    }
}

fn refused(why: &str) -> Tried {
    Tried::plain(DeliveryVerdict::Final(Reason::Refused), None, why)
}

async fn text(
    topics: &Topics,
    account: &AccountId,
    region: &Region,
    phone: &str,
    mut message: Json,
) -> Result<Tried, Error> {
    let Some(texts) = &topics.ways().texts else { return Ok(refused("no SMS gateway is configured")) };
    let (of, at, to) = (account.clone(), region.clone(), phone.to_owned());
    let (out, set) = topics
        .store()
        .read(|tx| {
            Box::pin(async move {
                let (out, _) = sms::opted_out(tx, &of, &at, &to).await?;
                Ok::<_, Error>((out, settings(tx, &of, &at).await?))
            })
        })
        .await?;
    if out {
        return Ok(refused("the phone number is opted out"));
    }
    message["to"] = phone.into();
    if let Json::Object(object) = &mut message {
        let mut default = |name: &str, setting: &str| {
            if let Some(value) = set.get(setting) {
                object.entry(name).or_insert_with(|| value.clone().into());
            }
        };
        default("sender", "DefaultSenderID");
        default("type", "DefaultSMSType");
        object.entry("type").or_insert_with(|| "Promotional".into());
    }
    match texts {
        Texts::Captured => captured(topics, account, region, phone, &message),
        Texts::Gateway(gateway) => {
            let said = gateway.send(&message).await;
            let gone = matches!(said, GatewayReply::Answer(410, _));
            let mut tried = Tried::said(said);
            if gone {
                let (account, region, phone) = (account.clone(), region.clone(), phone.to_owned());
                let effect: Record = Box::new(move |tx| {
                    Box::pin(async move { sms::opt_out(tx, &account, &region, &phone).await.map(drop) })
                });
                tried.effect = Some(effect);
            }
            Ok(tried)
        }
    }
}

/// On a developer's machine a text message is a mail in the inbox.
fn captured(
    topics: &Topics,
    account: &AccountId,
    region: &Region,
    phone: &str,
    message: &Json,
) -> Result<Tried, Error> {
    let to: Result<EmailAddress, _> = format!("{phone}@sms.invalid").parse();
    let (Some(mailer), Ok(to)) = (&topics.ways().mailer, to) else { return Ok(refused("there is no inbox")) };
    let text = |name: &str| message.get(name).and_then(Json::as_str).map(str::to_owned);
    let notice = Notice {
        account: account.clone(),
        region: region.clone(),
        to,
        display_name: text("sender"),
        subject: format!("Text message to {phone}"),
        content: MailContent::Plain(text("message").unwrap_or_default()),
    };
    Ok(match mailer.compose(&notice) {
        Ok(queue) => Tried { effect: Some(queue), ..Tried::plain(DeliveryVerdict::Delivered, None, "captured") },
        Err(why) => refused(&why),
    })
}

async fn push(topics: &Topics, endpoint: &str, mut message: Json) -> Result<Tried, Error> {
    let Some(gateway) = &topics.ways().pushes else { return Ok(refused("no push gateway is configured")) };
    let Ok(arn) = endpoint.parse::<Arn>() else { return Ok(refused("the endpoint is no ARN")) };
    let named = arn.clone();
    let found = topics.store().read(|tx| Box::pin(async move { device::find(tx, &named).await })).await;
    let (application, row) = match found {
        Ok(found) => found,
        Err(Error::DeviceMissing) => return Ok(refused("the endpoint does not exist")),
        Err(error) => return Err(error),
    };
    let on = |json: &str| Ok::<_, store::Error>(enabled(&attributes::read(json)?));
    if !on(&application.attributes)? || !on(&row.attributes)? {
        return Ok(refused("the endpoint is disabled"));
    }
    let told: Map<String, Json> = [
        ("endpoint", endpoint),
        ("platform", application.platform.as_str()),
        ("application", application.name.as_str()),
        ("token", row.token.as_str()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.into()))
    .collect();
    if let Json::Object(object) = &mut message {
        object.extend(told);
    }
    let said = gateway.send(&message).await;
    let gone = matches!(said, GatewayReply::Answer(410, _));
    let mut tried = Tried::said(said);
    if gone {
        let mut all = attributes::read(&row.attributes)?;
        all.insert("Enabled".to_owned(), "false".to_owned());
        let effect: Record = Box::new(move |tx| {
            Box::pin(async move {
                platforms::set_endpoint(tx, row.id, &row.token, &attributes::write(&all)).await.map(drop)
            })
        });
        tried.effect = Some(effect);
    }
    Ok(tried)
}
