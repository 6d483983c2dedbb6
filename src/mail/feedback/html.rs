//! The text of a report that is HTML alone. Not for showing: it keeps the lines, since reasons are found by lines.

/// Elements whose content nobody reads.
const HIDDEN: [&str; 4] = ["style", "script", "head", "template"];
/// Elements that begin or end a paragraph: reports have their parts in tables.
const PARAGRAPHS: [&str; 11] = ["p", "div", "td", "th", "tr", "table", "li", "ul", "h1", "h2", "hr"];

/// The text, an empty line around each cell and paragraph. The time grows with the size alone.
pub(super) fn text_of(html: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(html.len() / 2), html);
    while let Some((text, after)) = rest.split_once('<') {
        out.push_str(text);
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let Some((tag, after)) = after.split_once('>') else { return entities(&out) };
        let name = tag.trim_start_matches('/').split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        rest = after;
        if HIDDEN.contains(&name.as_str()) && !tag.starts_with('/') {
            rest = behind(after, &name);
        } else if name == "br" {
            out.push('\n');
        } else if PARAGRAPHS.contains(&name.as_str()) {
            out.push_str("\n\n");
        }
    }
    out.push_str(rest);
    entities(&out)
}

/// What stands behind the end of an element; nothing, where it has none.
fn behind<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("</") {
        if after.get(..name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name)) {
            return after.split_once('>').map_or("", |(_, rest)| rest);
        }
        rest = after;
    }
    ""
}

fn entities(text: &str) -> String {
    const NAMED: [(&str, &str); 7] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    NAMED
        .iter()
        .fold(text.to_owned(), |text, (name, sign)| if text.contains(name) { text.replace(name, sign) } else { text })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_are_lines_and_what_is_hidden_is_left_out() {
        let html = "<html><HEAD><title>no</title></head><style>a<b</STYLE>One <b>two</b><br/>&lt;a@x.example&gt;<table><tr><td>three</td>\
                    <td>four<!-- > no --></td></tr></table>five<";
        let text = text_of(html);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["One two", "<a@x.example>", "three", "four", "five"]);
        assert_eq!((text_of("<style>x").as_str(), text_of("a<!--").as_str(), text_of("").as_str()), ("", "a", ""));
    }

    proptest! {
        #[test]
        fn anything_has_a_text(pieces in prop::collection::vec(prop_oneof![
            3 => prop::sample::select(vec!["<", ">", "</", "<style>", "</style", "<!--", "-->", "<td>", "&lt;", "é", "<br"]).prop_map(str::to_owned),
            1 => "\\PC{0,8}",
        ], 0..40)) {
            let html = pieces.concat();
            prop_assert!(text_of(&html).len() <= html.len() + pieces.len());
        }
    }
}
