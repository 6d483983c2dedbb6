//! `/metrics`: what waits, what listens, from the first time on that somebody asks.
use std::time::Duration;

use crate::both_engines;
use crate::full_house::ask;
use crate::given_up_jobs::send;
use crate::house::House;

async fn metrics(house: &House) -> String {
    ask(2, house.app.addresses().http, "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await
}

fn has(page: &str, line: &str) {
    assert!(page.lines().any(|one| one == line), "{line}: {page}");
}

both_engines! {
    async fn what_waits_is_shown_from_the_first_look_on(engine: Engine) {
        let house = House::dev(engine).await;
        let page = metrics(&house).await;
        for queue in ["outbound", "inbound", "topic-delivery", "fan-out"] {
            for state in ["visible", "in_flight", "delayed"] {
                has(&page, &format!("postrider_queue_jobs{{queue=\"{queue}\",state=\"{state}\"}} 0"));
            }
            has(&page, &format!("postrider_queue_oldest_seconds{{queue=\"{queue}\"}} 0"));
            has(&page, &format!("postrider_given_up_jobs{{queue=\"{queue}\"}} 0"));
        }
        for name in ["postrider_queue_jobs", "postrider_store_up", "postrider_certificate_end_timestamp_seconds"] {
            has(&page, &format!("# TYPE {name} gauge"));
            assert!(page.contains(&format!("# HELP {name} ")), "{name}: {page}");
        }
        for listener in ["http", "smtp", "submission", "submissions", "capture-smtp"] {
            has(&page, &format!("postrider_listener_up{{listener=\"{listener}\"}} 1"));
        }
        has(&page, "postrider_store_up 1");
        let ends = page.lines().find_map(|line| line.strip_prefix("postrider_certificate_end_timestamp_seconds "));
        assert!(ends.and_then(|ends| ends.parse::<f64>().ok()).is_some_and(|ends| ends > house.clock.now().secs_f64()));
        assert!(!page.contains("postrider_sqs_messages{"), "{page}");
    }

    async fn what_waits_is_counted_every_ten_seconds(engine: Engine) {
        let house = House::dev(engine).await;
        house.sesv2().create_email_identity().email_identity("here.example").send().await.expect("an identity");
        let sqs = house.sqs();
        for (name, messages) in [("small", 1), ("large", 3), ("empty", 0)] {
            let queue = sqs.create_queue().queue_name(name).send().await.expect("a queue");
            for n in 0..messages {
                let url = queue.queue_url().expect("a URL");
                sqs.send_message().queue_url(url).message_body("x").delay_seconds(n).send().await.expect("sent");
            }
            if name == "large" {
                let url = queue.queue_url().expect("a URL");
                let got = sqs.receive_message().queue_url(url).visibility_timeout(3_600).send().await.expect("received");
                assert_eq!(got.messages().len(), 1);
            }
        }
        send(&house).await;
        house.clock.advance(Duration::from_secs(30));
        let url = sqs.get_queue_url().queue_name("large").send().await.expect("found");
        let late = sqs.send_message().queue_url(url.queue_url().expect("a URL")).message_body("x").delay_seconds(900);
        late.send().await.expect("sent");
        let page = metrics(&house).await;
        has(&page, "postrider_queue_jobs{queue=\"outbound\",state=\"visible\"} 1");
        has(&page, "postrider_queue_oldest_seconds{queue=\"outbound\"} 30");
        let of = |queue: &str, state: &str, count: u32| {
            format!("postrider_sqs_messages{{account=\"000000000000\",region=\"us-east-1\",queue=\"{queue}\",state=\"{state}\"}} {count}")
        };
        for (state, count) in [("visible", 2), ("in_flight", 1), ("delayed", 1)] {
            has(&page, &of("large", state, count));
        }
        has(&page, &of("small", "visible", 1));
        assert!(!page.contains("queue=\"empty\""), "{page}");

        house.work().await;
        house.clock.advance(Duration::from_secs(9));
        let page = metrics(&house).await;
        has(&page, "postrider_queue_jobs{queue=\"outbound\",state=\"visible\"} 1");
        house.clock.advance(Duration::from_secs(1));
        let page = metrics(&house).await;
        has(&page, "postrider_queue_jobs{queue=\"outbound\",state=\"visible\"} 0");
        has(&page, "postrider_queue_oldest_seconds{queue=\"outbound\"} 0");
    }
}
