//! Configuration sets and their events through AWS's SDK: options one by one, destinations that are no topics, feedback of
//! hard bounces.
use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{
    CloudWatchDestination, CloudWatchDimensionConfiguration, DimensionValueSource, EventDestinationDefinition,
    EventType, KinesisFirehoseDestination, SuppressionListReason, SuppressionOptions, TlsPolicy,
};
use postrider::config::{Given, Mode};

use crate::both_engines;
use crate::house::House;
use crate::ses_house::Watched;
use crate::smtp_sink::{FaultySmtp, Script};

both_engines! {
    async fn options_are_put_block_by_block_and_given_back(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        let reasons = SuppressionOptions::builder().suppressed_reasons(SuppressionListReason::Complaint).build();
        ses.create_configuration_set().configuration_set_name("s").suppression_options(reasons).send().await.expect("made");
        ses.put_configuration_set_delivery_options()
            .configuration_set_name("s")
            .tls_policy(TlsPolicy::Require)
            .max_delivery_seconds(600)
            .send()
            .await
            .expect("put");
        ses.put_configuration_set_sending_options().configuration_set_name("s").send().await.expect("put");
        ses.put_configuration_set_sending_options()
            .configuration_set_name("s")
            .sending_enabled(true)
            .send()
            .await
            .expect("put");
        ses.put_configuration_set_reputation_options()
            .configuration_set_name("s")
            .reputation_metrics_enabled(true)
            .send()
            .await
            .expect("put");
        let set = ses.get_configuration_set().configuration_set_name("s").send().await.expect("the set");
        let delivery = set.delivery_options().expect("options");
        assert_eq!((delivery.tls_policy(), delivery.max_delivery_seconds()), (Some(&TlsPolicy::Require), Some(600)));
        let reputation = set.reputation_options().expect("options");
        assert!(reputation.reputation_metrics_enabled() && reputation.last_fresh_start().is_some());
        assert!(set.sending_options().expect("options").sending_enabled());
        let suppressed = set.suppression_options().expect("options").suppressed_reasons();
        assert_eq!(suppressed, [SuppressionListReason::Complaint]);
        ses.put_configuration_set_tracking_options().configuration_set_name("s").send().await.expect("nothing to do");
        ses.put_configuration_set_archiving_options().configuration_set_name("s").send().await.expect("nothing to do");
        ses.put_configuration_set_vdm_options().configuration_set_name("s").send().await.expect("nothing to do");
        let refused = ses.put_configuration_set_tracking_options().configuration_set_name("s");
        let refused = refused.custom_redirect_domain("click.nowhere.example").send().await.expect_err("no domain");
        let text = "Domain <click.nowhere.example> is not verified under this account.";
        assert_eq!(refused.into_service_error().message(), Some(text));
        let refused = ses.put_configuration_set_delivery_options().configuration_set_name("s").sending_pool_name("p");
        assert!(refused.send().await.expect_err("no pools").into_service_error().is_bad_request_exception());
        let refused = ses.put_configuration_set_sending_options().configuration_set_name("none").send().await;
        assert!(refused.expect_err("no set").into_service_error().is_not_found_exception());
    }

    async fn events_go_to_a_stream_and_a_changed_destination_gets_what_it_wants_now(engine: Engine) {
        let place = [("mail-events".to_owned(), "archive/events/".to_owned())].into();
        let given = Given { streams: Some(postrider::config::Streams(place)), ..Given::default() };
        let house = House::start(Mode::Dev, engine, given).await;
        let watched = Watched::new(&house).await;
        let ses = &watched.ses;
        let stream = |name: &str| {
            let destination = KinesisFirehoseDestination::builder()
                .iam_role_arn("arn:aws:iam::000000000000:role/events")
                .delivery_stream_arn(format!("arn:aws:firehose:us-east-1:000000000000:deliverystream/{name}"));
            EventDestinationDefinition::builder()
                .enabled(true)
                .kinesis_firehose_destination(destination.build().expect("a destination"))
        };
        let create = |definition: EventDestinationDefinition| {
            let call = ses.create_configuration_set_event_destination().configuration_set_name(Watched::SET);
            call.event_destination_name("stream").event_destination(definition).send()
        };
        let refused = create(stream("other").matching_event_types(EventType::Send).build()).await;
        assert!(refused.expect_err("no stream").into_service_error().is_bad_request_exception());
        create(stream("mail-events").matching_event_types(EventType::Send).build()).await.expect("a destination");
        let id = watched.send(&["success@simulator.amazonses.com"]).await;
        let dimension = CloudWatchDimensionConfiguration::builder()
            .dimension_name("campaign")
            .dimension_value_source(DimensionValueSource::MessageTag)
            .default_dimension_value("none");
        let counters = CloudWatchDestination::builder().dimension_configurations(dimension.build().expect("a dimension"));
        ses.update_configuration_set_event_destination()
            .configuration_set_name(Watched::SET)
            .event_destination_name("stream")
            .event_destination(
                EventDestinationDefinition::builder()
                    .enabled(true)
                    .matching_event_types(EventType::Delivery)
                    .cloud_watch_destination(counters.build().expect("counters"))
                    .build(),
            )
            .send()
            .await
            .expect("changed");
        watched.send(&["success@simulator.amazonses.com"]).await;
        house.clock.advance(std::time::Duration::from_secs(61));
        house.work().await;
        let objects = house.database.dir.path().join("data/objects/archive/events");
        let mut found = vec![];
        let mut folders = vec![objects];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        assert_eq!(found.len(), 1, "{found:?}");
        let text = std::fs::read_to_string(&found[0]).expect("the object");
        assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text}");
        let event: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&event["eventType"], &event["mail"]["messageId"]), (&"Send".into(), &id.into()));
        let listed = ses.get_configuration_set_event_destinations().configuration_set_name(Watched::SET).send().await;
        let listed = listed.expect("a list");
        assert!(listed.event_destinations()[1].cloud_watch_destination().is_some());
    }

    async fn a_hard_bounce_puts_the_recipient_on_the_list_with_what_it_was(engine: Engine) {
        let server = FaultySmtp::start("127.0.0.1:0", Script::default()).await;
        let delivery = Some(format!("relay://{}", server.address));
        let house = House::start(Mode::Dev, engine, Given { delivery, ..Given::default() }).await;
        let watched = Watched::new(&house).await;
        let id = watched.send(&["permfail@there.example"]).await;
        let events = watched.events(&house).await;
        let bounce = &events[1]["bounce"];
        assert_eq!(bounce["bouncedRecipients"][0]["emailAddress"], "permfail@there.example");
        let listed = watched.ses.get_suppressed_destination().email_address("PERMFAIL@there.example").send().await;
        let listed = listed.expect("on the list").suppressed_destination.expect("an entry");
        let attributes = listed.attributes().expect("automatic");
        assert_eq!((listed.reason().as_str(), attributes.message_id()), ("BOUNCE", Some(id.as_str())));
        assert_eq!(attributes.feedback_id(), bounce["feedbackId"].as_str());
        watched.send(&["PermFail@there.example"]).await;
        let again = watched.events(&house).await;
        assert_eq!(again[1]["bounce"]["bounceSubType"], "OnAccountSuppressionList");
    }
}
