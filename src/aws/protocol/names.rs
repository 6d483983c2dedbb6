//! Where a member's name on the Query wire differs from its name in JSON.

/// A service's Query names. Structures go by the name of their Rust type, which is the name in AWS's model.
#[derive(Debug)]
pub struct Names {
    /// `(structure, member, query name)`: lists and maps that stand flat on the wire, with no `member` or `entry`
    /// level, under this name (`Entries` of `SendMessageBatchRequest` is `SendMessageBatchRequestEntry.1`). The
    /// structure `*` means any.
    pub flat: &'static [(&'static str, &'static str, &'static str)],
    /// `(name, key, value)`: what the key and the value of a map's entries are called, where it is not `key` and
    /// `value`. The name is the member's, or the flat one.
    pub entries: &'static [(&'static str, &'static str, &'static str)],
}

impl Names {
    /// The flat name of a member; `None` for a member with the usual `member` or `entry` level.
    pub fn flat(&self, structure: &str, member: &str) -> Option<&'static str> {
        let row = self.flat.iter().find(|(s, m, _)| (*s == structure || *s == "*") && *m == member);
        row.map(|(_, _, name)| *name)
    }

    /// What the key and the value of the entries of the map called `name` are called.
    pub fn entry(&self, name: &str) -> (&'static str, &'static str) {
        let row = self.entries.iter().find(|(n, _, _)| *n == name);
        row.map_or(("key", "value"), |(_, key, value)| (*key, *value))
    }
}
