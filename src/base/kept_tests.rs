//! What [`Kept`] keeps, and for how long.
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::base::{Clock, Freshness, Timestamp};

fn put(kept: &Kept<u8, u32>, key: u8, value: u32) {
    kept.put(key, value, kept.moment());
}

fn settings(max: usize) -> (Kept<u8, u32>, Arc<Freshness>, Clock) {
    let (freshness, clock) = (Arc::new(Freshness::default()), Clock::manual(Timestamp::from_secs(1_800_000_000)));
    (Kept::of_settings(freshness.clone(), clock.clone(), max), freshness, clock)
}

#[test]
fn over_the_limit_the_one_unused_for_longest_goes_and_the_rest_stays() {
    let kept = Kept::new(3);
    (1..=3).for_each(|key| put(&kept, key, key.into()));
    assert_eq!(kept.get(&1), Some(1));
    put(&kept, 4, 4);
    assert_eq!([1, 2, 3, 4].map(|key| kept.get(&key)), [Some(1), None, Some(3), Some(4)]);
    put(&kept, 5, 5);
    assert_eq!([1, 3, 4, 5].map(|key| kept.holds(&key)), [false, true, true, true]);
}

#[test]
fn octets_are_a_limit_too_and_what_is_over_it_alone_pushes_nothing_out() {
    let kept = Kept::new(10).weighed(100, |value| *value as usize);
    put(&kept, 1, 50);
    put(&kept, 2, 40);
    put(&kept, 3, 101);
    assert_eq!([1, 2, 3].map(|key| kept.get(&key)), [Some(50), Some(40), None]);
    put(&kept, 2, 45);
    assert!(kept.holds(&1));
    put(&kept, 4, 30);
    assert_eq!([1, 2, 4].map(|key| kept.holds(&key)), [false, true, true]);
}

#[test]
fn what_was_read_of_settings_is_good_until_they_change_and_for_a_second() {
    let (kept, freshness, clock) = settings(10);
    let before = kept.moment();
    put(&kept, 1, 1);
    clock.advance(Duration::from_millis(999));
    assert_eq!(kept.get(&1), Some(1));
    freshness.confirm(clock.instant());
    clock.advance(Duration::from_millis(1));
    assert_eq!(kept.get(&1), None);
    put(&kept, 1, 2);
    freshness.changed();
    assert_eq!(kept.get(&1), None);
    // It was read before the change, and comes after it.
    kept.put(1, 3, before);
    assert_eq!(kept.get(&1), None);
}

#[test]
fn what_is_confirmed_again_and_again_is_good_for_a_minute() {
    let (kept, freshness, clock) = settings(10);
    let kept = kept.while_confirmed();
    put(&kept, 1, 1);
    for _ in 0..59 {
        clock.advance(Duration::from_secs(1));
        assert_eq!(kept.get(&1), None, "nobody has confirmed it");
        freshness.confirm(clock.instant());
        assert_eq!(kept.get(&1), Some(1));
    }
    clock.advance(Duration::from_secs(1));
    freshness.confirm(clock.instant());
    assert_eq!(kept.get(&1), None);
    put(&kept, 1, 2);
    freshness.changed();
    freshness.confirm(clock.instant());
    assert_eq!(kept.get(&1), None);
}

#[tokio::test]
async fn a_value_that_many_ask_for_is_loaded_once_and_one_that_does_not_stay_is_given_to_them() {
    let (kept, loads) = (Kept::<u8, u32>::new(10).only(|value| *value > 0), AtomicUsize::new(0));
    let (kept, loads) = (&kept, &loads);
    let load = |key: u8, value: u32| async move {
        let loading = || async move {
            loads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(value)
        };
        kept.get_or_load(&key, loading).await
    };
    let all = futures::future::join_all((0..10).map(|_| load(1, 7))).await;
    assert_eq!((all, loads.load(Ordering::Relaxed)), (vec![Ok(7); 10], 1));
    let all = futures::future::join_all((0..10).map(|_| load(2, 0))).await;
    assert_eq!((all, loads.load(Ordering::Relaxed)), (vec![Ok(0); 10], 2));
    assert_eq!([1, 2].map(|key| kept.holds(&key)), [true, false]);
}

#[tokio::test]
async fn who_waits_for_one_that_fails_or_goes_away_loads_by_itself() {
    let kept = Kept::<u8, u32>::new(10);
    let fails = || async {
        tokio::task::yield_now().await;
        Err("no")
    };
    let (first, second) =
        tokio::join!(kept.get_or_load(&1, fails), kept.get_or_load(&1, || async { Ok::<_, &str>(2) }));
    assert_eq!((first, second, kept.holds(&1)), (Err("no"), Ok(2), false));
    let gone = kept.get_or_load(&1, std::future::pending::<Result<u32, &str>>);
    assert!(futures::FutureExt::now_or_never(gone).is_none());
    assert_eq!(kept.get_or_load(&1, || async { Ok::<_, &str>(3) }).await, Ok(3));
    assert_eq!(kept.get(&1), Some(3));
}

#[tokio::test]
async fn what_is_on_its_way_when_settings_change_is_not_given_to_who_asks_later() {
    let (kept, freshness, _) = settings(10);
    let early = kept.get_or_load(&1, || async {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(1)
    });
    let late = async {
        freshness.changed();
        kept.get_or_load(&1, || async { Ok::<_, Infallible>(2) }).await
    };
    assert_eq!(tokio::join!(early, late), (Ok(1), Ok(2)));
    assert_eq!(kept.get(&1), Some(2));
}

/// A plain list: the one used last stands last.
#[derive(Default)]
struct Plain(VecDeque<(u8, u32)>);

impl Plain {
    fn get(&mut self, key: u8) -> Option<u32> {
        let at = self.0.iter().position(|(there, _)| *there == key)?;
        let found = self.0.remove(at)?;
        self.0.push_back(found);
        Some(found.1)
    }

    fn put(&mut self, key: u8, value: u32, max: usize, octets_max: u32) {
        if value > octets_max {
            return;
        }
        self.0.retain(|(there, _)| *there != key);
        self.0.push_back((key, value));
        while self.0.len() > max || self.0.iter().map(|(_, octets)| octets).sum::<u32>() > octets_max {
            self.0.pop_front();
        }
    }
}

proptest! {
    #[test]
    fn it_keeps_what_a_plain_list_would(steps in prop::collection::vec((0..4_u8, 0..12_u8, 0..30_u32), 1..200)) {
        let (kept, mut plain) = (Kept::new(6).weighed(60, |value| *value as usize), Plain::default());
        for (step, key, value) in steps {
            match step {
                0 => prop_assert_eq!(kept.get(&key), plain.get(key)),
                1 => {
                    put(&kept, key, value);
                    plain.put(key, value, 6, 60);
                }
                2 => {
                    let made = kept.get_or_make(&key, || Ok::<_, Infallible>(value));
                    let there = plain.get(key).unwrap_or_else(|| {
                        plain.put(key, value, 6, 60);
                        value
                    });
                    prop_assert_eq!(made, Ok(there));
                }
                _ => {
                    kept.forget(&key);
                    plain.0.retain(|(there, _)| *there != key);
                }
            }
        }
    }
}
