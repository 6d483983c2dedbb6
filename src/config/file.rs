//! The file of settings: TOML, in which each setting has the name of its flag. A group of settings may also stand in a table, and a list
//! may also be a text with commas, as the flag has it.
use std::path::Path;

use clap::{Arg, Args, Command};
use toml::{Table, Value};

use crate::config::outlets::pairs;
use crate::config::{DevGiven, Encryption, FeedbackGiven, Gateways, Given, Objects, Problem};

/// Settings that are a name with a value each.
const MAPS: &[&str] = &["functions", "streams", "event-buses"];

impl Given {
    /// What the file says, alone.
    ///
    /// # Errors
    /// As [`Given::or_from_file`].
    pub fn of_file(path: &Path) -> Result<Self, Problem> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| Problem::new(format!("cannot read {shown}: {e}")))?;
        Self::of_text(&text).map_err(|(line, what)| match line {
            Some(line) => Problem::new(format!("{shown}, line {line}: {what}")),
            None => Problem::new(format!("{shown}: {what}")),
        })
    }

    /// What is wrong comes with its line, where that is known.
    fn of_text(text: &str) -> Result<Self, (Option<usize>, String)> {
        let as_it_stands = match toml::from_str::<Self>(text) {
            Ok(given) => return Ok(given),
            Err(error) => error,
        };
        let line = |error: &toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start))?;
            Some(before.matches('\n').count() + 1)
        };
        let table = text.parse::<Table>().map_err(|error| (line(&error), error.message().to_owned()))?;
        let at = |key: &str| {
            let found = text.lines().position(|line| line.trim_start().starts_with(key));
            found.map(|line| line + 1)
        };
        let (tidied, moved) = tidied(table).map_err(|(key, what)| (at(&key), format!("{key}: {what}")))?;
        if !moved {
            return Err((line(&as_it_stands), as_it_stands.message().to_owned()));
        }
        // A table knows no lines: which of its settings is wrong is found by reading each alone.
        let wrong = culprit(&tidied);
        tidied.try_into::<Self>().map_err(|error| match wrong {
            Some(key) => (at(&key), format!("{key}: {}", error.message())),
            None => (None, error.message().to_owned()),
        })
    }
}

/// The setting that cannot be read.
fn culprit(table: &Table) -> Option<String> {
    let alone = |key: &str, value: &Value| Table::from_iter([(key.to_owned(), value.clone())]);
    let bad = |table: Table| table.try_into::<Given>().is_err();
    let (group, value) = table.iter().find(|(key, value)| bad(alone(key, value)))?;
    let inner = value.as_table().filter(|_| !MAPS.contains(&group.as_str()));
    let inner = inner.and_then(|inner| {
        inner
            .iter()
            .find(|(key, value)| bad(alone(group, &Value::Table(alone(key, value)))))
            .map(|(key, _)| key.clone())
    });
    Some(inner.unwrap_or_else(|| group.clone()))
}

/// The settings of a group, as the flags have them.
fn of<A: Args>() -> Vec<Arg> {
    A::augment_args(Command::new("")).get_arguments().cloned().collect()
}

fn key(arg: &Arg) -> String {
    arg.get_id().as_str().replace('_', "-")
}

/// A setting that cannot be tidied, and why.
type Wrong = (String, String);

/// A list or a map that is written as its flag is, in the file's own form; `None` where it is something else.
fn unfolded(setting: &Arg, value: &Value) -> Result<Option<Value>, Wrong> {
    let Value::String(text) = value else { return Ok(None) };
    let key = key(setting);
    if MAPS.contains(&key.as_str()) {
        // Without the value: a URL may hold a password.
        let pairs = pairs(text).map_err(|_| (key, "it is NAME=VALUE,NAME=VALUE or a table".to_owned()))?;
        let pairs = pairs.into_iter().map(|(name, value)| (name, Value::String(value)));
        return Ok(Some(Value::Table(pairs.collect())));
    }
    if setting.get_value_delimiter() == Some(',') {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        return Ok(Some(Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())));
    }
    Ok(None)
}

/// The file in the form that is read: groups in their tables, lists as arrays, maps as tables. And whether anything changed.
fn tidied(mut table: Table) -> Result<(Table, bool), Wrong> {
    let mut moved = false;
    let groups = [
        ("objects", of::<Objects>()),
        ("gateways", of::<Gateways>()),
        ("encryption", of::<Encryption>()),
        ("feedback", of::<FeedbackGiven>()),
        ("dev", of::<DevGiven>()),
    ];
    for (name, settings) in groups {
        for setting in settings {
            let key = key(&setting);
            if let Some(value) = table.remove(&key) {
                let group = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
                if let Some(group) = group.as_table_mut()
                    && group.insert(key.clone(), value).is_some()
                {
                    return Err((key, format!("it stands twice, also in the table {name}")));
                }
                moved = true;
            }
            let group = table.get_mut(name).and_then(Value::as_table_mut);
            if let Some(value) = group.and_then(|group| group.get_mut(&key))
                && let Some(unfolded) = unfolded(&setting, value)?
            {
                *value = unfolded;
                moved = true;
            }
        }
    }
    for setting in of::<Given>() {
        if let Some(value) = table.get_mut(&key(&setting))
            && let Some(unfolded) = unfolded(&setting, value)?
        {
            *value = unfolded;
            moved = true;
        }
    }
    Ok((table, moved))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Given, (Option<usize>, String)> {
        Given::of_text(text)
    }

    #[test]
    fn a_setting_has_the_name_of_its_flag_and_may_stand_in_its_table() {
        for text in
            ["s3-region = \"eu-west-1\"\nmx-port = 26\n", "mx-port = 26\n[objects]\ns3-region = \"eu-west-1\"\n"]
        {
            let given = read(text).expect("good settings");
            assert_eq!((given.mx_port, given.objects.s3_region.as_deref()), (Some(26), Some("eu-west-1")), "{text}");
        }
        let hosts = read("[dev]\nallow-hosts = \"a.dev,b.dev\"\n").expect("good settings").dev.allow_hosts;
        assert_eq!(hosts.map_or(0, |hosts| hosts.len()), 2);
        let given = read("port-offset = 5\nfeedback-domain = \"fb.example.com\"\nhttp = 4567\nsmtp = \"none\"\n")
            .expect("good settings");
        assert_eq!(given.dev.port_offset, Some(5));
        assert!(given.http.is_some_and(|http| http.address().is_some_and(|at| at.port() == 4567)));
        assert!(given.smtp.is_some_and(|smtp| smtp.address().is_none()));
    }

    #[test]
    fn lists_and_maps_have_both_forms() {
        for text in [
            "dns = \"1.1.1.1, 8.8.8.8:53\"\nmx-allow = \"10.0.0.0/8\"\nfunctions = \"a=http://x,b=http://y\"\n",
            "dns = [\"1.1.1.1\", \"8.8.8.8:53\"]\nmx-allow = [\"10.0.0.0/8\"]\n[functions]\na = \"http://x\"\nb = \"http://y\"\n",
        ] {
            let given = read(text).expect("good settings");
            assert_eq!(given.dns.map_or(0, |dns| dns.len()), 2, "{text}");
            assert_eq!(given.mx_allow.map_or(0, |nets| nets.len()), 1, "{text}");
            assert_eq!(given.functions.map_or(0, |functions| functions.0.len()), 2, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, word) in [
            ("mx-port = 25\n\nmx_prot = 1\n", 3, "mx_prot"),
            ("s3-region = \"x\"\n\nmx_prot = 1\n", 3, "mx_prot"),
            ("mx-port = \"many\"\n", 1, "invalid type"),
            ("http = \"nowhere\"\n", 1, "write IP:PORT"),
            ("s3-region = \"x\"\nmx-port = \"many\"\n", 2, "mx-port: invalid type"),
            ("[dev]\nport-offset = \"x\"\nallow-hosts = \"a,b\"\n", 2, "port-offset: invalid type"),
            ("s3-region = \"x\"\n[objects]\ns3-region = \"y\"\n", 1, "it stands twice"),
            ("functions = \"f=http://u:hunter2@h,broken\"\n", 1, "functions: it is NAME=VALUE"),
            ("http = \n", 1, ""),
        ] {
            let (at, what) = read(text).expect_err("it is wrong");
            assert_eq!(at, Some(line), "{text}: {what}");
            assert!(what.contains(word) && !what.contains("hunter2"), "{text}: {what}");
        }
    }
}
