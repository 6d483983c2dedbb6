//! Why a template cannot be read or rendered.
use crate::base::Spent;

/// Characters of a name in an error.
const SHOWN: usize = 256;

/// Why a template cannot be read, or cannot be rendered with some data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is not a template: an open block, a tag without an end, a helper that there is not.
    #[error("line {line}: {what}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The data does not have what a tag names.
    #[error("attribute {0:?} is not present in the data")]
    Missing(String),
    /// A partial that the template does not define.
    #[error("there is no partial {0:?}")]
    NoPartial(String),
    /// It takes more steps, levels or output than a mail may.
    #[error("the template has too many {0}")]
    TooMuch(&'static str),
}

impl TemplateError {
    /// What a tag names and the data does not have.
    pub fn attribute(&self) -> Option<String> {
        match self {
            Self::Missing(name) => Some(name.chars().take(SHOWN).collect()),
            _ => None,
        }
    }

    /// The error in SES's words, as far as they are known: for the event, and for who tries a template out.
    pub fn told(&self) -> String {
        let shown = |name: &str| name.chars().take(SHOWN).collect::<String>();
        match self {
            Self::Missing(name) => format!("Attribute '{}' is not present in the rendering data.", shown(name)),
            Self::NoPartial(name) => format!("The partial {} could not be found.", shown(name)),
            Self::Syntax { line, what } => format!("The template is invalid. Line {line}: {what}."),
            Self::TooMuch(what) => format!("The template has too many {what}."),
        }
    }
}

impl From<Spent> for TemplateError {
    /// Where the caller is gone, nobody sees the error.
    fn from(_: Spent) -> Self {
        Self::TooMuch("steps")
    }
}
