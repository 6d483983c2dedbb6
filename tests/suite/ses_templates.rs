//! Templates through AWS's SDK: kept, tried out, sent one by one and in bulk; what cannot be rendered; calls with a key.
use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{
    BulkEmailContent, BulkEmailEntry, Destination, EmailContent, EmailTemplateContent, MessageHeader, MessageTag,
    ReplacementEmailContent, ReplacementTemplate, Template,
};
use serde_json::json;

use crate::both_engines;
use crate::house::House;
use crate::ses_house::Watched;

fn content(subject: &str, text: &str, html: &str) -> EmailTemplateContent {
    EmailTemplateContent::builder().subject(subject).text(text).html(html).build()
}

fn to(address: &str) -> Destination {
    Destination::builder().to_addresses(address).build()
}

/// A call that sends from a template.
fn send(
    watched: &Watched,
    template: Template,
) -> aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder {
    let call = watched.ses.send_email().from_email_address(Watched::FROM).configuration_set_name(Watched::SET);
    call.destination(to("b@y.example")).content(EmailContent::builder().template(template).build())
}

async fn welcome(watched: &Watched) {
    let parts = content("Hi {{name}}", "Dear {{name}},{{#each items}} {{this}}{{/each}}", "<p>{{name}}</p>");
    watched.ses.create_email_template().template_name("welcome").template_content(parts).send().await.expect("made");
}

both_engines! {
    async fn templates_are_kept_listed_changed_tried_out_and_removed(engine: Engine) {
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        let parts = content("Hi {{name}}", "{{name}}", "<p>{{name}}</p>");
        for name in ["b", "a", "c"] {
            ses.create_email_template().template_name(name).template_content(parts.clone()).send().await.expect("made");
        }
        let again = ses.create_email_template().template_name("a").template_content(parts.clone()).send().await;
        let error = again.expect_err("it exists").into_service_error();
        assert_eq!(error.message(), Some("Template a already exists for account id 000000000000"));
        assert!(error.is_already_exists_exception());
        let broken = content("x", "{{#if a}}", "");
        let refused = ses.create_email_template().template_name("d").template_content(broken.clone()).send().await;
        assert!(refused.expect_err("broken").into_service_error().is_bad_request_exception());
        let refused = ses.update_email_template().template_name("a").template_content(broken).send().await;
        assert!(refused.expect_err("broken").into_service_error().is_bad_request_exception());
        let large = content("x", &"y".repeat(512 * 1024), "");
        let refused = ses.create_email_template().template_name("d").template_content(large).send().await;
        assert!(refused.expect_err("too large").into_service_error().is_bad_request_exception());
        let mut names = vec![];
        let mut pages = ses.list_email_templates().page_size(2).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.expect("a page");
            names.push(page.templates_metadata().iter().filter_map(|t| t.template_name.clone()).collect::<Vec<_>>());
        }
        assert_eq!(names, [vec!["a", "b"], vec!["c"]]);
        let changed = content("Bye {{name}}", "t", "");
        ses.update_email_template().template_name("a").template_content(changed.clone()).send().await.expect("changed");
        let found = ses.get_email_template().template_name("a").send().await.expect("found");
        assert_eq!(found.template_content().and_then(|c| c.subject()), Some("Bye {{name}}"));
        let tried = ses.test_render_email_template().template_name("b").template_data(r#"{"name":"Jürgen"}"#);
        let tried = tried.send().await.expect("rendered");
        let message = tried.rendered_template();
        let parsed = mail_parser::MessageParser::default().parse(message.as_bytes()).expect("a message");
        assert_eq!(parsed.subject(), Some("Hi Jürgen"));
        assert_eq!(parsed.body_html(0).as_deref().map(str::trim), Some("<p>Jürgen</p>"));
        assert!(message.contains("Date: ") && !message.contains("From:"), "{message}");
        let refused = ses.test_render_email_template().template_name("b").template_data("{}").send().await;
        let error = refused.expect_err("no name").into_service_error();
        assert_eq!(error.message(), Some("Attribute 'name' is not present in the rendering data."));
        ses.delete_email_template().template_name("a").send().await.expect("gone");
        let error = ses.get_email_template().template_name("a").send().await.expect_err("gone").into_service_error();
        assert!(error.is_not_found_exception());
    }

    async fn a_template_is_sent_with_its_data_and_a_template_in_the_call_too(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        welcome(&watched).await;
        let data = r#"{"name": "Ann & Bob", "items": ["x", "y"]}"#;
        let arn = "arn:aws:ses:us-east-1:000000000000:template/welcome";
        let inline = content("Hi {{name}}", "Dear {{name}}, {{items.0}} {{items.1}}", "<p>{{name}}</p>");
        for template in [
            Template::builder().template_name("welcome").template_data(data),
            Template::builder().template_arn(arn).template_data(data),
            Template::builder().template_content(inline).template_data(data),
        ] {
            let header = MessageHeader::builder().name("X-Mine").value("v").build().expect("a header");
            let sent = send(&watched, template.headers(header).build()).send().await.expect("accepted");
            let id = sent.message_id().expect("an id").to_owned();
            let events = watched.events(&house).await;
            let kinds: Vec<_> = events.iter().map(|e| e["eventType"].as_str().expect("a type")).collect();
            assert_eq!(kinds, ["Send", "Delivery"]);
            let mut reader = house.app.store().reader().await.expect("a reader");
            let raw = postrider::store::mails::raw(&mut reader, &id).await.expect("read").expect("its message");
            let parsed = mail_parser::MessageParser::default().parse(&raw).expect("a message");
            assert_eq!(parsed.subject(), Some("Hi Ann & Bob"));
            assert_eq!(parsed.body_text(0).as_deref().map(str::trim), Some("Dear Ann & Bob, x y"));
            assert_eq!(parsed.body_html(0).as_deref().map(str::trim), Some("<p>Ann & Bob</p>"));
            assert_eq!(parsed.header("X-Mine").and_then(|h| h.as_text()), Some("v"));
        }
        let blocks = content("s", "{{#if name}}x{{/if}}", "");
        let refused = send(&watched, Template::builder().template_content(blocks).template_data(data).build()).send().await;
        let error = refused.expect_err("blocks").into_service_error();
        assert_eq!(error.message(), Some("Template contains unsupported operations"));
        for (template, code) in [
            (Template::builder().template_name("none").template_data("{}").build(), "NotFoundException"),
            (Template::builder().template_name("welcome").template_data("[1]").build(), "BadRequestException"),
            (Template::builder().template_data("{}").build(), "BadRequestException"),
        ] {
            let refused = send(&watched, template).send().await.expect_err("refused").into_service_error();
            assert_eq!(refused.code(), Some(code));
        }
    }

    async fn what_cannot_be_rendered_is_accepted_and_told_of(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        welcome(&watched).await;
        let template = Template::builder().template_name("welcome").template_data(r#"{"name": null}"#).build();
        let sent = send(&watched, template).send().await.expect("accepted");
        let events = watched.events(&house).await;
        assert_eq!(events.len(), 1, "{events:?}");
        let mail = &events[0]["mail"];
        let wanted = json!({
            "eventType": "Rendering Failure",
            "mail": {
                "timestamp": mail["timestamp"],
                "source": "ann@sender.example",
                "sourceArn": "arn:aws:ses:us-east-1:000000000000:identity/sender.example",
                "sendingAccountId": "000000000000",
                "messageId": sent.message_id(),
                "destination": ["b@y.example"],
                "headersTruncated": false,
                "tags": mail["tags"],
            },
            "failure": {
                "errorMessage": "Attribute 'name' is not present in the rendering data.",
                "templateName": "welcome",
            },
        });
        assert_eq!(events[0], wanted);
        assert_eq!(mail["tags"]["ses:configuration-set"], json!([Watched::SET]));
    }

    async fn each_entry_of_a_bulk_send_has_its_own_data_headers_tags_and_result(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        welcome(&watched).await;
        let header = |value: &str| MessageHeader::builder().name("X-Mine").value(value).build().expect("a header");
        let tag = |name: &str, value: &str| MessageTag::builder().name(name).value(value).build().expect("a tag");
        let entry = |address: &str, data: Option<&str>| {
            let replacement = ReplacementTemplate::builder().set_replacement_template_data(data.map(str::to_owned));
            let content = ReplacementEmailContent::builder().replacement_template(replacement.build()).build();
            BulkEmailEntry::builder().destination(to(address)).replacement_email_content(content)
        };
        let template = Template::builder().template_name("welcome").template_data(r#"{"name": "all"}"#).headers(header("all"));
        let mut call = watched.ses.send_bulk_email().from_email_address(Watched::FROM).configuration_set_name(Watched::SET);
        call = call.default_content(BulkEmailContent::builder().template(template.build()).build());
        call = call.default_email_tags(tag("a", "default")).default_email_tags(tag("b", "default"));
        let entries = [
            entry("one@y.example", Some(r#"{"name": "One"}"#)).replacement_headers(header("one")).replacement_tags(tag("a", "own")),
            entry("two@y.example", Some("{}")),
            entry("no address", None),
            entry("four@y.example", Some(r#"{"items": []}"#)),
            entry("five@y.example", None).replacement_tags(tag("bad tag", "v")),
        ];
        let sent = call.set_bulk_email_entries(Some(entries.into_iter().map(|e| e.build()).collect())).send().await;
        let sent = sent.expect("answered");
        let results = sent.bulk_email_entry_results();
        let statuses: Vec<_> = results.iter().map(|r| r.status().expect("a status").as_str()).collect();
        assert_eq!(statuses, ["SUCCESS", "SUCCESS", "INVALID_PARAMETER", "SUCCESS", "INVALID_PARAMETER"]);
        assert_eq!(results[2].error(), Some("Missing final '@domain'"));
        let events = watched.events(&house).await;
        let of = |n: usize| {
            let id = results[n].message_id().expect("an id");
            events.iter().find(|e| e["mail"]["messageId"] == id).expect("its event")
        };
        let own = |n: usize, name: &str| {
            let headers = of(n)["mail"]["headers"].as_array().expect("headers").clone();
            headers.into_iter().find(|h| h["name"] == name).expect("the header")["value"].clone()
        };
        assert_eq!((own(0, "Subject"), own(0, "X-Mine")), (json!("Hi One"), json!("one")));
        assert_eq!((own(1, "Subject"), own(1, "X-Mine")), (json!("Hi all"), json!("all")));
        assert_eq!((&of(0)["mail"]["tags"]["a"], &of(0)["mail"]["tags"]["b"]), (&json!(["own"]), &json!(["default"])));
        assert_eq!(of(3)["eventType"], "Rendering Failure", "defaults are not merged in");
    }

    async fn a_call_with_a_key_is_carried_out_once(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        welcome(&watched).await;
        let call = |name: &'static str| {
            let data = json!({ "name": name }).to_string();
            let template = Template::builder().template_name("welcome").template_data(data).build();
            send(&watched, template).customize().mutate_request(|request| {
                request.headers_mut().insert("idempotency-key", "key-1");
            })
        };
        let calls = (0..8).map(|_| call("Ann").send());
        let answers = futures::future::join_all(calls).await;
        let ids: std::collections::HashSet<_> =
            answers.into_iter().map(|a| a.expect("accepted").message_id.expect("an id")).collect();
        assert_eq!(ids.len(), 1);
        let refused = call("Bob").send().await.expect_err("another call").into_service_error();
        assert!(refused.is_bad_request_exception());
        let sends = watched.events(&house).await.iter().filter(|e| e["eventType"] == "Send").count();
        assert_eq!(sends, 1);
    }
}

both_engines! {
    async fn a_template_has_tags_that_change_and_come_with_it(engine: Engine) {
        use aws_sdk_sesv2::types::{EmailTemplateContent, Tag};
        let house = House::dev(engine).await;
        let ses = house.sesv2();
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().expect("a tag");
        let content = EmailTemplateContent::builder().subject("s").text("t").build();
        ses.create_email_template()
            .template_name("t")
            .template_content(content)
            .tags(tag("team", "blue"))
            .send()
            .await
            .expect("made");
        let arn = "arn:aws:ses:us-east-1:000000000000:template/t";
        let add = ses.tag_resource().resource_arn(arn).tags(tag("team", "red")).tags(tag("cost", "1"));
        add.send().await.expect("tagged");
        ses.untag_resource().resource_arn(arn).tag_keys("cost").tag_keys("none").send().await.expect("untagged");
        let listed = ses.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
        assert_eq!(listed.tags(), [tag("team", "red")]);
        let found = ses.get_email_template().template_name("t").send().await.expect("the template");
        assert_eq!(found.tags(), [tag("team", "red")]);
        let mut many = ses.tag_resource().resource_arn(arn);
        for n in 0..50 {
            many = many.tags(tag(&format!("k{n}"), "v"));
        }
        assert!(many.send().await.expect_err("51 of them").into_service_error().is_bad_request_exception());
        let none = ses.tag_resource().resource_arn(format!("{arn}x")).tags(tag("a", "b")).send().await;
        assert!(none.expect_err("no template").into_service_error().is_not_found_exception());
    }
}
