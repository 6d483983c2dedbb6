//! Prometheus' text form of numbers that are looked at when somebody asks: with HELP and TYPE, one server's own.
use std::fmt::Write as _;

/// A number with its labels.
pub(super) type Sample = (Vec<(&'static str, String)>, f64);

/// Numbers of one name. Written only where there is one.
pub(super) struct Family {
    /// The name.
    pub name: &'static str,
    /// What the number means, in one line.
    pub help: String,
    /// The numbers.
    pub samples: Vec<Sample>,
}

impl Family {
    /// A gauge.
    pub(super) fn new(name: &'static str, help: impl Into<String>, samples: Vec<Sample>) -> Self {
        Self { name, help: help.into(), samples }
    }

    /// Adds it to a page.
    pub(super) fn write(&self, page: &mut String) {
        let Self { name, help, samples } = self;
        if samples.is_empty() {
            return;
        }
        // A text is never full.
        let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(page, "{name}{labels} {value}");
        }
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_prometheus_reads_it() {
        let mut page = String::new();
        Family::new("a_none", "Nothing", vec![]).write(&mut page);
        let labels = vec![("queue", "a\"b\\c\nd".to_owned()), ("state", "visible".to_owned())];
        Family::new("a_jobs", "Jobs.", vec![(labels, 2.0), (vec![], 0.5)]).write(&mut page);
        let lines = [
            "# HELP a_jobs Jobs.",
            "# TYPE a_jobs gauge",
            r#"a_jobs{queue="a\"b\\c\nd",state="visible"} 2"#,
            "a_jobs 0.5",
        ];
        assert_eq!(page, lines.map(|line| format!("{line}\n")).concat());
    }
}
