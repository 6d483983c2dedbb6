//! Renders a template. Each node takes a step, and more by the size of what is looked at and written; levels and output are
//! limited too. What is found in the data is never copied but into the result.
use std::rc::Rc;

use crate::base::Budget;
use crate::mail::content::template::TemplateError;
use crate::mail::content::template::data::Data;
use crate::mail::content::template::node::{Block, Kind, Node, Tree};
use crate::mail::content::template::path::{Expression, Path};
use crate::mail::content::template::values::{length, truthy, write, write_text};

/// Blocks and partials inside of each other.
const LEVELS_MAX: usize = 200;

/// A context: what names are looked up in.
struct Context<'a> {
    value: Held<'a>,
    /// Whether it is what the one around it is: `..` passes over such.
    same: bool,
    /// The loop's own values, where it is an item of one.
    item: Option<Item<'a>>,
    /// The names that the block gave to the item and its place.
    names: &'a [String],
}

/// The value of a context: one of the data, or one that was made for it, which holds no others.
#[derive(Clone)]
enum Held<'a> {
    Data(&'a Data),
    Made(Rc<Data>),
}

impl Held<'_> {
    fn value(&self) -> &Data {
        match self {
            Self::Data(value) => value,
            Self::Made(value) => value,
        }
    }
}

/// An item's place in a loop.
struct Item<'a> {
    index: usize,
    key: Option<&'a str>,
    last: bool,
}

struct Renderer<'a, 'b> {
    template: &'a Tree,
    budget: &'b mut Budget,
    contexts: Vec<Context<'a>>,
    /// Which of the contexts have names.
    named: Vec<usize>,
    out: String,
    levels: usize,
}

/// What a path leads to: data, or one of the loop's own values and the like.
enum Found<'a> {
    Data(&'a Data),
    Made(Data),
}

impl<'a> Found<'a> {
    fn held(self) -> Held<'a> {
        match self {
            Self::Data(value) => Held::Data(value),
            Self::Made(value) => Held::Made(Rc::new(value)),
        }
    }

    fn value(&self) -> &Data {
        match self {
            Self::Data(value) => value,
            Self::Made(value) => value,
        }
    }
}

/// Renders `template` with `data`.
pub(super) fn render(template: &Tree, data: &Data, budget: &mut Budget) -> Result<String, TemplateError> {
    let root = Context { value: Held::Data(data), same: false, item: None, names: &[] };
    let (contexts, named) = (vec![root], Vec::new());
    let mut renderer = Renderer { template, budget, contexts, named, out: String::new(), levels: 0 };
    renderer.nodes(&template.nodes)?;
    Ok(renderer.out)
}

impl<'a> Renderer<'a, '_> {
    fn write(&mut self, text: &str) -> Result<(), TemplateError> {
        self.budget.spend(text.len() / Budget::OCTETS_PER_STEP)?;
        write(&mut self.out, text)
    }

    fn nodes(&mut self, nodes: &'a [Node]) -> Result<(), TemplateError> {
        if self.levels >= LEVELS_MAX {
            return Err(TemplateError::TooMuch("levels"));
        }
        self.levels += 1;
        for node in nodes {
            self.budget.spend(1)?;
            match node {
                Node::Text(text) => self.write(text)?,
                Node::Value(expression) => {
                    let found = self.find(expression)?.filter(|found| *found.value() != Data::Null);
                    match found {
                        Some(found) => self.write_value(found.value())?,
                        None => return Err(self.missing(expression)),
                    }
                }
                Node::Block(block) => self.block(block)?,
                Node::Partial(name, context, indent) => {
                    let start = self.out.len();
                    self.partial(name, context.as_ref())?;
                    self.indent(start, indent)?;
                }
            }
        }
        self.levels -= 1;
        Ok(())
    }

    fn write_value(&mut self, value: &Data) -> Result<(), TemplateError> {
        write_text(value, &mut self.out, self.budget)
    }

    /// Begins each line of what was written since `start` with `indent`, but for an empty one at the end.
    fn indent(&mut self, start: usize, indent: &str) -> Result<(), TemplateError> {
        if indent.is_empty() {
            return Ok(());
        }
        let lines = self.out.split_off(start);
        self.budget.spend_on(lines.len())?;
        for line in lines.split_inclusive('\n') {
            self.write(indent)?;
            self.write(line)?;
        }
        Ok(())
    }

    fn partial(&mut self, name: &str, context: Option<&'a Expression>) -> Result<(), TemplateError> {
        let template = self.template;
        self.budget.spend(name.len() / Budget::OCTETS_PER_STEP)?;
        let nodes = template.partials.get(name).ok_or_else(|| TemplateError::NoPartial(name.to_owned()))?;
        let Some(context) = context else { return self.nodes(nodes) };
        match self.find(context)? {
            Some(found) => self.within(found.held(), None, &[], nodes),
            None => Err(self.missing(context)),
        }
    }

    fn block(&mut self, block: &'a Block) -> Result<(), TemplateError> {
        let found = self.find(&block.argument)?;
        let value = found.as_ref().map_or(&Data::Null, Found::value);
        // Where 0 counts as something it does so alone: an empty text is nothing, whatever is said.
        let zero = matches!(value, Data::Number(number) if number.as_f64() == Some(0.0));
        let is = match block.kind {
            Kind::If | Kind::Unless if zero => match &block.include_zero {
                Some(wanted) => self.find(wanted)?.is_some_and(|wanted| truthy(wanted.value())),
                None => false,
            },
            Kind::With => truthy(value) || zero,
            Kind::Section => match value {
                Data::Null | Data::Bool(false) => false,
                Data::List(list) => !list.is_empty(),
                _ => true,
            },
            _ => truthy(value),
        };
        match (block.kind, found) {
            (Kind::Unless, _) if is => self.nodes(&block.otherwise),
            (Kind::Unless, _) => self.nodes(&block.then),
            (Kind::Each, Some(Found::Data(value))) => self.each(block, value),
            (Kind::Each, _) => self.nodes(&block.otherwise),
            (_, found) => match found.filter(|_| is) {
                None => self.nodes(&block.otherwise),
                Some(Found::Data(value @ Data::List(_))) if block.kind == Kind::Section => self.each(block, value),
                Some(found)
                    if block.kind == Kind::If
                        || (block.kind == Kind::Section && *found.value() == Data::Bool(true)) =>
                {
                    self.nodes(&block.then)
                }
                Some(found) => self.within(found.held(), None, &block.names, &block.then),
            },
        }
    }

    fn each(&mut self, block: &'a Block, value: &'a Data) -> Result<(), TemplateError> {
        match value {
            Data::List(list) if !list.is_empty() => {
                for (index, value) in list.iter().enumerate() {
                    self.budget.spend(1)?;
                    let item = Item { index, key: None, last: index + 1 == list.len() };
                    self.within(Held::Data(value), Some(item), &block.names, &block.then)?;
                }
                Ok(())
            }
            Data::Object(members) if !members.is_empty() => {
                for (index, (key, value)) in members.iter().enumerate() {
                    self.budget.spend(1)?;
                    let item = Item { index, key: Some(key), last: index + 1 == members.len() };
                    self.within(Held::Data(value), Some(item), &block.names, &block.then)?;
                }
                Ok(())
            }
            _ => self.nodes(&block.otherwise),
        }
    }

    fn within(
        &mut self,
        value: Held<'a>,
        item: Option<Item<'a>>,
        names: &'a [String],
        nodes: &'a [Node],
    ) -> Result<(), TemplateError> {
        let around = self.contexts.last().map(|context| context.value.clone());
        let same = match around {
            Some(around) => self.is_same(around.value(), value.value())?,
            None => false,
        };
        let context = Context { value, same, item, names };
        let named = !names.is_empty();
        if named {
            self.named.push(self.contexts.len());
        }
        self.contexts.push(context);
        let done = self.nodes(nodes);
        self.contexts.pop();
        if named {
            self.named.pop();
        }
        done
    }

    fn find(&mut self, expression: &'a Expression) -> Result<Option<Found<'a>>, TemplateError> {
        let path = match expression {
            Expression::Literal(value) => return Ok(Some(Found::Data(value))),
            Expression::Path(path) => path,
            Expression::Lookup(both) => return self.lookup(&both.0, &both.1),
        };
        if path.data && path.parts.first().is_none_or(|name| name != "root") {
            self.budget.spend(1 + self.contexts.len() / 8)?;
            let made = self.loop_value(path);
            if let Some(Data::Text(key)) = &made {
                self.budget.spend_on(key.len())?;
            }
            return Ok(made.map(Found::Made));
        }
        if let Some(found) = self.named(path)? {
            return Ok(found);
        }
        let (context, parts) = match path.data {
            true => (self.contexts.first(), path.parts.get(1..).unwrap_or_default()),
            false => (self.contexts.iter().rev().filter(|context| !context.same).nth(path.up), path.parts.as_slice()),
        };
        let Some(value) = context.map(|context| context.value.clone()) else { return Ok(None) };
        walk_in(&value, parts, self.budget)
    }

    fn lookup(&mut self, of: &'a Expression, member: &'a Expression) -> Result<Option<Found<'a>>, TemplateError> {
        let (of, member) = (self.find(of)?, self.find(member)?);
        let (Some(Found::Data(of)), Some(member)) = (of, member) else { return Ok(None) };
        let mut key = String::new();
        write_text(member.value(), &mut key, self.budget)?;
        walk(of, std::slice::from_ref(&key), self.budget)
    }

    /// Whether two contexts are one to JavaScript: the same object, or values that are alike.
    fn is_same(&mut self, one: &Data, other: &Data) -> Result<bool, TemplateError> {
        Ok(match (one, other) {
            (Data::Text(one), Data::Text(other)) => {
                self.budget.spend(one.len().min(other.len()) / Budget::OCTETS_PER_STEP)?;
                one == other
            }
            (Data::Number(one), Data::Number(other)) => one.as_f64() == other.as_f64(),
            (Data::Bool(_) | Data::Null, _) => one == other,
            _ => std::ptr::eq(one, other),
        })
    }

    fn missing(&mut self, expression: &'a Expression) -> TemplateError {
        let Expression::Lookup(both) = expression else { return missing(expression) };
        // The member is what is missing, where there is a name for it.
        let key = match self.find(&both.1) {
            Ok(Some(member)) => {
                let mut key = String::new();
                write_text(member.value(), &mut key, self.budget).map(|()| key)
            }
            Ok(None) => return missing(&both.1),
            Err(error) => Err(error),
        };
        key.map_or_else(|error| error, TemplateError::Missing)
    }

    /// What a name leads to that a block gave: `as |item place|`. The nearest counts.
    fn named(&mut self, path: &Path) -> Result<Option<Option<Found<'a>>>, TemplateError> {
        if self.named.is_empty() || path.up > 0 || path.data {
            return Ok(None);
        }
        let Some((name, rest)) = path.parts.split_first() else { return Ok(None) };
        self.budget.spend(self.named.len() * (1 + name.len() / Budget::OCTETS_PER_STEP))?;
        let mut contexts = self.named.iter().rev().filter_map(|at| self.contexts.get(*at));
        let Some(context) = contexts.find(|context| context.names.contains(name)) else { return Ok(None) };
        if context.names.first() == Some(name) {
            let value = context.value.clone();
            return Ok(Some(walk_in(&value, rest, self.budget)?));
        }
        let Some(item) = context.item.as_ref() else { return Ok(None) };
        self.budget.spend_on(item.key.map_or(0, str::len))?;
        Ok(Some(Some(Found::Made(
            item.key.map_or_else(|| Data::Number(item.index.into()), |key| Data::Text(key.to_owned())),
        ))))
    }

    fn loop_value(&self, path: &Path) -> Option<Data> {
        let mut items = self.contexts.iter().rev().filter_map(|context| context.item.as_ref());
        let item = items.nth(path.up)?;
        match path.parts.first()?.as_str() {
            "index" => Some(Data::Number(item.index.into())),
            "key" => Some(item.key.map_or_else(|| Data::Number(item.index.into()), |key| Data::Text(key.to_owned()))),
            "first" => Some(Data::Bool(item.index == 0)),
            "last" => Some(Data::Bool(item.last)),
            _ => None,
        }
    }
}

fn walk_in<'a>(from: &Held<'a>, parts: &[String], budget: &mut Budget) -> Result<Option<Found<'a>>, TemplateError> {
    match (from, parts) {
        (Held::Data(value), _) => walk(value, parts, budget),
        (Held::Made(value), []) => {
            if let Data::Text(text) = &**value {
                budget.spend_on(text.len())?;
            }
            Ok(Some(Found::Made(Data::clone(value))))
        }
        (Held::Made(value), [part]) if part == "length" => Ok(length(value, budget)?.map(Found::Made)),
        (Held::Made(_), _) => Ok(None),
    }
}

fn walk<'a>(from: &'a Data, parts: &[String], budget: &mut Budget) -> Result<Option<Found<'a>>, TemplateError> {
    let mut value = from;
    for (at, part) in parts.iter().enumerate() {
        match step_into(value, part, budget)? {
            Some(inner) => value = inner,
            // Lists and texts have one member of their own; it has none.
            None if at + 1 == parts.len() && part == "length" => return Ok(length(value, budget)?.map(Found::Made)),
            None => return Ok(None),
        }
    }
    Ok(Some(Found::Data(value)))
}

/// One step into data. Finding a member hashes its name.
fn step_into<'a>(value: &'a Data, part: &str, budget: &mut Budget) -> Result<Option<&'a Data>, TemplateError> {
    budget.spend(1 + part.len() / Budget::OCTETS_PER_STEP)?;
    Ok(match value {
        Data::Object(members) => members.get(part),
        Data::List(list) => part.parse::<usize>().ok().and_then(|at| list.get(at)),
        _ => None,
    })
}

fn missing(expression: &Expression) -> TemplateError {
    match expression {
        Expression::Path(path) => TemplateError::Missing(path.text.clone()),
        Expression::Literal(value) => TemplateError::Missing(match value {
            Data::Text(text) => text.clone(),
            _ => String::new(),
        }),
        Expression::Lookup(_) => TemplateError::Missing(String::new()),
    }
}
