//! The types of events that SES publishes of mails, in each of the spellings that its wires have for them.
use crate::base::words::words;
use crate::store::identity::words::NotificationKind;

/// What happened to a mail. The store has the words of SESv2's EventType.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// The mail bounced.
    Bounce,
    /// A link of it was opened.
    Click,
    /// A recipient complained.
    Complaint,
    /// The mail was delivered.
    Delivery,
    /// The mail waits.
    DeliveryDelay,
    /// The mail was opened.
    Open,
    /// The mail was accepted and not sent, for what it holds.
    Reject,
    /// The mail could not be made from its template.
    RenderingFailure,
    /// The mail was accepted.
    Send,
    /// A recipient changed what it subscribes to.
    Subscription,
}

words!(EventType {
    Bounce => "BOUNCE",
    Click => "CLICK",
    Complaint => "COMPLAINT",
    Delivery => "DELIVERY",
    DeliveryDelay => "DELIVERY_DELAY",
    Open => "OPEN",
    Reject => "REJECT",
    RenderingFailure => "RENDERING_FAILURE",
    Send => "SEND",
    Subscription => "SUBSCRIPTION",
});

impl EventType {
    /// The name in a record: its `eventType`, and the event's label in metrics.
    pub fn record_name(self) -> &'static str {
        match self {
            Self::Bounce => "Bounce",
            Self::Click => "Click",
            Self::Complaint => "Complaint",
            Self::Delivery => "Delivery",
            Self::DeliveryDelay => "DeliveryDelay",
            Self::Open => "Open",
            Self::Reject => "Reject",
            Self::RenderingFailure => "Rendering Failure",
            Self::Send => "Send",
            Self::Subscription => "Subscription",
        }
    }

    /// The word of the first API, which has eight of the types.
    pub fn first_api(self) -> Option<&'static str> {
        Some(match self {
            Self::Bounce => "bounce",
            Self::Click => "click",
            Self::Complaint => "complaint",
            Self::Delivery => "delivery",
            Self::Open => "open",
            Self::Reject => "reject",
            Self::RenderingFailure => "renderingFailure",
            Self::Send => "send",
            Self::DeliveryDelay | Self::Subscription => return None,
        })
    }

    /// What an identity's topics are told of it, if anything.
    pub fn notification(self) -> Option<NotificationKind> {
        match self {
            Self::Bounce => Some(NotificationKind::Bounce),
            Self::Complaint => Some(NotificationKind::Complaint),
            Self::Delivery => Some(NotificationKind::Delivery),
            _ => None,
        }
    }

    /// Whether such events are published here. Nothing is tracked yet, and there are no contact lists.
    pub fn is_published(self) -> bool {
        !matches!(self, Self::Open | Self::Click | Self::Subscription)
    }
}
