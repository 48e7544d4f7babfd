//! Tail sampling: CPU, throughput and memory with errors, slow traces, some users, 1 % by chance and a budget kept.

use std::{fmt::Write, time::Duration};

use anyhow::ensure;
use weir_proto::time::Clock;

use super::{
    Row, Settings,
    stage::{Stage, TEMPLATES},
};
use crate::{load::Plan, query::Query, server::Server, shop::Traffic};

/// How much is kept, about: the share is measured.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kept {
    None,
    Five,
    Twenty,
}

impl Kept {
    /// Of a thousand steps of traces so many fail, and all of their traces are kept.
    fn failed_per_mille(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Five => 2,
            Self::Twenty => 25,
        }
    }

    fn must_and_goal(self) -> (&'static str, &'static str) {
        match self {
            Self::None => ("0.6 s", "0.45 s"),
            Self::Five => ("1.0 s", "0.67 s"),
            Self::Twenty => ("1.4 s", "0.9 s"),
        }
    }

    /// The processor, with the five policies of the figures' definition. With nothing kept they are there and want nothing.
    fn processors(self, decision_wait: &str) -> String {
        let users = (0..100).fold(String::new(), |mut users, n| {
            let _ = write!(users, "\"u-{}\", ", 100_000 + n);
            users
        });
        let (threshold_ms, percentage, budget, key) = match self {
            Self::None => (3_600_000, "0", "1", "no.such.attribute"),
            Self::Five | Self::Twenty => (800, "1", "2000", "enduser.id"),
        };
        format!(
            "processors:
  tail_sampling:
    decision_wait: {decision_wait}
    num_traces: 4000000
    pending_size_max: 64GiB
    policies:
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
      - {{name: slow, type: latency, latency: {{threshold_ms: {threshold_ms}}}}}
      - {{name: some users, type: string_attribute, string_attribute: {{key: {key}, values: [{users}]}}}}
      - {{name: some, type: probabilistic, probabilistic: {{sampling_percentage: {percentage}}}}}
      - {{name: fair, type: budget, budget: {{spans_per_second: {budget}}}}}
"
        )
    }

    async fn stage(self, settings: &Settings, storage: &str, decision_wait: &str) -> anyhow::Result<Stage> {
        let traffic = Traffic::failing(Clock::system().now_ns(), 1000, TEMPLATES, self.failed_per_mille());
        Stage::with(settings, traffic, storage, &self.processors(decision_wait)).await
    }
}

/// CPU per million spans until every span is sealed or dropped.
pub(super) async fn cpu(settings: &Settings, kept: Kept) -> anyhow::Result<Vec<Row>> {
    let stage = kept.stage(settings, "  journal: {file_age_max: 2s}\n  seal: {age_max: 5s}\n", "2s").await?;
    let before_s = stage.cpu_s();
    let plan = Plan { spans: Some(settings.spans), rate: settings.cpu_rate, ..Plan::new(stage.server.grpc) };
    let report = stage.load(plan).await?;
    ensure!(report.all_acked(), "not everything was acknowledged: {report}");
    stage.sealed().await?;
    let merging_s = stage.threads_cpu_s("weir-merger");
    let cpu_s = stage.cpu_s() - before_s - merging_s;
    let threads =
        ["weir-journal", "weir-verdicts", "weir-sampler", "weir-sealer"].map(|name| stage.threads_cpu_s(name));
    let share = judged(&stage).await?;
    let millions = report.acked as f64 / 1e6;
    let (must, goal) = kept.must_and_goal();
    let at = settings.cpu_rate.map_or("flat out".to_owned(), |rate| format!("at {:.0}k spans/s", rate / 1e3));
    let [journal, verdicts, sampler, sealer] = threads.map(|seconds| seconds / millions);
    let receiving = cpu_s / millions - journal - verdicts - sampler - sealer;
    Ok(vec![
        Row::new(
            format!("server CPU per million spans, tail sampling, {:.1} % kept, {at}", share * 100.0),
            format!("{:.2} s", cpu_s / millions),
            must,
            goal,
        ),
        Row::reported(
            "of it receiving, journal, verdicts' journal, sampler, sealing",
            format!("{receiving:.2}, {journal:.2}, {verdicts:.2}, {sampler:.2}, {sealer:.2} s"),
        ),
    ])
}

/// 100,000 traces a second for a minute.
pub(super) async fn sustained(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Kept::Five.stage(settings, "", "5s").await?;
    let duration = Some(Duration::from_secs_f64(settings.seconds));
    let plan = Plan { duration, rate: Some(settings.tail_rate), ..Plan::new(stage.server.grpc) };
    let report = stage.load(plan).await?;
    let metrics = stage.query.metrics().await?;
    stage.sealed().await?;
    let share = judged(&stage).await?;
    let refused = report.sent - report.acked;
    let rate = report.spans_per_s();
    let gauge = |name: &str| metrics.get(name).copied().unwrap_or(f64::NAN);
    Ok(vec![
        Row::new(
            format!(
                "tail sampling for {:.0} s, decision_wait 5s, {:.1} % kept, ledger exact",
                settings.seconds,
                share * 100.0
            ),
            format!("{rate:.0} spans/s ({:.0} traces/s), {refused} refused", rate / 8.0),
            "800k spans/s, 0 refused",
            "1,040k",
        ),
        Row::reported("ack p99 meanwhile", format!("{:.1} ms", report.latency.p99_ms)),
        Row::reported("spans in the head at the end", format!("{:.0}", gauge("weir_head_spans"))),
    ])
}

/// Memory for pending spans: the difference between two fillings of which nothing is decided.
pub(super) async fn memory(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let storage = "  journal: {unsealed_size_max: 64GiB}\n  head: {payload_size_max: 64MiB}\n";
    let stage = Kept::Five.stage(settings, storage, "1h").await?;
    stage.load(Plan { spans: Some(500_000), ..Plan::new(stage.server.grpc) }).await?;
    let before = stage.memory_bytes();
    let report = stage.load(Plan { spans: Some(settings.spans), ..Plan::new(stage.server.grpc) }).await?;
    let after = stage.memory_bytes();
    let tally = stage.query.ledger().await?;
    ensure!(tally.pending == report.acked + 500_000, "not everything is pending: {tally:?}");
    let per_span = after.saturating_sub(before) as f64 / report.acked as f64;
    let what = format!("process memory per pending span beyond the payload budget, {} spans", report.acked);
    Ok(vec![Row::new(what, format!("{per_span:.0} B"), "200 B", "120 B")])
}

/// Ready after `kill -9` with 50,000 traces open.
pub(super) async fn restart(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let mut stage = Kept::Five.stage(settings, "", "1h").await?;
    let report = stage.load(Plan { spans: Some(50_000 * 8), ..Plan::new(stage.server.grpc) }).await?;
    stage.server.kill().await?;
    stage.server = Server::start(&stage.options).await?;
    let tally = Query::new(stage.server.query).ledger().await?;
    ensure!(tally.pending == report.acked, "not everything is pending again: {tally:?}");
    let ready_s = stage.server.ready_after.as_secs_f64();
    Ok(vec![Row::new("ready after kill -9 with 50,000 open traces", format!("{ready_s:.2} s"), "3 s", "1 s")])
}

/// Segments after many seals of little each.
pub(super) async fn segments(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let storage = "  journal: {file_size_max: 1MiB, file_age_max: 50ms}\n  seal: {size_max: 64KiB, age_max: 10ms}\n";
    let stage = Kept::Five.stage(settings, storage, "500ms").await?;
    let mut seals = 0.0;
    while seals < settings.seals as f64 {
        let plan = Plan { rate: Some(200_000.0), spans: Some(1_000_000), ..Plan::new(stage.server.grpc) };
        ensure!(stage.load(plan).await?.all_acked(), "not everything was acknowledged");
        seals = stage.query.metrics().await?.get("weir_seals_total").copied().unwrap_or_default();
        eprintln!("  {seals} seals");
    }
    stage.sealed().await?;
    stage.merged().await?;
    let segments = stage.query.metrics().await?.get("weir_segments").copied().unwrap_or_default();
    let share = judged(&stage).await?;
    let what = format!("segments after {seals} seals at {:.1} % kept, merged", share * 100.0);
    Ok(vec![Row::new(what, format!("{segments}"), "≤ 300", "≤ 100")])
}

/// Checks that the ledger balances, that nothing is pending and that traces are there whole or not at all; answers the kept share.
async fn judged(stage: &Stage) -> anyhow::Result<f64> {
    let tally = stage.query.ledger().await?;
    ensure!(tally.balances() && tally.pending == 0 && tally.damaged == 0, "the ledger is off: {tally:?}");
    for number in 0..8 {
        let mut expected = std::collections::BTreeMap::new();
        for (trace, _) in stage.traffic.spans(number) {
            *expected.entry(trace).or_insert(0) += 1;
        }
        for (trace, spans) in expected {
            let found = stage.query.span_count(trace).await?;
            ensure!(found == 0 || found == spans, "{found} of {spans} spans of trace {trace} are there");
        }
    }
    Ok(tally.kept as f64 / tally.accepted as f64)
}
