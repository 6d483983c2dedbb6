//! What the dialect does, and what it refuses.
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::base::Budget;
use crate::mail::content::template::data::Data;

fn parsed(template: &str) -> Result<Template, TemplateError> {
    Template::parse(template, &mut Budget::new(STEPS_MAX))
}

fn read(data: &Value) -> Data {
    serde_json::from_str(&data.to_string()).expect("JSON")
}

fn rendered(template: &str, data: Value) -> Result<String, TemplateError> {
    parsed(template)?.render(&read(&data), &mut Budget::new(STEPS_MAX))
}

#[test]
fn values_and_blocks_are_rendered_as_handlebars_does() {
    let data = json!({
        "name": "Anaya", "n": 3, "yes": true, "no": false, "empty": [], "html": "<b>&</b>", "zero": 0,
        "contact": {"city": "Bengaluru", "odd name": "x"},
        "subscription": [{"interest": "Sports"}, {"interest": "Travel"}],
        "tags": ["a", "b"], "map": {"k1": "v1", "k2": "v2"}, "keys": ["k2"], "none": {}, "float": 1.5, "whole": 2.0,
        "small": 1e-7,
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
        ("{{tags}} {{contact}} {{\"name\"}}", "a,b [object Object] Anaya"),
        ("{{#each tags}}{{#each ../tags}}{{@../index}}{{@index}} {{/each}}{{/each}}", "00 01 10 11 "),
        ("{{#if zero includeZero=true}}a{{else}}b{{/if}}{{#if zero includeZero=no}}a{{else}}b{{/if}}", "ab"),
        ("{{#if (lookup map \"k1\")}}a{{/if}}{{#each (lookup this \"tags\")}}{{.}}{{/each}}", "aab"),
        ("{{lookup (lookup this \"map\") (lookup (lookup this \"keys\") 0)}}", "v2"),
        ("a{{log \"seen\" name}}b", "ab"),
        ("{{#name}}<{{this}}>{{/name}}{{#zero}}<{{this}}>{{/zero}}{{^zero}}none{{/zero}}", "<Anaya><0>"),
        ("{{#with zero}}<{{.}}>{{else}}none{{/with}}", "<0>"),
        ("{{tags.length}} {{name.length}} {{#if empty.length}}a{{else}}b{{/if}}", "2 5 b"),
        ("{{#each none}}a{{else}}b{{/each}}{{#each name}}a{{else}}b{{/each}}", "bb"),
        ("{{#with this}}{{#with contact}}{{../name}}{{/with}}{{/with}}", "Anaya"),
        ("\\\\{{n}} {{float}} {{whole}} {{small}}", "\\3 1.5 2 1e-7"),
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
        ("{{#* inline \"p\"}}\nx\ny\n{{/inline}}\n  {{> p}}\nb", "  x\n  y\nb"),
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
        let refused = parsed(template);
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
    assert_eq!(parsed(&deep), Err(TemplateError::TooMuch("levels")));
    let big = "x".repeat(200_000);
    let large = rendered(&"{{a}}".repeat(1000), json!({ "a": big }));
    assert_eq!(large, Err(TemplateError::TooMuch("octets in its result")));
}

/// Work costs steps by its size, so that none of these goes on for long.
#[test]
fn what_is_looked_at_and_written_is_charged() {
    let steps = |template: &str, data: &Value| {
        let mut budget = Budget::new(STEPS_MAX);
        let data = read(data);
        let done = Template::parse(template, &mut budget).and_then(|template| template.render(&data, &mut budget));
        (done, STEPS_MAX - budget.left())
    };
    let members: serde_json::Map<_, _> = (0..22_000).map(|n| (n.to_string(), json!(n))).collect();
    let wide = json!({ "l": vec![0; 4_500], "d": { "o": members }, "o": "o" });
    // Nothing is copied: the object is looked at where it is.
    let looked_up = "{{#each l}}{{lookup @root.d \"o\"}}{{/each}}";
    let (done, cost) = steps(looked_up, &wide);
    assert_eq!(done.map(|text| text.len()), Ok(4_500 * "[object Object]".len()));
    assert!(cost < 40_000, "{cost}");
    let key = "k".repeat(100_000);
    let long = json!({ "l": vec![0; 4_500], "long": vec![1; 40_000], "key": key, key.as_str(): "found" });
    for template in [
        "{{#each l}}{{#if @root.key}}{{@root.long}}{{/if}}{{/each}}",
        "{{#each l}}{{#if @root.key}}{{lookup @root @root.key}}{{/if}}{{/each}}",
        "{{#each l}}{{#each @root.long}}{{/each}}{{/each}}",
    ] {
        let (done, cost) = steps(template, &long);
        assert!(matches!(done, Err(TemplateError::TooMuch("steps"))) && cost == STEPS_MAX, "{template} {done:?}");
    }
    let keyed = json!({ ("k".repeat(100_000)): 1, "l": vec![0; 4_500] });
    let (done, cost) = steps("{{#each this}}{{#each @root.l}}{{#if ../@key}}{{/if}}{{/each}}{{/each}}", &keyed);
    assert!(matches!(done, Err(TemplateError::TooMuch("steps"))) && cost == STEPS_MAX, "{done:?}");
    let key = "k".repeat(100_000);
    let (done, _) = steps(&format!("{{{{#each l}}}}{{{{#if @root.{key}}}}}{{{{/if}}}}{{{{/each}}}}"), &long);
    assert_eq!(done, Err(TemplateError::TooMuch("steps")), "a long name, at each turn");
}

/// Reading looks at each octet a few times: twice the text takes twice the steps, whatever it is made of.
#[test]
fn reading_takes_steps_in_proportion_to_the_length() {
    let units = [
        "{{!----}}",
        "{{!-- }}",
        "{{!-- --~}}",
        "{{!---}}",
        "}}",
        "--}}",
        "{{!",
        "{{{",
        "{{{a}}",
        "}}}",
        "\\{{",
        "\\{{a}}",
        "{{~",
        "~}}",
        "{{~ a ~}}",
        "{{a}}\n",
        "\n",
        " ",
        "\n {{! }} \n",
        "{{[",
        "{{\"",
        "{{a.",
        "{{../",
        "{{&",
        "{{^}}",
        "{{#if a}}",
        "{{/if}}",
        "{{else}}",
        "{{else if a}}",
        "{{#a as |b c|}}",
        "{{>",
        "{{> p}}",
        "{{#*inline \"p\"}}",
        "-",
        "{",
        "x",
    ];
    let steps = |text: &str| {
        let mut budget = Budget::new(u64::MAX);
        drop(Template::parse(text, &mut budget));
        u64::MAX - budget.left()
    };
    for start in ["", "{{!--", "{{#if a}}", "{{{", "\\{{", "\n"] {
        for unit in units {
            for other in units {
                let text = format!("{start}{}", format!("{unit}{other}").repeat(300));
                assert!(steps(&text) <= 2 * text.len() as u64 + 20, "{start} {unit} {other}");
            }
        }
    }
    let comments = "{{!----}}".repeat(50_000);
    assert!(steps(&comments) <= 2 * comments.len() as u64);
    assert_eq!(rendered(&comments, json!({})), Ok(String::new()));
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
        assert_eq!(parsed(template).expect("a template").is_plain(), plain, "{template}");
    }
}

proptest! {
    /// No text makes it panic, and a text without braces is itself.
    #[test]
    fn any_text_is_read_or_refused(text in "(\\{\\{[#/^>!&~]?|\\}\\}|[a.@\\[\\]|\"\\\\ \n]|if|else|each|inline|\\PC){0,40}") {
        if let Ok(template) = parsed(&text) {
            let _ = template.render(&read(&json!({"a": [{"a": 1}], "if": {"a": "x"}})), &mut Budget::new(STEPS_MAX));
        }
        if !text.contains("{{") {
            prop_assert_eq!(rendered(&text, json!({})), Ok(text.clone()));
        }
    }
}
