//! Events of mails on event buses: the settings' URLs get EventBridge's envelope, signed, again and again until they take it.
use std::time::Duration;

use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{EventBridgeDestination, EventDestinationDefinition, EventType};
use hmac::{Hmac, Mac};
use postrider::base::Secret;
use postrider::config::{EventBuses, Given, Mode};
use serde_json::json;
use sha2::Sha256;

use crate::both_engines;
use crate::house::House;
use crate::ses_house::Watched;
use crate::webhook::{Answer, Webhook};

const BUS: &str = "arn:aws:events:us-east-1:000000000000:event-bus/default";
const SECRET: &str = "a secret of the bus";

fn definition(bus: &str, types: &[EventType]) -> EventDestinationDefinition {
    EventDestinationDefinition::builder()
        .enabled(true)
        .set_matching_event_types(Some(types.to_vec()))
        .event_bridge_destination(EventBridgeDestination::builder().event_bus_arn(bus).build().expect("a bus"))
        .build()
}

async fn with_bus(engine: crate::engine::Engine, webhook: &Webhook) -> House {
    let buses = EventBuses([("default".to_owned(), webhook.url("/bus"))].into());
    let secret = Some(Secret::new(SECRET));
    House::start(Mode::Dev, engine, Given { event_buses: Some(buses), event_bus_secret: secret, ..Given::default() })
        .await
}

both_engines! {
    async fn an_event_reaches_its_bus_signed_and_in_the_envelope_of_eventbridge(engine: Engine) {
        let webhook = Webhook::start().await;
        let house = with_bus(engine, &webhook).await;
        let watched = Watched::new(&house).await;
        let create = |name: &str, bus: &str| {
            let call = watched.ses.create_configuration_set_event_destination().configuration_set_name(Watched::SET);
            let types = [EventType::Delivery, EventType::Bounce];
            call.event_destination_name(name).event_destination(definition(bus, &types)).send()
        };
        for other in [
            "arn:aws:events:us-east-1:000000000000:event-bus/other",
            "arn:aws:events:eu-west-1:000000000000:event-bus/default",
            "arn:aws:events:us-east-1:111111111111:event-bus/default",
            "default",
        ] {
            let refused = create("bus", other).await.expect_err("no bus").into_service_error();
            let wanted = format!("EventBridge event bus <{other}> not found.");
            assert_eq!((refused.code(), refused.message()), (Some("BadRequestException"), Some(wanted.as_str())));
        }
        create("bus", BUS).await.expect("made");
        let found = watched.ses.get_configuration_set_event_destinations().configuration_set_name(Watched::SET);
        let found = found.send().await.expect("a list");
        let bus = found.event_destinations().iter().find(|d| d.name() == "bus").expect("it is there");
        assert_eq!(bus.event_bridge_destination().map(|bus| bus.event_bus_arn()), Some(BUS));
        // The first attempts are not taken; the event is not lost and stays the same.
        webhook.answer([Answer::status(500), Answer::status(404)]);
        let id = watched.send(&["b@y.example"]).await;
        let events = watched.events(&house).await;
        assert_eq!(webhook.arrived().len(), 1);
        for attempt in [2, 3] {
            house.clock.advance(Duration::from_secs(60));
            house.work().await;
            assert_eq!(webhook.arrived().len(), attempt);
        }
        house.clock.advance(Duration::from_secs(3_600));
        house.work().await;
        let arrived = webhook.arrived();
        assert_eq!(arrived.len(), 3, "it was taken");
        let event = arrived[2].json();
        let sent = &events[1];
        assert_eq!((&sent["eventType"], &sent["mail"]["messageId"]), (&json!("Delivery"), &json!(id)));
        let time = event["time"].as_str().expect("a time");
        assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
        assert_eq!(
            event,
            json!({
                "version": "0",
                "id": event["id"],
                "detail-type": "Email Delivered",
                "source": "aws.ses",
                "account": "000000000000",
                "time": time,
                "region": "us-east-1",
                "resources": ["arn:aws:ses:us-east-1:000000000000:configuration-set/watched"],
                "detail": sent,
            })
        );
        for one in &arrived {
            assert_eq!(one.body, arrived[0].body);
            assert_eq!(one.header("webhook-id"), event["id"].as_str().expect("an id"));
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
            mac.update(format!("{}.{}.{}", one.header("webhook-id"), one.header("webhook-timestamp"), one.body).as_bytes());
            let signed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac.finalize().into_bytes());
            assert_eq!(one.header("webhook-signature"), format!("v1,{signed}"));
        }
        let attempts = house.app.parts().services.topics.deliveries(BUS, 10).await.expect("attempts");
        let told: Vec<_> = attempts.iter().map(|a| (a.attempt, a.status, a.outcome.as_str())).collect();
        assert_eq!(
            told,
            [(3, Some(200), "delivered"), (2, Some(404), "deferred"), (1, Some(500), "deferred")]
        );
    }

    async fn each_event_has_its_name_and_one_that_is_gone_for_good_ends(engine: Engine) {
        let webhook = Webhook::start().await;
        let house = with_bus(engine, &webhook).await;
        let watched = Watched::new(&house).await;
        let types = [EventType::Send, EventType::Bounce, EventType::Complaint];
        watched.ses.create_configuration_set_event_destination()
            .configuration_set_name(Watched::SET)
            .event_destination_name("bus")
            .event_destination(definition(BUS, &types))
            .send()
            .await
            .expect("made");
        webhook.answer([Answer::status(410)]);
        watched.send(&["bounce@simulator.amazonses.com"]).await;
        house.work().await;
        watched.send(&["complaint@simulator.amazonses.com"]).await;
        house.work().await;
        house.clock.advance(Duration::from_secs(24 * 3_600));
        house.work().await;
        let mut names: Vec<String> = webhook
            .arrived()
            .iter()
            .map(|one| one.json()["detail-type"].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["Email Bounced", "Email Complaint Received", "Email Sent", "Email Sent"]);
    }
}
