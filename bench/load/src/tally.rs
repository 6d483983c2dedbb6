//! What was measured: how many messages, and how long each call took.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One worker's figures, or those of all together.
#[derive(Default)]
pub struct Tally {
    /// By the kind of call: messages, and the time of each call in microseconds.
    kinds: BTreeMap<&'static str, (usize, Vec<u32>)>,
}

impl Tally {
    pub fn begin(&self) -> Instant {
        Instant::now()
    }

    pub fn end(&mut self, kind: &'static str, began: Instant, messages: usize) {
        let (count, times) = self.kinds.entry(kind).or_default();
        *count += messages;
        times.push(began.elapsed().as_micros() as u32);
    }

    pub fn add(&mut self, other: Tally) {
        for (kind, (messages, times)) in other.kinds {
            let (count, all) = self.kinds.entry(kind).or_default();
            *count += messages;
            all.extend(times);
        }
    }

    /// One line for each kind of call.
    pub fn report(mut self, elapsed: Duration) -> String {
        let mut text = String::new();
        for (kind, (messages, times)) in &mut self.kinds {
            times.sort_unstable();
            let at = |share: f64| {
                let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
                f64::from(times.get(place).copied().unwrap_or_default()) / 1_000.0
            };
            let rate = |count: usize| count as f64 / elapsed.as_secs_f64();
            text.push_str(&format!(
                "{kind:<12} {:>9.0} messages/s  {:>8.0} calls/s  p50 {:>8.2} ms  p90 {:>8.2} ms  p99 {:>8.2} ms\n",
                rate(*messages),
                rate(times.len()),
                at(0.50),
                at(0.90),
                at(0.99)
            ));
        }
        text
    }
}
