//! Compares what a server has with what was sent: every acknowledged span exactly once and unchanged, nothing that was
//! never sent, a ledger that balances.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::KeyValue,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, Span},
};
use prost::Message;
use tokio::task::JoinSet;
use weir_proto::{SpanId, TraceId};

use crate::{
    load::{BatchFate, Record},
    query::{Query, Tally},
    rng::nth,
    shop::{BatchKey, HEAD_LEN, Traffic},
};

/// What verification found. Good when only the counts of what was looked at are above zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verification {
    /// Traces asked for.
    pub traces: u64,
    /// Acknowledged spans looked for.
    pub spans: u64,
    /// Acknowledged, and not there.
    pub missing: u64,
    /// There more than once.
    pub duplicated: u64,
    /// There, in a trace of ours, but never sent.
    pub foreign: u64,
    /// There, but not as sent.
    pub different: u64,
    /// Spans of batches without an ack that are there all the same: allowed.
    pub unacked_there: u64,
    /// Batches without an ack of which some spans are there and some not.
    pub torn_batches: u64,
    /// The ledger afterwards.
    pub ledger: Tally,
    /// What is wrong with the ledger.
    pub ledger_faults: Vec<String>,
    /// The first faults, in words.
    pub examples: Vec<String>,
}

/// Faults described in words.
pub(crate) const EXAMPLES_MAX: usize = 10;
/// Traces asked for at once.
pub(crate) const PARALLEL: usize = 8;

/// Looks for all traces, or some `sample` of them evenly spread (batches without an ack are always looked at whole).
/// `others_acked`: acknowledged spans that other loads sent since the record began.
pub async fn verify(
    query: &Arc<Query>,
    traffic: &Arc<Traffic>,
    record: &Record,
    sample: Option<u64>,
    others_acked: u64,
) -> anyhow::Result<Verification> {
    let batches = record.batches();
    let spans_per_batch = traffic.spans_per_batch() as u64;
    let traces_about = batches.len() as u64 * spans_per_batch.div_ceil(8);
    let share = sample.map_or(u64::MAX, |sample| {
        ((u128::from(sample) << 64) / u128::from(traces_about.max(1))).min(u128::from(u64::MAX)) as u64
    });
    let mut found = Verification::default();
    let mut tasks = JoinSet::new();
    for (batch, fate) in &batches {
        while tasks.len() >= PARALLEL {
            found.merge(tasks.join_next().await.expect("there are tasks")??);
        }
        let (query, traffic, batch, fate) = (Arc::clone(query), Arc::clone(traffic), *batch, *fate);
        tasks.spawn(async move { check_batch(&query, &traffic, batch, fate, share).await });
    }
    while let Some(one) = tasks.join_next().await {
        found.merge(one??);
    }
    found.ledger = query.ledger().await?;
    found.check_ledger(record, &batches, spans_per_batch, others_acked);
    Ok(found)
}

async fn check_batch(
    query: &Query,
    traffic: &Traffic,
    batch: BatchKey,
    fate: BatchFate,
    share: u64,
) -> anyhow::Result<Verification> {
    let mut found = Verification::default();
    let number = batch.number;
    let picked = |trace: usize| fate != BatchFate::Acked || nth(number, trace as u64) <= share;
    if !(0..traffic.traces(number).len()).any(picked) {
        return Ok(found);
    }
    let expected = expected(traffic, batch);
    let mut there = 0;
    for (at, id) in traffic.traces(number).into_iter().enumerate() {
        if !picked(at) {
            continue;
        }
        let spans = &expected[&id];
        let before = found.missing;
        let matched = found.check_trace(id, spans, query.trace_and_states(id).await?.0);
        there += matched;
        if fate == BatchFate::Acked {
            found.spans += spans.len() as u64;
        } else {
            found.missing = before;
        }
    }
    if fate == BatchFate::Unacked {
        found.unacked_there = there;
        found.examples.retain(|example| !example.starts_with("missing"));
        if there != 0 && there != traffic.spans_per_batch() as u64 {
            found.torn_batches = 1;
        }
    }
    Ok(found)
}

/// The spans of a batch by trace and id, each with its resource.
pub(crate) type Expected = BTreeMap<TraceId, HashMap<SpanId, (Resource, Span)>>;

/// What a batch holds.
pub(crate) fn expected(traffic: &Traffic, batch: BatchKey) -> Expected {
    let mut bytes = Vec::new();
    traffic.fill(batch, &mut bytes);
    let request = ExportTraceServiceRequest::decode(&bytes[HEAD_LEN..]).expect("our own encoding");
    let mut expected = Expected::new();
    for (resource, span) in flatten(request.resource_spans) {
        let ids = (TraceId::from_wire(&span.trace_id), SpanId::from_wire(&span.span_id));
        let (Some(trace), Some(id)) = ids else { continue };
        expected.entry(trace).or_default().insert(id, (resource, span));
    }
    expected
}

/// Each span with its resource, attributes sorted: their order means nothing.
fn flatten(resource_spans: Vec<ResourceSpans>) -> Vec<(Resource, Span)> {
    let mut spans = Vec::new();
    for of in resource_spans {
        let mut resource = of.resource.unwrap_or_default();
        sort(&mut resource.attributes);
        for mut span in of.scope_spans.into_iter().flat_map(|of| of.spans) {
            sort(&mut span.attributes);
            span.events.iter_mut().for_each(|event| sort(&mut event.attributes));
            span.links.iter_mut().for_each(|link| sort(&mut link.attributes));
            // An absent status and an empty one mean the same.
            span.status = span.status.filter(|status| *status != Default::default());
            spans.push((resource.clone(), span));
        }
    }
    spans
}

fn sort(attributes: &mut [KeyValue]) {
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
}

impl Verification {
    /// Whether everything is as it must be.
    pub fn good(&self) -> bool {
        let faults = self.missing + self.duplicated + self.foreign + self.different + self.torn_batches;
        faults == 0 && self.ledger_faults.is_empty()
    }

    /// Counts one trace; returns how many of the expected spans are there.
    pub(crate) fn check_trace(
        &mut self,
        id: TraceId,
        expected: &HashMap<SpanId, (Resource, Span)>,
        answer: Vec<ResourceSpans>,
    ) -> u64 {
        self.traces += 1;
        let mut seen: HashMap<SpanId, u64> = HashMap::new();
        for (resource, span) in flatten(answer) {
            let span_id = SpanId::from_wire(&span.span_id).unwrap_or(SpanId([0; 8]));
            let Some((sent_resource, sent)) = expected.get(&span_id) else {
                self.foreign += 1;
                self.example(|| format!("foreign span {span_id} in trace {id}"));
                continue;
            };
            *seen.entry(span_id).or_default() += 1;
            if span != *sent || resource.attributes != sent_resource.attributes {
                self.different += 1;
                self.example(|| format!("different span {span_id} in trace {id}: sent {sent:?}, found {span:?}"));
            }
        }
        for (span_id, times) in seen.iter().filter(|(_, times)| **times > 1) {
            self.duplicated += times - 1;
            self.example(|| format!("span {span_id} of trace {id} is there {times} times"));
        }
        let missing = (expected.len() - seen.len()) as u64;
        if missing > 0 {
            self.missing += missing;
            self.example(|| format!("missing {missing} of {} spans of trace {id}", expected.len()));
        }
        seen.len() as u64
    }

    /// acked ≤ accepted ≤ sent, exactly acked + what is there without an ack, and balanced.
    fn check_ledger(
        &mut self,
        record: &Record,
        batches: &[(BatchKey, BatchFate)],
        spans_per_batch: u64,
        others_acked: u64,
    ) {
        let fates = |fate| batches.iter().filter(|(_, of)| *of == fate).count() as u64 * spans_per_batch;
        let acked = fates(BatchFate::Acked);
        let sent = batches.len() as u64 * spans_per_batch;
        let before = record.accepted_before() + others_acked;
        let accepted = self.ledger.accepted.saturating_sub(before);
        if !self.ledger.balances() {
            self.ledger_faults.push(format!("does not balance: {:?}", self.ledger));
        }
        if self.ledger.damaged > 0 {
            self.ledger_faults.push(format!("{} damaged", self.ledger.damaged));
        }
        if accepted < acked || accepted > sent {
            self.ledger_faults.push(format!("accepted {accepted}, but acked {acked} and sent {sent}"));
        }
        if fates(BatchFate::Partial) == 0 && accepted != acked + self.unacked_there {
            let there = self.unacked_there;
            self.ledger_faults.push(format!("accepted {accepted}, but acked {acked} and {there} without an ack"));
        }
    }

    pub(crate) fn example(&mut self, words: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(words());
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.traces += other.traces;
        self.spans += other.spans;
        self.missing += other.missing;
        self.duplicated += other.duplicated;
        self.foreign += other.foreign;
        self.different += other.different;
        self.unacked_there += other.unacked_there;
        self.torn_batches += other.torn_batches;
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES_MAX);
    }

    /// As JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "good": self.good(), "traces": self.traces, "spans": self.spans, "missing": self.missing,
            "duplicated": self.duplicated, "foreign": self.foreign, "different": self.different,
            "unacked_there": self.unacked_there, "torn_batches": self.torn_batches,
            "accepted": self.ledger.accepted, "ledger_faults": self.ledger_faults, "examples": self.examples,
        })
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.good() { "verified" } else { "NOT AS SENT" };
        write!(f, "{verdict}: {} acked spans in {} traces looked for", self.spans, self.traces)?;
        for (count, what) in [
            (self.missing, "missing"),
            (self.duplicated, "duplicated"),
            (self.foreign, "never sent"),
            (self.different, "different"),
            (self.torn_batches, "torn batches"),
            (self.unacked_there, "there without an ack"),
        ] {
            if count > 0 {
                write!(f, "; {count} {what}")?;
            }
        }
        write!(f, "; ledger accepted {}", self.ledger.accepted)?;
        for fault in self.ledger_faults.iter().chain(&self.examples) {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}
