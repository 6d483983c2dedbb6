//! What the dialect does, and what it refuses.
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn rendered(template: &str, data: Value) -> Result<String, TemplateError> {
    Template::parse(template)?.render(&data)
}

#[test]
fn values_and_blocks_are_rendered_as_handlebars_does() {
    let data = json!({
        "name": "Anaya", "n": 3, "yes": true, "no": false, "empty": [], "html": "<b>&</b>", "zero": 0,
        "contact": {"city": "Bengaluru", "odd name": "x"},
        "subscription": [{"interest": "Sports"}, {"interest": "Travel"}],
        "tags": ["a", "b"], "map": {"k1": "v1", "k2": "v2"},
    });
    for (template, wanted) in [
        ("Hi {{name}}, {{ n }} {{yes}}!", "Hi Anaya, 3 true!"),
        ("{{contact.city}} {{contact/city}} {{contact.[odd name]}}", "Bengaluru Bengaluru x"),
        ("{{html}} {{{html}}} {{&html}}", "<b>&</b> <b>&</b> <b>&</b>"),
        ("{{#each subscription}}<{{interest}}>{{/each}}", "<Sports><Travel>"),
        ("{{#each tags}}{{@index}}{{this}}{{#unless @last}},{{/unless}}{{/each}}", "0a,1b"),
        ("{{#each map}}{{@key}}={{.}};{{/each}}", "k1=v1;k2=v2;"),
        ("{{#each tags as |t i|}}{{i}}{{t}}{{../name}} {{/each}}", "0aAnaya 1bAnaya "),
        ("{{#each empty}}x{{else}}none{{/each}}", "none"),
        ("{{#if absent}}a{{else if no}}b{{else if yes}}c{{else}}d{{/if}}", "c"),
        ("{{#if zero}}a{{else}}b{{/if}}{{#unless no}}c{{/unless}}", "bc"),
        ("{{#with contact}}{{city}}{{../name}}{{@root.n}}{{/with}}", "BengaluruAnaya3"),
        ("{{#contact}}{{city}}{{/contact}}{{^absent}}none{{/absent}}{{#tags}}{{.}}{{/tags}}", "Bengalurunoneab"),
        ("{{subscription.[1].interest}} {{tags.0}} {{lookup map \"k2\"}}", "Travel a v2"),
        ("{{#* inline \"p\"}}<{{name}}>{{/inline}}{{> p}}{{> p}}", "<Anaya><Anaya>"),
        ("{{#*inline \"p\"}}<{{city}}>{{/inline}}{{> p contact}}", "<Bengaluru>"),
        ("a{{! no }}b{{!-- {{no}} --}}c\\{{d}}", "abc{{d}}"),
        ("{{#each tags}}{{#each ../tags}}{{.}}{{/each}}|{{/each}}", "ab|ab|"),
        ("{{tags}} {{contact}} {{\"text\"}}", "a,b [object Object] text"),
    ] {
        assert_eq!(rendered(template, data.clone()).as_deref(), Ok(wanted), "{template}");
    }
}

#[test]
fn lines_that_hold_only_a_tag_leave_nothing() {
    let data = json!({"list": [1, 2], "yes": true});
    for (template, wanted) in [
        ("a\n  {{#each list}}\n  <{{.}}>\n  {{/each}}\nb", "a\n  <1>\n  <2>\nb"),
        ("{{#if yes}}\nx\n{{else}}\ny\n{{/if}}\n", "x\n"),
        ("a\r\n{{#if yes}}\r\nx\r\n{{/if}}\r\nb", "a\r\nx\r\nb"),
        ("a {{#if yes}}\nx\n{{/if}} b", "a \nx\n b"),
        ("a  {{~#if yes~}}  x  {{~/if~}}  b", "axb"),
        ("{{#* inline \"p\"}}\nx\n{{/inline}}\n{{> p}}\nb", "x\nb"),
        ("a\n{{! gone }}\nb\n{{yes}}\n", "a\nb\ntrue\n"),
    ] {
        assert_eq!(rendered(template, data.clone()).as_deref(), Ok(wanted), "{template:?}");
    }
}

#[test]
fn what_the_data_does_not_have_is_an_error_unless_it_is_only_asked_for() {
    for (template, name) in [
        ("{{gone}}", "gone"),
        ("{{a.gone}}", "a.gone"),
        ("{{null}}", "null"),
        ("{{#each list}}{{gone}}{{/each}}", "gone"),
        ("{{lookup a \"gone\"}}", "gone"),
    ] {
        let data = json!({"a": {}, "null": null, "list": [1]});
        assert_eq!(rendered(template, data), Err(TemplateError::Missing(name.to_owned())), "{template}");
    }
    assert_eq!(rendered("{{#if gone.deep}}a{{/if}}{{#each gone}}b{{/each}}", json!({})), Ok(String::new()));
    assert_eq!(rendered("{{> p}}", json!({})), Err(TemplateError::NoPartial("p".to_owned())));
}

#[test]
fn what_is_no_template_is_refused_with_its_line() {
    for (template, line) in [
        ("a\n{{name", 2),
        ("{{#if a}}\n\n", 1),
        ("a\n{{/if}}", 2),
        ("{{#if a}}{{/each}}", 1),
        ("{{else}}", 1),
        ("{{#if}}{{/if}}", 1),
        ("\n\n{{shout name}}", 3),
        ("{{#times 3}}{{/times}}", 1),
        ("{{a..b}}", 1),
        ("{{}}", 1),
        ("{{#if a}}{{else}}{{else}}{{/if}}", 1),
    ] {
        let refused = Template::parse(template);
        assert!(
            matches!(&refused, Err(TemplateError::Syntax { line: l, .. }) if *l == line),
            "{template:?} {refused:?}"
        );
    }
}

#[test]
fn hostile_templates_and_data_end_soon() {
    let long: Vec<u8> = vec![1; 100_000];
    let squared = rendered("{{#each a}}{{#each ../a}}{{/each}}{{/each}}", json!({ "a": long }));
    assert_eq!(squared, Err(TemplateError::TooMuch("steps")));
    let endless =
        rendered("{{#*inline \"p\"}}{{> q}}{{/inline}}{{#*inline \"q\"}}{{> p}}{{/inline}}{{> p}}", json!({}));
    assert_eq!(endless, Err(TemplateError::TooMuch("levels")));
    let partials: String = (0..60)
        .map(|n| format!("{{{{#*inline \"p{n}\"}}}}{{{{> p{0}}}}}{{{{> p{0}}}}}{{{{/inline}}}}", n + 1))
        .collect();
    let doubled = rendered(&format!("{partials}{{{{#*inline \"p60\"}}}}{{{{/inline}}}}{{{{> p0}}}}"), json!({}));
    assert_eq!(doubled, Err(TemplateError::TooMuch("steps")));
    let deep = format!("{}{}", "{{#if a}}".repeat(20_000), "{{/if}}".repeat(20_000));
    assert_eq!(Template::parse(&deep), Err(TemplateError::TooMuch("levels")));
    let big = "x".repeat(200_000);
    let large = rendered(&"{{a}}".repeat(1000), json!({ "a": big }));
    assert_eq!(large, Err(TemplateError::TooMuch("octets in its result")));
}

#[test]
fn plain_templates_only_put_values_in() {
    for (template, plain) in [
        ("Hi {{name}} {{a.b}}", true),
        ("no tags", true),
        ("{{#if a}}x{{/if}}", false),
        ("{{> p}}", false),
        ("{{../a}}", false),
        ("{{#*inline \"p\"}}{{/inline}}", false),
    ] {
        assert_eq!(Template::parse(template).expect("a template").is_plain(), plain, "{template}");
    }
}

proptest! {
    /// No text makes it panic, and a text without braces is itself.
    #[test]
    fn any_text_is_read_or_refused(text in "(\\{\\{[#/^>!&~]?|\\}\\}|[a.@\\[\\]|\"\\\\ \n]|if|else|each|inline|\\PC){0,40}") {
        if let Ok(template) = Template::parse(&text) {
            let _ = template.render(&json!({"a": [{"a": 1}], "if": {"a": "x"}}));
        }
        if !text.contains("{{") {
            prop_assert_eq!(rendered(&text, json!({})), Ok(text.clone()));
        }
    }
}
