//! Feedback of identities, the way of SES's first API: notification topics, and bounces and complaints as mails.
use serde_json::json;
use tracing::warn;

use crate::base::{AccountId, Arn, Region};
use crate::mail::content::event::Event;
use crate::mail::content::forwarding;
use crate::mail::identity::IdentityName;
use crate::store::identity_notifications::{self, Notification, NotificationKind};
use crate::store::mails::Mail;
use crate::store::{self, Store, Tx};
use crate::topics::Error as TopicError;
use crate::topics::{Publication, Topics};

/// What can go wrong with an identity's feedback.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account has no such identity.
    #[error("identity {0} does not exist")]
    Missing(String),
    /// Not one of [`NotificationKind`].
    #[error("{0:?} is not a kind of notification")]
    Kind(String),
    /// Not a topic of this account in this region, or one that does not exist.
    #[error("topic {0} cannot be used")]
    Topic(String),
    /// Mails cannot be switched off while nothing else tells of bounces and complaints.
    #[error("identity {0} needs a topic for bounces and one for complaints")]
    NeedsTopics(String),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}

/// What an identity has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// At most one of each kind.
    pub notifications: Vec<Notification>,
    /// Whether bounces and complaints go to the sender as mails.
    pub forwarding: bool,
}

/// The feedback settings of all accounts' identities. Cheap to clone.
#[derive(Clone)]
pub struct Feedback {
    store: Store,
    topics: Topics,
}

impl Feedback {
    /// The settings in `store`; new topics are tried out with `topics`.
    pub fn new(store: Store, topics: Topics) -> Self {
        Self { store, topics }
    }

    /// What an identity has set.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn get(&self, account: &AccountId, region: &Region, identity: &str) -> Result<Settings, Error> {
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(identity));
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    let forwarding = identity_notifications::forwarding(tx, &account, &region, &name).await?;
                    let forwarding = forwarding.ok_or_else(|| Error::Missing(name.clone()))?;
                    Ok(Settings {
                        notifications: identity_notifications::of(tx, &account, &region, &name).await?,
                        forwarding,
                    })
                })
            })
            .await
    }

    /// Sets the topic of one kind of notification, or takes it away. As SES does, it publishes a line to the new topic.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Kind`], [`Error::Topic`].
    pub async fn set_topic(
        &self,
        account: &AccountId,
        region: &Region,
        identity: &str,
        kind: &str,
        topic: Option<String>,
    ) -> Result<(), Error> {
        let kind = known(kind)?;
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(identity));
        let topics = self.topics.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    there(tx, &account, &region, &name).await?;
                    if let Some(topic) = &topic {
                        let message = format!(
                            "You have successfully subscribed your Amazon SNS topic '{topic}' to receive '{kind}' \
                             notifications from Amazon SES for identity '{name}'."
                        );
                        let line = json!({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": message});
                        try_topic(tx, &topics, &account, &region, topic, line.to_string()).await?;
                    }
                    Ok(identity_notifications::set_topic(tx, &account, &region, &name, kind, topic).await?)
                })
            })
            .await
    }

    /// Sets whether one kind of notification tells the mail's headers.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Kind`].
    pub async fn set_headers(
        &self,
        account: &AccountId,
        region: &Region,
        identity: &str,
        kind: &str,
        headers: bool,
    ) -> Result<(), Error> {
        let kind = known(kind)?;
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(identity));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    there(tx, &account, &region, &name).await?;
                    Ok(identity_notifications::set_headers(tx, &account, &region, &name, kind, headers).await?)
                })
            })
            .await
    }

    /// Sets whether bounces and complaints go to the sender as mails. `guarded`: not to be switched off before topics for
    /// both are set (SES's first API).
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NeedsTopics`].
    pub async fn set_forwarding(
        &self,
        account: &AccountId,
        region: &Region,
        identity: &str,
        enabled: bool,
        guarded: bool,
    ) -> Result<(), Error> {
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(identity));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let set = identity_notifications::of(tx, &account, &region, &name).await?;
                    let has = |kind: NotificationKind| set.iter().any(|n| n.kind == kind && n.topic_arn.is_some());
                    there(tx, &account, &region, &name).await?;
                    if guarded && !enabled && !(has(NotificationKind::Bounce) && has(NotificationKind::Complaint)) {
                        return Err(Error::NeedsTopics(name));
                    }
                    identity_notifications::set_forwarding(tx, &account, &region, &name, enabled).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// The identity whose settings count for a mail. That of another account, by whose leave the mail was sent, is named by its ARN: its
/// settings are its own.
fn identity_of(mail: &Mail) -> Option<&str> {
    mail.identity.as_deref().filter(|name| !name.starts_with("arn:"))
}

/// Tells the topics of a mail's identity what happened to it, in the caller's transaction.
pub(super) async fn tell(tx: &mut Tx, topics: &Topics, mail: &Mail, event: &Event) -> Result<(), store::Error> {
    let (Some(kind), Some(identity)) = (event.kind().notification(), identity_of(mail)) else { return Ok(()) };
    let set = identity_notifications::of(tx, &mail.account, &mail.region, identity).await?;
    for notification in set.iter().filter(|n| n.kind == kind) {
        let Some(topic) = &notification.topic_arn else { continue };
        let topic: Arn = topic.parse().map_err(store::Error::corrupt)?;
        let message = event.notification(mail, notification.headers)?;
        match topics.publish_in(tx, &topic, &Publication { message, ..Publication::default() }).await {
            Ok(_) => {}
            Err(TopicError::Internal(error)) => return Err(error),
            Err(error) => warn!(mail.id = %mail.id, topic = %topic, %error, "notification not published"),
        }
    }
    Ok(())
}

/// Mails a bounce or a complaint to who sent, where the identity wants that, in the caller's transaction.
pub(super) async fn forward(tx: &mut Tx, mail: &Mail, event: &Event) -> Result<(), store::Error> {
    let (Some(kind), Some(identity)) = (event.kind().notification(), identity_of(mail)) else { return Ok(()) };
    if kind == NotificationKind::Delivery
        || identity_notifications::forwarding(tx, &mail.account, &mail.region, identity).await? != Some(true)
    {
        return Ok(());
    }
    forwarding::forward(tx, mail, event).await
}

/// Whether a topic is told of this kind of notification of the mail.
pub(super) async fn tells(tx: &mut Tx, mail: &Mail, kind: NotificationKind) -> Result<bool, store::Error> {
    let Some(identity) = mail.identity.as_deref() else { return Ok(false) };
    let set = identity_notifications::of(tx, &mail.account, &mail.region, identity).await?;
    Ok(set.iter().any(|n| n.kind == kind && n.topic_arn.is_some()))
}

fn known(kind: &str) -> Result<NotificationKind, Error> {
    kind.parse().map_err(|_| Error::Kind(kind.chars().take(64).collect()))
}

async fn there(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
    let found = identity_notifications::forwarding(tx, account, region, name).await?;
    found.map(|_| ()).ok_or_else(|| Error::Missing(name.to_owned()))
}

/// The topic must be one of the same account and region: nothing of another account is reached from here.
async fn try_topic(
    tx: &mut Tx,
    topics: &Topics,
    account: &AccountId,
    region: &Region,
    topic: &str,
    message: String,
) -> Result<(), Error> {
    let refused = || Error::Topic(topic.chars().take(512).collect());
    let arn: Arn = topic.parse().map_err(|_| refused())?;
    if arn.service != "sns" || arn.account != *account || arn.region != *region {
        return Err(refused());
    }
    match topics.publish_in(tx, &arn, &Publication { message, ..Publication::default() }).await {
        Ok(_) => Ok(()),
        Err(TopicError::Internal(error)) => Err(Error::Internal(error)),
        Err(_) => Err(refused()),
    }
}
