//! The whole first SES API through AWS's SDK for Rust, area by area. Member by member this is done in
//! `tests/python/parts/surface_v1.py`.
use aws_sdk_ses::error::ProvideErrorMetadata;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::{
    BehaviorOnMxFailure, Body, BounceType, BouncedRecipientInfo, BulkEmailDestination, ConfigurationSet,
    ConfigurationSetAttribute, Content, DeliveryOptions, Destination, EventDestination, EventType, IdentityType,
    Message, NotificationType, RawMessage, ReceiptAction, ReceiptFilter, ReceiptFilterPolicy, ReceiptIpFilter,
    ReceiptRule, SnsDestination, StopAction, StopScope, Template, TlsPolicy, VerificationStatus,
};

use crate::both_engines;
use crate::house::House;

macro_rules! done {
    ($call:expr) => {
        $call.send().await.unwrap_or_else(|error| panic!("{}: {error:?}", stringify!($call)))
    };
}

const DOMAIN: &str = "x.example";
const FROM: &str = "ann@x.example";
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ses:SendEmail","Resource":"*"}]}"#;

async fn house(engine: crate::engine::Engine) -> House {
    let house = House::dev(engine).await;
    assert!(!done!(house.ses().verify_domain_identity().domain(DOMAIN)).verification_token().is_empty());
    house
}

fn text(text: &str) -> Content {
    Content::builder().data(text).build().expect("a text")
}

fn to(address: &str) -> Destination {
    Destination::builder().to_addresses(address).build()
}

fn rule(name: &str) -> ReceiptRule {
    let stop = StopAction::builder().scope(StopScope::RuleSet).build().expect("an action");
    let action = ReceiptAction::builder().stop_action(stop).build();
    ReceiptRule::builder().name(name).enabled(true).recipients(DOMAIN).actions(action).build().expect("a rule")
}

both_engines! {
    async fn identities_and_their_policies(engine: Engine) {
        let house = house(engine).await;
        let ses = house.ses();
        assert_eq!(done!(ses.verify_domain_dkim().domain(DOMAIN)).dkim_tokens().len(), 3);
        done!(ses.verify_email_identity().email_address("a@y.example"));
        done!(ses.verify_email_address().email_address("b@y.example"));
        let addresses = done!(ses.list_verified_email_addresses());
        assert_eq!(addresses.verified_email_addresses(), ["a@y.example", "b@y.example"]);
        assert_eq!(done!(ses.list_identities().identity_type(IdentityType::Domain)).identities(), [DOMAIN]);
        let states = done!(ses.get_identity_verification_attributes().identities(DOMAIN));
        assert_eq!(states.verification_attributes()[DOMAIN].verification_status(), &VerificationStatus::Success);
        done!(ses.set_identity_dkim_enabled().identity(DOMAIN).dkim_enabled(false));
        let keys = done!(ses.get_identity_dkim_attributes().identities(DOMAIN));
        assert!(!keys.dkim_attributes()[DOMAIN].dkim_enabled());
        let mail_from = ses.set_identity_mail_from_domain().identity(DOMAIN).mail_from_domain("b.x.example");
        done!(mail_from.behavior_on_mx_failure(BehaviorOnMxFailure::RejectMessage));
        let got = done!(ses.get_identity_mail_from_domain_attributes().identities(DOMAIN));
        assert_eq!(got.mail_from_domain_attributes()[DOMAIN].mail_from_domain(), "b.x.example");
        done!(ses.put_identity_policy().identity(DOMAIN).policy_name("p").policy(POLICY));
        assert_eq!(done!(ses.list_identity_policies().identity(DOMAIN)).policy_names(), ["p"]);
        let got = done!(ses.get_identity_policies().identity(DOMAIN).policy_names("p"));
        assert_eq!(got.policies()["p"], POLICY);
        done!(ses.delete_identity_policy().identity(DOMAIN).policy_name("p"));

        let topic = house.sns().create_topic().name("feedback").send().await.expect("a topic").topic_arn.expect("its ARN");
        for kind in [NotificationType::Bounce, NotificationType::Complaint, NotificationType::Delivery] {
            done!(ses.set_identity_notification_topic().identity(DOMAIN).notification_type(kind.clone()).sns_topic(&topic));
            let headers = ses.set_identity_headers_in_notifications_enabled().identity(DOMAIN).notification_type(kind);
            done!(headers.enabled(true));
        }
        done!(ses.set_identity_feedback_forwarding_enabled().identity(DOMAIN).forwarding_enabled(false));
        let got = done!(ses.get_identity_notification_attributes().identities(DOMAIN));
        let got = &got.notification_attributes()[DOMAIN];
        assert_eq!((got.delivery_topic(), got.forwarding_enabled()), (topic.as_str(), false));
        assert!(got.headers_in_bounce_notifications_enabled());
        done!(ses.delete_verified_email_address().email_address("a@y.example"));
        done!(ses.delete_identity().identity(DOMAIN));
        assert_eq!(done!(ses.list_identities()).identities(), ["b@y.example"]);
    }

    async fn configuration_sets_and_the_account(engine: Engine) {
        let house = house(engine).await;
        let ses = house.ses();
        let set = ConfigurationSet::builder().name("set").build().expect("a set");
        done!(ses.create_configuration_set().configuration_set(set));
        let options = DeliveryOptions::builder().tls_policy(TlsPolicy::Require).build();
        done!(ses.put_configuration_set_delivery_options().configuration_set_name("set").delivery_options(options));
        done!(ses.update_configuration_set_reputation_metrics_enabled().configuration_set_name("set").enabled(true));
        done!(ses.update_configuration_set_sending_enabled().configuration_set_name("set").enabled(false));
        let topic = house.sns().create_topic().name("events").send().await.expect("a topic").topic_arn.expect("its ARN");
        let destination = |kind: EventType| {
            let sns = SnsDestination::builder().topic_arn(&topic).build().expect("a destination");
            let new = EventDestination::builder().name("d").enabled(true).matching_event_types(kind).sns_destination(sns);
            new.build().expect("a destination")
        };
        let made = ses.create_configuration_set_event_destination().configuration_set_name("set");
        done!(made.event_destination(destination(EventType::Send)));
        let changed = ses.update_configuration_set_event_destination().configuration_set_name("set");
        done!(changed.event_destination(destination(EventType::RenderingFailure)));
        let asked = ses.describe_configuration_set().configuration_set_name("set");
        let asked = asked.configuration_set_attribute_names(ConfigurationSetAttribute::EventDestinations);
        let got = done!(asked.configuration_set_attribute_names(ConfigurationSetAttribute::ReputationOptions));
        assert_eq!(got.event_destinations()[0].matching_event_types(), [EventType::RenderingFailure]);
        assert!(got.reputation_options().is_some_and(|o| o.reputation_metrics_enabled() && !o.sending_enabled()));
        let gone = ses.delete_configuration_set_event_destination().configuration_set_name("set");
        done!(gone.event_destination_name("d"));
        assert_eq!(done!(ses.list_configuration_sets()).configuration_sets()[0].name(), "set");
        done!(ses.delete_configuration_set().configuration_set_name("set"));

        assert!(done!(ses.get_send_quota()).max24_hour_send() < 0.0);
        done!(ses.get_send_statistics());
        done!(ses.update_account_sending_enabled().enabled(false));
        assert!(!done!(ses.get_account_sending_enabled()).enabled());
    }

    async fn templates_and_sending(engine: Engine) {
        let house = house(engine).await;
        let ses = house.ses();
        let template = |part: &str| {
            let new = Template::builder().template_name("t").subject_part("S {{n}}").text_part(part);
            new.build().expect("a template")
        };
        done!(ses.create_template().template(template("a {{n}}")));
        done!(ses.update_template().template(template("b {{n}}")));
        assert_eq!(done!(ses.get_template().template_name("t")).template().and_then(|t| t.text_part()), Some("b {{n}}"));
        let shown = done!(ses.test_render_template().template_name("t").template_data(r#"{"n":7}"#));
        assert!(shown.rendered_template().is_some_and(|text| text.contains("b 7")), "{shown:?}");
        assert_eq!(done!(ses.list_templates()).templates_metadata()[0].name(), Some("t"));

        let message = Message::builder().subject(text("hi")).body(Body::builder().text(text("t")).build()).build();
        done!(ses.send_email().source(FROM).destination(to("1@y.example")).message(message));
        let raw = format!("From: {FROM}\r\nTo: 2@y.example\r\n\r\nraw\r\n");
        let raw = RawMessage::builder().data(Blob::new(raw)).build().expect("a message");
        done!(ses.send_raw_email().raw_message(raw));
        let one = ses.send_templated_email().source(FROM).destination(to("3@y.example"));
        done!(one.template("t").template_data(r#"{"n":7}"#));
        let many = ses.send_bulk_templated_email().source(FROM).template("t").default_template_data(r#"{"n":7}"#);
        let many = done!(many.destinations(BulkEmailDestination::builder().destination(to("4@y.example")).build()));
        assert!(many.status()[0].message_id().is_some(), "{many:?}");
        house.work().await;
        let sent = done!(ses.get_send_quota()).sent_last24_hours();
        assert!((sent - 4.0).abs() < 0.1, "{sent}");
        let about = BouncedRecipientInfo::builder().recipient("b@x.example").bounce_type(BounceType::DoesNotExist).build();
        let bounce = ses.send_bounce().original_message_id("none").bounce_sender(FROM);
        let bounce = bounce.bounced_recipient_info_list(about.expect("a recipient")).send().await;
        assert!(bounce.expect_err("never received").into_service_error().is_message_rejected());
        done!(ses.delete_template().template_name("t"));
        let gone = ses.get_template().template_name("t").send().await.expect_err("gone");
        assert_eq!(gone.code(), Some("TemplateDoesNotExist"));
    }

    async fn custom_verification(engine: Engine) {
        let house = house(engine).await;
        let ses = house.ses();
        let new = ses.create_custom_verification_email_template().template_name("ask").from_email_address(FROM);
        let new = new.template_subject("You?").template_content("<p>x</p>");
        done!(new.success_redirection_url("https://x.example/y").failure_redirection_url("https://x.example/n"));
        done!(ses.update_custom_verification_email_template().template_name("ask").template_subject("Is it?"));
        let got = done!(ses.get_custom_verification_email_template().template_name("ask"));
        assert_eq!((got.template_subject(), got.template_content()), (Some("Is it?"), Some("<p>x</p>")));
        assert_eq!(done!(ses.list_custom_verification_email_templates()).custom_verification_email_templates().len(), 1);
        let sent = done!(ses.send_custom_verification_email().email_address("new@y.example").template_name("ask"));
        assert!(sent.message_id().is_some());
        done!(ses.delete_custom_verification_email_template().template_name("ask"));
    }

    async fn receipt_rules_and_filters(engine: Engine) {
        let house = house(engine).await;
        let ses = house.ses();
        done!(ses.create_receipt_rule_set().rule_set_name("rules"));
        for name in ["one", "two"] {
            done!(ses.create_receipt_rule().rule_set_name("rules").rule(rule(name)));
        }
        done!(ses.update_receipt_rule().rule_set_name("rules").rule(rule("two")));
        assert_eq!(done!(ses.describe_receipt_rule().rule_set_name("rules").rule_name("two")).rule().map(|r| r.name()), Some("two"));
        done!(ses.set_receipt_rule_position().rule_set_name("rules").rule_name("one").after("two"));
        let names = |rules: &[ReceiptRule]| rules.iter().map(|rule| rule.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(done!(ses.describe_receipt_rule_set().rule_set_name("rules")).rules()), ["two", "one"]);
        done!(ses.reorder_receipt_rule_set().rule_set_name("rules").rule_names("one").rule_names("two"));
        done!(ses.clone_receipt_rule_set().rule_set_name("copy").original_rule_set_name("rules"));
        done!(ses.set_active_receipt_rule_set().rule_set_name("copy"));
        assert_eq!(names(done!(ses.describe_active_receipt_rule_set()).rules()), ["one", "two"]);
        done!(ses.set_active_receipt_rule_set());
        assert_eq!(done!(ses.list_receipt_rule_sets()).rule_sets().len(), 2);
        done!(ses.delete_receipt_rule().rule_set_name("rules").rule_name("one"));
        done!(ses.delete_receipt_rule_set().rule_set_name("rules"));
        let range = ReceiptIpFilter::builder().policy(ReceiptFilterPolicy::Block).cidr("10.0.0.0/8").build();
        let filter = ReceiptFilter::builder().name("f").ip_filter(range.expect("a range")).build().expect("a filter");
        done!(ses.create_receipt_filter().filter(filter));
        assert_eq!(done!(ses.list_receipt_filters()).filters()[0].name(), "f");
        done!(ses.delete_receipt_filter().filter_name("f"));
    }
}
