//! The rules of `traffic.rs`, with a clock that is moved by hand.
use std::time::Duration;

use crate::base::{Clock, Timestamp};
use crate::mail::resolver::LookupError;
use crate::mail::sending::ending::{Ending, Reply, Stage};
use crate::mail::sending::traffic::{NoPlace, Place, Traffic};

fn traffic(all: usize) -> (Traffic, Clock) {
    let clock = Clock::manual(Timestamp::from_secs(1_000_000));
    (Traffic::new(clock.clone(), all), clock)
}

fn accepted() -> Ending {
    Ending::Accepted(Reply::new(250, "ok"))
}

fn busy() -> Ending {
    Ending::Refused(Stage::Sender, Reply::new(421, "4.7.0 slow down"))
}

fn hung() -> Ending {
    Ending::TimedOut(Stage::Greeting)
}

/// As many places as a site gives.
fn fill(traffic: &Traffic, site: &str) -> Vec<Place> {
    std::iter::from_fn(|| traffic.enter(site, false).ok()).collect()
}

fn refused(traffic: &Traffic, site: &str) -> NoPlace {
    traffic.enter(site, false).err().expect("no place")
}

/// Lets the site answer so often.
fn answer(traffic: &Traffic, site: &str, times: usize) {
    (0..times).for_each(|_| traffic.enter(site, false).expect("a place").end(&accepted()));
}

#[test]
fn a_site_that_answers_gets_more_places_and_one_that_is_unknown_few() {
    let (traffic, _) = traffic(1_000);
    assert_eq!(fill(&traffic, "a").len(), 8);
    answer(&traffic, "a", 30);
    let places = fill(&traffic, "a");
    assert_eq!(places.len(), 20);
    drop(places);
    assert_eq!(fill(&traffic, "a").len(), 20, "places come back");
}

#[test]
fn who_asks_for_less_gets_half_after_a_rest_and_grows_slowly() {
    let (traffic, clock) = traffic(1_000);
    answer(&traffic, "a", 30);
    fill(&traffic, "a").into_iter().for_each(|place| place.end(&busy()));
    let rest = refused(&traffic, "a");
    assert_eq!(rest.why, Some(busy()));
    assert!((10..=11).contains(&rest.until.since(clock.now()).as_secs()));
    clock.advance(Duration::from_secs(10));
    let places = fill(&traffic, "a");
    assert_eq!(places.len(), 10, "twenty answers at once are one request");
    drop(places);
    answer(&traffic, "a", 9);
    assert_eq!(fill(&traffic, "a").len(), 10);
    answer(&traffic, "a", 1);
    assert_eq!(fill(&traffic, "a").len(), 11);
    for seconds in [10, 20, 40] {
        traffic.enter("a", false).expect("a place").end(&busy());
        clock.advance(Duration::from_secs(seconds - 1));
        assert!(refused(&traffic, "a").why.is_some());
        clock.advance(Duration::from_secs(1));
    }
}

#[test]
fn who_does_not_answer_rests_longer_each_time_and_is_probed_by_one() {
    let (traffic, clock) = traffic(1_000);
    let mut rests = Vec::new();
    for _ in 0..8 {
        let places = fill(&traffic, "a");
        assert_eq!(places.len(), if rests.is_empty() { 8 } else { 1 });
        clock.advance(Duration::from_secs(60));
        places.into_iter().for_each(|place| place.end(&hung()));
        let until = refused(&traffic, "a").until.since(clock.now());
        rests.push(until.as_secs() / 30);
        clock.advance(until);
    }
    assert!(rests[..6].is_sorted() && rests[0] == 1 && rests[7] >= 30, "{rests:?}");
    traffic.enter("a", false).expect("a place").end(&accepted());
    assert!(fill(&traffic, "a").len() >= 2, "it is back");
}

#[test]
fn one_mail_that_hangs_says_nothing_where_others_are_served() {
    let (traffic, clock) = traffic(1_000);
    let hanging = traffic.enter("a", false).expect("a place");
    clock.advance(Duration::from_secs(5));
    answer(&traffic, "a", 1);
    clock.advance(Duration::from_secs(295));
    hanging.end(&hung());
    assert_eq!(traffic.rests("a"), None);
    assert!(fill(&traffic, "a").len() > 1);
}

#[test]
fn a_site_where_nothing_moves_gets_no_more_and_is_asked_ever_more_rarely() {
    let (traffic, clock) = traffic(1_000);
    answer(&traffic, "a", 30);
    let held = [traffic.enter("a", false).ok(), traffic.enter("a", false).ok()];
    clock.advance(Duration::from_secs(30));
    let wait = refused(&traffic, "a").until.since(clock.now());
    assert!((30..=45).contains(&wait.as_secs()), "{wait:?}");
    drop(held);
}

#[test]
fn silent_sites_leave_places_for_those_that_answer() {
    let (traffic, _) = traffic(100);
    answer(&traffic, "good", 30);
    let silent: Vec<Place> = (0..200).flat_map(|n| fill(&traffic, &format!("silent{n}"))).collect();
    assert_eq!(silent.len(), 75);
    assert!(refused(&traffic, "another").why.is_none());
    assert_eq!(fill(&traffic, "good").len(), 5, "few are left, so none takes many");
}

#[test]
fn a_smart_host_has_all_places_and_short_rests() {
    let (traffic, clock) = traffic(40);
    let places: Vec<Place> = (0..40).filter_map(|_| traffic.enter("relay", true).ok()).collect();
    assert_eq!(places.len(), 40);
    drop(places);
    for _ in 0..8 {
        traffic.enter("relay", true).expect("a place").end(&hung());
        let until = traffic.enter("relay", true).err().expect("it rests").until;
        assert!(until.since(clock.now()) <= Duration::from_secs(66));
        clock.advance(until.since(clock.now()));
    }
}

#[test]
fn a_look_up_that_works_again_makes_the_next_failure_a_first_one() {
    let (traffic, clock) = traffic(1_000);
    let failed = || Ending::NoRoute(LookupError::Temporary("SERVFAIL".to_owned()));
    let fails = |times: u64| {
        traffic.enter("dns a", false).expect("a place").end(&failed());
        let rest = traffic.rests("dns a").expect("a rest").until.since(clock.now()).as_secs();
        assert!((30 * times..=33 * times).contains(&rest), "{rest}");
        clock.advance(Duration::from_secs(rest));
    };
    fails(1);
    fails(2);
    traffic.works_again("dns a");
    fails(1);
    let place = traffic.enter("dns a", false).expect("a place");
    traffic.works_again("dns a");
    drop(place);
    fails(2);
}

#[test]
fn one_accounts_questions_leave_room_for_anothers() {
    let (traffic, _) = traffic(40);
    let asking: Vec<_> = std::iter::from_fn(|| traffic.ask("greedy").ok()).collect();
    assert_eq!(asking.len(), 10, "half of those that may wait for the dns");
    assert!(traffic.ask("other").is_ok());
    drop(asking);
    assert!(traffic.ask("greedy").is_ok());
}
