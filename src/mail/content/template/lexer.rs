//! Cuts a template into text and tags, and takes away the white space that tags do not leave behind. Each octet is looked
//! at a few times at most, whatever the text.
use crate::base::Budget;
use crate::mail::content::template::TemplateError;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Text, as it is.
    Text(&'a str),
    /// What stands between braces, without `~` and outer white space, and the line that it stands on.
    Tag(Tag<'a>),
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// The first of its marks: `#`, `/`, `^`, `>`, `!`, or `=` for a value.
    pub kind: char,
    /// What follows.
    pub content: &'a str,
    /// Where it stands, from 1.
    pub line: usize,
    /// The white space before a partial that stands alone on its line: all lines of the partial get it.
    pub indent: &'a str,
    trim_before: bool,
    trim_after: bool,
}

impl Tag<'_> {
    /// Whether a line on which it stands alone leaves nothing (Handlebars: all tags but values).
    fn may_stand_alone(&self) -> bool {
        self.kind != '=' || self.is_else()
    }

    fn is_else(&self) -> bool {
        self.content.split_whitespace().next() == Some("else")
    }
}

/// Cuts `text`.
pub(super) fn tokens<'a>(text: &'a str, budget: &mut Budget) -> Result<Vec<Token<'a>>, TemplateError> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(at) = find(rest, "{{", budget)? {
        let (before, from) = rest.split_at(at);
        line += before.matches('\n').count();
        // `\{{name}}` is text, `\\{{name}}` a backslash and a value.
        let twice = before.ends_with("\\\\");
        let before = if twice { before.get(..before.len() - 1).unwrap_or(before) } else { before };
        if let Some(before) = before.strip_suffix('\\').filter(|_| !twice) {
            let end = find(from, "}}", budget)?.map_or(from.len(), |end| end + 2);
            tokens.extend([Token::Text(before), Token::Text(from.get(..end).unwrap_or(from))]);
            line += from.get(..end).unwrap_or(from).matches('\n').count();
            rest = from.get(end..).unwrap_or("");
            continue;
        }
        if !before.is_empty() {
            tokens.push(Token::Text(before));
        }
        let (tag, used) = tag(from, line, budget)?;
        line += from.get(..used).unwrap_or(from).matches('\n').count();
        tokens.push(Token::Tag(tag));
        rest = from.get(used..).unwrap_or("");
    }
    if !rest.is_empty() {
        tokens.push(Token::Text(rest));
    }
    Ok(trimmed(tokens))
}

/// Where `what` begins in `text`. What is looked at is charged.
fn find(text: &str, what: &str, budget: &mut Budget) -> Result<Option<usize>, TemplateError> {
    let at = text.find(what);
    budget.spend_on(at.unwrap_or(text.len()))?;
    Ok(at)
}

/// Where a comment ends that began with `!--`, and how long its end is: `--}}` or `--~}}`, whichever comes first.
fn comment_end(text: &str, budget: &mut Budget) -> Result<Option<(usize, usize)>, TemplateError> {
    let mut from = 0;
    while let Some(at) = find(text.get(from..).unwrap_or(""), "}}", budget)? {
        let inner = text.get(..from + at).unwrap_or("");
        for (end, length) in [("--", 4), ("--~", 5)] {
            if inner.ends_with(end) {
                return Ok(Some((inner.len() - end.len(), length)));
            }
        }
        from += at + 2;
    }
    Ok(None)
}

/// The tag at the start of `from`, and how many octets it takes.
fn tag<'a>(from: &'a str, line: usize, budget: &mut Budget) -> Result<(Tag<'a>, usize), TemplateError> {
    let inner = from.get(2..).unwrap_or("");
    let (inner, lead, end) = match inner.strip_prefix('{') {
        Some(inner) => (inner, 3, find(inner, "}}}", budget)?.map(|end| (end, 3))),
        None if inner.trim_start_matches('~').starts_with("!--") => (inner, 2, comment_end(inner, budget)?),
        None => (inner, 2, find(inner, "}}", budget)?.map(|end| (end, 2))),
    };
    let open = || TemplateError::Syntax { line, what: "a tag has no end".to_owned() };
    let (end, mark_length) = end.ok_or_else(open)?;
    let content = inner.get(..end).unwrap_or("");
    let (content, trim_before) = content.strip_prefix('~').map_or((content, false), |content| (content, true));
    let (content, trim_after) = content.strip_suffix('~').map_or((content, false), |content| (content, true));
    let trim_after = trim_after || mark_length == 5;
    let content = content.trim();
    let (kind, content) = match content.chars().next() {
        Some(mark @ ('#' | '/' | '^' | '>' | '!')) if lead == 2 => (mark, content.get(1..).unwrap_or("").trim()),
        Some('&') if lead == 2 => ('=', content.get(1..).unwrap_or("").trim()),
        _ => ('=', content),
    };
    Ok((Tag { kind, content, line, indent: "", trim_before, trim_after }, lead + end + mark_length))
}

/// Takes white space away: a line that holds nothing but one tag goes whole, and `~` takes all beside it.
fn trimmed(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let text_at = |at: Option<usize>| match at.and_then(|at| tokens.get(at)) {
        Some(Token::Text(text)) => Some(*text),
        _ => None,
    };
    let last = tokens.len().saturating_sub(1);
    let mut cut: Vec<(usize, usize)> = vec![(0, 0); tokens.len()];
    let mut indents = vec![""; tokens.len()];
    for (at, token) in tokens.iter().enumerate() {
        let Token::Tag(tag) = token else { continue };
        let (before, after) = (at.checked_sub(1), at + 1);
        let (text_before, text_after) = (text_at(before), text_at(Some(after)));
        let (mut from_before, mut from_after) = (0, 0);
        if tag.may_stand_alone() {
            let room_before = blank_end(text_before, at == 0, before == Some(0));
            let room_after = blank_start(text_after, at == last, after == last);
            if let (Some(b), Some(a)) = (room_before, room_after) {
                (from_before, from_after) = (b, a);
                let line = text_before.map_or("", |text| text.get(text.len() - b..).unwrap_or(""));
                if let Some(indent) = indents.get_mut(at).filter(|_| tag.kind == '>' && !tag.trim_before) {
                    *indent = line;
                }
            }
        }
        if tag.trim_before {
            from_before = text_before.map_or(0, |text| text.len() - text.trim_end().len());
        }
        if tag.trim_after {
            from_after = text_after.map_or(0, |text| text.len() - text.trim_start().len());
        }
        if let Some(cut) = before.and_then(|before| cut.get_mut(before)) {
            cut.1 = cut.1.max(from_before);
        }
        if let Some(cut) = cut.get_mut(after) {
            cut.0 = cut.0.max(from_after);
        }
    }
    let keep = |(token, (start, end)): (&Token<'_>, (usize, usize))| -> bool {
        !matches!(token, Token::Text(text) if start + end >= text.len())
    };
    let kept = tokens.iter().zip(cut).zip(indents).filter(|((token, cut), _)| keep((token, *cut)));
    kept.map(|((token, (start, end)), indent)| match token {
        Token::Text(text) => Token::Text(text.get(start..text.len() - end).unwrap_or("")),
        Token::Tag(tag) => Token::Tag(Tag { indent, ..tag.clone() }),
    })
    .collect()
}

/// How much white space stands before a tag on its line, when nothing else does.
fn blank_end(text: Option<&str>, tag_is_first: bool, text_is_first: bool) -> Option<usize> {
    let Some(text) = text else { return tag_is_first.then_some(0) };
    let line = text.rsplit('\n').next().unwrap_or("");
    let starts_line = line.len() < text.len() || text_is_first;
    (starts_line && line.trim().is_empty()).then_some(line.len())
}

/// How much white space stands after a tag up to its line's end, the end with it, when nothing else does.
fn blank_start(text: Option<&str>, tag_is_last: bool, text_is_last: bool) -> Option<usize> {
    let Some(text) = text else { return tag_is_last.then_some(0) };
    match text.find('\n') {
        Some(end) => text.get(..end).unwrap_or("").trim().is_empty().then_some(end + 1),
        None => (text_is_last && text.trim().is_empty()).then_some(text.len()),
    }
}
