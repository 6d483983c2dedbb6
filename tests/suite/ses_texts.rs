//! What both of SES's APIs say to what cannot be, in its words: configuration sets, identities, pages, tags, addresses.
use serde_json::{Value, json};

use crate::both_engines;
use crate::ses_wire::{SesWire, violated};

const INVALID: &str = "InvalidParameterValue: ";
const BAD: &str = "400 BadRequestException: ";

both_engines! {
    async fn configuration_sets_and_their_destinations(engine: Engine) {
        let wire = SesWire::new(engine).await;
        let long = "a".repeat(65);
        for (name, text) in [
            (" ", "Invalid configuration set name < >: only alphanumeric ASCII characters, '_', and '-' are allowed."),
            (&long, "Configuration set name cannot exceed 64 characters."),
        ] {
            let no = wire.no_v1("CreateConfigurationSet", &[("ConfigurationSet.Name", name)]).await;
            assert_eq!(no, format!("{INVALID}{text}"));
            let no = wire.no_v1("DescribeConfigurationSet", &[("ConfigurationSetName", name)]).await;
            assert_eq!(no, format!("{INVALID}{text}"));
            let no = wire.no_v2("POST configuration-sets", json!({ "ConfigurationSetName": name })).await;
            assert_eq!(no, format!("{BAD}{text}"));
        }
        let no = wire.no_v1("CreateConfigurationSet", &[("ConfigurationSet.Name", "")]).await;
        assert_eq!(no, format!("{INVALID}The configuration set name must be specified."));
        let no = wire.no_v1("DeleteConfigurationSet", &[("ConfigurationSetName", "none")]).await;
        assert_eq!(no, "ConfigurationSetDoesNotExist: Configuration set <none> does not exist.");

        wire.done_v2("POST configuration-sets", json!({ "ConfigurationSetName": "set" })).await;
        let put = async |options: Value| wire.no_v2("PUT configuration-sets/set/delivery-options", options).await;
        assert_eq!(put(json!({ "SendingPoolName": " " })).await, format!("{BAD}sendingPoolName can't be blank."));
        let no = put(json!({ "SendingPoolName": "pool", "MaxDeliverySeconds": 1 })).await;
        assert_eq!(no, format!("{BAD}SendingPool <pool> doesn't exist"));
        let enums = violated(&[("tlsPolicy", "Member must satisfy enum value set: [OPTIONAL, REQUIRE]")]);
        assert_eq!(put(json!({ "TlsPolicy": "x", "SendingPoolName": "pool" })).await, format!("{BAD}{enums}"));
        let least = violated(&[("maxDeliverySeconds", "Member must have value greater than or equal to 300")]);
        assert_eq!(put(json!({ "MaxDeliverySeconds": 299 })).await, format!("{BAD}{least}"));
        let new = json!({ "ConfigurationSetName": "new", "DeliveryOptions": { "SendingPoolName": "pool" } });
        assert_eq!(wire.no_v2("POST configuration-sets", new).await, format!("{BAD}SendingPool <pool> doesn't exist"));
        let no = wire.no_v2("PUT configuration-sets/set/suppression-options", json!({ "SuppressedReasons": ["X"] })).await;
        assert_eq!(no, format!("{BAD}Reason X is invalid, must be one of [BOUNCE, COMPLAINT]."));
        let nested = "Member must satisfy constraint: [Member must satisfy enum value set: [BOUNCE, COMPLAINT]]";
        let no = wire.no_v2("PUT account/suppression", json!({ "SuppressedReasons": ["X"] })).await;
        assert_eq!(no, format!("{BAD}{}", violated(&[("suppressedReasons", nested)])));
        let no = wire.no_v2("PUT configuration-sets/set/tracking-options", json!({ "HttpsPolicy": "REQUIRE" })).await;
        assert_eq!(no, format!("{BAD}CustomRedirectDomain must be specified."));

        let path = "configuration-sets/set/event-destinations";
        let topic = wire.house.sns().create_topic().name("t").send().await.expect("a topic").topic_arn.expect("its ARN");
        let create = async |name: &str, definition: Value| {
            let body = json!({ "EventDestinationName": name, "EventDestination": definition });
            wire.v2(&format!("POST {path}"), body).await
        };
        let good = json!({ "MatchingEventTypes": ["SEND"], "SnsDestination": { "TopicArn": topic } });
        assert_eq!(create("d", good.clone()).await.status, 200);
        for (name, definition, text) in [
            ("d", good.clone(), "An event destination with name <d> already exists for configuration set <set>."),
            ("d d", good.clone(), "Invalid event destination name <d d>: only alphanumeric ASCII characters, '_', and '-' are allowed."),
            (&long, good.clone(), "Event destination name cannot exceed 64 characters."),
            ("e", json!({ "SnsDestination": { "TopicArn": topic } }), "At least one event type must be specified."),
            ("e", json!({ "MatchingEventTypes": ["SEND"] }), "Event destination is not provided."),
            (
                "e",
                json!({ "MatchingEventTypes": ["SEND"], "CloudWatchDestination": { "DimensionConfigurations": [] } }),
                "CloudWatch metrics dimension configuration list cannot be empty.",
            ),
        ] {
            assert_eq!(create(name, definition).await.json()["message"], text);
        }
        let missing = "An event destination with name <none> does not exist for configuration set <set>.";
        let no = wire.no_v2(&format!("DELETE {path}/none"), Value::Null).await;
        assert_eq!(no, format!("404 NotFoundException: {missing}"));
        let gone = [("ConfigurationSetName", "set"), ("EventDestinationName", "none")];
        let no = wire.no_v1("DeleteConfigurationSetEventDestination", &gone).await;
        assert_eq!(no, "EventDestinationDoesNotExist: No EventDestination found for set");
    }

    async fn identities_that_are_none(engine: Engine) {
        let wire = SesWire::new(engine).await;
        let name = ("Identity", "x.example");
        let kind = ("NotificationType", "Bounce");
        let headers = [name, kind, ("Enabled", "true")];
        let no = wire.no_v1("SetIdentityHeadersInNotificationsEnabled", &headers).await;
        assert_eq!(no, "MessageRejected: Identity x.example is not verified or does not exist.");
        let invalid = "Identity x.example is invalid. Must be a verified email address or domain.";
        assert_eq!(wire.no_v1("SetIdentityNotificationTopic", &[name, kind]).await, format!("{INVALID}{invalid}"));
        let forwarding = [name, ("ForwardingEnabled", "true")];
        assert_eq!(wire.no_v1("SetIdentityFeedbackForwardingEnabled", &forwarding).await, format!("{INVALID}{invalid}"));
        let no = wire.no_v2("PUT identities/x.example/feedback", json!({ "EmailForwardingEnabled": true })).await;
        assert_eq!(no, format!("{BAD}{invalid}"));
        let no = wire.no_v1("SetIdentityNotificationTopic", &[name, ("NotificationType", "x")]).await;
        let text = "Invalid notification type: x. Valid values are: Bounce, Complaint, Delivery.";
        assert_eq!(no, format!("{INVALID}{text}"));

        let signed = "Domain x.example is not verified for DKIM signing.";
        for identity in ["x.example", "ann@x.example"] {
            let no = wire.no_v1("SetIdentityDkimEnabled", &[("Identity", identity), ("DkimEnabled", "true")]).await;
            assert_eq!(no, format!("{INVALID}{signed}"));
            let no = wire.no_v2(&format!("PUT identities/{identity}/dkim"), json!({ "SigningEnabled": true })).await;
            assert_eq!(no, format!("{BAD}{signed}"));
        }
        let no = wire.no_v1("SetIdentityMailFromDomain", &[name, ("MailFromDomain", "b.x.example")]).await;
        assert_eq!(no, format!("{INVALID}Identity <x.example> does not exist."));
        let no = wire.no_v2("PUT identities/x.example/mail-from", json!({ "MailFromDomain": "b.x.example" })).await;
        assert_eq!(no, format!("{BAD}Identity <x.example> does not exist."));
        let behaviors = "Member must satisfy enum value set: [RejectMessage, UseDefaultValue]";
        let no = wire.no_v1("SetIdentityMailFromDomain", &[name, ("BehaviorOnMXFailure", "x")]).await;
        assert_eq!(no, format!("ValidationError: {}", violated(&[("behaviorOnMXFailure", behaviors)])));
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ses:SendEmail","Resource":"*"}]}"#;
        let put = [name, ("PolicyName", "p"), ("Policy", policy)];
        let text = "Invalid identity. Must be a verified email address or domain.";
        assert_eq!(wire.no_v1("PutIdentityPolicy", &put).await, format!("{INVALID}{text}"));
        let no = wire.no_v2("POST identities/x.example/policies/p", json!({ "Policy": policy })).await;
        assert_eq!(no, "404 NotFoundException: Email identity <x.example> does not exist.");
        let no = wire.no_v2("GET identities/x.example", Value::Null).await;
        assert_eq!(no, "404 NotFoundException: Email identity x.example does not exist.");

        wire.done_v1("VerifyDomainIdentity", &[("Domain", "x.example")]).await;
        wire.done_v1("SetIdentityDkimEnabled", &[("Identity", "ann@x.example"), ("DkimEnabled", "false")]).await;
        wire.done_v2("PUT identities/ann@x.example/dkim", json!({ "SigningEnabled": false })).await;
    }

    async fn pages_and_what_lists_are_asked(engine: Engine) {
        let wire = SesWire::new(engine).await;
        let no = wire.no_v1("ListIdentities", &[("MaxItems", "0")]).await;
        let text = "Value 0 for parameter MaxItems is invalid. MaxItems must be between 1 and 1000.";
        assert_eq!(no, format!("{INVALID}{text}"));
        let no = wire.no_v1("ListIdentities", &[("NextToken", "*")]).await;
        assert_eq!(no, format!("{INVALID}Invalid NextToken <*>."));
        for (call, text) in [
            ("identities?PageSize=1001", "Value 1001 for parameter PageSize is invalid. PageSize must be between 1 and 1000."),
            ("identities?NextToken=*", "Invalid NextToken <*>."),
            ("configuration-sets?PageSize=0", "The page size must be between 1 and 1000"),
            ("configuration-sets?NextToken=*", "invalid nextToken *"),
            ("templates?PageSize=101", "The page size must be between 1 and 100"),
            ("templates?NextToken=*", "Invalid PageToken <*>."),
            ("custom-verification-email-templates?PageSize=51", "The page size must be between 1 and 50"),
            ("custom-verification-email-templates?NextToken=*", "Invalid nextToken <*>."),
        ] {
            assert_eq!(wire.no_v2(&format!("GET {call}"), Value::Null).await, format!("{BAD}{text}"), "{call}");
        }
        for n in 0..11 {
            let name = format!("t{n:02}");
            let template = [("Template.TemplateName", name.as_str()), ("Template.SubjectPart", "s"), ("Template.TextPart", "t")];
            wire.done_v1("CreateTemplate", &template).await;
            wire.done_v1("VerifyDomainIdentity", &[("Domain", &format!("{name}.example"))]).await;
        }
        let list = wire.done_v2("GET templates", Value::Null).await;
        assert_eq!(list["TemplatesMetadata"].as_array().map(Vec::len), Some(10));
        let rest = format!("GET templates?NextToken={}", list["NextToken"].as_str().expect("a token"));
        assert_eq!(wire.done_v2(&rest, Value::Null).await["TemplatesMetadata"][0]["TemplateName"], "t10");
        assert!(wire.done_v1("ListTemplates", &[]).await.contains("<NextToken>"));
        assert!(!wire.done_v1("ListTemplates", &[("MaxItems", "101")]).await.contains("<NextToken>"));
        let page = wire.done_v1("ListIdentities", &[("MaxItems", "10")]).await;
        let token = page.split_once("<NextToken>").expect("a token").1.split('<').next().expect("its end");
        let rest = wire.done_v1("ListIdentities", &[("MaxItems", "10"), ("NextToken", token)]).await;
        assert!(rest.contains("<member>t10.example</member>") && !rest.contains("t09"), "{rest}");
    }

    async fn tags_of_resources(engine: Engine) {
        let wire = SesWire::new(engine).await;
        let arn = |rest: &str| format!("arn:aws:ses:us-east-1:000000000000:{rest}");
        let tag = async |arn: &str, tags: Value| wire.no_v2("POST tags", json!({ "ResourceArn": arn, "Tags": tags })).await;
        let one = |key: &str, value: &str| json!([{ "Key": key, "Value": value }]);
        let set = arn("configuration-set/set");
        let many: Vec<Value> = (0..51).map(|n| json!({ "Key": format!("k{n}"), "Value": "v" })).collect();
        let long = violated(&[("tags.1.member.key", "Member must have length less than or equal to 128")]);
        let letters = "Tags can only contain letters, numbers, spaces, and the following special characters: _ . : / = + - @";
        for (tags, text) in [
            (json!(many), "Maximum of 50 user tags are allowed per resource, consider reducing the number of tags in the request"),
            (json!([{ "Key": "k", "Value": "a" }, { "Key": "k", "Value": "b" }]), "Cannot provide multiple tags with the same key"),
            (one("k#", "v"), letters),
            (one("AWS:k", "v"), "Caller is an end user and not allowed to mutate system tags"),
            (one(&"k".repeat(129), "v"), &long),
        ] {
            assert_eq!(tag(&set, tags).await, format!("{BAD}{text}"));
        }
        for (resource, text) in [
            ("configuration-set/set", "No ConfigurationSet present with name: set"),
            ("identity/x.example", "No EmailIdentity present with name: x.example"),
            ("template/t", "No Template present with name: t"),
            ("custom-verification-email-template/t", "No CustomVerificationEmailTemplate present with name: t"),
        ] {
            assert_eq!(tag(&arn(resource), one("k", "é a")).await, format!("404 NotFoundException: {text}"));
        }
        assert_eq!(tag("x", one("k", "v")).await, format!("{BAD}ResourceArn is not the expected format"));
        let others = "arn:aws:ses:us-east-1:111111111111:identity/x.example";
        let text = "Operations on a resource created in a different account is not allowed";
        assert_eq!(tag(others, one("k", "v")).await, format!("{BAD}{text}"));
        let far = "arn:aws:ses:eu-west-1:000000000000:identity/x.example";
        assert_eq!(tag(far, one("k", "v")).await, format!("{BAD}Failed to tag resource"));
        let none = wire.done_v2(&format!("GET tags?ResourceArn={far}"), Value::Null).await;
        assert_eq!(none["Tags"], json!([]));
    }

    async fn addresses_sets_and_templates_in_sess_order(engine: Engine) {
        let wire = SesWire::new(engine).await;
        wire.done_v1("VerifyDomainIdentity", &[("Domain", "x.example")]).await;
        let long = format!("{} <a@y.example>", "n".repeat(310));
        let too_long = format!("Address length is more than 320 characters long: '{long}'.");
        for (to, text) in [
            ("nobody", "Missing final '@domain'"),
            ("a@", "Missing domain"),
            ("a b@y.example", "Local address contains control or whitespace"),
            ("a@y example", "Domain contains control or whitespace"),
            (&long, &too_long),
        ] {
            let mail = [
                ("Source", "ann@x.example"), ("Destination.ToAddresses.member.1", to), ("Template", "none"),
                ("TemplateData", "{}"), ("ConfigurationSetName", "none"),
            ];
            assert_eq!(wire.no_v1("SendTemplatedEmail", &mail).await, format!("{INVALID}{text}"));
            let mail = json!({
                "FromEmailAddress": "ann@x.example", "Destination": { "ToAddresses": [to] },
                "Content": { "Template": { "TemplateName": "none" } }, "ConfigurationSetName": "none",
            });
            assert_eq!(wire.no_v2("POST outbound-emails", mail).await, format!("{BAD}{text}"));
        }
        let template = json!({ "Template": { "TemplateName": "none", "TemplateData": "{}" } });
        let mut mail = json!({
            "FromEmailAddress": "ann@x.example", "Destination": { "ToAddresses": ["b@y.example"] },
            "Content": template, "ConfigurationSetName": "none",
        });
        let no = wire.no_v2("POST outbound-emails", mail.clone()).await;
        assert_eq!(no, "404 NotFoundException: Configuration set <none> does not exist.");
        mail["ConfigurationSetName"] = json!("a b");
        let text = "Invalid configuration set name <a b>: only alphanumeric ASCII characters, '_', and '-' are allowed.";
        assert_eq!(wire.no_v2("POST outbound-emails", mail).await, format!("{BAD}{text}"));
        let bulk = json!({
            "FromEmailAddress": "nobody", "DefaultContent": template,
            "BulkEmailEntries": [{ "Destination": { "ToAddresses": ["b@y.example"] } }],
        });
        assert_eq!(wire.no_v2("POST outbound-bulk-emails", bulk).await, format!("{BAD}Invalid email address<nobody>."));

        let template = |from: &'static str, url: &'static str| json!({
            "TemplateName": "ask", "FromEmailAddress": from, "TemplateSubject": "s", "TemplateContent": "c",
            "SuccessRedirectionURL": url, "FailureRedirectionURL": "https://x.example/no",
        });
        let path = "POST custom-verification-email-templates";
        let no = wire.no_v2(path, template("a@nowhere.example", "x")).await;
        assert_eq!(no, "404 NotFoundException: The from email address <a@nowhere.example> is not verified");
        let no = wire.no_v2(path, template("a@x.example", "x")).await;
        assert_eq!(no, format!("{BAD}The success redirection URL is invalid"));
        wire.done_v2(path, template("a@x.example", "https://x.example/yes")).await;
        let no = wire.no_v2(path, template("a@x.example", "https://x.example/yes")).await;
        assert_eq!(no, "400 AlreadyExistsException: Custom verification email template <ask> already exists");
        let no = wire.no_v1("GetCustomVerificationEmailTemplate", &[("TemplateName", "none")]).await;
        let text = "Custom verification email template <none> does not exist";
        assert_eq!(no, format!("CustomVerificationEmailTemplateDoesNotExist: {text}"));
        let send = [("EmailAddress", "c@y.example"), ("TemplateName", "none")];
        let no = wire.no_v1("SendCustomVerificationEmail", &send).await;
        assert_eq!(no, "CustomVerificationEmailTemplateDoesNotExist: Template <none> does not exist");
        let send = json!({ "EmailAddress": "c@y.example", "TemplateName": "none" });
        let no = wire.no_v2("POST outbound-custom-verification-emails", send).await;
        assert_eq!(no, "404 NotFoundException: Template <none> does not exist");
        let no = wire.no_v2("GET suppression/addresses/b@y.example", Value::Null).await;
        assert_eq!(no, "404 NotFoundException: Email address b@y.example does not exist on your suppression list.");
    }

    async fn operations_that_are_not_here_are_unknown(engine: Engine) {
        let wire = SesWire::new(engine).await;
        for call in [
            "POST account/delivery", "POST dedicated-ip-pools", "GET dedicated-ip-pools", "GET dedicated-ips",
            "PUT account/dedicated-ips/warmup", "PUT dedicated-ips/192.0.2.1/pool", "POST contact-lists", "POST tenants",
            "POST export-jobs", "GET insights/1", "POST deliverability-dashboard/test",
        ] {
            let body = if call.starts_with("GET") { Value::Null } else { json!({}) };
            let answer = wire.v2(call, body).await;
            let code = answer.headers["x-amzn-errortype"].to_str().expect("a code");
            assert_eq!((answer.status, code), (404, "UnknownOperationException"), "{call}: {}", answer.text);
        }
        let answer = wire.v1("PutAccountDeliveryAttributes", &[]).await;
        assert_eq!((answer.status, answer.error().0.as_str()), (400, "InvalidAction"));
    }
}
