//! A simple SQS in memory, the reference that the property test holds the real one against: one standard queue, `work`,
//! and perhaps its dead-letter queue, `dead`. It knows what may happen, not which of several messages comes first.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use postrider::base::Timestamp;
use postrider::queues::Received;

/// What the queues of one case are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Receives before a message is dead; `None` without a dead-letter queue.
    pub receives_max: Option<u32>,
    pub retention: Duration,
    /// Visibility timeout of both queues.
    pub hidden: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Work,
    Dead,
    /// It has been received too often. It moves when a receive comes across it, and nobody can see whether one has.
    Either,
}

#[derive(Clone, Debug)]
struct Message {
    /// Unknown after a move task has made it anew.
    id: Option<String>,
    place: Place,
    visible_at: Timestamp,
    sent_at: Timestamp,
    first_received_at: Option<Timestamp>,
    /// Receives in all queues, and in this one.
    receives: u32,
    receives_here: u32,
    /// The handles of all receives in this queue: an older one is as good as the latest.
    handles: BTreeSet<String>,
}

/// The reference. Messages are told apart by their bodies, which are all different.
#[derive(Debug)]
pub(crate) struct Reference {
    rules: Rules,
    messages: BTreeMap<String, Message>,
    /// Every handle that was ever given out.
    pub handles: Vec<(Place, String, String)>,
    ids_of_old: BTreeSet<String>,
}

/// What is wrong, if something is.
pub(crate) type Verdict = Result<(), String>;

macro_rules! demand {
    ($condition:expr, $($text:tt)+) => {
        if !$condition { return Err(format!($($text)+)); }
    };
}
pub(crate) use demand;

impl Reference {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, messages: BTreeMap::new(), handles: vec![], ids_of_old: BTreeSet::new() }
    }

    pub(crate) fn sent(&mut self, body: String, id: String, visible_at: Timestamp, now: Timestamp) {
        let message = Message {
            id: Some(id),
            place: Place::Work,
            visible_at,
            sent_at: now,
            first_received_at: None,
            receives: 0,
            receives_here: 0,
            handles: BTreeSet::new(),
        };
        self.messages.insert(body, message);
    }

    fn exhausted(&self, message: &Message) -> bool {
        message.place == Place::Work && self.rules.receives_max.is_some_and(|max| message.receives_here >= max)
    }

    fn can_come(&self, message: &Message, now: Timestamp) -> bool {
        message.visible_at <= now && now.since(message.sent_at) <= self.rules.retention && !self.exhausted(message)
    }

    /// How many messages a receive could get: at least, and at the most.
    fn waiting(&self, place: Place, now: Timestamp) -> (usize, usize) {
        let count = |places: &[Place]| {
            self.messages.values().filter(|m| places.contains(&m.place) && self.can_come(m, now)).count()
        };
        (count(&[place]), if place == Place::Dead { count(&[place, Place::Either]) } else { count(&[place]) })
    }

    /// How many visible messages a receive may meet that it must not give out.
    fn in_the_way(&self, place: Place, now: Timestamp) -> usize {
        let here = |m: &&Message| m.place == place || m.place == Place::Either;
        self.messages.values().filter(here).filter(|m| m.visible_at <= now && !self.can_come(m, now)).count()
    }

    /// One or several receives at once got `got`, when each could get `limit`.
    pub(crate) fn received(
        &mut self,
        place: Place,
        got: &[Vec<Received>],
        limit: usize,
        hidden: Duration,
        now: Timestamp,
    ) -> Verdict {
        let (least, most) = self.waiting(place, now);
        let count: usize = got.iter().map(Vec::len).sum();
        demand!(count <= most.min(limit * got.len()), "{count} messages from {place:?}, where {most} were waiting");
        // A receive that hides nothing stops early, so as not to give one message out twice.
        let least = if hidden.is_zero() { least.min(1) } else { least };
        // One that has to clear away many old or exhausted messages stops before it has all, or any.
        let least = match self.in_the_way(place, now) {
            0..10 => least,
            10..100 => least.min(1),
            _ => 0,
        };
        let alone = got.len() == 1;
        demand!(!alone || count >= least.min(limit), "{count} messages from {place:?}, where {least} were waiting");
        let bodies: BTreeSet<&str> = got.iter().flatten().map(|m| m.body.as_str()).collect();
        demand!(bodies.len() == count, "a message came twice at once");
        for message in got.iter().flatten() {
            self.received_one(place, message, hidden, now)?;
        }
        if place == Place::Work {
            let ran_dry = got.iter().any(|g| g.is_empty() || (g.len() < limit && !hidden.is_zero()));
            self.pass_over_exhausted(&bodies, ran_dry, now);
        }
        Ok(())
    }

    fn received_one(&mut self, place: Place, got: &Received, hidden: Duration, now: Timestamp) -> Verdict {
        let body = &got.body;
        let Some(known) = self.messages.get(body) else { return Err(format!("{body} was deleted, and came")) };
        let mut message = known.clone();
        demand!(self.can_come(&message, now), "{body} came too early, too late or too often: {message:?}");
        if place == Place::Dead && message.place == Place::Either {
            message.die();
        }
        demand!(message.place == place, "{body} came from {place:?}: {message:?}");
        match &message.id {
            Some(id) => demand!(*id == got.message_id, "{body} has another id: {message:?}"),
            None => demand!(!self.ids_of_old.contains(&got.message_id), "{body} was moved but kept its id"),
        }
        message.id = Some(got.message_id.clone());
        message.receives += 1;
        message.receives_here += 1;
        let first = *message.first_received_at.get_or_insert(now);
        demand!(got.receive_count == message.receives, "{body} says {} receives: {message:?}", got.receive_count);
        demand!(got.first_received_at == first, "{body} says {:?}: {message:?}", got.first_received_at);
        demand!(got.sent_at == message.sent_at, "{body} says {:?}: {message:?}", got.sent_at);
        demand!(got.dead_letter_source.is_some() == (place == Place::Dead), "{body} has a wrong source");
        message.visible_at = now + hidden;
        message.handles.insert(got.receipt_handle.clone());
        self.handles.push((place, body.clone(), got.receipt_handle.clone()));
        self.messages.insert(body.clone(), message);
        Ok(())
    }

    fn pass_over_exhausted(&mut self, just_received: &BTreeSet<&str>, ran_dry: bool, now: Timestamp) {
        let max = self.rules.receives_max.unwrap_or(u32::MAX);
        for (body, message) in &mut self.messages {
            let passed = message.visible_at <= now && !just_received.contains(body.as_str());
            match message.place {
                Place::Work if passed && message.receives_here >= max => message.place = Place::Either,
                _ => {}
            }
            if ran_dry && message.place == Place::Either {
                message.die();
            }
        }
    }

    /// Whether it is certain what a handle means now.
    pub(crate) fn is_certain(&self, body: &str) -> bool {
        self.messages.get(body).is_none_or(|m| m.place != Place::Either)
    }

    fn named(&mut self, place: Place, body: &str, handle: &str) -> Option<&mut Message> {
        self.messages.get_mut(body).filter(|m| m.place == place && m.handles.contains(handle))
    }

    pub(crate) fn deleted(&mut self, place: Place, body: &str, handle: &str) {
        if self.named(place, body, handle).is_some() {
            self.messages.remove(body);
        }
    }

    /// Whether the visibility could be changed: of every message that is there, even when its time is over. `None` when it is
    /// so old that it may be gone.
    pub(crate) fn changed(
        &mut self,
        place: Place,
        body: &str,
        handle: &str,
        hidden: Duration,
        now: Timestamp,
    ) -> Option<bool> {
        let retention = self.rules.retention;
        let Some(message) = self.named(place, body, handle) else { return Some(false) };
        if now.since(message.sent_at) > retention {
            return None;
        }
        message.visible_at = now + hidden;
        Some(true)
    }

    /// A move task has taken all that was visible in `dead` back to `work`.
    pub(crate) fn moved_back(&mut self, now: Timestamp) {
        for message in self.messages.values_mut().filter(|m| m.place == Place::Dead && m.visible_at <= now) {
            self.ids_of_old.extend(message.id.take());
            (message.place, message.first_received_at) = (Place::Work, None);
            message.handles.clear();
            (message.sent_at, message.visible_at) = (now, now);
            (message.receives, message.receives_here) = (0, 0);
        }
    }

    /// What both queues together hold: visible, in flight, delayed. Expired messages may be gone or not, so this is
    /// known only where nothing expires.
    pub(crate) fn counts(&self, now: Timestamp) -> [usize; 3] {
        let count = |which: &dyn Fn(&Message) -> bool| self.messages.values().filter(|m| which(m)).count();
        [
            count(&|m| m.visible_at <= now),
            count(&|m| m.visible_at > now && !m.handles.is_empty()),
            count(&|m| m.visible_at > now && m.handles.is_empty()),
        ]
    }

    /// The bodies of what is still there.
    pub(crate) fn left(&self, now: Timestamp) -> BTreeSet<String> {
        let alive = |m: &Message| now.since(m.sent_at) <= self.rules.retention;
        self.messages.iter().filter(|(_, m)| alive(m)).map(|(body, _)| body.clone()).collect()
    }
}

impl Message {
    fn die(&mut self) {
        (self.place, self.receives_here) = (Place::Dead, 0);
        self.handles.clear();
    }
}
