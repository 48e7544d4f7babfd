//! What the policies must say of the traffic, reckoned from its truth alone.

use std::fmt::Write;

use weir_proto::TraceId;

use super::{LateBatch, TrueTrace, TrueTraffic};

/// Share that `some` keeps, and those that the dry run would.
pub(super) const SOME_PERCENT: f64 = 1.0;
pub(super) const SHARES_PERCENT: [(&str, f64); 2] = [("tenth", 10.0), ("half", 50.0)];

/// The salt of those who give none, as in the Collector.
pub(super) const SALT: &str = "default-hash-seed";

/// Above it `slow` of [`collector_policies`] wants a trace.
const SLOW_MS: u64 = 140;

/// How many traces each of [`collector_policies`] must want.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judged {
    /// All.
    pub traces: u64,
    /// By `errors`.
    pub failed: u64,
    /// By `slow`.
    pub slow: u64,
    /// By `gold`.
    pub gold: u64,
    /// By `some`.
    pub some: u64,
    /// By any of them.
    pub kept: u64,
}

/// Reckons it, trace by trace.
pub fn judged(traffic: &[TrueTraffic]) -> Judged {
    let mut judged = Judged { traces: traffic.iter().map(|part| part.traces).sum(), ..Judged::default() };
    for trace in traffic.iter().flat_map(|part| (0..part.traces).map(|number| part.trace(number))) {
        // Whole milliseconds, as the Collector compares.
        let slow = trace.duration_ns() / 1_000_000 > SLOW_MS;
        let some = is_chosen(SALT, SOME_PERCENT, trace.id());
        judged.failed += u64::from(trace.failed);
        judged.slow += u64::from(slow);
        judged.gold += u64::from(trace.gold);
        judged.some += u64::from(some);
        judged.kept += u64::from(trace.failed || slow || trace.gold || some);
    }
    judged
}

/// Policies that the Collector knows too, as a flow list below `policies:`.
pub(crate) fn collector_policies(indent: &str) -> String {
    let mut text = String::new();
    for policy in [
        "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}".to_owned(),
        format!("{{name: slow, type: latency, latency: {{threshold_ms: {SLOW_MS}}}}}"),
        "{name: gold, type: string_attribute, string_attribute: {key: customer.tier, values: [gold]}}".to_owned(),
        format!("{{name: some, type: probabilistic, probabilistic: {{sampling_percentage: {SOME_PERCENT}}}}}"),
    ] {
        let _ = writeln!(text, "{indent}- {policy}");
    }
    text
}

/// The processors of a trial: everything that is certain, chance, a budget, and shares beside them without effect.
pub(super) fn processors(decision_wait: &str, traces: u64, budget: f64) -> String {
    // Traces are decided nearly in the order of their numbers: of the last twentieth the newest tenth is remembered for certain.
    let (kept, dropped) = (traces / 100, traces / 20);
    let mut text = format!(
        "processors:
  tail_sampling:
    decision_wait: {decision_wait}
    num_traces: 4000000
    pending_size_max: 64GiB
    decision_cache: {{sampled_cache_size: {kept}, non_sampled_cache_size: {dropped}}}
    policies:
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
      - {{name: slow, type: anomaly, anomaly: {{warm_up_spans: 200}}}}
      - {{name: rare, type: rare, rare: {{traces_per_second_max: 1000}}}}
      - {{name: gold, type: string_attribute, string_attribute: {{key: customer.tier, values: [gold]}}}}
      - {{name: some, type: probabilistic, probabilistic: {{sampling_percentage: {SOME_PERCENT}}}}}
      - {{name: fair, type: budget, budget: {{spans_per_second: {budget}, interval: 1s}}}}
  tail_sampling/shares:
    dry_run: true
    policies:
"
    );
    for (name, percent) in SHARES_PERCENT {
        let _ = writeln!(
            text,
            "      - {{name: {name}, type: probabilistic, probabilistic: {{hash_salt: {name}, sampling_percentage: {percent}}}}}"
        );
    }
    text
}

/// How many decisions find their trace below a share: one for each trace, and one more for each that comes again when it has been forgotten.
pub(super) fn chosen(traffic: &TrueTraffic, salt: &str, percent: f64, again: LateBatch) -> u64 {
    let mut chosen = 0;
    for number in 0..traffic.traces {
        if is_chosen(salt, percent, TrueTrace::new(traffic.seed, number).id()) {
            chosen += 1 + u64::from(again.has(number));
        }
    }
    chosen
}

/// FNV-1a of salt and trace id below the share (http://www.isthe.com/chongo/tech/comp/fnv/): the Collector's rule, written a second time.
fn is_chosen(salt: &str, percent: f64, id: TraceId) -> bool {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in salt.bytes().chain(id.0) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash as f64 <= percent / 100.0 * u64::MAX as f64
}
