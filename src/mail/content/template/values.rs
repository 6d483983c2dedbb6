//! Values as JavaScript has them: what they are written as, how long they are, and which count as nothing.
use serde_json::Number;

use crate::base::Budget;
use crate::mail::content::template::TemplateError;
use crate::mail::content::template::data::Data;

/// Octets of the result: SES's limit for a message through the first API.
const OUTPUT_MAX: usize = 10 * 1024 * 1024;

/// How long JavaScript says that it is: the items of a list, the UTF-16 units of a text.
pub(super) fn length(value: &Data, budget: &mut Budget) -> Result<Option<Data>, TemplateError> {
    let length = match value {
        Data::List(list) => list.len(),
        Data::Text(text) => {
            budget.spend_on(text.len())?;
            text.encode_utf16().count()
        }
        _ => return Ok(None),
    };
    Ok(Some(Data::Number(length.into())))
}

/// Adds to a result, which may have so many octets.
pub(super) fn write(out: &mut String, text: &str) -> Result<(), TemplateError> {
    if out.len() + text.len() > OUTPUT_MAX {
        return Err(TemplateError::TooMuch("octets in its result"));
    }
    out.push_str(text);
    Ok(())
}

/// Writes a value as JavaScript writes it.
pub(super) fn write_text(value: &Data, out: &mut String, budget: &mut Budget) -> Result<(), TemplateError> {
    match value {
        Data::Text(text) => {
            budget.spend(text.len() / Budget::OCTETS_PER_STEP)?;
            write(out, text)
        }
        Data::Null => Ok(()),
        Data::List(list) => {
            for (at, value) in list.iter().enumerate() {
                budget.spend(1)?;
                if at > 0 {
                    write(out, ",")?;
                }
                write_text(value, out, budget)?;
            }
            Ok(())
        }
        Data::Object(_) => write(out, "[object Object]"),
        Data::Bool(true) => write(out, "true"),
        Data::Bool(false) => write(out, "false"),
        Data::Number(number) => write(out, &number_text(number)),
    }
}

/// A whole number as it was given; any other as JavaScript writes it: with an exponent from 1e21 on and below 1e-6.
fn number_text(number: &Number) -> String {
    let Some(value) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if size >= 1.0 { text.replace('e', "e+") } else { text }
}

/// Handlebars: nothing, `false`, 0, an empty text and an empty list count as not there.
pub(super) fn truthy(value: &Data) -> bool {
    match value {
        Data::Null => false,
        Data::Bool(is) => *is,
        Data::Number(number) => number.as_f64() != Some(0.0),
        Data::Text(text) => !text.is_empty(),
        Data::List(list) => !list.is_empty(),
        Data::Object(_) => true,
    }
}
