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
    stat_cpu_s(&format!("/proc/{pid}/stat"))
}

/// User and system time of a process's threads of one name, in seconds. Threads that ended are not counted.
pub fn threads_cpu_s(pid: u32, name: &str) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().map(|task| task.path());
    let named = tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name));
    named.filter_map(|task| stat_cpu_s(&task.join("stat").to_string_lossy())).sum()
}

fn stat_cpu_s(path: &str) -> Option<f64> {
    let stat = fs::read_to_string(path).ok()?;
    // The command's name may hold spaces: count from its closing bracket. utime and stime are fields 14 and 15.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / TICKS_PER_S)
}

/// Page faults of this process so far that needed no disk.
pub fn own_page_faults() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // minflt is field 10.
    let faults = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(7)?.parse().ok());
    faults.unwrap_or_default()
}

/// Anonymous and shared memory of a process in bytes: resident, without mapped files and without what it has marked as free, which
/// the kernel takes when it needs it.
pub fn memory_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let kib = |of: &str, name: &str| -> Option<u64> {
        let line = of.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let resident = kib(&status, "RssAnon:")? + kib(&status, "RssShmem:")?;
    Some(resident.saturating_sub(kib(&rollup, "LazyFree:")?) * 1024)
}

/// Resident memory of a process in bytes, mapped files included.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_some() {
        let name: String = std::thread::current().name().expect("tests have names").chars().take(15).collect();
        let pid = std::process::id();
        let mut x = 1u64;
        while threads_cpu_s(pid, &name) < 0.02 {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        assert!(own_cpu_s() >= 0.02);
        assert!(memory_bytes(pid).expect("alive") > 100_000);
        assert_eq!(cpu_s(u32::MAX), None);
        assert_eq!(threads_cpu_s(pid, "no such name"), 0.0);
    }
}
