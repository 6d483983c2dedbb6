//! A thousand destinations of which a hundred hang: the others get their mail as if those were not there.
use std::net::Ipv4Addr;
use std::time::Duration;

use postrider::store::mails::Status;
use postrider::workers::Stop;

use crate::both_engines;
use crate::faults::{At, Fault, FaultyReceiver};
use crate::outbound_bench::bench;

const GOOD: usize = 900;
const HANGING: usize = 100;
/// Mails for each of those that hang: with one for each, nothing would pile up.
const EACH: usize = 5;

both_engines! {
    async fn nobody_waits_for_those_that_hang(engine: Engine) {
        let good = FaultyReceiver::start("127.0.8.1:0", &["PIPELINING"], None).await;
        let port = good.address.port();
        let hanging = FaultyReceiver::start(&format!("127.0.8.2:{port}"), &[], Some((At::Banner, Fault::Hangs))).await;
        let b = bench(engine, "mx", port).await;
        let address = |n: usize| if n < HANGING { Ipv4Addr::new(127, 0, 8, 2) } else { Ipv4Addr::new(127, 0, 8, 1) };
        for n in 0..HANGING + GOOD {
            b.dns.mx(&format!("d{n}.crowd.example"), 10, &format!("mx.d{n}.crowd.example"));
            b.dns.a(&format!("mx.d{n}.crowd.example"), address(n));
        }
        let slow = (0..EACH).flat_map(|k| (0..HANGING).map(move |n| format!("k{k}@d{n}.crowd.example")));
        let all: Vec<String> = slow.chain((HANGING..HANGING + GOOD).map(|n| format!("a@d{n}.crowd.example"))).collect();
        let mut mails = Vec::new();
        for fifty in all.chunks(50) {
            mails.push(b.send(&fifty.iter().map(String::as_str).collect::<Vec<_>>()).await);
        }

        let stop = Stop::new(b.clock.clone());
        stop.spawn("outbound", b.pool.clone().run(stop.clone()));
        // The clock stands: whoever had to wait for a limit, or for a second turn, would wait for ever.
        good.has(GOOD).await;
        hanging.hanging(HANGING).await;
        let delivered = async || {
            let mut delivered = 0;
            for mail in &mails {
                delivered += b.recipients(mail).await.iter().filter(|to| to.status == Status::Delivered).count();
            }
            delivered
        };
        while delivered().await < GOOD {
            tokio::task::yield_now().await;
        }
        assert_eq!(good.mails().len(), GOOD);

        let end = stop.finish(Duration::ZERO);
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => break,
                () = tokio::task::yield_now() => b.clock.advance(Duration::from_millis(100)),
            }
        }
        assert_eq!(delivered().await, GOOD);
    }
}
