//! What no other test calls of the second SES API, through AWS's SDK for Rust, so that it has called all of it: lists, switches,
//! the account. Member by member this is done in `tests/python/parts/surface_v2.py`.
use std::collections::HashMap;

use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{
    ConfigurationOverrides, ConfigurationSetFilterKey, ContactLanguage, Content, Destination, EmailContent,
    FeatureStatus, IdentityFilterKey, MailType, Message, TrackingConfigurationOverrides,
};

use crate::both_engines;
use crate::house::House;
use crate::ses_house::Watched;

macro_rules! done {
    ($call:expr) => {
        $call.send().await.unwrap_or_else(|error| panic!("{}: {error:?}", stringify!($call)))
    };
}

both_engines! {
    async fn lists_are_filtered_and_come_in_pages(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        for name in ["a.example", "ann@b.example", "b.example", "cab.example"] {
            done!(ses.create_email_identity().email_identity(name));
            let set = name.replace(['.', '@'], "-");
            done!(ses.create_configuration_set().configuration_set_name(set));
        }
        for (key, value, wanted) in [
            (IdentityFilterKey::IdentityNameContains, "B.", vec!["ann@b.example", "b.example", "cab.example"]),
            (IdentityFilterKey::IdentityType, "EMAIL_ADDRESS", vec!["ann@b.example"]),
            (IdentityFilterKey::VerificationStatus, "SUCCESS", vec!["a.example", "ann@b.example", "b.example", "cab.example"]),
            (IdentityFilterKey::VerificationStatus, "FAILED", vec![]),
        ] {
            let mut pages = ses.list_email_identities().filter(key, value).page_size(1).into_paginator().send();
            let mut names = vec![];
            while let Some(one) = pages.next().await {
                names.extend(one.expect("a page").email_identities.unwrap_or_default().into_iter().filter_map(|i| i.identity_name));
            }
            assert_eq!(names, wanted, "{value}");
        }
        let part = ConfigurationSetFilterKey::ConfigurationSetNameContains;
        let mut pages = ses.list_configuration_sets().filter(part, "B-E").page_size(1).into_paginator().send();
        let mut names = vec![];
        while let Some(one) = pages.next().await {
            names.extend(one.expect("a page").configuration_sets.unwrap_or_default());
        }
        assert_eq!(names, ["ann-b-example", "b-example", "cab-example"]);
        let wrong = HashMap::from([(IdentityFilterKey::IdentityType, "CAT".to_owned())]);
        let wrong = ses.list_email_identities().set_filter(Some(wrong)).send().await.expect_err("no such type");
        assert_eq!(wrong.code(), Some("BadRequestException"));
        done!(ses.put_email_identity_feedback_attributes().email_identity("a.example").email_forwarding_enabled(false));
        assert!(!done!(ses.get_email_identity().email_identity("a.example")).feedback_forwarding_status());
        done!(ses.delete_configuration_set().configuration_set_name("b-example"));
        assert_eq!(done!(ses.list_configuration_sets()).configuration_sets().len(), 3);
    }

    async fn the_account_tells_of_itself_and_has_a_switch(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        let details = ses.put_account_details().mail_type(MailType::Transactional).website_url("https://x.example/");
        done!(details.contact_language(ContactLanguage::En).use_case_description("news"));
        done!(ses.put_account_sending_attributes().sending_enabled(false));
        let account = done!(ses.get_account());
        assert_eq!(account.details().and_then(|details| details.website_url()), Some("https://x.example/"));
        assert!(!account.sending_enabled());
        let quota = account.send_quota().expect("a quota");
        // Programs reckon with the rate, so it is a number also where there is no limit.
        assert!(quota.max24_hour_send() < 0.0 && quota.max_send_rate() > 1_000.0, "{quota:?}");
    }

    async fn destinations_and_templates_go_and_tracking_for_one_mail_is_refused(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let ses = &watched.ses;
        let template = ses.create_custom_verification_email_template().template_name("ask").template_subject("You?");
        let template = template.from_email_address(Watched::FROM).template_content("<p>x</p>");
        done!(template.success_redirection_url("https://x.example/y").failure_redirection_url("https://x.example/n"));
        let template = ses.update_custom_verification_email_template().template_name("ask").template_subject("Is it?");
        let template = template.from_email_address(Watched::FROM).template_content("<p>x</p>");
        done!(template.success_redirection_url("https://x.example/y").failure_redirection_url("https://x.example/n"));
        let got = done!(ses.get_custom_verification_email_template().template_name("ask"));
        assert_eq!(got.template_subject(), Some("Is it?"));
        for (state, fine) in [(FeatureStatus::Disabled, true), (FeatureStatus::Enabled, false)] {
            let content = |text: &str| Content::builder().data(text).build().expect("a text");
            let body = aws_sdk_sesv2::types::Body::builder().text(content("body")).build();
            let message = Message::builder().subject(content("hi")).body(body).build();
            let tracking = TrackingConfigurationOverrides::builder().open_tracking_enabled(state).build();
            let sent = ses.send_email().from_email_address(Watched::FROM);
            let sent = sent.destination(Destination::builder().to_addresses("b@y.example").build());
            let sent = sent.content(EmailContent::builder().simple(message).build());
            let sent = sent.configuration_overrides(ConfigurationOverrides::builder().tracking(tracking).build());
            let code = sent.send().await.err().and_then(|error| error.code().map(str::to_owned));
            assert_eq!(code.as_deref(), if fine { None } else { Some("BadRequestException") });
        }
        let gone = ses.delete_configuration_set_event_destination().configuration_set_name(Watched::SET);
        done!(gone.event_destination_name("all"));
        let left = done!(ses.get_configuration_set_event_destinations().configuration_set_name(Watched::SET));
        assert!(left.event_destinations().is_empty());
    }
}
