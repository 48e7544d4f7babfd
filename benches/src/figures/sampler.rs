//! CPU and memory of the sampler alone, in this process, with a judge that costs next to nothing: traces of eight spans, all in
//! one batch, or spread over eight batches with a thousand other traces between.

use std::{fs, sync::Arc, time::Duration};

use anyhow::Context;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use weir_proto::{
    Signal, TenantId,
    otlp::traces::{Checks, ScannedSpan, scan},
    time::Clock,
};
use weir_store::{
    Store, StoreOptions, TracesBatch,
    head::BatchSummaries,
    sampling::{ArrivedSpan, Cause, Decision, Judge, Sampling, SamplingOptions, SpanMark, SpanMarker, TraceAccount},
};

use super::{Row, Settings};

const SPANS_PER_TRACE: u64 = 8;
const SPANS_PER_BATCH: u64 = 1000;

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for is_spread in [false, true] {
        rows.extend(measure(settings, is_spread).await?);
    }
    Ok(rows)
}

async fn measure(settings: &Settings, is_spread: bool) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("weir-figures-").tempdir_in(&settings.folder)?;
    let options = StoreOptions { seal_age_max: Duration::from_secs(1), ..StoreOptions::new(folder.path()) };
    let sampling: Arc<dyn Sampling> = Arc::new(OneInTwenty);
    let clock = Clock::system();
    let store = Store::open(options, Some(Arc::clone(&sampling)), clock.clone()).await?;
    let batches = settings.spans / SPANS_PER_BATCH;
    let mut memory: f64 = 0.0;
    let mut pending = 0;
    for number in 0..batches {
        while store.readiness(Signal::Traces).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        store.append_traces(batch(number, is_spread, clock.now_ns(), &*sampling)?).await?;
        if number % 64 == 0 {
            let status = store.sampling_status();
            if status.pending_spans > pending {
                pending = status.pending_spans;
                memory = status.memory_bytes as f64 / pending as f64;
            }
        }
    }
    let decided = |status: &weir_store::sampling::SamplingStatus| -> u64 {
        status.kept.values().chain(status.dropped.values()).map(|count| count.spans).sum()
    };
    while decided(&store.sampling_status()) < batches * SPANS_PER_BATCH {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let status = store.sampling_status();
    let (sampler_s, verdicts_s) = (thread_cpu_s("weir-sampler")?, thread_cpu_s("weir-verdicts")?);
    let (spans, traces) =
        ((batches * SPANS_PER_BATCH) as f64, status.kept["one"].traces + status.dropped["one"].traces);
    store.shutdown().await;
    let how = if is_spread { "spread over eight batches" } else { "in one batch" };
    Ok(vec![
        Row::new(
            format!("sampler CPU per span, traces {how}, {spans} spans, {traces} traces"),
            format!("{:.3} µs, verdict journal {:.3} µs", sampler_s / spans * 1e6, verdicts_s / spans * 1e6),
            "0.15 µs",
            "",
        ),
        Row::new(
            format!("sampler memory per pending span, traces {how}, {pending} pending"),
            format!("{memory:.0} B"),
            "32 B",
            "",
        ),
        Row::new(
            format!("lateness of verdicts, p99, traces {how}"),
            status.lateness_ms(0.99).map_or("beyond 5 s".into(), |ms| format!("at most {ms} ms")),
            "200 ms",
            "50 ms",
        ),
    ])
}

/// The spans of batch `number`.
fn batch(number: u64, is_spread: bool, now_ns: u64, sampling: &dyn Sampling) -> anyhow::Result<TracesBatch> {
    let spans = (0..SPANS_PER_BATCH).map(|at| {
        let (trace, of_trace) = if is_spread {
            (number / SPANS_PER_TRACE * SPANS_PER_BATCH + at, number % SPANS_PER_TRACE)
        } else {
            let n = number * SPANS_PER_BATCH + at;
            (n / SPANS_PER_TRACE, n % SPANS_PER_TRACE)
        };
        let high = trace.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Span {
            trace_id: [high.to_be_bytes(), (trace + 1).to_be_bytes()].concat(),
            span_id: (trace * SPANS_PER_TRACE + of_trace + 1).to_be_bytes().to_vec(),
            parent_span_id: if of_trace == 0 { Vec::new() } else { vec![7; 8] },
            name: format!("operation {}", trace % 40),
            start_time_unix_nano: now_ns,
            end_time_unix_nano: now_ns + 1000,
            ..Span::default()
        }
    });
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
    let request =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let payload = request.encode_to_vec();
    let mut summaries = BatchSummaries::with_capacity(SPANS_PER_BATCH as usize);
    let mut marker = sampling.marker();
    scan(&payload, Checks::Journalled, |scanned| {
        summaries.push(scanned.ordinal, scanned.resource_ordinal, &scanned.resource, &scanned.span);
        summaries.mark(&mut *marker, scanned);
    })?;
    drop(marker);
    Ok(TracesBatch {
        tenant: TenantId::new("default")?,
        payload: payload.into(),
        received_at_ns: now_ns,
        items: SPANS_PER_BATCH as u32,
        rejected: Vec::new(),
        summaries,
        generation: sampling.generation(),
        head_dropped: 0,
        cursors: Default::default(),
    })
}

/// CPU seconds of this process's threads of a name.
fn thread_cpu_s(name: &str) -> anyhow::Result<f64> {
    let mut run_ns = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name) {
            let schedstat = fs::read_to_string(task.join("schedstat"))?;
            run_ns += schedstat.split_whitespace().next().context("empty schedstat")?.parse::<u64>()?;
        }
    }
    Ok(run_ns as f64 / 1e9)
}

/// Keeps what the trace id says.
#[derive(Debug)]
struct OneInTwenty;

impl Sampling for OneInTwenty {
    fn generation(&self) -> u32 {
        1
    }

    fn options(&self) -> SamplingOptions {
        SamplingOptions {
            decision_wait: Duration::from_secs(5),
            decision_wait_after_root: None,
            pending_traces_max: 10_000_000,
            pending_bytes_max: 1 << 40,
            trace_bytes_max: 1 << 30,
            kept_cache_traces_max: 100_000,
            dropped_cache_traces_max: 100_000,
        }
    }

    fn marker(&self) -> Box<dyn SpanMarker + '_> {
        Box::new(OneInTwenty)
    }

    fn judge(&self) -> Box<dyn Judge> {
        Box::new(OneInTwenty)
    }
}

impl SpanMarker for OneInTwenty {
    fn mark(&mut self, span: &ScannedSpan<'_>, marks: &mut Vec<SpanMark>) {
        let last = span.span.trace_id.last().copied().unwrap_or_default();
        marks.push(SpanMark {
            bits: u64::from(last.is_multiple_of(20)),
            bytes: span.span.bytes.len() as u32,
            is_root: span.span.parent_span_id.is_empty(),
            ..SpanMark::default()
        });
    }
}

impl Judge for OneInTwenty {
    fn policies(&self) -> Vec<String> {
        vec!["one".to_owned()]
    }

    fn observes(&self) -> bool {
        false
    }

    fn observe(&mut self, _span: &ArrivedSpan<'_>, _account: &mut TraceAccount) {}

    fn decide(&mut self, account: &TraceAccount, _cause: Cause, _now_ns: u64) -> Decision {
        Decision { keep: account.bits != 0, policy: 0, adjusted_count: 1.0, is_probabilistic: false }
    }

    fn recall(&mut self, _account_spans: u32, _kept: bool, _policy: usize, _journal_time_ns: u64) {}

    fn checkpoint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _checkpoint: &[u8]) {}

    fn report(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
