//! `/api/v1/find`: where something that was pasted leads, or why there is nothing.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use arrow_array::{FixedSizeBinaryArray, RecordBatch, cast::AsArray};
use serde::Serialize;
use weir_proto::{SpanId, TraceId, time::SECOND_NS};
use weir_store::{
    AttributeCondition, AttributeTest, Place, ReadBounds, ScanColumn, ScanFilter, ScanRequest,
    sampling::RememberedVerdict,
};

use super::asked::Because;
use crate::{
    explore::{
        attributes::{Value, entries},
        condition::{self, BRACKETS},
        newest,
        parallel::fold,
        pasted::{Pasted, ReadAs, read},
        plan::Plan,
        summary::summaries,
        texts::Texts,
    },
    http::{
        answer::{Answer, Failure},
        call::Call,
        moment,
        view::{OpensViews, View},
    },
};

/// Places that are named.
const PLACES_MAX: usize = 20;
/// The share of a query's time for looking through attributes.
const ATTRIBUTES_TIME: Duration = Duration::from_secs(2);
/// Of the newest spans whose attributes are all looked through; so many at a time.
const NEWEST_ROWS: usize = 60_000;
const NEWEST_PART: u32 = 8192;
/// Longer values are nothing that one pastes the beginning of.
const VALUE_BYTES_MAX: usize = 256;

/// Attributes whose values people paste: names of machines, of what runs on them, and of what is asked of it.
const KEYS: [&str; 24] = [
    "k8s.pod.name",
    "k8s.deployment.name",
    "k8s.namespace.name",
    "k8s.node.name",
    "host.name",
    "service.instance.id",
    "service.version",
    "container.id",
    "container.name",
    "http.route",
    "url.path",
    "http.target",
    "url.full",
    "http.url",
    "server.address",
    "messaging.destination.name",
    "rpc.method",
    "exception.type",
    "error.type",
    "session.id",
    "user.id",
    "enduser.id",
    "order.id",
    "request.id",
];

#[derive(Debug, Serialize)]
struct Body<'a> {
    q: &'a str,
    read_as: ReadAs,
    places: Vec<PlaceBody>,
    nothing: Option<Nothing>,
    partial: bool,
    partial_because: Because,
}

/// Where to go.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum PlaceBody {
    Trace {
        trace_id: String,
        span_id: Option<String>,
        /// Null of a trace that has lines alone.
        start_ns: Option<String>,
        service: Option<String>,
        operation: Option<String>,
        state: &'static str,
    },
    Service {
        service: String,
    },
    Operation {
        service: String,
        operation: String,
    },
    Attribute {
        key: String,
        value: String,
        service: String,
        q: String,
    },
    /// The text is conditions by itself.
    Search {
        q: String,
    },
}

/// Why there is no place.
#[derive(Debug, Serialize)]
struct Nothing {
    reason: &'static str,
    policy: Option<String>,
    trace_id: Option<String>,
    message: String,
}

/// Reads `q`, whatever it is.
pub(in crate::http) fn find(call: &Call, source: &dyn OpensViews) -> Result<Answer, Failure> {
    let q = call.first("q").ok_or_else(|| Failure::BadRequest("parameter 'q' is required".into()))?;
    let view = source.view();
    call.reads(view.as_ref());
    let mut finding = Finding { call, view: view.as_ref(), places: Vec::new(), because: Because::default() };
    let pasted = read(q);
    finding.traces(&pasted)?;
    if finding.places.is_empty() {
        finding.spans(&pasted.spans);
    }
    // What looks like an id may be a name all the same; a line or a link is none.
    if finding.places.is_empty() && matches!(pasted.read_as, ReadAs::Text | ReadAs::TraceId | ReadAs::SpanId) {
        finding.names(&pasted.text, pasted.read_as == ReadAs::TraceId)?;
    }
    let nothing = finding.places.is_empty().then(|| nothing(call, source, &pasted, q));
    finding.places.truncate(PLACES_MAX);
    let Finding { places, because, .. } = finding;
    let partial = because.is_partial();
    let body = Body { q, read_as: pasted.read_as, places, nothing, partial, partial_because: because };
    Ok(Answer::json(&body, false)?.that_is_partial(partial))
}

struct Finding<'a> {
    call: &'a Call,
    view: &'a dyn View,
    places: Vec<PlaceBody>,
    because: Because,
}

impl Finding<'_> {
    /// Those of the traces that are here, with their spans or their lines.
    fn traces(&mut self, pasted: &Pasted) -> Result<(), Failure> {
        let ids: Vec<TraceId> = pasted.traces.iter().map(|(id, _)| *id).collect();
        let scan = |request| self.view.scan(&self.call.tenant, request);
        let mut found = summaries(&Plan::default(), &ids, &scan, self.call.deadline);
        self.because.late(found.is_late);
        self.because.damaged(found.is_damaged, self.call);
        for (id, span) in &pasted.traces {
            let span_id = span.map(|span| span.to_string());
            if let Some(summary) = found.by_trace.remove(id) {
                let root = summary.root;
                self.places.push(PlaceBody::Trace {
                    trace_id: id.to_string(),
                    span_id,
                    start_ns: Some(summary.start_ns.to_string()),
                    service: root.as_ref().map(|root| root.service.clone()),
                    operation: root.map(|root| root.operation),
                    state: if summary.is_pending { "pending" } else { "kept" },
                });
                continue;
            }
            let lines = self.view.lines(&self.call.tenant, *id, None, 1, &mut |_| true)?;
            self.because.damaged(lines.is_damaged, self.call);
            if let Some(line) = lines.rows.first() {
                self.places.push(PlaceBody::Trace {
                    trace_id: id.to_string(),
                    span_id,
                    start_ns: Some(line.time_ns.to_string()),
                    service: None,
                    operation: None,
                    state: "kept",
                });
            }
        }
        Ok(())
    }

    /// The traces that have a span of one of these ids: all spans are looked through.
    fn spans(&mut self, ids: &[SpanId]) {
        if ids.is_empty() {
            return;
        }
        let columns =
            vec![ScanColumn::SpanId, ScanColumn::TraceId, ScanColumn::Service, ScanColumn::Name, ScanColumn::State];
        let batches = self.view.scan(&self.call.tenant, ScanRequest { columns, filter: ScanFilter::default() });
        let add = |found: &mut Vec<PlaceBody>, batch: &RecordBatch| {
            let spans: &FixedSizeBinaryArray = batch.column(0).as_fixed_size_binary();
            let traces: &FixedSizeBinaryArray = batch.column(1).as_fixed_size_binary();
            for row in 0..batch.num_rows() {
                if !ids.iter().any(|id| spans.value(row) == id.0) {
                    continue;
                }
                let text = |column: usize| Texts::of(batch.column(column).as_ref()).text(row).map(str::to_owned);
                found.push(PlaceBody::Trace {
                    trace_id: newest::trace_id(traces, row).to_string(),
                    span_id: Some(weir_proto::ids::hex(spans.value(row))),
                    start_ns: None,
                    service: text(2),
                    operation: text(3),
                    state: if text(4).as_deref() == Some("pending") { "pending" } else { "kept" },
                });
            }
            found.len() < PLACES_MAX
        };
        let folded = fold(batches.as_ref(), self.call.deadline, Vec::new, add);
        self.because.late(folded.is_late);
        self.because.damaged(batches.is_partial(), self.call);
        self.places.extend(folded.states.into_iter().flatten());
    }

    /// Services, operations and attributes of this name, those that are it before those that only have it in them; or conditions.
    fn names(&mut self, text: &str, is_id: bool) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let operations = self.view.operations(&self.call.tenant, self.call.deadline)?;
        self.because.add(operations.is_cut, "not all operations are listed");
        self.because.damaged(operations.is_damaged, self.call);
        let lower = text.to_lowercase();
        let rank = |name: &str| {
            let name = name.to_lowercase();
            if name == lower {
                return Some(0);
            }
            if name.starts_with(&lower) { Some(1) } else { name.contains(&lower).then_some(2) }
        };
        let services = operations.services.iter().filter_map(|service| Some((rank(service)?, 0, service, None)));
        let of_services =
            operations.list.iter().filter_map(|one| Some((rank(&one.name)?, 1, &one.service, Some(&one.name))));
        let mut ranked: Vec<_> = services.chain(of_services).collect();
        ranked.sort_unstable();
        ranked.dedup();
        self.places.extend(ranked.into_iter().take(PLACES_MAX).map(|(_, _, service, operation)| match operation {
            None => PlaceBody::Service { service: service.clone() },
            Some(operation) => PlaceBody::Operation { service: service.clone(), operation: operation.clone() },
        }));
        if text.contains(['=', '<', '>'])
            && condition::parse(text).is_ok_and(|conditions| Plan::of(&conditions).is_ok())
        {
            self.places.insert(0, PlaceBody::Search { q: text.to_owned() });
        } else if self.places.is_empty() && !is_id {
            self.attributes(text);
        }
        Ok(())
    }

    /// Attributes whose value this is, or begins with it: all of the newest spans', then well-known ones of all that is sealed.
    fn attributes(&mut self, text: &str) {
        let deadline = self.call.deadline.min(Instant::now() + ATTRIBUTES_TIME);
        self.newest_attributes(text, deadline);
        if self.places.is_empty() {
            self.sealed_attributes(text, deadline);
        }
    }

    fn newest_attributes(&mut self, text: &str, deadline: Instant) {
        let columns =
            vec![ScanColumn::Service, ScanColumn::Attributes(Place::Resource), ScanColumn::Attributes(Place::Span)];
        let scan = self.view.scan(&self.call.tenant, ScanRequest { columns, filter: ScanFilter::default() });
        let batches = scan.split(NEWEST_PART);
        let quoted = serde_json::Value::from(text).to_string();
        let needle = format!(":{}", quoted.trim_end_matches('"'));
        let (mut rows, mut found) = (0, BTreeMap::new());
        for part in 0..batches.parts_rows_max().len() {
            if rows >= NEWEST_ROWS || found.len() >= PLACES_MAX || Instant::now() >= deadline {
                break;
            }
            let batch = batches.read(part);
            rows += batch.num_rows();
            let services = Texts::of(batch.column(0).as_ref());
            for texts in [1, 2].map(|column| Texts::of(batch.column(column).as_ref())) {
                let has: Vec<bool> =
                    (0..texts.codes() as u32).map(|code| texts.of_code(code).contains(&needle)).collect();
                let mut known = vec![false; texts.codes()];
                for (row, code) in (0..batch.num_rows()).filter_map(|row| Some((row, texts.code(row)? as usize))) {
                    if !has[code] || std::mem::replace(&mut known[code], true) || found.len() >= PLACES_MAX {
                        continue;
                    }
                    for (key, value) in entries(texts.of_code(code as u32)) {
                        if let Value::Text(value) = value
                            && value.starts_with(text)
                            && value.len() <= VALUE_BYTES_MAX
                        {
                            let service = services.text(row).unwrap_or_default().to_owned();
                            found.entry((value != text, key, value)).or_insert(service);
                        }
                    }
                }
            }
        }
        self.places.extend(found.into_iter().map(|((_, key, value), service)| PlaceBody::Attribute {
            q: condition_text(&key, &value),
            key,
            value,
            service,
        }));
    }

    fn sealed_attributes(&mut self, text: &str, deadline: Instant) {
        for key in KEYS {
            let test = AttributeTest::TextIn(vec![text.to_owned()]);
            let condition = AttributeCondition { place: Place::Any, key: key.to_owned(), test };
            let filter = ScanFilter { attributes: vec![condition], ..ScanFilter::default() };
            let batches = self.view.scan(&self.call.tenant, ScanRequest { columns: vec![ScanColumn::Service], filter });
            for part in (0..batches.parts_rows_max().len()).filter(|&part| !batches.is_head(part)) {
                if Instant::now() >= deadline {
                    self.because.add(true, "not all attributes were looked through in time");
                    return;
                }
                let batch = batches.read_within(part, &ReadBounds { rows_max: Some(1), ..ReadBounds::default() });
                if batch.num_rows() == 0 {
                    continue;
                }
                let service = Texts::of(batch.column(0).as_ref()).text(0).unwrap_or_default().to_owned();
                let (key, value) = (key.to_owned(), text.to_owned());
                self.places.push(PlaceBody::Attribute { q: condition_text(&key, &value), key, value, service });
                break;
            }
        }
    }
}

/// A condition as it is written.
pub(super) fn condition_text(key: &str, value: &str) -> String {
    let odd = |c: char| c.is_whitespace() || matches!(c, '=' | '!' | '<' | '>' | '~' | '"');
    let is_odd = key.is_empty() || key.contains(odd) || key.starts_with(BRACKETS);
    let key = if is_odd { serde_json::Value::from(key).to_string() } else { key.to_owned() };
    let is_bare =
        !value.is_empty() && !value.contains(char::is_whitespace) && !value.starts_with(['"', '\'', '=', '~']);
    if is_bare {
        return format!("{key}={value}");
    }
    format!("{key}={}", serde_json::Value::from(value))
}

/// What became of what is not here, as far as that is known.
fn nothing(call: &Call, source: &dyn OpensViews, pasted: &Pasted, q: &str) -> Nothing {
    let trace_id = pasted.traces.first().map(|(id, _)| id.to_string());
    for (id, _) in &pasted.traces {
        if let Some(RememberedVerdict { keep, policy }) = source.verdict(&call.tenant, *id) {
            let trace_id = Some(id.to_string());
            if keep {
                let message = format!("The policy {policy} kept this trace, but it is older than what is stored now.");
                return Nothing { reason: "expired", policy: Some(policy), trace_id, message };
            }
            let message = match policy.as_str() {
                "no_policy" => "Sampling dropped this trace: no policy wanted it.".to_owned(),
                policy => format!("Sampling dropped this trace: the policy {policy} decided so."),
            };
            return Nothing { reason: "dropped", policy: Some(policy), trace_id, message };
        }
    }
    if trace_id.is_none() && pasted.spans.is_empty() {
        let message = "No trace, span, service, operation or well-known attribute has this name.".into();
        return Nothing { reason: "not_found", policy: None, trace_id, message };
    }
    let view = source.view();
    let batches = view.scan(&call.tenant, ScanRequest { columns: vec![], filter: ScanFilter::default() });
    let oldest_ns = (0..batches.parts_rows_max().len()).map(|part| batches.part_start_ns(part).0).min();
    let named_ns = time_within(q);
    match (named_ns, oldest_ns) {
        (Some(named_ns), Some(oldest_ns)) if named_ns < oldest_ns => Nothing {
            reason: "expired",
            policy: None,
            trace_id,
            message: format!(
                "This is of {}; the oldest span here is of {}.",
                moment::written(named_ns),
                moment::written(oldest_ns)
            ),
        },
        (Some(named_ns), _) if named_ns.saturating_add(60 * SECOND_NS) >= call.now_ns => Nothing {
            reason: "not_arrived",
            policy: None,
            trace_id,
            message: "This is less than a minute old: its spans have not arrived yet.".into(),
        },
        _ => Nothing {
            reason: "not_arrived",
            policy: None,
            trace_id,
            message: match oldest_ns {
                Some(oldest_ns) => format!(
                    "No span or line with this id has arrived, or it was dropped or deleted too long ago to know. The oldest span here is of {}.",
                    moment::written(oldest_ns)
                ),
                None => "Nothing has arrived yet.".into(),
            },
        },
    }
}

/// The first moment that a text names in RFC 3339, a date alone aside.
fn time_within(text: &str) -> Option<u64> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | 'T' | 'Z' | '+');
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.len() >= 19);
    words.into_iter().find_map(|word| {
        let whole = if word.ends_with('Z') || word.contains('+') { word.to_owned() } else { format!("{word}Z") };
        moment::rfc3339(&whole)
    })
}

#[cfg(test)]
mod tests;
