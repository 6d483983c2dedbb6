//! `postrider check-config` and `postrider sample-config`: whether the settings can be used, and a file with all of them.
use clap::{Arg, Args, Command};
use postrider::app::unreachable;
use postrider::config::{Given, Settings};

/// What the names of all variables of ours begin with.
const PREFIX: &str = "POSTRIDER_";
/// What the tests are told by.
const TESTS: &str = "POSTRIDER_TEST_";

fn all() -> Vec<Arg> {
    Given::augment_args(Command::new("")).get_arguments().cloned().collect()
}

/// Variables of the environment that look like settings and are none.
pub(crate) fn unknown_variables() -> Vec<String> {
    let known: Vec<_> = all().iter().filter_map(|arg| Some(arg.get_env()?.to_owned())).collect();
    let ours = |name: &String| name.starts_with(PREFIX) && !name.starts_with(TESTS) && name != "POSTRIDER_CONFIG";
    let mut names: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(ours).collect();
    names.retain(|name| !known.iter().any(|known| known == name.as_str()));
    names.sort();
    names
}

/// What may be wrong with settings that can be used: a line each.
pub(crate) fn doubts(settings: &Settings) -> Vec<String> {
    let mut doubts: Vec<String> = unknown_variables()
        .into_iter()
        .map(|name| format!("the variable {name} is set, and no setting has this name"))
        .collect();
    doubts.extend(unreachable(settings));
    doubts
}

/// A file with all settings, each as a comment with what it is for.
pub(crate) fn sample() -> String {
    let mut text = "# Settings of Postrider. Each has the name of its flag; a flag wins over the environment, and that over this file.\n".to_owned();
    for arg in all() {
        let Some(long) = arg.get_long() else { continue };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let (help, default) = match help.rsplit_once(" [default: ") {
            Some((help, default)) => (help.to_owned(), default.trim_end_matches(']').to_owned()),
            None => (help, String::new()),
        };
        text.push('\n');
        for line in wrapped(&help) {
            text.push_str(&format!("# {line}\n"));
        }
        if let Some(env) = arg.get_env().and_then(|env| env.to_str()) {
            text.push_str(&format!(
                "# Environment: {env}. Default: {}.\n",
                if default.is_empty() { "none" } else { &default }
            ));
        }
        text.push_str(&format!("#{long} = \n"));
    }
    text
}

/// Lines of up to 100 characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
