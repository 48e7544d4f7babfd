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
    parts: [Part; 2],
    memory: Memory,
    decisions: Decisions,
}

/// What a part of the traffic took until all of it was decided.
#[derive(Default)]
struct Part {
    cpu_s: f64,
    rows: u64,
}

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let Some(binary) = &settings.collector else {
        let how = "skipped: --collector PATH is missing; benches/collector-builder.yaml says how one is built";
        return Ok(vec![Row::reported("beside the OpenTelemetry Collector's tail sampler", how)]);
    };
    let now_ns = Clock::system().now_ns();
    // From a cold start, then as much again: the memory that a process and the page cache grow by may have to be found by a host first.
    let traffic = [0, 1].map(|n| TrueTraffic { seed: now_ns + n, traces: settings.traces, base_ns: now_ns });
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
    let rows = rows(&expected, &theirs, &ours);
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
    traffic: &[TrueTraffic; 2],
    settings: &Settings,
    core: usize,
) -> anyhow::Result<Taken> {
    let all = traffic.iter().map(|part| part.traces).sum();
    let otelcol = Otelcol::start(binary, folder, &tail_sampling(all), core).await?;
    let pid = otelcol.pid()?;
    let mut memory = Memory::new(pid);
    let mut decisions = Decisions::default();
    let mut parts = [Part::default(), Part::default()];
    let mut traces = 0;
    for (traffic, part) in traffic.iter().zip(&mut parts) {
        traces += traffic.traces;
        let before_s = cpu_s(pid).context("it runs")?;
        part.rows = send(traffic, otelcol.grpc, settings.trace_rate, || memory.look()).await?.rows;
        let started = Instant::now();
        while decisions.kept + decisions.dropped + decisions.too_early < traces {
            ensure!(started.elapsed() < DECIDED_MAX, "the Collector still waits: {decisions:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
            decisions = otelcol.decisions().await?;
        }
        part.cpu_s = cpu_s(pid).context("it still runs")? - before_s;
    }
    Ok(Taken { parts, memory, decisions })
}

async fn weir(folder: &Path, traffic: &[TrueTraffic; 2], settings: &Settings, core: usize) -> anyhow::Result<Taken> {
    let all = traffic.iter().map(|part| part.traces).sum();
    let mut options = ServerOptions::new(&settings.weir, folder);
    options.core = Some(core);
    options.storage = "  journal: {file_age_max: 2s}\n  seal: {age_max: 5s}\n".into();
    options.more = format!("processors:\n  tail_sampling:\n{}", tail_sampling(all));
    let server = Server::start(&options).await?;
    let query = Query::new(server.query);
    let mut memory = Memory::new(server.pid());
    let mut parts = [Part::default(), Part::default()];
    let mut rows = 0;
    for (traffic, part) in traffic.iter().zip(&mut parts) {
        let before_s = cpu_s(server.pid()).context("it runs")?;
        part.rows = send(traffic, server.grpc, settings.trace_rate, || memory.look()).await?.rows;
        query.until("sealed", DECIDED_MAX, |metrics| metrics.get("weir_head_spans") == Some(&0.0)).await?;
        part.cpu_s = cpu_s(server.pid()).context("it still runs")? - before_s;
        rows += part.rows;
        let tally = query.ledger().await?;
        ensure!(tally.balances() && tally.accepted == rows, "{rows} rows sent, ledger {tally:?}");
    }
    let report = SamplingReport::read(&query, 0).await?;
    // `no_policy` is what no policy wanted: the Collector has no such row.
    let wanted = report.wanted.iter().filter(|(policy, _)| *policy != "no_policy");
    let decisions = Decisions {
        kept: report.kept.traces,
        dropped: report.decided.traces - report.kept.traces,
        too_early: report.early,
        wanted: wanted.map(|(policy, wanted)| (policy.clone(), wanted.traces)).collect(),
    };
    Ok(Taken { parts, memory, decisions })
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

fn rows(expected: &Judged, theirs: &Taken, ours: &Taken) -> Vec<Row> {
    let verdicts = |decisions: &Decisions| {
        let wanted = |policy: &str| decisions.wanted.get(policy).copied().unwrap_or_default();
        let (errors, slow, gold, some) = (wanted("errors"), wanted("slow"), wanted("gold"), wanted("some"));
        format!("{errors} + {slow} + {gold} + {some}, {} kept", decisions.kept)
    };
    let truth = verdicts(&as_decisions(expected));
    let mut rows = vec![Row::new(
        format!("verdicts on the same {} traces (errors + slow + gold + 1 %): truth; Collector; Weir", expected.traces),
        format!("{truth}; {}; {}", verdicts(&theirs.decisions), verdicts(&ours.decisions)),
        "equal",
        "equal",
    )];
    let per_million = |part: &Part| part.cpu_s / part.rows as f64 * 1e6;
    for ((theirs, ours), half) in theirs.parts.iter().zip(&ours.parts).zip(["first half, from a cold start", "second"])
    {
        let (theirs, ours) = (per_million(theirs), per_million(ours));
        let what =
            "CPU per million spans on one core: the Collector (no journal, nothing stored), Weir (to sealed segments)";
        let value = format!("{theirs:.2} s, {ours:.2} s: {:.1}× less", theirs / ours);
        rows.push(Row::new(format!("{what}; {half}"), value, "", "8× less"));
    }
    let memory = |Memory { peak_bytes, idle_bytes, .. }: &Memory| {
        format!("{:.0} MB (idle {:.0})", *peak_bytes as f64 / 1e6, *idle_bytes as f64 / 1e6)
    };
    rows.push(Row::reported(
        "peak memory with decision_wait 5s: the Collector, Weir",
        format!("{}, {}", memory(&theirs.memory), memory(&ours.memory)),
    ));
    rows
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
