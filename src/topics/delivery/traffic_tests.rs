//! The rules of `traffic.rs`, with a clock that is moved by hand.
use std::time::Duration;

use futures::FutureExt;

use crate::base::{AccountId, Clock, Timestamp};
use crate::topics::delivery::traffic::{Came, EndpointPlace, Traffic};
use crate::topics::job::Target;

fn traffic(workers: usize) -> (Traffic, Clock) {
    let clock = Clock::manual(Timestamp::from_secs(1_000_000));
    (Traffic::new(clock.clone(), workers), clock)
}

fn at(account: u8, host: &str) -> Target {
    let account: AccountId = format!("{account:012}").parse().expect("an account");
    Target::of(&account, "http", &format!("http://{host}/hook"))
}

/// A place, or how long to stay away. Who would wait here for a moment has none.
fn enter(traffic: &Traffic, clock: &Clock, target: &Target) -> Result<EndpointPlace, Duration> {
    match traffic.enter(target).now_or_never() {
        Some(entered) => entered.map_err(|until| until.since(clock.now())),
        None => Err(Duration::ZERO),
    }
}

/// As many places as a target gives.
fn fill(traffic: &Traffic, clock: &Clock, target: &Target) -> Vec<EndpointPlace> {
    std::iter::from_fn(|| enter(traffic, clock, target).ok()).collect()
}

fn refused(traffic: &Traffic, clock: &Clock, target: &Target) -> Duration {
    enter(traffic, clock, target).err().expect("no place")
}

fn answer(traffic: &Traffic, clock: &Clock, target: &Target, times: usize) {
    (0..times).for_each(|_| enter(traffic, clock, target).expect("a place").end(Came::Answer));
}

/// Lets the endpoint answer as much as it gets, so often.
fn grow(traffic: &Traffic, clock: &Clock, target: &Target, times: usize) {
    (0..times).for_each(|_| fill(traffic, clock, target).into_iter().for_each(|place| place.end(Came::Answer)));
}

/// Holds these places until the time that an endpoint has is over.
fn hang(clock: &Clock, places: Vec<EndpointPlace>) {
    clock.advance(Duration::from_secs(15));
    places.into_iter().for_each(|place| place.end(Came::Nothing));
}

#[test]
fn an_endpoint_that_answers_gets_nearly_all_places_and_one_that_is_unknown_few() {
    let (traffic, clock) = traffic(1_000);
    let good = at(1, "good.example");
    assert_eq!(fill(&traffic, &clock, &good).len(), 10);
    answer(&traffic, &clock, &good, 1_000);
    assert_eq!(fill(&traffic, &clock, &good).len(), 10, "one that never needed more gets no more");
    grow(&traffic, &clock, &good, 40);
    assert_eq!(fill(&traffic, &clock, &good).len(), 700, "seven eighths of 800");
    assert_eq!(fill(&traffic, &clock, &good).len(), 700, "places come back");
}

#[test]
fn one_account_whose_endpoints_hang_leaves_places_to_others() {
    let (traffic, clock) = traffic(1_000);
    let hosts: Vec<Target> = (0..2_000).map(|n| at(1, &format!("h{n}.example"))).collect();
    let held: Vec<EndpointPlace> = hosts.iter().flat_map(|host| fill(&traffic, &clock, host)).collect();
    assert_eq!(held.len(), 300, "half of those for endpoints that have not answered");
    let other: Vec<EndpointPlace> =
        (0..2_000).flat_map(|n| fill(&traffic, &clock, &at(2, &format!("h{n}.example")))).collect();
    assert_eq!(other.len(), 150, "half of what is left");
    let good = at(3, "good.example");
    grow(&traffic, &clock, &good, 40);
    assert!(fill(&traffic, &clock, &good).len() > 250, "endpoints that answer have a quarter to themselves");
    drop((held, other));
}

#[test]
fn what_hangs_for_one_account_is_not_held_against_another() {
    let (traffic, clock) = traffic(1_000);
    hang(&clock, fill(&traffic, &clock, &at(1, "shared.example")));
    assert!(refused_after_kept(&traffic, &clock, &at(1, "shared.example")) >= Duration::from_secs(10));
    assert_eq!(fill(&traffic, &clock, &at(2, "shared.example")).len(), 10);
}

/// Fills what a silent endpoint keeps, and gives how long the next one stays away.
fn refused_after_kept(traffic: &Traffic, clock: &Clock, target: &Target) -> Duration {
    let kept = fill(traffic, clock, target);
    assert!(kept.len() <= 4, "it keeps {}", kept.len());
    refused(traffic, clock, target)
}

#[test]
fn a_silent_endpoint_rests_longer_each_time_and_an_answer_ends_that() {
    let (traffic, clock) = traffic(1_000);
    let dead = at(1, "dead.example");
    let mut rests = Vec::new();
    hang(&clock, fill(&traffic, &clock, &dead));
    for _ in 0..7 {
        let rest = refused_after_kept(&traffic, &clock, &dead);
        rests.push(rest.as_secs());
        clock.advance(rest);
        hang(&clock, fill(&traffic, &clock, &dead));
    }
    assert!(rests.iter().zip([10, 20, 40, 80, 160, 180, 180]).all(|(rest, least)| *rest >= least), "{rests:?}");
    assert!(rests.iter().all(|rest| *rest <= 270), "{rests:?}");
    clock.advance(Duration::from_secs(270));
    answer(&traffic, &clock, &dead, 1);
    assert_eq!(fill(&traffic, &clock, &dead).len(), 10);
}

#[test]
fn where_an_account_has_many_dead_endpoints_one_delivery_looks_whether_each_answers() {
    let (traffic, clock) = traffic(1_000);
    let hosts: Vec<Target> = (0..20).map(|n| at(1, &format!("h{n}.example"))).collect();
    hang(&clock, hosts.iter().flat_map(|host| fill(&traffic, &clock, host)).collect());
    let kept: Vec<EndpointPlace> = hosts.iter().flat_map(|host| fill(&traffic, &clock, host)).collect();
    assert_eq!(kept.len(), 50, "four each, until they are too many");
    clock.advance(Duration::from_secs(10));
    let probes: Vec<usize> = hosts.iter().map(|host| fill(&traffic, &clock, host).len()).collect();
    assert_eq!(probes, [vec![0; 13], vec![1; 7]].concat());
    drop(kept);
}

#[test]
fn five_hundred_subscriptions_of_a_dead_endpoint_cost_almost_nothing() {
    let (traffic, clock) = traffic(750);
    let (dead, mut held, mut claims) = (at(1, "dead.example"), Vec::<(Duration, EndpointPlace)>::new(), 0_u32);
    let mut due: Vec<Duration> = vec![Duration::ZERO; 500];
    for second in (0..3_600).map(Duration::from_secs) {
        let (ended, open) = held.into_iter().partition(|(until, _)| *until <= second);
        held = open;
        for (_, place) in ended {
            place.end(Came::Nothing);
        }
        for at in due.iter_mut().filter(|at| **at <= second) {
            claims += 1;
            match enter(&traffic, &clock, &dead) {
                Ok(place) => {
                    held.push((second + Duration::from_secs(15), place));
                    *at = second + Duration::from_secs(35);
                }
                Err(wait) => *at = second + wait.max(Duration::from_secs(1)),
            }
        }
        clock.advance(Duration::from_secs(1));
    }
    assert!(claims < 3_600 * 8, "{claims} claims in an hour");
}

#[test]
fn who_fails_at_once_or_asks_for_less_does_not_rest() {
    let (traffic, clock) = traffic(1_000);
    let closed = at(1, "closed.example");
    for _ in 0..5 {
        fill(&traffic, &clock, &closed).into_iter().for_each(|place| place.end(Came::Nothing));
    }
    assert_eq!(fill(&traffic, &clock, &closed).len(), 10);
    let busy = at(1, "busy.example");
    grow(&traffic, &clock, &busy, 10);
    clock.advance(Duration::from_secs(1));
    let places = fill(&traffic, &clock, &busy);
    let half = places.len() / 2;
    clock.advance(Duration::from_secs(1));
    places.into_iter().for_each(|place| place.end(Came::TooMuch));
    assert_eq!(fill(&traffic, &clock, &busy).len(), half);
}

#[test]
fn who_answers_late_gets_no_more_places() {
    let (traffic, clock) = traffic(1_000);
    let slow = at(1, "slow.example");
    for _ in 0..5 {
        let places = fill(&traffic, &clock, &slow);
        assert_eq!(places.len(), 10);
        clock.advance(Duration::from_secs(14));
        places.into_iter().for_each(|place| place.end(Came::Answer));
    }
}

#[test]
fn large_messages_have_64_mib_together_and_one_account_half_of_them() {
    const LARGE: usize = 256 * 1024;
    let (traffic, clock) = traffic(750);
    let account = |n: u8| format!("{n:012}").parse::<AccountId>().expect("an account");
    let (one, other) = (account(1), account(2));
    let all = |whose: &AccountId, octets: usize| {
        std::iter::from_fn(|| traffic.hold(whose, octets).ok()).take(10_000).collect::<Vec<_>>()
    };
    let held = all(&one, LARGE);
    assert_eq!(held.len(), 128, "32 MiB");
    assert_eq!(all(&other, LARGE).len(), 64, "half of what is left");
    assert_eq!(all(&one, 16 * 1024).len(), 10_000, "small ones need no room");
    let wait = traffic.hold(&one, LARGE).map(|_| ()).expect_err("no room").since(clock.now());
    assert!((Duration::from_secs(5)..Duration::from_millis(7_500)).contains(&wait), "{wait:?}");
    drop(held);
    let two = all(&one, usize::MAX);
    assert_eq!(two.len(), 2, "what could never be had counts as a quarter of all");
    assert!(traffic.hold(&other, LARGE).is_ok());
}

#[tokio::test]
async fn a_job_waits_a_moment_for_a_place_at_an_endpoint_that_answers() {
    let (traffic, clock) = traffic(1_000);
    let good = at(1, "good.example");
    answer(&traffic, &clock, &good, 1);
    let mut places = fill(&traffic, &clock, &good);
    let (entered, ()) = tokio::join!(traffic.enter(&good), async {
        places.pop().expect("a place").end(Came::Answer);
    });
    assert!(entered.is_ok());
}
