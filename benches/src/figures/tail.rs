//! Tail sampling: CPU, throughput and memory with errors, slow traces, some users, 1 % by chance and a budget kept.

use std::{fmt::Write, time::Duration};

use anyhow::ensure;
use weir_proto::time::Clock;

use super::{
    Row, Settings,
    queries::look_up,
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

const THREADS: [&str; 5] = ["weir-journal", "weir-verdicts", "weir-sampler", "weir-sealer", "weir-merger"];

/// CPU per million spans until every span is sealed or dropped.
pub(super) async fn cpu(settings: &Settings, kept: Kept) -> anyhow::Result<Vec<Row>> {
    let stage = kept.stage(settings, "  journal: {file_age_max: 2s}\n  seal: {age_max: 5s}\n", "2s").await?;
    stage.warm_up(settings).await?;
    let before = stage.cpu(THREADS);
    let plan = Plan { spans: Some(settings.spans), rate: settings.cpu_rate, ..Plan::new(stage.server.grpc) };
    let report = stage.load(plan).await?;
    ensure!(report.all_acked(), "not everything was acknowledged: {report}");
    stage.sealed().await?;
    let cpu = stage.cpu(THREADS).per_million(before, report.acked);
    let share = judged(&stage).await?;
    let (must, goal) = kept.must_and_goal();
    let at = settings.cpu_rate.map_or("flat out".to_owned(), |rate| format!("at {:.0}k spans/s", rate / 1e3));
    let [journal, verdicts, sampler, sealer, merging] = cpu.threads_s;
    let all = cpu.total_s - merging;
    let receiving = all - journal - verdicts - sampler - sealer;
    Ok(vec![
        Row::new(
            format!("server CPU per million spans, tail sampling, {:.1} % kept, {at}", share * 100.0),
            format!("{all:.2} s"),
            must,
            goal,
        ),
        Row::reported(
            "of it receiving, journal, verdicts' journal, sampler, sealing",
            format!("{receiving:.2}, {journal:.2}, {verdicts:.2}, {sampler:.2}, {sealer:.2} s"),
        ),
    ])
}

/// Seconds under the same load before it is measured.
const WARM_UP_S: f64 = 15.0;

/// 100,000 traces a second for a minute.
pub(super) async fn sustained(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Kept::Five.stage(settings, "", "5s").await?;
    let plan = |seconds| {
        let duration = Some(Duration::from_secs_f64(seconds));
        Plan { duration, rate: Some(settings.tail_rate), ..Plan::new(stage.server.grpc) }
    };
    // Without a pause between: until then the journal has no file to write again.
    let warming_up = stage.load(plan(WARM_UP_S)).await?;
    let report = stage.load(plan(settings.seconds)).await?;
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
        Row::reported(
            format!("refused in the {WARM_UP_S:.0} s before, of as many a second"),
            (warming_up.sent - warming_up.acked).to_string(),
        ),
        lateness(&stage).await?,
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

/// What the process takes with 30 seconds of 400,000 spans pending.
pub(super) async fn pending(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Kept::Five.stage(settings, "  head: {payload_size_max: 256MiB}\n", "30s").await?;
    let plan = Plan {
        rate: Some(400_000.0),
        duration: Some(Duration::from_secs_f64(settings.seconds.min(30.0))),
        ..Plan::new(stage.server.grpc)
    };
    let report = stage.load(plan).await?;
    let bytes = stage.memory_bytes();
    let tally = stage.query.ledger().await?;
    ensure!(report.all_acked(), "not everything was acknowledged: {report}");
    stage.sealed().await?;
    judged(&stage).await?;
    let lateness = lateness(&stage).await?;
    let what = format!("process memory with {:.1}M spans pending, payload budget 256 MiB", tally.pending as f64 / 1e6);
    Ok(vec![Row::new(what, format!("{:.2} GB", bytes as f64 / 1e9), "3 GB", "1.9 GB"), lateness])
}

/// From due to settled, over all verdicts so far.
async fn lateness(stage: &Stage) -> anyhow::Result<Row> {
    let (_, status) = stage.query.json("/api/v1/sampling").await?;
    let measured = match status["lateness_p99_ms"].as_u64() {
        Some(ms) => format!("at most {ms} ms"),
        None => format!("beyond the bounds: {}", status["lateness"]),
    };
    Ok(Row::new("lateness of verdicts (due to settled), p99", measured, "200 ms", "50 ms"))
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
    let storage = "  journal: {file_size_max: 1MiB, file_age_max: 100ms}\n  seal: {size_max: 1MiB, age_max: 100ms, journal_size_max: 1MiB}\n";
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
    let ids = kept_traces(&stage).await?;
    let took = look_up(&stage, &ids).await?;
    Ok(vec![
        Row::new(
            format!("segments after {seals} seals at {:.1} % kept, merged", share * 100.0),
            format!("{segments}"),
            "≤ 300",
            "≤ 100",
        ),
        Row::new("trace by id without time range among them, p99", took, "50 ms", "5 ms"),
    ])
}

/// Some traces that were kept, from all over the traffic.
async fn kept_traces(stage: &Stage) -> anyhow::Result<Vec<String>> {
    const TRACES: usize = 300;
    /// Of a hundred traces some five are kept.
    const LOOKED_AT: u64 = 8_000;

    let batches = stage.record.len() as u64;
    let mut kept = Vec::new();
    for n in 0..LOOKED_AT {
        let Some(&id) = stage.traffic.traces(n * batches / LOOKED_AT).first() else { continue };
        if stage.query.span_count(id).await? > 0 {
            kept.push(id.to_string());
        }
        if kept.len() == TRACES {
            break;
        }
    }
    Ok(kept)
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
