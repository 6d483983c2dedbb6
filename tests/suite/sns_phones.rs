//! Text messages and push messages through the front door.
use aws_sdk_sns::error::ProvideErrorMetadata;
use postrider::base::Secret;
use postrider::config::Gateways;
use postrider::config::{Given, Mode};

use crate::both_engines;
use crate::house::House;
use crate::webhook::{Answer, Webhook};

const PHONE: &str = "+15550100";

fn with(gateways: Gateways) -> Given {
    Given { gateways, ..Given::default() }
}

both_engines! {
    async fn without_a_gateway_nothing_pretends(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let refused = sns.publish().phone_number(PHONE).message("m").send().await.expect_err("no gateway");
        assert_eq!(refused.code(), Some("InvalidParameter"));
        assert_eq!(refused.message(), Some("Invalid parameter: PhoneNumber Reason: no SMS gateway is configured"));
        let topic = sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");
        let subscribe = sns.subscribe().topic_arn(&topic).protocol("sms").endpoint(PHONE).send().await;
        assert_eq!(subscribe.expect_err("no gateway").code(), Some("InvalidParameter"));
        let asked = sns.create_sms_sandbox_phone_number().phone_number(PHONE).send().await;
        assert_eq!(asked.expect_err("no gateway").code(), Some("InvalidParameter"));
        let bad = sns.publish().phone_number("+1").message("m").send().await.expect_err("no number");
        assert_eq!(bad.message(), Some("Invalid parameter: PhoneNumber Reason: +1 is not valid to publish to"));

        let app = sns.create_platform_application().name("app").platform("GCM").attributes("PlatformCredential", "k");
        let app = app.send().await.expect("made").platform_application_arn.expect("an ARN");
        let made = sns.create_platform_endpoint().platform_application_arn(&app).token("device").send().await;
        let endpoint = made.expect("made").endpoint_arn.expect("an ARN");
        let refused = sns.publish().target_arn(&endpoint).message("m").send().await.expect_err("no gateway");
        assert_eq!(refused.code(), Some("PlatformApplicationDisabled"));
    }

    async fn text_messages_go_to_the_gateway_and_the_sandbox_holds(engine: Engine) {
        let gateway = Webhook::start().await;
        let settings =
            Gateways { sms_url: Some(gateway.url("/sms")), sms_token: Some(Secret::new("s3cret")), ..Gateways::default() };
        let house = House::start(Mode::Serve, engine, with(settings)).await;
        let sns = house.sns();
        assert!(sns.get_sms_sandbox_account_status().send().await.expect("an answer").is_in_sandbox());
        let publish = || sns.publish().phone_number(PHONE).message("your parcel is here");
        let refused = publish().send().await.expect_err("not verified");
        assert_eq!(refused.code(), Some("InvalidParameter"));

        let topic = sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");
        sns.subscribe().topic_arn(&topic).protocol("sms").endpoint(PHONE).send().await.expect("subscribed");
        sns.publish().topic_arn(&topic).message("by a side door").send().await.expect("published");
        house.work().await;
        assert!(gateway.arrived().is_empty(), "a topic leads round no sandbox");

        sns.create_sms_sandbox_phone_number().phone_number(PHONE).send().await.expect("asked");
        house.work().await;
        let told = gateway.arrived()[0].json();
        assert_eq!((gateway.arrived()[0].header("authorization"), told["to"].as_str()), ("Bearer s3cret", Some(PHONE)));
        let code: String = told["message"].as_str().expect("text").chars().filter(char::is_ascii_digit).take(6).collect();
        let verify = |code: &str| sns.verify_sms_sandbox_phone_number().phone_number(PHONE).one_time_password(code).send();
        let wrong = if code == "000000" { "000001" } else { "000000" };
        assert_eq!(verify(wrong).await.expect_err("wrong").code(), Some("VerificationException"));
        let listed = sns.list_sms_sandbox_phone_numbers().send().await.expect("listed").phone_numbers;
        assert_eq!(listed[0].status().map(|status| status.as_str().to_owned()), Some("Pending".to_owned()));
        verify(&code).await.expect("verified");
        verify(&code).await.expect_err("once");

        sns.set_sms_attributes().attributes("DefaultSenderID", "Acme").send().await.expect("set");
        let refused = sns.set_sms_attributes().attributes("MonthlySpendLimit", "5").send().await.expect_err("unknown here");
        assert_eq!(refused.code(), Some("InvalidParameter"));
        let set = sns.get_sms_attributes().send().await.expect("an answer").attributes.expect("some");
        assert_eq!(set["DefaultSenderID"], "Acme");
        let id = publish().send().await.expect("published").message_id.expect("an id");
        house.work().await;
        let told = gateway.arrived()[1].json();
        assert_eq!((told["id"].as_str(), told["sender"].as_str()), (Some(id.as_str()), Some("Acme")));
        assert_eq!((told["message"].as_str(), told["type"].as_str()), (Some("your parcel is here"), Some("Promotional")));

        // The gateway says that the number wants no more.
        gateway.answer([Answer::status(410)]);
        publish().send().await.expect("published");
        house.work().await;
        let out = || sns.check_if_phone_number_is_opted_out().phone_number(PHONE).send();
        assert!(out().await.expect("an answer").is_opted_out());
        publish().send().await.expect("accepted, as on AWS");
        house.work().await;
        assert_eq!(gateway.arrived().len(), 3, "but not sent");
        let listed = sns.list_phone_numbers_opted_out().send().await.expect("listed");
        assert_eq!(listed.phone_numbers(), [PHONE]);
        sns.opt_in_phone_number().phone_number(PHONE).send().await.expect("taken back in");
        assert!(!out().await.expect("an answer").is_opted_out());
        sns.delete_sms_sandbox_phone_number().phone_number(PHONE).send().await.expect("gone");
        let again = sns.delete_sms_sandbox_phone_number().phone_number(PHONE).send().await;
        assert_eq!(again.expect_err("gone").code(), Some("ResourceNotFound"));
        assert!(sns.list_origination_numbers().send().await.expect("listed").phone_numbers().is_empty());
    }

    async fn in_dev_text_messages_stand_in_the_inbox(engine: Engine) {
        let house = House::dev(engine).await;
        let sns = house.sns();
        let topic = sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");
        sns.subscribe().topic_arn(&topic).protocol("sms").endpoint(PHONE).send().await.expect("subscribed");
        sns.publish().phone_number("+15550199").message("direct").send().await.expect("published");
        sns.publish().topic_arn(&topic).message("by topic").send().await.expect("published");
        house.work().await;
        let text = reqwest::get(format!("{}/_postrider/inbox", house.endpoint())).await.expect("an answer").text().await;
        let inbox: serde_json::Value = serde_json::from_str(&text.expect("a text")).expect("JSON");
        let mut to: Vec<&str> = inbox.as_array().expect("a list").iter().filter_map(|mail| mail["to"].as_str()).collect();
        to.sort_unstable();
        assert_eq!(to, ["+15550100@sms.invalid", "+15550199@sms.invalid"]);
    }

    async fn devices_get_their_platforms_wording_and_are_disabled_when_gone(engine: Engine) {
        let gateway = Webhook::start().await;
        let settings = Gateways { push_url: Some(gateway.url("/push")), ..Gateways::default() };
        let house = House::start(Mode::Serve, engine, with(settings)).await;
        let sns = house.sns();
        let create = |platform: &str| sns.create_platform_application().name("app").platform(platform);
        assert_eq!(create("FAX").attributes("PlatformCredential", "k").send().await.expect_err("odd").code(), Some("InvalidParameter"));
        assert_eq!(create("GCM").attributes("Enabled", "true").send().await.expect_err("no credential").code(), Some("InvalidParameter"));
        let app = create("GCM").attributes("PlatformCredential", "k").send().await.expect("made").platform_application_arn;
        let app = app.expect("an ARN");
        assert_eq!(app, "arn:aws:sns:us-east-1:000000000000:app/GCM/app");
        let shown = sns.get_platform_application_attributes().platform_application_arn(&app).send().await.expect("shown");
        assert!(!shown.attributes().expect("some").contains_key("PlatformCredential"));

        let device = |data: &str| {
            sns.create_platform_endpoint().platform_application_arn(&app).token("device").custom_user_data(data).send()
        };
        let endpoint = device("ann").await.expect("made").endpoint_arn.expect("an ARN");
        assert_eq!(device("ann").await.expect("the same").endpoint_arn, Some(endpoint.clone()));
        let differs = device("bob").await.expect_err("differs");
        assert!(differs.message().is_some_and(|text| text.contains("already exists with the same Token")), "{differs:?}");

        let publish = |message: &str| sns.publish().target_arn(&endpoint).message_structure("json").message(message).send();
        let id = publish("{\"default\":\"d\",\"GCM\":\"{\\\"data\\\":1}\"}").await.expect("published").message_id;
        house.work().await;
        let told = gateway.arrived()[0].json();
        assert_eq!((told["id"].as_str(), told["token"].as_str()), (id.as_deref(), Some("device")));
        assert_eq!((told["message"].as_str(), told["platform"].as_str()), (Some("{\"data\":1}"), Some("GCM")));

        gateway.answer([Answer::status(410)]);
        publish("{\"default\":\"d\"}").await.expect("published");
        house.work().await;
        let attributes = sns.get_endpoint_attributes().endpoint_arn(&endpoint).send().await.expect("shown").attributes;
        assert_eq!(attributes.expect("some")["Enabled"], "false");
        assert_eq!(publish("{\"default\":\"d\"}").await.expect_err("gone").code(), Some("EndpointDisabled"));
        let enable = sns.set_endpoint_attributes().endpoint_arn(&endpoint).attributes("Enabled", "true");
        enable.attributes("Token", "new").send().await.expect("set");

        let topic = sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");
        sns.subscribe().topic_arn(&topic).protocol("application").endpoint(&endpoint).send().await.expect("subscribed");
        sns.publish().topic_arn(&topic).message("to all").send().await.expect("published");
        house.work().await;
        let told = gateway.arrived().pop().expect("a request").json();
        assert_eq!((told["message"].as_str(), told["token"].as_str()), (Some("to all"), Some("new")));

        let listed = sns.list_endpoints_by_platform_application().platform_application_arn(&app).send().await;
        assert_eq!(listed.expect("listed").endpoints().len(), 1);
        sns.delete_endpoint().endpoint_arn(&endpoint).send().await.expect("gone");
        sns.delete_endpoint().endpoint_arn(&endpoint).send().await.expect("twice is once");
        let refused = publish("{\"default\":\"d\"}").await.expect_err("gone");
        let text = "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified";
        assert_eq!(refused.message(), Some(text));
        sns.delete_platform_application().platform_application_arn(&app).send().await.expect("gone");
        assert!(sns.list_platform_applications().send().await.expect("listed").platform_applications().is_empty());
    }
}
