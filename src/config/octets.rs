//! Sizes as settings have them, `256MiB`, and how much memory the machine has.
use std::fmt;
use std::fs;
use std::str::FromStr;

use serde::Deserialize;

/// A number of octets: digits, and `KiB`, `MiB` or `GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Octets(pub u64);

const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl FromStr for Octets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = UNITS.iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?.trim_end(), *bits)));
        let read = unit.and_then(|(number, bits)| number.parse::<u64>().ok()?.checked_mul(1_u64.checked_shl(bits)?));
        read.map(Self).ok_or_else(|| format!("{text:?} is not a size such as 64KiB, 256MiB or 1GiB"))
    }
}

impl TryFrom<String> for Octets {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(_, bits)| self.0 > 0 && self.0.trailing_zeros() >= *bits);
        match exact {
            Some((unit, bits)) => write!(f, "{}{unit}", self.0 >> bits),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The memory that this process may use, as Linux tells: the machine's, or less where its control group has a limit. `None`
/// where nobody tells.
pub(super) fn of_machine() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = group.iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    machine.into_iter().chain(group).min()
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        for (text, octets) in [("64KiB", 65_536), ("256 MiB", 268_435_456), ("1GiB", 1_073_741_824)] {
            let read: Octets = text.parse().expect("a size");
            assert_eq!((read.0, read.to_string()), (octets, text.replace(' ', "")));
        }
        for bad in ["", "1", "MiB", "-1MiB", "1.5GiB", "1MB", "99999999999GiB"] {
            assert!(bad.parse::<Octets>().is_err(), "{bad}");
        }
    }

    #[test]
    fn linux_tells_how_much_memory_there_is() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       24684368 kB\n"), Some(25_276_792_832));
        assert_eq!(total("nothing"), None);
    }
}
