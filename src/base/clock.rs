//! Time: the only place that reads the wall clock, and the clock that tests move by hand.
use std::fmt;
use std::future::Future;
use std::ops::{Add, Sub};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::macros::format_description;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};
use tokio::sync::watch;

/// A point in time, in microseconds since the Unix epoch (UTC). The unit of every time in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Makes a point in time from microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Makes a point in time from whole seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down: the unit of SQS's message attributes.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the epoch, rounded down: the unit of SQS's queue attributes.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Seconds since the epoch with their fraction, as AWS JSON and REST-JSON write timestamps.
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 with milliseconds and `Z`, as SNS and SES write times: `2026-01-02T03:04:05.678Z`.
    pub fn iso_millis(self) -> String {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        self.date_time().format(form).unwrap_or_default()
    }

    /// The form of a mail's `Date` header: `Fri, 02 Jan 2026 03:04:05 +0000` (RFC 5322, 3.3).
    pub fn rfc2822(self) -> String {
        self.date_time().format(&Rfc2822).unwrap_or_default()
    }

    /// The basic ISO 8601 form of SigV4's `X-Amz-Date`: `20260102T030405Z`.
    pub fn iso_basic(self) -> String {
        // By hand, since every request needs it: the formatter takes four times as long.
        let t = self.date_time();
        let (month, day) = (u8::from(t.month()), t.day());
        format!("{:04}{month:02}{day:02}T{:02}{:02}{:02}Z", t.year(), t.hour(), t.minute(), t.second())
    }

    /// Reads RFC 3339; `None` for anything else.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339).ok().map(Self::from)
    }

    /// Reads `20260102T030405Z`; `None` for anything else. By hand, for the same reason as [`Timestamp::iso_basic`].
    pub fn parse_iso_basic(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 16 || text.get(8) != Some(&b'T') || text.last() != Some(&b'Z') {
            return None;
        }
        let number = |from: usize, to: usize| {
            text.get(from..to)?.iter().try_fold(0_u16, |n, digit| {
                let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
                Some(n * 10 + u16::from(digit))
            })
        };
        let two = |from: usize| number(from, from + 2).and_then(|n| u8::try_from(n).ok());
        let date = Date::from_calendar_date(number(0, 4)?.into(), Month::try_from(two(4)?).ok()?, two(6)?).ok()?;
        let time = Time::from_hms(two(9)?, two(11)?, two(13)?).ok()?;
        Some(Self::from(PrimitiveDateTime::new(date, time).assume_utc()))
    }

    fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(time: OffsetDateTime) -> Self {
        Self(i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso_millis())
    }
}

/// A reading of the monotonic clock, in microseconds since the process began: for durations and deadlines within one
/// process. It never goes back, whatever happens to the wall clock, and means nothing in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// When the process began.
    pub const BEGINNING: Instant = Instant(0);

    /// Microseconds since the process began, for what is kept in an atomic number.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::BEGINNING
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, by: Duration) -> Instant {
        Instant(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// Where time comes from: moments ([`Timestamp`]) by the wall clock, durations ([`Instant`]) by the monotonic clock. Cheap to
/// clone; every clone of a manual clock shows the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// The machine's, off by so many microseconds.
    Skewed(i64),
    Manual(Arc<watch::Sender<Hands>>),
}

/// What a manual clock shows.
#[derive(Clone, Copy, Debug)]
struct Hands {
    wall: Timestamp,
    monotonic: Instant,
}

/// How long a sleep until a moment of the wall clock lasts before the wall clock is read again: it may have been set meanwhile.
const WALL_LOOK_EVERY: Duration = Duration::from_secs(10);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The machine's clock, off by so many microseconds. For tests of nodes whose clocks differ.
    pub fn skewed(micros: i64) -> Self {
        Self(Source::Skewed(micros))
    }

    /// Whether it is moved by hand.
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it. For tests.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(Hands { wall: start, monotonic: Instant::BEGINNING }))))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system(),
            Source::Skewed(micros) => Timestamp(system().0.saturating_add(*micros)),
            Source::Manual(hands) => hands.borrow().wall,
        }
    }

    /// The monotonic clock now. Deadlines and ages within the process are reckoned with it.
    pub fn instant(&self) -> Instant {
        match &self.0 {
            Source::System | Source::Skewed(_) => monotonic(),
            Source::Manual(hands) => hands.borrow().monotonic,
        }
    }

    /// Moves a manual clock on and wakes who sleeps on it. The system's clock does not move: no effect.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(hands) = &self.0 {
            hands.send_modify(|hands| {
                hands.wall = hands.wall + by;
                hands.monotonic = hands.monotonic + by;
            });
        }
    }

    /// Sets a manual clock's wall clock by so many microseconds, also back, as an operator or NTP may: no time passes. For tests.
    pub fn step(&self, micros: i64) {
        if let Source::Manual(hands) = &self.0 {
            hands.send_modify(|hands| hands.wall = Timestamp(hands.wall.0.saturating_add(micros)));
        }
    }

    /// Returns once the wall clock shows `at` or later, at most ten seconds after it was set.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.0 {
            Source::System | Source::Skewed(_) => loop {
                let left = at.since(self.now());
                tokio::time::sleep(left.min(WALL_LOOK_EVERY)).await;
                if self.now() >= at {
                    return;
                }
            },
            Source::Manual(hands) => {
                // The sender lives in `self`, so the channel cannot close while we wait.
                let _ = hands.subscribe().wait_for(|hands| hands.wall >= at).await;
            }
        }
    }

    /// Returns once the monotonic clock shows `at` or later.
    pub async fn sleep_to(&self, at: Instant) {
        match &self.0 {
            Source::System | Source::Skewed(_) => tokio::time::sleep(at.since(self.instant())).await,
            Source::Manual(hands) => {
                let _ = hands.subscribe().wait_for(|hands| hands.monotonic >= at).await;
            }
        }
    }

    /// Returns after `by` has passed, whatever happens to the wall clock.
    pub async fn sleep(&self, by: Duration) {
        self.sleep_to(self.instant() + by).await;
    }

    /// Waits for `work` until `by` has passed; `None` when time ran out and the work was dropped.
    pub async fn timeout<T>(&self, by: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep(by) => None,
        }
    }
}

fn monotonic() -> Instant {
    static BEGAN: OnceLock<std::time::Instant> = OnceLock::new();
    let since = BEGAN.get_or_init(std::time::Instant::now).elapsed();
    Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn system() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_aws_and_mail_write_them() {
        let t = Timestamp::from_micros(1_767_323_045_678_901);
        assert_eq!(t.iso_millis(), "2026-01-02T03:04:05.678Z");
        assert_eq!(t.rfc2822(), "Fri, 02 Jan 2026 03:04:05 +0000");
        assert_eq!(t.iso_basic(), "20260102T030405Z");
        assert_eq!(Timestamp::parse_iso_basic("20260102T030405Z"), Some(Timestamp::from_secs(t.secs())));
        for wrong in [
            "2026-01-02",
            "20260102T030405",
            "20260102 030405Z",
            "20261302T030405Z",
            "2026010:T030405Z",
            "20260102T0304 5Z",
        ] {
            assert_eq!(Timestamp::parse_iso_basic(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_only_when_moved() {
        let clock = Clock::manual(Timestamp::from_secs(10));
        let sleeper = clock.clone();
        let mut task = tokio::spawn(async move { sleeper.sleep(Duration::from_secs(5)).await });
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut task).await.is_err());
        clock.advance(Duration::from_secs(5));
        task.await.expect("the sleeper ends");
        assert_eq!(clock.now(), Timestamp::from_secs(15));
    }
    #[tokio::test]
    async fn durations_pass_by_the_monotonic_clock_also_when_the_wall_clock_is_set() {
        let clock = Clock::manual(Timestamp::from_secs(10_000));
        let (began, hour) = (clock.instant(), 3_600_000_000);
        let (passed, ()) = tokio::join!(clock.sleep(Duration::from_secs(5)), async {
            clock.step(-2 * hour);
            clock.advance(Duration::from_secs(5));
        });
        let () = passed;
        assert_eq!(clock.instant().since(began), Duration::from_secs(5));
        assert_eq!(clock.now(), Timestamp::from_secs(2_805));
        clock.step(2 * hour);
        assert_eq!((clock.now(), clock.instant().since(began)), (Timestamp::from_secs(10_005), Duration::from_secs(5)));
    }
}
