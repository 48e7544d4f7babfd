//! The oracle of tail sampling: which of the sent traces the policies must keep, and whether a server agrees, now and later.
//!
//! All spans of a trace are in one batch, and a batch is acknowledged or lost whole: so every trace's verdict follows from what
//! was sent, whenever the server decides and however often it was killed before.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{ResourceSpans, Span},
};
use tokio::task::JoinSet;
use weir_proto::TraceId;

use crate::{
    load::{BatchFate, Record},
    query::{Query, Tally},
    rng::nth,
    shop::{BatchKey, Traffic},
    verify::{EXAMPLES_MAX, PARALLEL, Verification, expected},
};

/// Traces that last longer are kept.
const SLOW_MS: u64 = 800;
/// OTLP's StatusCode ERROR.
const ERROR: i32 = 2;
/// Users whose traces are kept, of 100,000 of which the first come most often.
const USERS: u64 = 500;

/// Policies whose verdicts follow from the spans alone: failed traces, slow ones, and those of some users.
#[derive(Debug, Clone)]
pub struct Rules {
    users: BTreeSet<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { users: (0..USERS).map(|n| format!("u-{}", 100_000 + n * 7)).collect() }
    }
}

impl Rules {
    /// The configuration that says the same.
    pub fn processors(&self, decision_wait: &str) -> String {
        let users: Vec<_> = self.users.iter().map(|user| format!("\"{user}\"")).collect();
        format!(
            "processors:
  tail_sampling:
    decision_wait: {decision_wait}
    num_traces: 1000000
    policies:
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
      - {{name: slow, type: latency, latency: {{threshold_ms: {SLOW_MS}}}}}
      - {{name: some users, type: string_attribute, string_attribute: {{key: enduser.id, values: [{}]}}}}
",
            users.join(", ")
        )
    }

    /// The verdict on a whole trace.
    pub fn keeps<'a>(&self, spans: impl Iterator<Item = &'a Span>) -> bool {
        let (mut start_ns, mut end_ns, mut wanted) = (u64::MAX, 0, false);
        for span in spans {
            start_ns = start_ns.min(span.start_time_unix_nano);
            end_ns = end_ns.max(span.end_time_unix_nano);
            wanted |= span.status.as_ref().is_some_and(|status| status.code == ERROR);
            for attribute in span.attributes.iter().filter(|attribute| attribute.key == "enduser.id") {
                let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
                wanted |= matches!(value, Some(Value::StringValue(user)) if self.users.contains(user));
            }
        }
        wanted || end_ns.saturating_sub(start_ns) > SLOW_MS * 1_000_000
    }
}

/// What was found. Good without faults.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// Traces, spans, and spans that are not as they must be. Ledger and faults in words, too.
    pub spans: Verification,
    /// Acknowledged traces that must be kept, and are kept or pending.
    pub kept_traces: u64,
    /// Acknowledged traces that must be dropped, and are dropped or pending.
    pub dropped_traces: u64,
    /// Traces, kept or dropped, that are another thing now, or decided otherwise than the policies say.
    pub wrong_verdicts: u64,
    /// Acknowledged spans that must be kept.
    pub acked_kept_spans: u64,
    /// Spans that must be kept, in all batches that were acknowledged or are there.
    kept_spans: u64,
    /// Batches without an ack of which nothing must be kept: nobody can tell whether they arrived.
    untold_batches: u64,
}

/// Knows what was sent, and remembers every verdict that it saw.
#[derive(Debug, Default)]
pub struct Oracle {
    rules: Rules,
    /// The ledger before the record's first batch.
    before: Tally,
    seen_kept: HashMap<TraceId, bool>,
}

/// One trace as it was found.
struct Look {
    trace: TraceId,
    must_keep: bool,
    spans: u64,
    found: u64,
    pending: u64,
    kept: u64,
}

impl Oracle {
    /// With the server's ledger before the first batch.
    pub fn new(rules: Rules, before: Tally) -> Self {
        Self { rules, before, seen_kept: HashMap::new() }
    }

    /// The policies.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Looks for all traces, or some `sample` of them evenly spread (batches without an ack are always looked at whole). With all
    /// of them and nothing pending, the ledger must be exact.
    pub async fn look(
        &mut self,
        query: &Arc<Query>,
        traffic: &Arc<Traffic>,
        record: &Record,
        sample: Option<u64>,
    ) -> anyhow::Result<Judgement> {
        let batches = record.batches();
        let spans_per_batch = traffic.spans_per_batch() as u64;
        let traces_about = (batches.len() as u64 * spans_per_batch.div_ceil(8)).max(1);
        let share = sample.map_or(u64::MAX, |sample| {
            ((u128::from(sample) << 64) / u128::from(traces_about)).min(u128::from(u64::MAX)) as u64
        });
        let mut judgement = Judgement::default();
        let mut tasks: JoinSet<anyhow::Result<(Judgement, Vec<Look>)>> = JoinSet::new();
        for &(batch, fate) in &batches {
            while tasks.len() >= PARALLEL {
                self.add(&mut judgement, tasks.join_next().await.expect("there are tasks")??);
            }
            let picked = move |trace: usize| fate != BatchFate::Acked || nth(batch.number, trace as u64) <= share;
            if (0..traffic.traces(batch.number).len()).any(picked) {
                let (query, traffic, rules) = (Arc::clone(query), Arc::clone(traffic), self.rules.clone());
                tasks.spawn(async move { look_at_batch(&query, &traffic, &rules, batch, fate, picked).await });
            }
        }
        while let Some(one) = tasks.join_next().await {
            self.add(&mut judgement, one??);
        }
        judgement.spans.ledger = query.ledger().await?;
        let acked = batches.iter().filter(|(_, fate)| *fate == BatchFate::Acked).count() as u64 * spans_per_batch;
        self.check_ledger(&mut judgement, acked, spans_per_batch, sample.is_none());
        Ok(judgement)
    }

    /// Counts a batch, and compares its traces' verdicts with the policies and with what was seen before.
    fn add(&mut self, judgement: &mut Judgement, (one, looks): (Judgement, Vec<Look>)) {
        judgement.merge(one);
        for look in looks {
            let fault = look.fault(self.seen_kept.get(&look.trace).copied());
            if let Some(kept) = look.verdict() {
                self.seen_kept.insert(look.trace, kept);
            }
            if let Some(fault) = fault {
                judgement.wrong_verdicts += 1;
                let Look { trace, must_keep, spans, found, pending, kept } = look;
                judgement.spans.example(|| {
                    format!(
                        "trace {trace} {fault}: must be kept {must_keep}, {found} of {spans} spans are there, \
                         {pending} pending, {kept} kept"
                    )
                });
            }
        }
    }

    fn check_ledger(&self, judgement: &mut Judgement, acked: u64, spans_per_batch: u64, all: bool) {
        let ledger = judgement.spans.ledger;
        let mut faults = Vec::new();
        if !ledger.balances() {
            faults.push(format!("does not balance: {ledger:?}"));
        }
        if ledger.damaged > 0 {
            faults.push(format!("{} damaged", ledger.damaged));
        }
        let accepted = ledger.accepted.saturating_sub(self.before.accepted);
        let least = acked + judgement.spans.unacked_there;
        let most = least + judgement.untold_batches * spans_per_batch;
        if accepted < least || accepted > most || !(accepted - least).is_multiple_of(spans_per_batch) {
            faults.push(format!("accepted {accepted}, but {least} to {most} were acknowledged or are there"));
        }
        let kept = ledger.kept.saturating_sub(self.before.kept);
        if all && ledger.pending == 0 && kept != judgement.kept_spans {
            faults.push(format!("kept {kept}, but the policies keep {}", judgement.kept_spans));
        }
        judgement.spans.ledger_faults = faults;
    }
}

async fn look_at_batch(
    query: &Query,
    traffic: &Traffic,
    rules: &Rules,
    batch: BatchKey,
    fate: BatchFate,
    picked: impl Fn(usize) -> bool,
) -> anyhow::Result<(Judgement, Vec<Look>)> {
    let mut judgement = Judgement::default();
    let expected = expected(traffic, batch);
    let mut looks = Vec::new();
    for (at, trace) in traffic.traces(batch.number).into_iter().enumerate() {
        let spans = &expected[&trace];
        let must_keep = rules.keeps(spans.values().map(|(_, span)| span));
        if !picked(at) {
            continue;
        }
        let (mut answer, states) = query.trace_and_states(trace).await?;
        if states.kept > 0 {
            answer.iter_mut().for_each(without_verdict);
        }
        let (missing, found) = (judgement.spans.missing, judgement.spans.check_trace(trace, spans, answer));
        if found == 0 && (fate != BatchFate::Acked || !must_keep) {
            judgement.spans.missing = missing;
            judgement.spans.examples.retain(|example| !example.starts_with("missing"));
        }
        let (spans, pending, kept) = (spans.len() as u64, states.pending, states.kept);
        looks.push(Look { trace, must_keep, spans, found, pending, kept });
    }
    let arrived = fate == BatchFate::Acked || looks.iter().any(|look| look.found > 0);
    if fate != BatchFate::Acked {
        let (must, found): (Vec<_>, Vec<_>) =
            looks.iter().filter(|look| look.must_keep).map(|look| (look.spans, look.found)).unzip();
        let torn = arrived && must.iter().sum::<u64>() != found.iter().sum::<u64>();
        judgement.spans.torn_batches = u64::from(torn);
        judgement.spans.unacked_there = if arrived { traffic.spans_per_batch() as u64 } else { 0 };
        judgement.untold_batches = u64::from(!arrived && must.is_empty());
        if !arrived {
            looks.clear();
        }
    }
    for look in &looks {
        judgement.kept_spans += if look.must_keep { look.spans } else { 0 };
        if fate == BatchFate::Acked {
            judgement.spans.spans += look.spans;
            judgement.acked_kept_spans += if look.must_keep { look.spans } else { 0 };
            *(if look.must_keep { &mut judgement.kept_traces } else { &mut judgement.dropped_traces }) += 1;
        }
    }
    Ok((judgement, looks))
}

/// Takes out what a verdict of keeping adds: the policy's name, and a threshold of 0, as each of these policies keeps all that it
/// wants.
fn without_verdict(resource_spans: &mut ResourceSpans) {
    for span in resource_spans.scope_spans.iter_mut().flat_map(|of| &mut of.spans) {
        span.attributes.retain(|attribute| attribute.key != "weir.sampling.policy");
        if span.trace_state == "ot=th:0" {
            span.trace_state.clear();
        }
    }
}

impl Look {
    /// Kept or dropped; `None` while it is pending, or in parts.
    fn verdict(&self) -> Option<bool> {
        match (self.found, self.pending, self.kept) {
            (0, 0, 0) => Some(false),
            (_, 0, kept) => (kept >= self.spans).then_some(true),
            _ => None,
        }
    }

    /// What is wrong with the verdict, given the one that was seen before.
    fn fault(&self, seen: Option<bool>) -> Option<&'static str> {
        match (seen, self.verdict()) {
            (Some(true), Some(false) | None) => Some("was kept, and is not any more"),
            (Some(false), _) if self.found > 0 => Some("was dropped, and is there again"),
            (_, Some(kept)) if kept != self.must_keep => Some("was decided otherwise than the policies say"),
            (_, None) if self.kept > 0 => Some("is kept in parts"),
            _ => None,
        }
    }
}

impl Judgement {
    /// Whether everything is as it must be.
    pub fn good(&self) -> bool {
        self.spans.good() && self.wrong_verdicts == 0
    }

    fn merge(&mut self, other: Self) {
        self.spans.merge(other.spans);
        self.spans.examples.truncate(EXAMPLES_MAX);
        self.kept_traces += other.kept_traces;
        self.dropped_traces += other.dropped_traces;
        self.wrong_verdicts += other.wrong_verdicts;
        self.acked_kept_spans += other.acked_kept_spans;
        self.kept_spans += other.kept_spans;
        self.untold_batches += other.untold_batches;
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, dropped, wrong) = (self.kept_traces, self.dropped_traces, self.wrong_verdicts);
        write!(f, "{kept} traces to keep, {dropped} to drop, {wrong} wrong verdicts; {}", self.spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_what_the_policies_say_for_ever() {
        let trace = TraceId([1; 16]);
        let look = |must_keep, found, pending, kept| Look { trace, must_keep, spans: 8, found, pending, kept };
        let cases = [
            (None, look(true, 8, 8, 0), None),
            (None, look(false, 8, 8, 0), None),
            (None, look(true, 8, 0, 8), None),
            (None, look(false, 0, 0, 0), None),
            (Some(true), look(true, 8, 0, 8), None),
            (None, look(true, 0, 0, 0), Some("was decided otherwise than the policies say")),
            (None, look(false, 8, 0, 8), Some("was decided otherwise than the policies say")),
            (None, look(true, 8, 3, 5), Some("is kept in parts")),
            (None, look(true, 5, 0, 5), Some("is kept in parts")),
            (Some(true), look(true, 8, 8, 0), Some("was kept, and is not any more")),
            (Some(true), look(true, 0, 0, 0), Some("was kept, and is not any more")),
            (Some(false), look(false, 8, 8, 0), Some("was dropped, and is there again")),
            (Some(false), look(false, 1, 0, 1), Some("was dropped, and is there again")),
        ];
        for (number, (seen, look, fault)) in cases.into_iter().enumerate() {
            assert_eq!(look.fault(seen), fault, "case {number}");
        }
    }

    /// A twentieth to a third of the shop's traces are kept, for each of the reasons.
    #[test]
    fn the_rules_tell_the_shop_s_traces_apart() {
        let traffic = Traffic::failing(5, 100, 8, 30);
        let (rules, nobody) = (Rules::default(), Rules { users: BTreeSet::new() });
        let (mut traces, mut kept, mut kept_for_users) = (0, 0, 0);
        for number in 0..100 {
            for (_, spans) in expected(&traffic, BatchKey { number, base_ns: 1_790_000_000_000_000_000 }) {
                let spans = || spans.values().map(|(_, span)| span);
                traces += 1;
                kept += u64::from(rules.keeps(spans()));
                kept_for_users += u64::from(rules.keeps(spans()) && !nobody.keeps(spans()));
            }
        }
        assert!(kept * 20 > traces && kept * 3 < traces && kept_for_users > 0, "{kept} of {traces}, {kept_for_users}");
    }
}
