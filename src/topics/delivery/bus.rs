//! Events for event buses. They are no messages of topics, but go the same way out: a job in the transaction that makes the
//! event true, ten places for each bus, and a record of each attempt.
use crate::base::Arn;
use crate::store::{self, Tx};
use crate::topics::Topics;
use crate::topics::delivery::carry::Tried;
use crate::topics::delivery::post::Poster;
use crate::topics::delivery::signed::{self, Ended};
use crate::topics::delivery::verdict::DeliveryVerdict;
use crate::topics::job::{self, BusEvent, Job};
use crate::workers::Reason;

impl Topics {
    /// Whether the settings have a URL for what goes to this event bus.
    pub fn has_bus(&self, bus: &Arn) -> bool {
        self.ways().buses.url(bus).is_some()
    }

    /// Gives an event to a bus in the caller's transaction. `id` is the event's, and the webhook's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put_event_in(tx: &mut Tx, bus: &Arn, id: String, body: String) -> Result<(), store::Error> {
        let event = Job::Event(BusEvent { bus: bus.to_string(), id, body });
        job::enqueue(tx, &[event]).await
    }
}

/// One attempt to post an event.
pub(super) async fn send(topics: &Topics, poster: &Poster, event: &BusEvent) -> Tried {
    let buses = &topics.ways().buses;
    let url = event.bus.parse().ok().and_then(|bus| buses.url(&bus).cloned());
    let Some(url) = url else {
        // What is gone from the settings may come back with the next start.
        return Tried::plain(DeliveryVerdict::Again(Reason::Missing), None, "no URL is configured for this event bus");
    };
    let (ended, status) = signed::post(poster, topics.clock(), (url, buses.key()), &event.id, &event.body).await;
    match ended {
        Ended::Done => Tried::plain(DeliveryVerdict::Delivered, status, ""),
        Ended::Later(why, text) => Tried::plain(DeliveryVerdict::Again(why), status, text),
        Ended::Never(why, text) => Tried::plain(DeliveryVerdict::Final(why), status, text),
    }
}
