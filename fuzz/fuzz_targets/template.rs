//! No template and no data breaks the rendering, and it ends: the first line is the data, the rest the template.
#![no_main]
use libfuzzer_sys::fuzz_target;
use postrider::base::Budget;
use postrider::mail::content::Template;
use postrider::mail::content::template::STEPS_MAX;
use postrider_fuzz::bounded;

fuzz_target!(|text: &str| {
    let (data, template) = text.split_once('\n').unwrap_or(("{}", text));
    let data = serde_json::from_str(data).unwrap_or_default();
    // The result is at most 10 MiB, and grows by doubling.
    bounded(32 * 1024 * 1024 + text.len() * 500, || {
        let steps = || Budget::new(STEPS_MAX);
        let Ok(template) = Template::parse(template, &mut steps()) else { return };
        let rendered = template.render(&data, &mut steps());
        assert_eq!(rendered, template.render(&data, &mut steps()));
        if let Ok(text) = rendered {
            assert!(text.len() <= 10 * 1024 * 1024);
        } else if let Err(error) = rendered {
            assert!(error.told().len() <= 2_000 + text.len());
        }
        let _ = template.is_plain();
    });
});
