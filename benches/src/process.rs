//! What the kernel says about a process: CPU time and memory, from /proc (proc_pid_stat(5)).

use std::fs;

/// Ticks a second in /proc: USER_HZ, 100 on every architecture Weir runs on.
const TICKS_PER_S: f64 = 100.0;

/// User and system time of this process in seconds.
pub fn own_cpu_s() -> f64 {
    cpu_s(std::process::id()).unwrap_or_default()
}

/// User and system time of a process in seconds; `None` when it is gone.
pub fn cpu_s(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces: count from its closing bracket. utime and stime are fields 14 and 15.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / TICKS_PER_S)
}

/// Anonymous and shared memory of a process in bytes: resident, without mapped files.
pub fn memory_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some((kib("RssAnon:")? + kib("RssShmem:")?) * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_some() {
        let before = own_cpu_s();
        let mut x = 1u64;
        while own_cpu_s() - before < 0.03 {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        assert!(memory_bytes(std::process::id()).expect("alive") > 100_000);
        assert_eq!(cpu_s(u32::MAX), None);
    }
}
