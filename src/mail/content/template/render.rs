//! Renders a template. Each node takes a step; steps, levels and output are limited, so that no data and no template holds
//! a worker for long: the most that is possible takes well under a second.
use serde_json::Value;

use crate::mail::content::template::parse::{Block, Kind, Node};
use crate::mail::content::template::path::{Expression, Path};
use crate::mail::content::template::{Template, TemplateError};

/// Nodes that are rendered.
const STEPS_MAX: usize = 250_000;
/// Blocks and partials inside of each other.
const LEVELS_MAX: usize = 200;
/// Octets of the result: SES's limit for a message through the first API.
const OUTPUT_MAX: usize = 10 * 1024 * 1024;

/// A context: what names are looked up in.
struct Context<'a> {
    value: &'a Value,
    /// The loop's own values, where it is an item of one.
    item: Option<Item<'a>>,
    /// The names that the block gave to the item and its place.
    names: &'a [String],
}

/// An item's place in a loop.
struct Item<'a> {
    index: usize,
    key: Option<&'a str>,
    last: bool,
}

struct Renderer<'a> {
    template: &'a Template,
    contexts: Vec<Context<'a>>,
    out: String,
    steps: usize,
    levels: usize,
}

/// What a path leads to: data, or one of the loop's own values.
enum Found<'a> {
    Data(&'a Value),
    Made(Value),
}

impl Found<'_> {
    fn value(&self) -> &Value {
        match self {
            Self::Data(value) => value,
            Self::Made(value) => value,
        }
    }
}

/// Renders `template` with `data`.
pub(super) fn render(template: &Template, data: &Value) -> Result<String, TemplateError> {
    let root = Context { value: data, item: None, names: &[] };
    let mut renderer = Renderer { template, contexts: vec![root], out: String::new(), steps: 0, levels: 0 };
    renderer.nodes(&template.nodes)?;
    Ok(renderer.out)
}

impl<'a> Renderer<'a> {
    fn step(&mut self, cost: usize) -> Result<(), TemplateError> {
        self.steps += cost;
        if self.steps > STEPS_MAX { Err(TemplateError::TooMuch("steps")) } else { Ok(()) }
    }

    fn write(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.out.len() + text.len() > OUTPUT_MAX {
            return Err(TemplateError::TooMuch("octets in its result"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn nodes(&mut self, nodes: &'a [Node]) -> Result<(), TemplateError> {
        if self.levels >= LEVELS_MAX {
            return Err(TemplateError::TooMuch("levels"));
        }
        self.levels += 1;
        for node in nodes {
            self.step(1)?;
            match node {
                Node::Text(text) => self.write(text)?,
                Node::Value(expression) => {
                    let found = self.find(expression)?;
                    let found = found.filter(|found| !found.value().is_null()).ok_or_else(|| missing(expression))?;
                    self.write_value(found.value())?;
                }
                Node::Lookup(of, member) => {
                    let (of_found, member_found) = (self.find(of)?, self.find(member)?);
                    let key = member_found.map(|found| text_of(found.value())).ok_or_else(|| missing(member))?;
                    let of_found = of_found.ok_or_else(|| missing(of))?;
                    let value = step_into(of_found.value(), &key).filter(|value| !value.is_null());
                    self.write_value(&value.ok_or(TemplateError::Missing(key))?.clone())?;
                }
                Node::Block(block) => self.block(block)?,
                Node::Partial(name, context) => self.partial(name, context.as_ref())?,
            }
        }
        self.levels -= 1;
        Ok(())
    }

    fn write_value(&mut self, value: &Value) -> Result<(), TemplateError> {
        match value {
            Value::String(text) => self.write(text),
            other => {
                let text = text_of(other);
                self.step(text.len() / 64)?;
                self.write(&text)
            }
        }
    }

    fn partial(&mut self, name: &str, context: Option<&'a Expression>) -> Result<(), TemplateError> {
        let template = self.template;
        let nodes = template.partials.get(name).ok_or_else(|| TemplateError::NoPartial(name.to_owned()))?;
        let Some(context) = context else { return self.nodes(nodes) };
        match self.find(context)?.ok_or_else(|| missing(context))? {
            Found::Data(value) => self.within(Context { value, item: None, names: &[] }, nodes),
            Found::Made(_) => self.nodes(nodes),
        }
    }

    fn block(&mut self, block: &'a Block) -> Result<(), TemplateError> {
        let found = self.find(&block.argument)?;
        let is = found.as_ref().is_some_and(|found| truthy(found.value()));
        let data = match found {
            Some(Found::Data(value)) => Some(value),
            _ => None,
        };
        match (block.kind, data) {
            (Kind::Unless, _) if is => self.nodes(&block.otherwise),
            (Kind::Unless, _) => self.nodes(&block.then),
            _ if !is => self.nodes(&block.otherwise),
            (Kind::Each, Some(value)) => self.each(block, value),
            (Kind::Section, Some(value @ Value::Array(_))) => self.each(block, value),
            (Kind::With, Some(value)) | (Kind::Section, Some(value @ Value::Object(_))) => {
                self.within(Context { value, item: None, names: &block.names }, &block.then)
            }
            (Kind::If | Kind::Section | Kind::With | Kind::Each, _) => self.nodes(&block.then),
        }
    }

    fn each(&mut self, block: &'a Block, value: &'a Value) -> Result<(), TemplateError> {
        match value {
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    self.step(1)?;
                    let item = Item { index, key: None, last: index + 1 == list.len() };
                    self.within(Context { value, item: Some(item), names: &block.names }, &block.then)?;
                }
                Ok(())
            }
            Value::Object(members) => {
                for (index, (key, value)) in members.iter().enumerate() {
                    self.step(1)?;
                    let item = Item { index, key: Some(key), last: index + 1 == members.len() };
                    self.within(Context { value, item: Some(item), names: &block.names }, &block.then)?;
                }
                Ok(())
            }
            _ => self.nodes(&block.otherwise),
        }
    }

    fn within(&mut self, context: Context<'a>, nodes: &'a [Node]) -> Result<(), TemplateError> {
        self.contexts.push(context);
        let done = self.nodes(nodes);
        self.contexts.pop();
        done
    }

    fn find(&mut self, expression: &'a Expression) -> Result<Option<Found<'a>>, TemplateError> {
        let path = match expression {
            Expression::Literal(value) => return Ok(Some(Found::Data(value))),
            Expression::Path(path) => path,
        };
        self.step(path.parts.len() + path.up)?;
        if path.data && path.parts.first().is_none_or(|name| name != "root") {
            return Ok(self.loop_value(path).map(Found::Made));
        }
        if let Some(found) = self.named(path) {
            return Ok(found);
        }
        let (context, parts) = match path.data {
            true => (self.contexts.first(), path.parts.get(1..).unwrap_or_default()),
            false => (self.contexts.iter().rev().nth(path.up), path.parts.as_slice()),
        };
        Ok(context.and_then(|context| walk(context.value, parts)).map(Found::Data))
    }

    /// What a name leads to that a block gave: `as |item place|`. The nearest counts.
    fn named(&self, path: &Path) -> Option<Option<Found<'a>>> {
        let name = path.parts.first().filter(|_| path.up == 0 && !path.data)?;
        let context = self.contexts.iter().rev().find(|context| context.names.contains(name))?;
        let rest = path.parts.get(1..).unwrap_or_default();
        if context.names.first() == Some(name) {
            return Some(walk(context.value, rest).map(Found::Data));
        }
        let item = context.item.as_ref()?;
        Some(Some(Found::Made(item.key.map_or_else(|| Value::from(item.index), Value::from))))
    }

    fn loop_value(&self, path: &Path) -> Option<Value> {
        // `@../index` is written so, and `../@index` too.
        let mut items = self.contexts.iter().rev().filter_map(|context| context.item.as_ref());
        let item = items.nth(path.up)?;
        match path.parts.first()?.as_str() {
            "index" => Some(Value::from(item.index)),
            "key" => Some(item.key.map_or_else(|| Value::from(item.index), Value::from)),
            "first" => Some(Value::from(item.index == 0)),
            "last" => Some(Value::from(item.last)),
            _ => None,
        }
    }
}

fn walk<'a>(from: &'a Value, parts: &[String]) -> Option<&'a Value> {
    parts.iter().try_fold(from, |value, part| step_into(value, part))
}

fn step_into<'a>(value: &'a Value, part: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(part),
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Handlebars: nothing, `false`, 0, an empty text and an empty list count as not there.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(_) => true,
    }
}

/// A value as text, as JavaScript writes it.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(list) => list.iter().map(text_of).collect::<Vec<_>>().join(","),
        Value::Object(_) => "[object Object]".to_owned(),
        other => other.to_string(),
    }
}

fn missing(expression: &Expression) -> TemplateError {
    match expression {
        Expression::Path(path) => TemplateError::Missing(path.text.clone()),
        Expression::Literal(value) => TemplateError::Missing(value.to_string()),
    }
}
