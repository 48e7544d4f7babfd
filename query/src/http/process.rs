//! What the process uses, under the names of Prometheus' client libraries, read from /proc.
//!
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>. What cannot be read is left out.

use std::{fmt::Write, fs};

/// The kernel's USER_HZ, in which it counts CPU time and start time for /proc: 100 on every platform Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// One figure.
#[derive(Debug, PartialEq)]
struct Figure {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: f64,
}

/// The figures in Prometheus' text format.
pub(super) fn render() -> String {
    let mut text = String::new();
    for Figure { name, kind, help, value } in now() {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}").expect("a string takes it");
    }
    text
}

/// One of them.
pub(super) fn figure(name: &str) -> Option<f64> {
    now().into_iter().find(|figure| figure.name == name).map(|figure| figure.value)
}

fn now() -> Vec<Figure> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let open_fds = fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    figures(
        &read("/proc/self/stat"),
        &read("/proc/self/status"),
        &read("/proc/self/limits"),
        &read("/proc/stat"),
        open_fds,
    )
}

fn figures(stat: &str, status: &str, limits: &str, system: &str, open_fds: Option<usize>) -> Vec<Figure> {
    // The command's name stands in parentheses and may hold anything: count fields after the last one.
    let after_name = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let field = |position: usize| after_name.split_whitespace().nth(position - 3)?.parse::<f64>().ok();
    let kib = |key: &str| number_after(status, key).map(|kib| kib * 1024.0);
    let cpu_s = field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS_PER_SECOND);
    let start_s = field(22).zip(number_after(system, "btime ")).map(|(ticks, boot)| boot + ticks / TICKS_PER_SECOND);
    let rows = [
        ("process_cpu_seconds_total", "counter", "User and system CPU time spent, in seconds.", cpu_s),
        ("process_resident_memory_bytes", "gauge", "Resident memory in bytes.", kib("VmRSS:")),
        ("process_virtual_memory_bytes", "gauge", "Virtual memory in bytes.", kib("VmSize:")),
        ("process_open_fds", "gauge", "Open file descriptors.", open_fds.map(|n| n as f64)),
        ("process_max_fds", "gauge", "Most file descriptors allowed.", number_after(limits, "Max open files")),
        ("process_threads", "gauge", "Threads.", number_after(status, "Threads:")),
        ("process_start_time_seconds", "gauge", "Start time, Unix seconds.", start_s),
    ];
    let mut figures = Vec::new();
    for (name, kind, help, value) in rows {
        if let Some(value) = value {
            figures.push(Figure { name, kind, help, value });
        }
    }
    figures
}

/// The number that follows `key` at the start of a line.
fn number_after(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 4 0 1234 1000 2 1844";
        let status = "Name:\tweir\nVmSize:\t    2048 kB\nVmRSS:\t     10 kB\nThreads:\t4\n";
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 4096                 files\n";
        let found = figures(stat, status, limits, "cpu 1 2\nbtime 1700000000\n", Some(3));
        let values: Vec<_> = found.iter().map(|figure| (figure.name, figure.value)).collect();
        assert_eq!(
            values,
            [
                ("process_cpu_seconds_total", 3.0),
                ("process_resident_memory_bytes", 10_240.0),
                ("process_virtual_memory_bytes", 2_097_152.0),
                ("process_open_fds", 3.0),
                ("process_max_fds", 1024.0),
                ("process_threads", 4.0),
                ("process_start_time_seconds", 1_700_000_012.34),
            ]
        );
    }

    #[test]
    fn what_is_missing_is_left_out() {
        assert_eq!(figures("", "", "", "", None), []);
    }

    #[test]
    fn this_process_uses_memory() {
        let text = render();
        let line = text.lines().find(|line| line.starts_with("process_resident_memory_bytes ")).expect("on Linux");
        let bytes: f64 = line.rsplit(' ').next().expect("a value").parse().expect("a number");
        assert!(bytes > 100_000.0, "{line}");
    }
}
