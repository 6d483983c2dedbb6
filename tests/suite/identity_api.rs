//! Identities by AWS's SDK for Rust: every operation of the group, against the whole server.
use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{
    BehaviorOnMxFailure, Body, Content, Destination, DkimSigningAttributes, DkimSigningAttributesOrigin,
    DkimSigningKeyLength, DkimStatus, EmailContent, Message, Tag, VerificationStatus,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;

use crate::both_engines;
use crate::house::House;

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag")
}

/// The code and text of what was refused.
macro_rules! refused {
    ($call:expr) => {{
        let error = $call.send().await.expect_err("refused");
        (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
    }};
}

fn hello() -> EmailContent {
    let text = |data: &str| Content::builder().data(data).build().expect("a text");
    let message = Message::builder().subject(text("hi")).body(Body::builder().text(text("hello")).build()).build();
    EmailContent::builder().simple(message).build()
}

both_engines! {
    async fn a_domain_goes_through_all_that_can_be_set(engine: Engine) {
        let house = House::serve(engine).await;
        let ses = house.sesv2();
        let short = DkimSigningAttributes::builder().next_signing_key_length(DkimSigningKeyLength::Rsa1024Bit).build();
        let made = ses.create_email_identity().email_identity("X.example").tags(tag("a", "1"))
            .dkim_signing_attributes(short).send().await.expect("made");
        let dkim = made.dkim_attributes().expect("keys");
        assert_eq!((dkim.tokens().len(), dkim.status()), (3, Some(&DkimStatus::Pending)));
        assert_eq!(dkim.current_signing_key_length(), Some(&DkimSigningKeyLength::Rsa1024Bit));
        let again = refused!(ses.create_email_identity().email_identity("x.example"));
        assert_eq!(again.0, "AlreadyExistsException");

        ses.put_email_identity_dkim_attributes().email_identity("x.example").signing_enabled(false).send().await.expect("off");
        ses.put_email_identity_mail_from_attributes().email_identity("x.example").mail_from_domain("b.x.example")
            .behavior_on_mx_failure(BehaviorOnMxFailure::RejectMessage).send().await.expect("set");
        let wrong = refused!(ses.put_email_identity_mail_from_attributes().email_identity("x.example").mail_from_domain("y.example"));
        assert_eq!(wrong, ("BadRequestException".to_owned(),
            "Provided MAIL-FROM domain <y.example> is not subdomain of the domain of the identity <x.example>.".to_owned()));
        let set = refused!(ses.put_email_identity_configuration_set_attributes().email_identity("x.example").configuration_set_name("none"));
        assert_eq!(set.0, "NotFoundException");
        ses.create_configuration_set().configuration_set_name("set").send().await.expect("a set");
        ses.put_email_identity_configuration_set_attributes().email_identity("x.example").configuration_set_name("set")
            .send().await.expect("set");
        let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ses:*","Resource":"*"}}"#;
        ses.create_email_identity_policy().email_identity("x.example").policy_name("p").policy(policy).send().await.expect("made");
        let twice = refused!(ses.create_email_identity_policy().email_identity("x.example").policy_name("p").policy(policy));
        assert_eq!(twice.0, "AlreadyExistsException");
        ses.update_email_identity_policy().email_identity("x.example").policy_name("p").policy(policy).send().await.expect("replaced");
        let none = refused!(ses.update_email_identity_policy().email_identity("x.example").policy_name("q").policy(policy));
        assert_eq!(none.0, "NotFoundException");

        let got = ses.get_email_identity().email_identity("x.example").send().await.expect("there");
        assert_eq!((got.verification_status(), got.verified_for_sending_status()), (Some(&VerificationStatus::Pending), false));
        let dkim = got.dkim_attributes().expect("keys");
        assert_eq!((dkim.signing_enabled(), dkim.signing_attributes_origin()), (false, Some(&DkimSigningAttributesOrigin::AwsSes)));
        let mail_from = got.mail_from_attributes().expect("set");
        assert_eq!((mail_from.mail_from_domain(), mail_from.mail_from_domain_status().as_str()), ("b.x.example", "PENDING"));
        assert_eq!(mail_from.behavior_on_mx_failure(), &BehaviorOnMxFailure::RejectMessage);
        assert_eq!((got.configuration_set_name(), got.policies().expect("some")["p"].as_str()), (Some("set"), policy));
        assert_eq!(got.tags(), [tag("a", "1")]);
        let listed = ses.get_email_identity_policies().email_identity("x.example").send().await.expect("told");
        assert_eq!(listed.policies().map(|all| all.len()), Some(1));
        for _ in 0..2 {
            ses.delete_email_identity_policy().email_identity("x.example").policy_name("p").send().await.expect("gone");
        }
    }

    async fn keys_of_the_owners_come_in_and_never_out(engine: Engine) {
        let house = House::serve(engine).await;
        let ses = house.sesv2();
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).expect("a key");
        let text = STANDARD.encode(key.to_pkcs1_der().expect("DER").as_bytes());
        let given = |selector: Option<&str>, key: Option<&str>| {
            let builder = DkimSigningAttributes::builder().set_domain_signing_selector(selector.map(str::to_owned));
            builder.set_domain_signing_private_key(key.map(str::to_owned)).build()
        };
        for (selector, key) in [(Some("s"), None), (None, Some(text.as_str())), (Some("-s"), Some(&text)), (Some("s"), Some("AAAA"))] {
            let bad = refused!(ses.create_email_identity().email_identity("x.example").dkim_signing_attributes(given(selector, key)));
            assert_eq!(bad.0, "BadRequestException", "{selector:?}");
        }
        let made = ses.create_email_identity().email_identity("x.example")
            .dkim_signing_attributes(given(Some("mine"), Some(&text))).send().await.expect("made");
        let dkim = made.dkim_attributes().expect("keys");
        assert_eq!((dkim.tokens(), dkim.signing_attributes_origin()), (&["mine".to_owned()][..], Some(&DkimSigningAttributesOrigin::External)));
        let got = ses.get_email_identity().email_identity("x.example").send().await.expect("there");
        assert!(!format!("{got:?}").contains(&text[..40]));
        let row = {
            let mut tx = house.app.store().reader().await.expect("a reader");
            let row = tx.one("SELECT private_key FROM dkim_keys", vec![]).await.expect("read").expect("a row");
            row.blob("private_key").expect("bytes")
        };
        assert!(String::from_utf8(row).is_ok(), "sealed");
        let put = ses.put_email_identity_dkim_signing_attributes().email_identity("x.example");
        let ours = put.signing_attributes_origin(DkimSigningAttributesOrigin::AwsSes).send().await.expect("ours");
        assert_eq!((ours.dkim_tokens().len(), ours.dkim_status()), (3, Some(&DkimStatus::Pending)));
        let address = ses.put_email_identity_dkim_signing_attributes().email_identity("nobody.example");
        let missing = refused!(address.signing_attributes_origin(DkimSigningAttributesOrigin::AwsSes));
        assert_eq!(missing.0, "NotFoundException");
    }

    async fn resources_have_tags(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        ses.create_email_identity().email_identity("a@x.example").tags(tag("a", "1")).send().await.expect("made");
        ses.create_configuration_set().configuration_set_name("set").tags(tag("a", "1")).send().await.expect("made");
        ses.create_custom_verification_email_template().template_name("ask").from_email_address("a@x.example")
            .template_subject("s").template_content("c").success_redirection_url("http://x.example/yes")
            .failure_redirection_url("http://x.example/no").tags(tag("a", "1")).send().await.expect("made");
        // In dev the key's id names no account, so it is the developer's.
        for resource in ["identity/a@x.example", "configuration-set/set", "custom-verification-email-template/ask"] {
            let arn = format!("arn:aws:ses:us-east-1:000000000000:{resource}");
            ses.tag_resource().resource_arn(&arn).tags(tag("b", "2")).tags(tag("a", "3")).send().await.expect("tagged");
            let tags = ses.list_tags_for_resource().resource_arn(&arn).send().await.expect("told");
            let mut tags: Vec<_> = tags.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
            tags.sort_unstable();
            assert_eq!(tags, [("a", "3"), ("b", "2")], "{resource}");
            ses.untag_resource().resource_arn(&arn).tag_keys("a").tag_keys("zz").send().await.expect("untagged");
            let tags = ses.list_tags_for_resource().resource_arn(&arn).send().await.expect("told");
            assert_eq!(tags.tags(), [tag("b", "2")], "{resource}");
            let gone = refused!(ses.list_tags_for_resource().resource_arn(arn.replace("x.ex", "y.ex").replace("/set", "/no").replace("/ask", "/no")));
            assert_eq!(gone.0, "NotFoundException", "{resource}");
            let others = refused!(ses.list_tags_for_resource().resource_arn(arn.replace("000000000000", "111111111111")));
            assert_eq!(others.0, "BadRequestException", "{resource}");
        }
        let bad = refused!(ses.list_tags_for_resource().resource_arn("nonsense"));
        assert_eq!(bad.0, "BadRequestException");
        let set = ses.get_configuration_set().configuration_set_name("set").send().await.expect("there");
        assert_eq!(set.tags(), [tag("b", "2")]);
    }

    async fn templates_ask_in_the_accounts_own_words(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        let create = |name: &str, from: &str, url: &str| {
            ses.create_custom_verification_email_template().template_name(name).from_email_address(from)
                .template_subject("Bitte bestätigen").template_content("<html><body>Bitte!</body></html>")
                .success_redirection_url(url).failure_redirection_url("https://x.example/no")
        };
        let from = refused!(create("ask", "a@x.example", "https://x.example/yes"));
        assert_eq!(from.0, "NotFoundException", "{}", from.1);
        ses.create_email_identity().email_identity("x.example").send().await.expect("made");
        create("ask", "Ann <a@x.example>", "https://x.example/yes").send().await.expect("made");
        create("more", "a@x.example", "https://x.example/yes").send().await.expect("made");
        assert_eq!(refused!(create("ask", "a@x.example", "https://x.example/yes")).0, "AlreadyExistsException");
        assert_eq!(refused!(create("bad", "a@x.example", "javascript:alert(1)")).0, "BadRequestException");
        let first = ses.list_custom_verification_email_templates().page_size(1).send().await.expect("told");
        let next = ses.list_custom_verification_email_templates().set_next_token(first.next_token().map(str::to_owned))
            .send().await.expect("told");
        let names = |list: &[aws_sdk_sesv2::types::CustomVerificationEmailTemplateMetadata]| {
            list.iter().filter_map(|one| one.template_name().map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(names(first.custom_verification_email_templates()), ["ask"]);
        assert_eq!(names(next.custom_verification_email_templates()), ["more"]);
        ses.delete_custom_verification_email_template().template_name("more").send().await.expect("gone");
        assert_eq!(refused!(ses.get_custom_verification_email_template().template_name("more")).0, "NotFoundException");

        let send = |to: &str, name: &str| ses.send_custom_verification_email().email_address(to).template_name(name);
        assert_eq!(refused!(send("new@y.example", "more")).0, "NotFoundException");
        send("new@y.example", "ask").send().await.expect("asked");
        house.work().await;
        let mail = captured(&house, "new@y.example").await;
        assert!(mail.contains("From: Ann <a@x.example>"), "{mail}");
        let link = link(&mail);
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let asked = client.get(&link).send().await.expect("answers");
        assert_eq!(asked.status().as_u16(), 200, "opening it asks");
        let leave = asked.headers()["content-security-policy"].to_str().expect("text").to_owned();
        assert!(leave.contains("form-action 'self' https://x.example https://x.example;"), "{leave}");
        for page in ["https://x.example/yes", "https://x.example/no"] {
            let answer = client.post(&link).send().await.expect("answers");
            assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().expect("text")), (303, page));
        }
        let used = client.get(&link).send().await.expect("answers");
        assert_eq!(used.headers()["location"].to_str().expect("text"), "https://x.example/no");
        let got = ses.get_email_identity().email_identity("new@y.example").send().await.expect("there");
        assert!(got.verified_for_sending_status());
    }

    async fn the_sandbox_sends_no_custom_mails_and_many_asks_are_refused(engine: Engine) {
        let house = House::serve(engine).await;
        let ses = house.sesv2();
        let sandbox = refused!(ses.send_custom_verification_email().email_address("a@y.example").template_name("ask"));
        assert_eq!(sandbox, ("BadRequestException".to_owned(), "Production access not granted.".to_owned()));
        for n in 0..6 {
            let made = ses.create_email_identity().email_identity("a@y.example").send().await;
            match made {
                Ok(_) => drop(ses.delete_email_identity().email_identity("a@y.example").send().await.expect("gone")),
                Err(error) => assert_eq!((n, error.code()), (5, Some("TooManyRequestsException"))),
            }
        }
        let to = Destination::builder().to_addresses("b@y.example").build();
        let arn = "arn:aws:ses:us-east-1:111122223333:identity/x.example";
        let denied = refused!(ses.send_email().from_email_address("a@x.example").from_email_address_identity_arn(arn)
            .destination(to).content(hello()));
        assert_eq!(denied, ("AccessDeniedException".to_owned(),
            format!("User `arn:aws:iam::000000000000:root' is not authorized to perform `ses:SendEmail' on resource `{arn}'")));
    }
}

/// The newest captured mail to an address, its HTML decoded.
async fn captured(house: &House, to: &str) -> String {
    let get = async |path: String| {
        reqwest::get(format!("{}{path}", house.endpoint())).await.expect("answers").text().await.expect("text")
    };
    let list: serde_json::Value = serde_json::from_str(&get("/_postrider/inbox".to_owned()).await).expect("JSON");
    let id = list.as_array().expect("a list").iter().find(|one| one["to"] == to).expect("a mail")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let raw = get(format!("/_postrider/inbox/{id}/raw")).await;
    let parsed: serde_json::Value = serde_json::from_str(&get(format!("/_postrider/inbox/{id}")).await).expect("JSON");
    format!("{raw}\n{}", parsed["html"].as_str().unwrap_or_default())
}

fn link(mail: &str) -> String {
    let (_, rest) = mail.rsplit_once("href=\"").expect("a link");
    rest.split('"').next().expect("its end").to_owned()
}
