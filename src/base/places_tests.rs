//! Who gets a place, and who loses one.
use std::iter::from_fn;

use futures::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::base::Timestamp;

fn places(total: usize, per_peer: usize) -> (Places, Clock) {
    let clock = Clock::manual(Timestamp::from_secs(0));
    (Places::new(total, per_peer, 2, clock.clone()), clock)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn ordinary(places: &Places, peer: &str) -> Option<Place> {
    places.enter(ip(peer)).filter(|place| !place.seat().in_reserve())
}

fn must_leave(place: &Place) -> bool {
    place.seat().asked_to_leave().now_or_never().is_some()
}

#[test]
fn no_peer_has_more_than_its_share_and_places_come_back() {
    let (places, _) = places(10, 2);
    let first = ordinary(&places, "2001:db8::1").expect("a place");
    let _second = ordinary(&places, "2001:db8::2:1").expect("a place");
    assert!(ordinary(&places, "2001:db8::3").is_none(), "the same /64");
    let other = ordinary(&places, "192.0.2.1").expect("another peer's place");
    drop(first);
    assert!(ordinary(&places, "2001:db8::3").is_some());
    drop(other);
    assert_eq!((places.taken(), places.0.state().peers.len()), (1, 1), "who has none is forgotten");
}

#[test]
fn a_peer_alone_leaves_a_quarter_and_the_share_is_smaller_the_fuller_it_is() {
    let (places, _) = places(64, 64);
    let first: Vec<_> = from_fn(|| ordinary(&places, "192.0.2.1")).collect();
    let second: Vec<_> = from_fn(|| ordinary(&places, "192.0.2.2")).collect();
    assert_eq!(first.len(), 48);
    assert!((8..=12).contains(&second.len()), "{}", second.len());
    first.iter().chain(&second).for_each(|place| place.seat().works());
    assert!(ordinary(&places, "192.0.2.3").is_some());
}

#[test]
fn who_comes_into_a_full_house_gets_the_place_of_the_peer_that_does_nothing_most() {
    let (places, clock) = places(20, 20);
    let good = ordinary(&places, "192.0.2.9").expect("a place");
    clock.advance(Duration::from_secs(1));
    let comes = from_fn(|| {
        clock.advance(Duration::from_secs(1));
        ordinary(&places, "192.0.2.1")
    });
    let idle: Vec<_> = comes.take(14).collect();
    let known: Vec<_> = (2..4).filter_map(|n| ordinary(&places, &format!("192.0.2.{n}"))).collect();
    known.iter().for_each(|place| {
        place.seat().known();
        place.seat().rests();
    });
    assert!(!idle.iter().chain(&known).any(must_leave), "nobody is put out yet");
    let comes: Vec<_> = (20..24).filter_map(|n| ordinary(&places, &format!("192.0.2.{n}"))).collect();
    assert!(!comes.is_empty() && must_leave(&idle[0]) && !must_leave(&idle[13]));
    assert!(!must_leave(&good) && !known.iter().any(must_leave));
}

#[test]
fn strangers_go_before_the_known_and_those_before_who_waits_for_an_answer() {
    let (places, clock) = places(10, 10);
    let all: Vec<_> = (1..=4).filter_map(|n| ordinary(&places, &format!("192.0.2.{n}"))).collect();
    all[0].seat().waits_for_answer();
    all[1].seat().known();
    all[1].seat().rests();
    all[2].seat().sends();
    all[3].seat().works();
    clock.advance(Duration::from_secs(1));
    places.make_room();
    assert_eq!(all.iter().map(must_leave).collect::<Vec<_>>(), [false, true, false, false], "who sends is let be");
    clock.advance(PATIENCE);
    places.make_room();
    assert_eq!(all.iter().map(must_leave).collect::<Vec<_>>(), [false, false, true, false], "until it is silent");
    places.make_room();
    assert_eq!(all.iter().map(must_leave).collect::<Vec<_>>(), [true, false, false, false]);
    places.make_room();
    assert!(!must_leave(&all[3]), "who works is never put out");
}

#[test]
fn who_finds_all_places_at_work_gets_one_of_the_reserve_for_a_moment() {
    let (places, clock) = places(4, 4);
    let all: Vec<_> = (1..=4).filter_map(|n| ordinary(&places, &format!("192.0.2.{n}"))).collect();
    all.iter().for_each(|place| place.seat().works());
    let told = (5..=6).filter_map(|n| {
        clock.advance(Duration::from_secs(1));
        places.enter(ip(&format!("192.0.2.{n}")))
    });
    let told: Vec<_> = told.collect();
    assert!(told.len() == 2 && told.iter().all(|place| place.seat().in_reserve()));
    let next = places.enter(ip("192.0.2.7")).expect("a place");
    assert!(next.seat().in_reserve() && must_leave(&told[0]) && !must_leave(&told[1]));
    assert_eq!(next.seat().patience(Duration::from_secs(60)), SHORT_WAIT);
    drop(told);
    assert_eq!(places.taken(), 4);
}

#[test]
fn who_began_to_work_when_asked_to_leave_stays() {
    let (places, _) = places(10, 10);
    let place = ordinary(&places, "192.0.2.1").expect("a place");
    places.make_room();
    place.seat().works();
    assert!(must_leave(&place) && place.seat().is_at_work());
    place.seat().stays();
    assert_eq!(places.0.state().leaving, 0);
}

proptest! {
    /// Whoever comes, goes, works and waits: what is counted is what is there, and a peer that has nothing gets a place as
    /// long as those that were asked to leave do.
    #[test]
    fn a_newcomer_gets_in(steps in proptest::collection::vec((0_u8..3, 0_u8..30, 0_usize..40), 1..300)) {
        let (places, clock) = places(40, 40);
        let mut here: Vec<Place> = Vec::new();
        for (what, peer, which) in steps {
            clock.advance(Duration::from_millis(10));
            match what {
                0 | 1 => here.extend(ordinary(&places, &format!("192.0.2.{peer}"))),
                _ => if which < here.len() {
                    here.swap_remove(which);
                },
            }
            here.retain(|place| !must_leave(place));
            prop_assert_eq!(places.taken(), here.len());
            prop_assert!(here.len() <= 40);
            prop_assert_eq!(places.0.state().leaving, 0);
        }
        prop_assert!(ordinary(&places, "198.51.100.1").is_some());
    }
}
