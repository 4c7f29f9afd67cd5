//! What the figures were measured on.

use std::fmt;
use std::fs;

use serde::Serialize;

/// The parts of a machine that figures depend on.
#[derive(Default, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    cpu: String,
    memory_gib: u64,
    kernel: String,
    /// The load of the last minute at the start; more than a little and the figures are worth less.
    load: String,
}

impl Machine {
    /// Reads what Linux tells; what is not told stays empty.
    pub(crate) fn read() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let memory_kib: u64 = field(&file("/proc/meminfo"), "MemTotal")
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or(0);
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            cpu: field(&file("/proc/cpuinfo"), "model name"),
            memory_gib: memory_kib.div_ceil(1 << 20),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: file("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cores of {}, {} GiB, Linux {}, load {} at the start",
            self.cores, self.cpu, self.memory_gib, self.kernel, self.load
        )
    }
}

/// The value of the first line `name : value`.
pub(crate) fn field(text: &str, name: &str) -> String {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "VmRSSx:\t1 kB\nVmRSS:\t  2048 kB\nother";
        assert_eq!(field(text, "VmRSS"), "2048 kB");
        assert_eq!(field(text, "missing"), "");
    }
}
