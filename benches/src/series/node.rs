//! Node exporters that do not exist: 794 series each, 77 bytes a line with what is said of families, values that behave like those of machines.

use std::fmt::Write;

/// A metric family: name, kind, labels of its series, how its values behave.
struct Family {
    name: &'static str,
    kind: &'static str,
    labels: Vec<String>,
    behaviour: Behaviour,
}

/// How values go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    /// Hundredths of seconds, more of them for some than for others.
    Seconds,
    /// Bytes and packets: up by very many.
    Traffic,
    /// Errors and the like: hardly ever more.
    Rare,
    /// Bytes that go up and down.
    Level,
    /// One value for ever.
    Constant,
    /// Small numbers with two digits behind the point.
    Load,
}

/// The series of one target, in the order in which they are exposed.
pub struct Node {
    lines: Vec<Line>,
}

struct Line {
    /// `# HELP` and `# TYPE`, where it is its family's first.
    head: String,
    /// Name and labels, as exposed.
    series: String,
    labels: Vec<(String, String)>,
    behaviour: Behaviour,
}

impl Default for Node {
    fn default() -> Self {
        let mut lines = Vec::new();
        for family in families() {
            let mut head = format!(
                "# HELP {0} What {0} counts, as a node's exporter would say.\n# TYPE {0} {1}\n",
                family.name, family.kind
            );
            for labels in family.labels {
                let series =
                    if labels.is_empty() { family.name.to_owned() } else { format!("{}{{{labels}}}", family.name) };
                let pair = |pair: &str| {
                    pair.split_once('=').map(|(name, value)| (name.into(), value.trim_matches('"').into()))
                };
                let mut pairs: Vec<(String, String)> = labels.split(',').filter_map(pair).collect();
                pairs.push(("__name__".into(), family.name.into()));
                lines.push(Line {
                    head: std::mem::take(&mut head),
                    series,
                    labels: pairs,
                    behaviour: family.behaviour,
                });
            }
        }
        Self { lines }
    }
}

impl Node {
    /// Series of a target.
    pub fn series(&self) -> usize {
        self.lines.len()
    }

    /// The labels of a series, without those of the target.
    pub fn labels(&self, line: usize) -> &[(String, String)] {
        &self.lines[line].labels
    }

    /// The value of a series of a target at a scrape.
    pub fn value(&self, target: u64, line: usize, scrape: u64) -> f64 {
        let seed = mixed(target * 4096 + line as u64);
        let noise = |of: u64| mixed(seed ^ of.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        match self.lines[line].behaviour {
            // A core spends 15 s in eight modes; what it spent less in one step it spends more in the next.
            Behaviour::Seconds => {
                let each = seed % 900;
                ((seed % 10_000_000 + scrape * each) as f64 + (noise(scrape) % (each / 4 + 1)) as f64) / 100.0
            }
            Behaviour::Traffic => {
                let each = 1 << (4 + seed % 16);
                (seed % 1_000_000_000_000 + scrape * each + noise(scrape) % each) as f64
            }
            Behaviour::Rare => (seed % 1000 + scrape / (20 + seed % 300)) as f64,
            Behaviour::Level => (4096 * (seed % 4_000_000 + noise(scrape / (1 + seed % 4)) % 5_000)) as f64,
            Behaviour::Constant => (seed % 3) as f64,
            Behaviour::Load => (noise(scrape) % 800) as f64 / 100.0,
        }
    }

    /// What a target exposes at a scrape.
    pub fn body(&self, target: u64, scrape: u64, into: &mut String) {
        into.clear();
        for (number, line) in self.lines.iter().enumerate() {
            into.push_str(&line.head);
            // As Go writes floats: an exponent from 10^21 up only matters to none of these.
            writeln!(into, "{} {}", line.series, self.value(target, number, scrape)).expect("a string takes it");
        }
    }
}

/// SplitMix64's output function.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const MODES: [&str; 8] = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];

fn families() -> Vec<Family> {
    let family = |name, kind, behaviour, labels| Family { name, kind, labels, behaviour };
    let mut all = Vec::new();
    let cores = (0..32).flat_map(|cpu| MODES.map(|mode| format!("cpu=\"{cpu}\",mode=\"{mode}\"")));
    all.push(family("node_cpu_seconds_total", "counter", Behaviour::Seconds, cores.collect()));
    let of =
        |label: &str, values: &[&str]| values.iter().map(|value| format!("{label}=\"{value}\"")).collect::<Vec<_>>();
    let disks = ["nvme0n1", "nvme1n1", "nvme2n1", "sda", "sdb", "dm-0"];
    for (name, behaviour) in DISK {
        all.push(family(name, "counter", *behaviour, of("device", &disks)));
    }
    let devices = ["lo", "eth0", "eth1", "docker0", "cni0", "flannel.1", "veth6f2a1b", "veth90c3de"];
    for (name, behaviour) in NETWORK {
        all.push(family(name, "counter", *behaviour, of("device", &devices)));
    }
    let mounts: Vec<String> = ["/", "/boot", "/run", "/run/lock", "/var", "/var/lib/containerd", "/home", "/srv"]
        .iter()
        .map(|mount| format!("device=\"/dev/nvme0n1p2\",fstype=\"ext4\",mountpoint=\"{mount}\""))
        .collect();
    for (name, behaviour) in FILE_SYSTEM {
        all.push(family(name, "gauge", *behaviour, mounts.clone()));
    }
    for name in MEMORY {
        all.push(family(name, "gauge", Behaviour::Level, vec![String::new()]));
    }
    for name in NETSTAT {
        all.push(family(name, "untyped", Behaviour::Traffic, vec![String::new()]));
    }
    for name in LOAD {
        all.push(family(name, "gauge", Behaviour::Load, vec![String::new()]));
    }
    let states = ["activating", "active", "deactivating", "failed", "inactive"];
    let units = ["containerd", "cron", "dbus", "kubelet", "systemd-journald", "systemd-udevd", "ssh", "node-exporter"];
    let units: Vec<String> = (0..5)
        .flat_map(|copy| units.map(|unit| if copy == 0 { unit.to_owned() } else { format!("{unit}@{copy}") }))
        .flat_map(|unit| states.map(|state| format!("name=\"{unit}.service\",state=\"{state}\",type=\"simple\"")))
        .collect();
    all.push(family("node_systemd_unit_state", "gauge", Behaviour::Constant, units));
    all
}

const DISK: &[(&str, Behaviour)] = &[
    ("node_disk_io_now", Behaviour::Load),
    ("node_disk_io_time_seconds_total", Behaviour::Seconds),
    ("node_disk_io_time_weighted_seconds_total", Behaviour::Seconds),
    ("node_disk_read_bytes_total", Behaviour::Traffic),
    ("node_disk_read_time_seconds_total", Behaviour::Seconds),
    ("node_disk_reads_completed_total", Behaviour::Traffic),
    ("node_disk_reads_merged_total", Behaviour::Rare),
    ("node_disk_write_time_seconds_total", Behaviour::Seconds),
    ("node_disk_writes_completed_total", Behaviour::Traffic),
    ("node_disk_writes_merged_total", Behaviour::Rare),
    ("node_disk_written_bytes_total", Behaviour::Traffic),
    ("node_disk_discards_completed_total", Behaviour::Constant),
    ("node_disk_flush_requests_total", Behaviour::Rare),
];

const NETWORK: &[(&str, Behaviour)] = &[
    ("node_network_receive_bytes_total", Behaviour::Traffic),
    ("node_network_receive_compressed_total", Behaviour::Constant),
    ("node_network_receive_drop_total", Behaviour::Rare),
    ("node_network_receive_errs_total", Behaviour::Constant),
    ("node_network_receive_fifo_total", Behaviour::Constant),
    ("node_network_receive_frame_total", Behaviour::Constant),
    ("node_network_receive_multicast_total", Behaviour::Rare),
    ("node_network_receive_packets_total", Behaviour::Traffic),
    ("node_network_transmit_bytes_total", Behaviour::Traffic),
    ("node_network_transmit_carrier_total", Behaviour::Constant),
    ("node_network_transmit_colls_total", Behaviour::Constant),
    ("node_network_transmit_compressed_total", Behaviour::Constant),
    ("node_network_transmit_drop_total", Behaviour::Rare),
    ("node_network_transmit_errs_total", Behaviour::Constant),
    ("node_network_transmit_fifo_total", Behaviour::Constant),
    ("node_network_transmit_packets_total", Behaviour::Traffic),
    ("node_network_up", Behaviour::Constant),
    ("node_network_mtu_bytes", Behaviour::Constant),
    ("node_network_speed_bytes", Behaviour::Constant),
    ("node_network_carrier_changes_total", Behaviour::Rare),
];

const FILE_SYSTEM: &[(&str, Behaviour)] = &[
    ("node_filesystem_avail_bytes", Behaviour::Level),
    ("node_filesystem_device_error", Behaviour::Constant),
    ("node_filesystem_files", Behaviour::Constant),
    ("node_filesystem_files_free", Behaviour::Level),
    ("node_filesystem_free_bytes", Behaviour::Level),
    ("node_filesystem_readonly", Behaviour::Constant),
    ("node_filesystem_size_bytes", Behaviour::Constant),
];

const MEMORY: &[&str] = &[
    "node_memory_Active_bytes",
    "node_memory_AnonPages_bytes",
    "node_memory_Buffers_bytes",
    "node_memory_Cached_bytes",
    "node_memory_Committed_AS_bytes",
    "node_memory_Dirty_bytes",
    "node_memory_Inactive_bytes",
    "node_memory_KernelStack_bytes",
    "node_memory_Mapped_bytes",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemFree_bytes",
    "node_memory_PageTables_bytes",
    "node_memory_SReclaimable_bytes",
    "node_memory_SUnreclaim_bytes",
    "node_memory_Shmem_bytes",
    "node_memory_Slab_bytes",
    "node_memory_Writeback_bytes",
    "node_memory_Unevictable_bytes",
];

const NETSTAT: &[&str] = &[
    "node_netstat_Icmp_InMsgs",
    "node_netstat_Icmp_OutMsgs",
    "node_netstat_Ip_Forwarding",
    "node_netstat_TcpExt_ListenDrops",
    "node_netstat_TcpExt_TCPSynRetrans",
    "node_netstat_Tcp_ActiveOpens",
    "node_netstat_Tcp_InSegs",
    "node_netstat_Tcp_OutSegs",
    "node_netstat_Tcp_PassiveOpens",
    "node_netstat_Tcp_RetransSegs",
    "node_netstat_Udp_InDatagrams",
    "node_netstat_Udp_NoPorts",
    "node_netstat_Udp_OutDatagrams",
    "node_vmstat_pgfault",
    "node_vmstat_pgmajfault",
    "node_vmstat_pgpgin",
    "node_vmstat_pgpgout",
    "node_context_switches_total",
    "node_intr_total",
    "node_forks_total",
];

const LOAD: &[&str] = &[
    "node_load1",
    "node_load15",
    "node_load5",
    "node_procs_blocked",
    "node_procs_running",
    "node_pressure_cpu_waiting_ratio",
];

#[cfg(test)]
mod tests {
    use weir_proto::exposition::{Entry, Exposition, TextFormat};

    use super::*;

    #[test]
    fn a_target_is_as_it_is_said_to_be() {
        let node = Node::default();
        let mut body = String::new();
        node.body(7, 3, &mut body);
        let mut exposition = Exposition::new(body.as_bytes(), TextFormat::Prometheus);
        let (mut samples, mut bytes) = (0, 0);
        while let Some(entry) = exposition.next(|_| None).expect("the text format") {
            if let Entry::Sample(sample) = entry {
                assert_eq!(sample.value, node.value(7, samples, 3));
                bytes += sample.series.len() + format!(" {}\n", sample.value).len();
                samples += 1;
            }
        }
        assert_eq!(samples, node.series());
        println!("{samples} series, {:.1} bytes a line, {} in all", bytes as f64 / samples as f64, body.len());
        assert!((700..1100).contains(&samples), "{samples}");
    }
}
