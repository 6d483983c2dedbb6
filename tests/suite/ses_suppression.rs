//! Suppression lists and the mailbox simulator, through AWS's SDK: what is listed, what a listed address gets, and what the
//! events tell.
use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{SuppressionListReason, SuppressionOptions};
use serde_json::{Value, json};

use crate::both_engines;
use crate::house::House;
use crate::ses_house::{Watched, object};

both_engines! {
    async fn entries_are_put_found_listed_in_pages_and_deleted(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        for (n, address) in ["B@y.example", "a@y.example", "c@y.example", "d@y.example"].iter().enumerate() {
            let reason = if n < 3 { SuppressionListReason::Bounce } else { SuppressionListReason::Complaint };
            ses.put_suppressed_destination().email_address(*address).reason(reason).send().await.expect("put");
        }
        let found = ses.get_suppressed_destination().email_address("b@Y.example").send().await.expect("found");
        let entry = found.suppressed_destination().expect("an entry");
        assert_eq!((entry.email_address(), entry.reason().as_str()), ("b@y.example", "BOUNCE"));
        assert!(entry.attributes().is_none());
        let mut pages = vec![];
        let mut listing = ses.list_suppressed_destinations().page_size(2).into_paginator().send();
        while let Some(page) = listing.next().await {
            let page = page.expect("a page");
            let names = page.suppressed_destination_summaries().iter().map(|s| s.email_address().to_owned());
            pages.push(names.collect::<Vec<_>>());
        }
        assert_eq!(pages, [["a@y.example", "b@y.example"], ["c@y.example", "d@y.example"]]);
        let complaints = ses.list_suppressed_destinations().reasons(SuppressionListReason::Complaint).send().await;
        let complaints = complaints.expect("a list");
        assert_eq!(complaints.suppressed_destination_summaries()[0].email_address(), "d@y.example");
        assert_eq!(complaints.suppressed_destination_summaries().len(), 1);
        let later = aws_sdk_sesv2::primitives::DateTime::from_secs(house.clock.now().secs() + 60);
        let none = ses.list_suppressed_destinations().start_date(later).send().await.expect("a list");
        assert!(none.suppressed_destination_summaries().is_empty());
        ses.delete_suppressed_destination().email_address("A@y.example").send().await.expect("deleted");
        let again = ses.delete_suppressed_destination().email_address("a@y.example").send().await;
        let error = again.expect_err("it is gone").into_service_error();
        assert_eq!(error.code(), Some("NotFoundException"));
        let none = ses.get_suppressed_destination().email_address("a@y.example").send().await;
        assert!(none.expect_err("it is gone").into_service_error().is_not_found_exception());
        let bad = ses.put_suppressed_destination().email_address("no").reason(SuppressionListReason::Bounce).send().await;
        assert!(bad.expect_err("no address").into_service_error().is_bad_request_exception());
    }

    async fn a_suppressed_mail_is_accepted_and_bounces_without_leaving(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let ses = house.sesv2();
        for (address, reason) in [("b@y.example", SuppressionListReason::Bounce), ("c@y.example", SuppressionListReason::Complaint)] {
            ses.put_suppressed_destination().email_address(address).reason(reason).send().await.expect("put");
        }
        watched.send(&["B@y.example", "c@y.example", "free@y.example"]).await;
        let events = watched.events(&house).await;
        let kinds: Vec<&str> = events.iter().filter_map(|e| e["eventType"].as_str()).collect();
        assert_eq!(kinds, ["Send", "Bounce", "Complaint", "Delivery"]);
        let bounce = &events[1]["bounce"];
        assert_eq!(
            (&bounce["bounceType"], &bounce["bounceSubType"]),
            (&json!("Permanent"), &json!("OnAccountSuppressionList"))
        );
        assert_eq!(bounce["bouncedRecipients"][0]["emailAddress"], "B@y.example");
        assert_eq!(events[2]["complaint"]["complaintSubType"], "OnAccountSuppressionList");
        assert_eq!(events[3]["delivery"]["recipients"], json!(["free@y.example"]));
    }

    async fn reasons_of_the_account_and_of_the_set_decide_what_suppresses(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let ses = house.sesv2();
        let bounce = SuppressionListReason::Bounce;
        ses.put_suppressed_destination().email_address("b@y.example").reason(bounce.clone()).send().await.expect("put");
        let last = async || {
            watched.send(&["b@y.example"]).await;
            let events = watched.events(&house).await;
            events.last().and_then(|e| e["eventType"].as_str().map(str::to_owned)).expect("an event")
        };
        assert_eq!(last().await, "Bounce");
        ses.put_account_suppression_attributes()
            .suppressed_reasons(SuppressionListReason::Complaint)
            .send()
            .await
            .expect("set");
        let account = ses.get_account().send().await.expect("an account");
        assert_eq!(account.suppression_attributes().expect("some").suppressed_reasons(), [SuppressionListReason::Complaint]);
        assert_eq!(last().await, "Delivery");
        ses.put_configuration_set_suppression_options()
            .configuration_set_name(Watched::SET)
            .suppressed_reasons(bounce.clone())
            .send()
            .await
            .expect("set");
        assert_eq!(last().await, "Bounce");
        ses.put_configuration_set_suppression_options()
            .configuration_set_name(Watched::SET)
            .set_suppressed_reasons(Some(vec![]))
            .send()
            .await
            .expect("set");
        assert_eq!(last().await, "Delivery");
        let set = ses.get_configuration_set().configuration_set_name(Watched::SET).send().await.expect("the set");
        assert_eq!(set.suppression_options(), Some(&SuppressionOptions::builder().set_suppressed_reasons(Some(vec![])).build()));
    }

    async fn the_simulator_has_the_events_of_real_mailboxes(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let at = |name: &str| format!("{name}@simulator.amazonses.com");
        for (address, wanted) in [
            (at("success"), vec![("Delivery", json!(null), json!(null))]),
            (at("bounce+label"), vec![("Bounce", json!("Permanent"), json!("General"))]),
            (at("suppressionlist"), vec![("Bounce", json!("Permanent"), json!("Suppressed"))]),
            (at("ooto"), vec![("Delivery", json!(null), json!(null)), ("Bounce", json!("Transient"), json!("General"))]),
            (at("complaint"), vec![("Delivery", json!(null), json!(null)), ("Complaint", json!(null), json!(null))]),
        ] {
            watched.send(&[&address]).await;
            let events = watched.events(&house).await;
            let got: Vec<(&str, Value, Value)> = events[1..]
                .iter()
                .map(|e| {
                    let bounce = e.get("bounce").cloned().unwrap_or_default();
                    (e["eventType"].as_str().expect("a type"), bounce["bounceType"].clone(), bounce["bounceSubType"].clone())
                })
                .collect();
            assert_eq!(got, wanted, "{address}");
            if let Some(complaint) = object(&events, "complaint") {
                assert_eq!(complaint["complaintFeedbackType"], "abuse");
                assert_eq!(complaint["complainedRecipients"], json!([{"emailAddress": address}]));
            }
        }
        let listed = house.sesv2().list_suppressed_destinations().send().await.expect("a list");
        assert!(listed.suppressed_destination_summaries().is_empty(), "the simulator suppresses nothing");
        let account = house.sesv2().get_account().send().await.expect("an account");
        assert_eq!(account.send_quota().expect("a quota").sent_last24_hours(), 0.0);
    }
}
