//! Mail that waits costs next to nothing: what is claimed does not grow with what waits, and nothing is forgotten.
use std::net::Ipv4Addr;
use std::time::Duration;

use postrider::store::mails::Status;

use crate::both_engines;
use crate::outbound_bench::{Bench, bench};
use crate::smtp_sink::{FaultySmtp, Script};

const DOMAINS: usize = 10;
const EACH: usize = 50;
const MINUTE: Duration = Duration::from_secs(60);

/// Mails to many recipients of domains whose hosts are these. Gives their ids.
async fn wait(b: &Bench, local: &str, site: impl Fn(usize) -> String) -> Vec<String> {
    let mut ids = vec![];
    for n in 0..DOMAINS {
        b.dns.mx(&format!("d{n}.example"), 10, &site(n));
        b.dns.a(&site(n), Ipv4Addr::LOCALHOST);
        let recipients: Vec<String> = (0..EACH).map(|r| format!("{local}{r}@d{n}.example")).collect();
        ids.push(b.send(&recipients.iter().map(String::as_str).collect::<Vec<_>>()).await);
    }
    ids
}

/// Works all that is due in each of so many minutes; gives how many jobs were claimed.
async fn minutes(b: &Bench, count: u32) -> usize {
    let mut claimed = 0;
    for _ in 0..count {
        for _ in 0..1_000 {
            match b.round().await {
                0 => break,
                worked => claimed += worked,
            }
        }
        b.clock.advance(MINUTE);
    }
    claimed
}

both_engines! {
    async fn hosts_that_do_not_answer_are_tried_by_one_mail_each(engine: Engine) {
        // Nobody listens there.
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let b = bench(engine, "mx", port).await;
        let ids = wait(&b, "a", |n| format!("mx.d{n}.example")).await;
        minutes(&b, 30).await;
        let claimed = minutes(&b, 60).await;
        // A rest of a quarter of an hour ends with one try, and another job that finds that the host rests again.
        assert!(claimed <= DOMAINS * 6 * 3, "{claimed} of {}", DOMAINS * EACH);
        minutes(&b, 14 * 60).await;
        for id in ids {
            let to = b.recipients(&id).await;
            assert!(to.iter().all(|to| to.status == Status::Bounced), "each has its end");
        }
    }

    async fn a_host_that_puts_everything_off_rests_and_then_gets_all(engine: Engine) {
        let peer = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
        let b = bench(engine, "mx", peer.address.port()).await;
        let ids = wait(&b, "busy", |_| "mx.one.example".to_owned()).await;
        peer.put_off(true);
        minutes(&b, 30).await;
        let claimed = minutes(&b, 60).await;
        assert!(claimed <= DOMAINS * 6 * 3, "{claimed} of {}", DOMAINS * EACH);
        peer.put_off(false);
        minutes(&b, 3 * 60).await;
        for id in ids {
            assert!(b.recipients(&id).await.iter().all(|to| to.status == Status::Delivered), "all have arrived");
        }
    }
}
