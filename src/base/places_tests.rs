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
    assert_eq!(places.0.state().ordinary.leaving, 0);
}

/// A house whose places are all taken by those who work, of many peers.
fn at_work(total: usize, reserve: usize) -> (Places, Clock, Vec<Place>) {
    let clock = Clock::manual(Timestamp::from_secs(0));
    let places = Places::new(total, total, reserve, clock.clone());
    let comes = |n: usize| ordinary(&places, &format!("10.0.{}.1", n % 200)).inspect(|place| place.seat().works());
    let all: Vec<Place> = (0..total).filter_map(comes).collect();
    assert_eq!(all.len(), total);
    (places, clock, all)
}

#[test]
fn where_all_work_not_each_newcomer_looks_through_all_of_them() {
    let (places, _, mut all) = at_work(640, 4);
    let comes = |n: u8| drop(places.enter(ip(&format!("192.0.2.{n}"))).expect("a place of the reserve"));
    let looked = (0..100).any(|_| {
        comes(1);
        places.0.state().ordinary.passing == 10
    });
    assert!(looked, "a look finds nobody, and a part of those who come next are let by");
    all[5].seat().rests();
    for n in 0..10 {
        comes(n);
        assert!(!must_leave(&all[5]), "the last look found nobody, and is not repeated yet: {n}");
    }
    comes(10);
    assert!(must_leave(&all[5]), "the next look finds it");
    all.swap_remove(5);
    assert!(ordinary(&places, "192.0.2.77").is_some());
}

#[test]
fn the_reserve_is_looked_through_also_where_nobody_else_could_go() {
    let (places, clock, _all) = at_work(640, 16);
    let mut told: Vec<Place> = Vec::new();
    for n in 0..100 {
        clock.advance(Duration::from_millis(10));
        let came = places.enter(ip(&format!("192.0.2.{n}"))).expect("an operator gets in, to ask how it does");
        assert!(came.seat().in_reserve());
        told.push(came);
        told.retain(|place| !must_leave(place));
        assert!(told.len() <= 16, "those who do nothing there make room for the next: {}", told.len());
    }
    told.iter().for_each(|place| place.seat().works());
    let mut more: Vec<Place> = Vec::new();
    while let Some(place) = places.enter(ip("192.0.2.200")) {
        place.seat().works();
        more.push(place);
        assert!(told.len() + more.len() <= 32, "twice the reserve, for a moment");
    }
    assert_eq!((places.taken(), told.len() + more.len()), (640, 32));
}

/// What a seat does, as its row sees it: who, in which row, of which rank, since when; `None` for who is left alone.
type Idle = (IpAddr, bool, u64, u64);

fn idle(place: &Place, now: u64) -> Option<Idle> {
    let seat = &place.seat.0;
    let doing = seat.doing.load(Ordering::Relaxed);
    let (what, since) = (doing & 0xff, doing >> 8);
    let busy = what == WORKS || what & SENDS != 0 && now - since < 5_000 || seat.asked.load(Ordering::Relaxed);
    (!busy).then_some((seat.peer, seat.in_reserve, what & !SENDS, since))
}

/// Whether those who were asked to leave are those who should be: of the lower ranks all before one of a higher one; of a
/// rank those of the peers that have most of them; of a peer who has done nothing for longest.
fn fair(asked: &[Idle], left: &[Idle]) -> Result<(), TestCaseError> {
    for (peer, row, rank, since) in asked {
        for (other, _, of_rank, other_since) in left.iter().filter(|(_, of, ..)| of == row) {
            prop_assert!(of_rank >= rank, "rank {} went before rank {}", rank, of_rank);
            if of_rank == rank {
                let has =
                    |whose: &IpAddr| left.iter().filter(|one| (one.0, one.1, one.2) == (*whose, *row, *rank)).count();
                prop_assert!(has(peer) + 1 >= has(other), "{} had less than {}", peer, other);
                prop_assert!(peer != other || since <= other_since, "not the one that was idle for longest");
            }
        }
    }
    Ok(())
}

proptest! {
    /// Whatever those do who are there: never more than the total and twice the reserve, no peer more than it may, and who
    /// does nothing loses its place in the right order. Whoever works is left alone.
    #[test]
    fn places_go_from_those_who_do_nothing_in_the_right_order(
        steps in proptest::collection::vec((0_u8..12, 0_u8..6, 0_usize..200), 1..400)
    ) {
        let clock = Clock::manual(Timestamp::from_secs(0));
        let places = Places::new(128, 100, 6, clock.clone());
        let mut here: Vec<Place> = Vec::new();
        for (what, peer, which) in steps {
            clock.advance(Duration::from_millis(10 * which as u64));
            let before: Vec<Option<Idle>> = here.iter().map(|place| idle(place, places.0.millis())).collect();
            let at = which % here.len().max(1);
            let mut came = None;
            match (what, here.get(at).map(|place| place.seat().clone())) {
                // Some come many at once.
                (0..=5, _) => came = places.enter(ip(&format!("192.0.2.{peer}"))),
                (6, Some(seat)) => seat.works(),
                (7, Some(seat)) => seat.rests(),
                (8, Some(seat)) => seat.sends(),
                (9, Some(seat)) => seat.waits_for_answer(),
                (10, Some(seat)) => seat.known(),
                (11, Some(_)) => drop(here.swap_remove(at)),
                _ => {}
            }
            if what <= 5 {
                let (mut asked, mut left) = (vec![], vec![]);
                for (place, was) in here.iter().zip(before) {
                    let now_asked = place.seat.0.asked.load(Ordering::Relaxed);
                    if let Some(was) = was {
                        if now_asked { asked.push(was) } else { left.push(was) }
                    }
                }
                fair(&asked, &left)?;
            }
            here.extend(came);
            // Most of those who are asked leave at once, some later.
            here.retain(|place| which % 3 == 0 || place.seat().is_at_work() || !must_leave(place));
            let of = |peer: IpAddr| here.iter().filter(|p| p.seat.0.peer == peer && !p.seat().in_reserve()).count();
            let ordinary = here.iter().filter(|place| !place.seat().in_reserve()).count();
            prop_assert_eq!(places.taken(), ordinary);
            prop_assert!(ordinary <= 128 && here.len() - ordinary <= 12);
            prop_assert!((0..6).all(|n| of(IpAddr::from([192, 0, 2, n])) <= 96));
        }
        // Where they do nothing, an operator gets in as soon as those leave that are asked.
        here.iter().for_each(|place| place.seat().rests());
        let gets_in = (0..2).any(|_| {
            here.retain(|place| !place.seat.0.asked.load(Ordering::Relaxed));
            places.enter(ip("198.51.100.1")).is_some()
        });
        prop_assert!(gets_in);
    }

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
            prop_assert_eq!(places.0.state().ordinary.leaving, 0);
        }
        prop_assert!(ordinary(&places, "198.51.100.1").is_some());
    }
}
