//! The OpenTelemetry Collector's tail sampler and Weir's: one after the other, the same traffic, the same policies, one core each.

use std::{path::Path, time::Duration};

use anyhow::{Context, ensure};
use tokio::{process::Command, time::Instant};
use weir_proto::time::Clock;

use super::{Row, Settings};
use crate::{
    otelcol::{Decisions, Otelcol},
    process::{cpu_s, memory_bytes},
    query::Query,
    server::{Server, ServerOptions},
    truth::{Judged, SamplingReport, TrueTraffic, collector_policies, judged, send},
};

/// Longest wait for the last decision.
const DECIDED_MAX: Duration = Duration::from_secs(300);

/// Between two looks at a process's memory, in batches.
const LOOK_EVERY: u64 = 10;

/// What one of them took.
struct Taken {
    cpu_s: f64,
    idle_bytes: u64,
    peak_bytes: u64,
    rows: u64,
    decisions: Decisions,
}

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let Some(binary) = &settings.collector else {
        let how = "skipped: --collector PATH is missing; benches/collector-builder.yaml says how one is built";
        return Ok(vec![Row::reported("beside the OpenTelemetry Collector's tail sampler", how)]);
    };
    let now_ns = Clock::system().now_ns();
    let traffic = TrueTraffic { seed: now_ns, traces: settings.traces, base_ns: now_ns };
    let expected = judged(&traffic);
    let folder = tempfile::Builder::new().prefix("weir-figures-").tempdir_in(&settings.folder)?;
    let last_core = std::thread::available_parallelism()?.get() - 1;
    ensure!(last_core > 0, "a core for each is needed: this machine has one");
    let others = format!("0-{}", last_core - 1);
    pin(&others).await?;
    let theirs = collector(binary, folder.path(), &traffic, settings, last_core).await;
    let ours = weir(folder.path(), &traffic, settings, last_core).await;
    pin(&format!("0-{last_core}")).await?;
    let (theirs, ours) = (theirs?, ours?);
    let rows = rows(&traffic, &expected, &theirs, &ours);
    for row in &rows {
        eprintln!("  {row}");
    }
    let expected = as_decisions(&expected);
    ensure!(ours.decisions == expected, "Weir: {:?}, in truth {expected:?}", ours.decisions);
    ensure!(theirs.decisions == expected, "the Collector: {:?}, in truth {expected:?}", theirs.decisions);
    Ok(rows)
}

/// Lines of the block, for both.
fn tail_sampling(traces: u64) -> String {
    format!(
        "    decision_wait: 5s\n    num_traces: {}\n    policies:\n{}",
        traces + 1_000,
        collector_policies("      ")
    )
}

async fn collector(
    binary: &Path,
    folder: &Path,
    traffic: &TrueTraffic,
    settings: &Settings,
    core: usize,
) -> anyhow::Result<Taken> {
    let otelcol = Otelcol::start(binary, folder, &tail_sampling(traffic.traces), core).await?;
    let pid = otelcol.pid()?;
    let mut memory = Memory::new(pid);
    let before_s = cpu_s(pid).context("it runs")?;
    let sent = send(traffic, otelcol.grpc, settings.trace_rate, || memory.look()).await?;
    let started = Instant::now();
    let mut decisions = otelcol.decisions().await?;
    while decisions.kept + decisions.dropped + decisions.too_early < traffic.traces {
        ensure!(started.elapsed() < DECIDED_MAX, "the Collector still waits: {decisions:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        decisions = otelcol.decisions().await?;
    }
    let cpu_s = cpu_s(pid).context("it still runs")? - before_s;
    let Memory { idle_bytes, peak_bytes, .. } = memory;
    Ok(Taken { cpu_s, idle_bytes, peak_bytes, rows: sent.rows, decisions })
}

async fn weir(folder: &Path, traffic: &TrueTraffic, settings: &Settings, core: usize) -> anyhow::Result<Taken> {
    let mut options = ServerOptions::new(&settings.weir, folder);
    options.core = Some(core);
    options.storage = "  journal: {file_age_max: 2s}\n  seal: {age_max: 5s}\n".into();
    options.more = format!("processors:\n  tail_sampling:\n{}", tail_sampling(traffic.traces));
    let server = Server::start(&options).await?;
    let query = Query::new(server.query);
    let mut memory = Memory::new(server.pid());
    let before_s = cpu_s(server.pid()).context("it runs")?;
    let sent = send(traffic, server.grpc, settings.trace_rate, || memory.look()).await?;
    query.until("sealed", DECIDED_MAX, |metrics| metrics.get("weir_head_spans") == Some(&0.0)).await?;
    let cpu_s = cpu_s(server.pid()).context("it still runs")? - before_s;
    let report = SamplingReport::read(&query, 0).await?;
    let tally = query.ledger().await?;
    ensure!(tally.balances() && tally.accepted == sent.rows, "{} rows sent, ledger {tally:?}", sent.rows);
    let decisions = Decisions {
        kept: report.kept.traces,
        dropped: report.decided.traces - report.kept.traces,
        too_early: report.early,
        wanted: report.wanted.iter().map(|(policy, wanted)| (policy.clone(), wanted.traces)).collect(),
    };
    // Of no policy: the Collector has no such row.
    let decisions = Decisions {
        wanted: decisions.wanted.into_iter().filter(|(name, _)| name != "no_policy").collect(),
        ..decisions
    };
    let Memory { idle_bytes, peak_bytes, .. } = memory;
    Ok(Taken { cpu_s, idle_bytes, peak_bytes, rows: sent.rows, decisions })
}

fn as_decisions(judged: &Judged) -> Decisions {
    let wanted = [("errors", judged.failed), ("slow", judged.slow), ("gold", judged.gold), ("some", judged.some)];
    Decisions {
        kept: judged.kept,
        dropped: judged.traces - judged.kept,
        too_early: 0,
        wanted: wanted.map(|(policy, traces)| (policy.to_owned(), traces)).into(),
    }
}

fn rows(traffic: &TrueTraffic, expected: &Judged, theirs: &Taken, ours: &Taken) -> Vec<Row> {
    let per_million = |taken: &Taken| taken.cpu_s / taken.rows as f64 * 1e6;
    let verdicts = |decisions: &Decisions| {
        let wanted = |policy: &str| decisions.wanted.get(policy).copied().unwrap_or_default();
        let (errors, slow, gold, some) = (wanted("errors"), wanted("slow"), wanted("gold"), wanted("some"));
        format!("{errors} + {slow} + {gold} + {some}, {} kept", decisions.kept)
    };
    let memory =
        |taken: &Taken| format!("{:.0} MB (idle {:.0})", taken.peak_bytes as f64 / 1e6, taken.idle_bytes as f64 / 1e6);
    vec![
        Row::new(
            format!(
                "verdicts on the same {} traces (errors + slow + gold + 1 %): truth; Collector; Weir",
                traffic.traces
            ),
            format!(
                "{}; {}; {}",
                verdicts(&as_decisions(expected)),
                verdicts(&theirs.decisions),
                verdicts(&ours.decisions)
            ),
            "equal",
            "equal",
        ),
        Row::new(
            "CPU per million spans on one core: the Collector (no journal, nothing stored), Weir (to sealed segments)",
            format!(
                "{:.2} s, {:.2} s: {:.1}× less",
                per_million(theirs),
                per_million(ours),
                per_million(theirs) / per_million(ours)
            ),
            "",
            "8× less",
        ),
        Row::reported(
            "peak memory with decision_wait 5s: the Collector, Weir",
            format!("{}, {}", memory(theirs), memory(ours)),
        ),
    ]
}

/// A process's memory while it is loaded.
struct Memory {
    pid: u32,
    calls: u64,
    idle_bytes: u64,
    peak_bytes: u64,
}

impl Memory {
    fn new(pid: u32) -> Self {
        let idle_bytes = memory_bytes(pid).unwrap_or_default();
        Self { pid, calls: 0, idle_bytes, peak_bytes: idle_bytes }
    }

    fn look(&mut self) {
        self.calls += 1;
        if self.calls.is_multiple_of(LOOK_EVERY) {
            self.peak_bytes = self.peak_bytes.max(memory_bytes(self.pid).unwrap_or_default());
        }
    }
}

/// Lets all threads of this process run on these cores only, by taskset(1).
async fn pin(cores: &str) -> anyhow::Result<()> {
    let own = std::process::id().to_string();
    let output = Command::new("taskset").args(["-a", "-c", "-p", cores, &own]).output().await.context("taskset")?;
    ensure!(output.status.success(), "taskset: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
