//! The line of large messages that found no room: one at a time has room of its own, and whose turn it is is the account's that waits
//! longest. So small mail, of which there is always more, cannot keep large mail waiting for ever.
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{AccountId, Instant};

/// Who has not asked again for so long is passed over: its job waits for something else.
const ASKS_EVERY: Duration = Duration::from_secs(3);
/// Who has not asked again for so long is forgotten, and comes last when it does.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// How many may stand in line.
const MOST: usize = 10_000;

/// The line. Cheap to clone; clones are the same line.
#[derive(Clone, Default)]
pub(super) struct Line(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    taken: bool,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    mail: String,
    account: AccountId,
    source: String,
    asked: Instant,
}

/// The turn, until it is dropped.
pub(super) struct Turn(Line);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.state().taken = false;
    }
}

impl Line {
    /// The turn, if it is this mail's; else it stands in line from now on, and asks again in about a second.
    pub(super) fn ask(&self, mail: &str, account: &AccountId, source: &str, now: Instant) -> Option<Turn> {
        let mut state = self.state();
        state.waiting.retain(|one| now.since(one.asked) < FORGOTTEN_AFTER);
        if let Some(one) = state.waiting.iter_mut().find(|one| one.mail == mail) {
            one.asked = now;
        } else if state.waiting.len() >= MOST {
            return None;
        } else {
            let (mail, source) = (mail.to_owned(), source.to_owned());
            state.waiting.push_back(Waiting { mail, account: account.clone(), source, asked: now });
        }
        let mut asking = state.waiting.iter().filter(|one| now.since(one.asked) < ASKS_EVERY);
        if state.taken || asking.next().is_none_or(|first| first.mail != mail) {
            return None;
        }
        state.taken = true;
        state.waiting.retain(|one| one.mail != mail);
        // The account's others are behind all who wait now, and those of the same source behind them.
        let rank = |one: &Waiting| (one.account == *account, one.account == *account && one.source == source);
        state.waiting.make_contiguous().sort_by_key(rank);
        Some(Turn(self.clone()))
    }

    /// This mail needs it no more.
    pub(super) fn leave(&self, mail: &str) {
        let mut state = self.state();
        if !state.waiting.is_empty() {
            state.waiting.retain(|one| one.mail != mail);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(digit: char) -> AccountId {
        digit.to_string().repeat(12).parse().expect("an account")
    }

    #[test]
    fn who_waits_longest_is_next_and_accounts_and_sources_take_turns() {
        let (line, now) = (Line::default(), Instant::default());
        let ask = |mail: &str, whose, source: &str| line.ask(mail, &account(whose), source, now);
        let held = ask("a1", '1', "a.example").expect("nobody waits");
        for (mail, whose, source) in [
            ("a2", '1', "a.example"),
            ("a3", '1', "a.example"),
            ("b1", '2', "a.example"),
            ("a4", '1', "b.example"),
            ("b2", '2', "a.example"),
        ] {
            assert!(ask(mail, whose, source).is_none(), "{mail}");
        }
        drop(held);
        let mut order = vec![];
        while order.len() < 5 {
            let all = [("b2", '2', "a"), ("b1", '2', "a"), ("a4", '1', "b"), ("a3", '1', "a"), ("a2", '1', "a")];
            let (mail, turn) = all
                .into_iter()
                .filter(|(mail, ..)| !order.contains(mail))
                .find_map(|(mail, whose, source)| Some((mail, ask(mail, whose, &format!("{source}.example"))?)))
                .expect("one of them has its turn");
            drop(turn);
            order.push(mail);
        }
        assert_eq!(order, ["a2", "b1", "a4", "b2", "a3"]);
        assert!(line.state().waiting.is_empty());
    }

    #[test]
    fn who_does_not_come_is_passed_over_and_forgotten() {
        let (line, start) = (Line::default(), Instant::default());
        let ask = |mail: &str, now| line.ask(mail, &account('1'), "a.example", now);
        let held = ask("held", start).expect("nobody waits");
        assert!(ask("first", start).is_none() && ask("second", start).is_none());
        drop(held);
        assert!(ask("second", start).is_none(), "the first was here before");
        let turn = ask("second", start + ASKS_EVERY).expect("who does not ask is passed over");
        drop(turn);
        assert!(ask("third", start + ASKS_EVERY).is_some(), "it does not keep others");
        line.leave("first");
        assert!(line.state().waiting.is_empty());
        assert!(ask("fourth", start).is_some());
    }
}
