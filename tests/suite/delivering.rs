//! Deliveries that many workers load and settle at once.
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use postrider::base::{AccountId, Clock, Region, Timestamp};
use postrider::store::accepted::{Accepted, NewJob};
use postrider::store::headers_record::HeadersRecord;
use postrider::store::mail_attempts::Tried;
use postrider::store::mails::{self, Attempt, AttemptOutcome, Kind, Mail, Status};
use postrider::store::messages::{self, Claim, Groups};
use postrider::store::outgoing;
use postrider::store::sending_use::{Charge, Charged};
use postrider::store::settled::{JobEnd, Settled};
use postrider::store::suppressed::{self, Reason, Suppressed};
use postrider::store::{Json, Store};

use crate::both_engines;
use crate::engine::{Engine, TestDatabase};

const QUEUE: i64 = -1;

fn mail(id: &str, size: i64, at: Timestamp) -> Mail {
    Mail {
        id: id.to_owned(),
        account: AccountId::development(),
        region: Region::default_region(),
        caller: "caller".to_owned(),
        source_ip: None,
        source: "ann@x.example".to_owned(),
        return_path: "ann@x.example".to_owned(),
        configuration_set: None,
        tags: Json::of(&vec![]).expect("JSON"),
        headers: Json::of(&HeadersRecord::default()).expect("JSON"),
        identity: None,
        kind: Kind::User,
        size,
        recipient_count: 2,
        accepted_at: at,
        expires_at: at + Duration::from_secs(3_600),
        require_tls: false,
    }
}

/// A store with mails to two recipients each, every fifth of them large.
async fn filled(engine: Engine, count: usize) -> (Store, Clock, TestDatabase) {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    let each = (0..count).map(|n| {
        let recipients = vec![format!("Bob{n}@a.example"), format!("eve@d{}.example", n % 3)];
        let group = |n: usize| recipients[n].rsplit('@').next().unwrap_or_default().to_owned();
        let job = |r: usize| NewJob { queue_id: QUEUE, group: group(r), body: format!("{n} {r}") };
        let jobs = (0..2).map(job).collect();
        let mail = mail(&format!("mail{n}"), if n % 5 == 0 { 1_000 } else { 5 }, clock.now());
        store.accept(Accepted::outbound(mail, b"small".to_vec(), recipients.clone(), jobs, None))
    });
    for accepted in join_all(each).await {
        accepted.expect("accepted");
    }
    (store, clock, database)
}

fn tried(mail: usize, n: i64, at: Timestamp) -> Tried {
    let attempt = Attempt {
        attempt: 1,
        started_at: at,
        finished_at: at,
        outcome: AttemptOutcome::Delivered,
        remote: Some("mx.a.example".to_owned()),
        tls: None,
        reply: Some(format!("250 taken {mail}")),
        transcript: "> QUIT\n".to_owned(),
    };
    Tried { mail_id: format!("mail{mail}"), n, status: Status::Delivered, attempt }
}

/// The end of a job, as a worker hands it in.
fn end(mail: usize, n: i64, at: Timestamp) -> Arc<dyn JobEnd> {
    Arc::new(tried(mail, n, at))
}

both_engines! {
    async fn a_crowd_of_senders_gets_its_quota_and_no_more(engine: Engine) {
        let (store, clock, _database) = filled(engine, 0).await;
        let send = |n: usize, max: i64| {
            let mail = Mail { recipient_count: 1, ..mail(&format!("mail{n}"), 5, clock.now()) };
            let charge = Charge {
                account: AccountId::development(),
                region: Region::default_region(),
                recipients: 1,
                max_24_hour: Some(max),
                max_per_second: None,
            };
            let to = vec![format!("bob@d{}.example", n % 7)];
            let job = NewJob { queue_id: QUEUE, group: format!("d{}.example", n % 7), body: n.to_string() };
            store.accept(Accepted::outbound(mail, b"small".to_vec(), to, vec![job], Some(charge)))
        };
        // The first ones are far below the limit, the last ones above it.
        let answers = join_all((0..2_000).map(|n| send(n, 1_900))).await;
        let fit = answers.iter().filter(|answer| matches!(answer, Ok(Charged::Fits))).count();
        let over = answers.iter().filter(|answer| matches!(answer, Ok(Charged::DayExceeded))).count();
        assert_eq!((fit, over), (1_900, 100));
        // A higher limit gives more room, also for those who come together.
        let answers = join_all((2_000..3_000).map(|n| send(n, 10_000))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Charged::Fits))));
        assert_eq!(send(3_000, 2_900).await.expect("decided"), Charged::DayExceeded);
        let mut reader = store.reader().await.expect("a reader");
        assert_eq!(messages::counts(&mut reader, QUEUE).await.expect("counted").visible, 2_900);
    }

    async fn what_jobs_need_is_read_together_and_in_their_order(engine: Engine) {
        let (store, clock, _database) = filled(engine, 20).await;
        let entry = Suppressed {
            address: "bob3@a.example".to_owned(),
            reason: Reason::Bounce,
            feedback_id: None,
            message_id: None,
            updated_at: clock.now(),
        };
        store
            .write(move |tx| {
                Box::pin(async move {
                    suppressed::put(tx, &AccountId::development(), &Region::default_region(), &entry).await
                })
            })
            .await
            .expect("suppressed");
        let jobs = [("mail3", 0), ("mail5", 1), ("nothing", 0), ("mail3", 7), ("mail3", 0), ("mail4", 1)];
        let mut reader = store.reader().await.expect("a reader");
        let found = outgoing::read(&mut reader, &jobs, 100).await.expect("read");
        let found: Vec<_> = found
            .into_iter()
            .map(|one| one.map(|one| (one.mail.id, one.recipient.address, one.raw.is_some(), one.is_listed)))
            .collect();
        let one = |mail: &str, to: &str, raw, listed| Some((mail.to_owned(), to.to_owned(), raw, listed));
        assert_eq!(
            found,
            [
                one("mail3", "Bob3@a.example", true, true),
                one("mail5", "eve@d2.example", false, false),
                None,
                None,
                one("mail3", "Bob3@a.example", true, true),
                one("mail4", "eve@d1.example", true, false),
            ]
        );
    }

    async fn jobs_that_were_in_the_way_come_again_with_their_groups_and_beside_others_that_end(engine: Engine) {
        let (store, clock, _database) = filled(engine, 60).await;
        let claim = |groups| {
            let (until, store) = (clock.now() + Duration::from_secs(600), store.clone());
            async move {
                let claimed = store.write(move |tx| {
                    Box::pin(async move {
                        let (queue_id, limit, hidden_until, receipt, holder) = (QUEUE, 200, until, 7, Some("n"));
                        messages::claim(tx, Claim { queue_id, limit, hidden_until, receipt, holder, groups, receives_max: None }).await
                    })
                });
                claimed.await.expect("claimed")
            }
        };
        let mut claimed = claim(Groups::OnlyTurns(Some(20))).await;
        assert_eq!(claimed.len(), 80);
        let lost = claimed.remove(0);
        let until = clock.now() + Duration::from_secs(30);
        let place = |body: &str| -> (usize, i64) {
            let (mail, n) = body.split_once(' ').expect("two numbers");
            (mail.parse().expect("a number"), n.parse().expect("a number"))
        };
        let settled = claimed.iter().enumerate().map(|(k, job)| {
            let (mail, n) = place(&job.body);
            let end = (k % 2 == 0).then(|| end(mail, n, clock.now()));
            let crowded = end.is_none().then_some(until);
            (Settled { queue_id: QUEUE, id: job.id, receipt: job.receipt, end, crowded }, true)
        });
        let gone = Settled { queue_id: QUEUE, id: lost.id, receipt: 8, end: None, crowded: Some(until) };
        let (jobs, held): (Vec<Settled>, Vec<bool>) = settled.chain([(gone, false)]).unzip();
        let put_off: std::collections::BTreeSet<i64> = jobs.iter().filter(|j| j.crowded.is_some()).map(|j| j.id).collect();
        let answers = join_all(jobs.into_iter().map(|job| store.settle(job))).await;
        assert_eq!(answers.into_iter().map(|held| held.expect("settled")).collect::<Vec<_>>(), held);
        // Each group had one that was put off, and rests.
        assert_eq!(claim(Groups::OnlyTurns(None)).await.len(), 0);
        clock.advance(Duration::from_secs(30));
        let mut again = vec![];
        loop {
            let more = claim(Groups::OnlyTurns(None)).await;
            if more.is_empty() {
                break;
            }
            again.extend(more);
        }
        assert_eq!(again.len(), 120 - 40 - 1, "what ended is gone, and one is still held");
        assert!(again.iter().all(|job| job.id != lost.id && job.receive_count == 1), "{again:?}");
        assert!(put_off.iter().all(|id| *id == lost.id || again.iter().any(|job| job.id == *id)));
    }

    async fn deliveries_settle_together_once_each_and_wake_their_groups(engine: Engine) {
        let (store, clock, _database) = filled(engine, 60).await;
        let claim = |limit, max| {
            let (until, store) = (clock.now() + Duration::from_secs(60), store.clone());
            async move {
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let groups = Groups::Turns(Some(max));
                            let claim =
                                Claim { queue_id: QUEUE, limit, hidden_until: until, receipt: 7, holder: Some("n"), groups, receives_max: None };
                            messages::claim(tx, claim).await
                        })
                    })
                    .await
                    .expect("claimed")
            }
        };
        let claimed = claim(200, 20).await;
        assert_eq!(claimed.len(), 80, "no group has more than its limit");
        assert_eq!(claim(200, 20).await.len(), 0);
        // One recipient was settled before; one job is not held any more.
        let before = tried(0, 0, clock.now());
        let early = Tried { status: Status::Bounced, ..before };
        store
            .write(move |tx| Box::pin(async move { early.write_all(tx, vec![&early]).await }))
            .await
            .expect("settled");
        let place = |body: &str| -> (usize, i64) {
            let (mail, n) = body.split_once(' ').expect("two numbers");
            (mail.parse().expect("a number"), n.parse().expect("a number"))
        };
        // Which twenty of the large group were first is not the same on PostgreSQL each time.
        let lost = claimed.iter().map(|job| place(&job.body)).find(|(mail, n)| *n == 0 && *mail != 0).expect("one");
        let each = claimed.iter().map(|job| {
            let (mail, n) = place(&job.body);
            let receipt = if (mail, n) == lost { 8 } else { job.receipt };
            let end = Some(end(mail, n, clock.now()));
            store.settle(Settled { queue_id: QUEUE, id: job.id, receipt, end, crowded: None })
        });
        let held: Vec<bool> = join_all(each).await.into_iter().map(|held| held.expect("settled")).collect();
        let mut reader = store.reader().await.expect("a reader");
        for (job, held) in claimed.iter().zip(held) {
            let (mail, n) = place(&job.body);
            assert_eq!(held, (mail, n) != lost);
            let id = format!("mail{mail}");
            let recipient = mails::recipient(&mut reader, &id, n).await.expect("read").expect("it is there");
            let status = match (mail, n) {
                (0, 0) => Status::Bounced,
                place if place == lost => Status::Pending,
                _ => Status::Delivered,
            };
            assert_eq!(recipient.status, status, "{id} {n}");
            let attempts = mails::attempts(&mut reader, &id, n).await.expect("read");
            assert_eq!(attempts.len(), usize::from(status != Status::Pending));
            let reply = (status != Status::Pending).then(|| format!("250 taken {mail}"));
            assert_eq!(recipient.last_reply, reply);
        }
        drop(reader);
        // The large group rested at its limit, and has a turn again although no time has passed; it still holds one.
        assert_eq!(claim(200, 20).await.len(), 19);
    }
}
