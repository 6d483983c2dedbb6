//! What SNS says of a text that is no JSON: the words of its parser, Jackson, as far as they were recorded.

/// Where Jackson says that the fault is.
const SOURCE: &str = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled);";
/// Jackson shows no more of a word.
const SHOWN_MAX: usize = 256;

/// The words for a text that is no JSON object.
pub(in crate::topics) fn words(text: &str) -> String {
    let general = "failed to parse JSON.";
    let Some((what, before)) = fault(text) else { return general.to_owned() };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{general} {what}\n at {SOURCE} line: {line}, column: {column}]")
}

/// What is wrong, and what stands before it.
fn fault(text: &str) -> Option<(String, &str)> {
    let start = text.trim_start();
    let before = |rest: &str| text.get(..text.len() - rest.len());
    if let Some(inside) = start.strip_prefix('{') {
        let inside = inside.trim_start();
        let odd = inside.chars().next().filter(|c| !matches!(c, '"' | '}'))?;
        let what = format!(
            "Unexpected character ('{odd}' (code {})): was expecting double-quote to start field name",
            u32::from(odd)
        );
        return Some((what, before(inside)?));
    }
    let rest = start.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    let word = start.strip_suffix(rest)?;
    if !word.starts_with(char::is_alphabetic) || matches!(word, "true" | "false" | "null") {
        return None;
    }
    let shown: String = word.chars().take(SHOWN_MAX).collect();
    let what = format!(
        "Unrecognized token '{shown}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
    );
    Some((what, before(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_were_recorded() {
        let at = |line: u32, column: u32| format!("\n at {SOURCE} line: {line}, column: {column}]");
        let letter = "failed to parse JSON. Unexpected character ('i' (code 105)): was expecting double-quote to start field name";
        let token = "failed to parse JSON. Unrecognized token 'invalid': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        for (text, expected) in [
            ("{invalid", format!("{letter}{}", at(1, 2))),
            ("\n {\n  invalid", format!("{letter}{}", at(3, 3))),
            ("invalid", format!("{token}{}", at(1, 8))),
            ("invalid json", format!("{token}{}", at(1, 8))),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        for text in ["", "[]", "{}", "{\"a\"", "null", "7", "{"] {
            assert_eq!(words(text), "failed to parse JSON.", "{text}");
        }
    }
}
