//! Lines through the whole store: in the head, sealed, merged, after stops and power cuts, beside spans that go their own way.

use std::path::PathBuf;

use arrow_array::{Array, RecordBatch, cast::AsArray, types::TimestampNanosecondType, types::UInt32Type};
use prost::Message;
use weir_proto::{
    TraceId,
    otlp::{
        Checks,
        logs::scan,
        messages::{
            collector::logs::v1::ExportLogsServiceRequest,
            common::v1::{AnyValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
            logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
            resource::v1::Resource,
        },
    },
};

use super::{spans::tenant, *};
use crate::{
    ask::{
        filter::ScanFilter,
        request::{AttributeForm, ScanColumn, ScanRequest},
        span::Place,
    },
    disk::recorder::{Recorder, Unsynced},
    head::{LineRows, LineSummaries},
    lane::lane::LogsBatch,
    reject::{RejectReason, Rejection},
    snapshot::asked::Snapshot,
    upkeep::{housekeeping, open, run, sealer},
};

/// Each third line has no trace; the others are of few.
fn trace_of(n: u64) -> Option<TraceId> {
    (!n.is_multiple_of(3)).then(|| TraceId::from_wire(&[(n % 7 + 1) as u8; 16]).expect("an id"))
}

fn time_ns(n: u64) -> u64 {
    spans::start_ns(n)
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Line `n`: every fourth has a structured body, every fifth an attribute that few have, every sixth no time of its own.
fn line(n: u64) -> LogRecord {
    let text = Value::StringValue(format!("line {n}"));
    let body = match n % 4 {
        0 => Value::KvlistValue(KeyValueList { values: vec![attribute("n", Value::IntValue(n as i64))] }),
        _ => text,
    };
    let mut attributes =
        vec![attribute("n", Value::IntValue(n as i64)), attribute("even", Value::BoolValue(n.is_multiple_of(2)))];
    if n.is_multiple_of(5) {
        attributes.push(attribute(&format!("rare.{}", n % 50), Value::StringValue("ünïcödé".into())));
    }
    LogRecord {
        time_unix_nano: if n.is_multiple_of(6) { 0 } else { time_ns(n) },
        observed_time_unix_nano: time_ns(n),
        severity_number: (n % 24) as i32,
        severity_text: if n.is_multiple_of(2) { "INFO".into() } else { String::new() },
        body: Some(AnyValue { value: Some(body) }),
        attributes,
        trace_id: trace_of(n).map(|id| id.0.to_vec()).unwrap_or_default(),
        span_id: if n.is_multiple_of(3) { Vec::new() } else { vec![(n % 200 + 1) as u8; 8] },
        flags: (n % 2) as u32,
        event_name: if n.is_multiple_of(8) { "event".into() } else { String::new() },
        ..LogRecord::default()
    }
}

pub(super) fn batch(tenant: &TenantId, numbers: &[u64]) -> LogsBatch {
    rejecting(tenant, numbers, &[])
}

/// With some ordinals rejected.
pub(super) fn rejecting(tenant: &TenantId, numbers: &[u64], rejected: &[u32]) -> LogsBatch {
    let resource = Resource {
        attributes: vec![attribute("service.name", Value::StringValue(format!("service-{}", numbers[0] % 2)))],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "scope".into(), ..InstrumentationScope::default() };
    let log_records = numbers.iter().copied().map(line).collect();
    let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: Some(resource), scope_logs, ..ResourceLogs::default() }];
    let payload = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
    let received_at_ns = clock().now_ns();
    let mut summaries = LineSummaries::default();
    scan(&payload, Checks::Journalled, |line| {
        if !rejected.contains(&line.ordinal) {
            summaries.push(line.ordinal, received_at_ns, &line.line, &weir_proto::otlp::logs::IdNames::USUAL);
        }
    })
    .expect("canonical");
    let reason = RejectReason::TooLarge;
    LogsBatch {
        tenant: tenant.clone(),
        payload: payload.into(),
        received_at_ns,
        items: numbers.len() as u32,
        rejected: rejected.iter().map(|&ordinal| Rejection { ordinal, reason }).collect(),
        summaries,
        generation: 0,
        head_dropped: 0,
        cursors: Default::default(),
    }
}

fn columns() -> Vec<ScanColumn> {
    let own = |key: &str| ScanColumn::Attribute { place: Place::Span, key: key.into(), form: AttributeForm::Text };
    vec![
        own("n"),
        ScanColumn::Time,
        ScanColumn::ObservedTime,
        ScanColumn::TraceId,
        ScanColumn::SpanId,
        ScanColumn::SeverityNumber,
        ScanColumn::SeverityText,
        ScanColumn::Body,
        ScanColumn::BodyIsJson,
        ScanColumn::EventName,
        ScanColumn::Service,
        ScanColumn::ScopeName,
        ScanColumn::Flags,
        own("rare.5"),
        ScanColumn::Attributes(Place::Span),
        ScanColumn::Attributes(Place::Resource),
    ]
}

/// The rows that a scan finds, each shown as text, sorted.
pub(super) fn scanned(
    snapshot: &Snapshot,
    tenant: &TenantId,
    columns: Vec<ScanColumn>,
    filter: ScanFilter,
) -> Vec<String> {
    let request = ScanRequest { columns, filter };
    let scan = snapshot.scan_unless(Signal::Logs, tenant, request, &|| false).expect("nothing gives up");
    let mut rows = Vec::new();
    for part in scan.parts() {
        let batch = scan.read(part);
        rows.extend((0..batch.num_rows()).map(|row| shown(&batch, row)));
    }
    assert!(!scan.is_partial());
    rows.sort();
    rows
}

pub(super) fn shown(batch: &RecordBatch, row: usize) -> String {
    let cell = |column: &dyn Array| {
        if column.is_null(row) {
            return "-".to_owned();
        }
        if let Some(texts) = column.as_dictionary_opt::<UInt32Type>() {
            let at = texts.keys().value(row) as usize;
            return texts.values().as_string::<i32>().value(at).to_owned();
        }
        if let Some(times) = column.as_primitive_opt::<TimestampNanosecondType>() {
            return times.value(row).to_string();
        }
        if let Some(ids) = column.as_fixed_size_binary_opt() {
            return weir_proto::ids::hex(ids.value(row));
        }
        format!("{:?}", column.slice(row, 1))
    };
    batch.columns().iter().map(|column| cell(column)).collect::<Vec<_>>().join("|")
}

/// The numbers of the lines that are there.
fn numbers(snapshot: &Snapshot, tenant: &TenantId) -> Vec<u64> {
    let n = ScanColumn::Attribute { place: Place::Span, key: "n".into(), form: AttributeForm::Text };
    let mut found: Vec<u64> = scanned(snapshot, tenant, vec![n], ScanFilter::default())
        .iter()
        .map(|n| n.parse().expect("a number"))
        .collect();
    found.sort_unstable();
    found
}

/// Everything that can be asked of lines.
fn answers(snapshot: &Snapshot, tenant: &TenantId) -> Vec<Vec<String>> {
    let all = |filter| scanned(snapshot, tenant, columns(), filter);
    let service = Some(vec!["service-1".to_owned()]);
    let trace_ids = trace_of(4).map(|id| vec![id]);
    let even = crate::ask::filter::AttributeCondition {
        place: Place::Any,
        key: "even".into(),
        test: crate::ask::filter::AttributeTest::TextIn(vec!["true".into()]),
    };
    let of_service_1 = crate::ask::filter::ResourceTest::new(|resource, scope| {
        resource == r#"{"service.name":"service-1"}"# && scope == "scope"
    });
    let mut answers = vec![
        all(ScanFilter::default()),
        all(ScanFilter { services: service, ..ScanFilter::default() }),
        all(ScanFilter { resources: Some(of_service_1), ..ScanFilter::default() }),
        all(ScanFilter { trace_ids, ..ScanFilter::default() }),
        all(ScanFilter { start_ns: time_ns(20)..=time_ns(70), ..ScanFilter::default() }),
        all(ScanFilter { attributes: vec![even], ..ScanFilter::default() }),
        // What needs no payload.
        scanned(snapshot, tenant, vec![ScanColumn::Time, ScanColumn::TraceId], ScanFilter::default()),
        vec![snapshot.rows(Signal::Logs, tenant).to_string()],
    ];
    for n in 0..7 {
        let found =
            snapshot.lines_of_trace(tenant, TraceId([n + 1; 16]), None, usize::MAX, &mut |_| true).expect("readable");
        assert!(found.rows.is_sorted_by_key(|record| record.time_ns) && !found.is_damaged);
        let shown = found.rows.into_iter().map(|mut record| {
            record.line.attributes.sort_by(|a, b| a.key.cmp(&b.key));
            format!("{record:?}")
        });
        let mut shown: Vec<String> = shown.collect();
        shown.sort();
        answers.push(shown);
    }
    answers
}

pub(super) async fn append_lines(store: &Store, numbers: std::ops::Range<u64>) {
    for batch_numbers in Vec::from_iter(numbers).chunks(10) {
        store.append_logs(batch(&tenant("default"), batch_numbers)).await.expect("appended");
    }
}

/// Stops a store and gives its folder back.
async fn close(store: crate::Store) {
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_answer_the_same_wherever_they_lie() {
    let folder = temp_folder();
    let in_head =
        StoreOptions { seal_bytes_max: u64::MAX, seal_age_max: Duration::from_secs(3600), ..options(folder.path()) };
    let store = open(in_head.clone()).await;
    append_lines(&store, 0..120).await;
    let tenant = tenant("default");
    let expected = answers(&store.snapshot(), &tenant);
    assert_eq!(numbers(&store.snapshot(), &tenant), Vec::from_iter(0..120));
    assert_eq!(expected[1], expected[2], "the resource tells the service");
    let first = &expected[0].iter().find(|row| row.starts_with("25|")).expect("there");
    let text = format!("25|{}|{}|{}|1a1a1a1a1a1a1a1a|", time_ns(25), time_ns(25), "05".repeat(16));
    assert!(first.starts_with(&text) && first.contains("|line 25|") && first.contains("|service-0|scope|"), "{first}");
    close(store).await;

    // Replayed.
    let store = open(in_head).await;
    assert_eq!(answers(&store.snapshot(), &tenant), expected);
    close(store).await;

    // Sealed, file by file, and merged.
    let store = open(options(folder.path())).await;
    store.roll().await;
    until_settled(&store).await;
    assert!(store.0.shared.views.current().logs.files.is_empty());
    assert_eq!(answers(&store.snapshot(), &tenant), expected);
    for round in 1..5 {
        append_lines(&store, round * 120..(round + 1) * 120).await;
        store.roll().await;
        until_settled(&store).await;
    }
    let view = store.0.shared.views.current();
    let segments: Vec<_> = view.segments(Signal::Logs).values().flatten().collect();
    assert!(segments.iter().any(|segment| segment.id().generation > 0), "some are merged");
    let of_first = |rows: &[Vec<String>]| -> Vec<String> {
        let small = |row: &&String| row.split('|').next().is_some_and(|n| n.parse().is_ok_and(|n: u64| n < 120));
        rows[0].iter().filter(small).cloned().collect()
    };
    let merged = answers(&store.snapshot(), &tenant);
    assert_eq!(of_first(&merged), expected[0]);
    assert_eq!(numbers(&store.snapshot(), &tenant), Vec::from_iter(0..600));
    close(store).await;
    let store = open(options(folder.path())).await;
    assert_eq!(answers(&store.snapshot(), &tenant), merged);
    let ledger = store.snapshot().ledger();
    assert_eq!((ledger.logs[&tenant].accepted, ledger.logs[&tenant].kept), (600, 600));
    assert!(ledger.traces.is_empty());
    close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_is_exact_by_signal() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let tenant = tenant("default");
    store.append_logs(rejecting(&tenant, &[1, 2, 3, 4], &[0, 2])).await.expect("appended");
    append(&store, &tenant, &[1, 2, 3]).await.expect("appended");
    for is_sealed in [false, true] {
        if is_sealed {
            store.roll().await;
            until_settled(&store).await;
        }
        let ledger = store.snapshot().ledger();
        let tally = &ledger.logs[&tenant];
        assert_eq!((tally.accepted, tally.kept, tally.damaged, tally.rejected["too_large"]), (2, 2, 0, 2));
        assert!(tally.balances());
        assert_eq!((ledger.traces[&tenant].accepted, ledger.traces[&tenant].kept), (3, 3));
        assert_eq!(numbers(&store.snapshot(), &tenant), [2, 4]);
        assert_eq!(store.snapshot().rows(Signal::Traces, &tenant), 3);
    }
    close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_one_signal_does_not_refuse_the_other() {
    let folder = temp_folder();
    let sealed_late =
        StoreOptions { seal_bytes_max: u64::MAX, seal_age_max: Duration::from_secs(3600), ..options(folder.path()) };
    let store = open(StoreOptions { head_spans_max: 50, ..sealed_late }).await;
    // The head hears of lines after their acknowledgement: how many are taken before it is full, nobody knows.
    let refused = loop {
        if let Err(refused) = store.append_logs(batch(&tenant("default"), &[60])).await {
            break refused;
        }
    };
    assert!(matches!(refused, AppendError::Busy(_)), "{refused:?}");
    assert!(store.readiness(Signal::Logs).is_err());
    assert!(store.readiness(Signal::Traces).is_ok());
    append(&store, &tenant("default"), &[1, 2]).await.expect("spans are taken");
    close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_is_by_signal() {
    let folder = temp_folder();
    let kept = StoreOptions { retention_logs: Some(Duration::from_nanos(1)), ..options(folder.path()) };
    let store = open(kept).await;
    append(&store, &tenant("default"), &[1, 2]).await.expect("appended");
    append_lines(&store, 0..10).await;
    store.roll().await;
    until("lines are let go", || {
        let view = store.0.shared.views.current();
        view.logs.files.is_empty() && view.segments(Signal::Logs).values().all(Vec::is_empty)
    })
    .await;
    until_settled(&store).await;
    housekeeping::inspect(&store.0.shared);
    assert_eq!(store.snapshot().rows(Signal::Traces, &tenant("default")), 2);
    assert_eq!(store.snapshot().ledger().logs[&tenant("default")].kept, 10, "until retention, says the ledger");
    close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_from_before_there_were_logs_goes_on() {
    let folder = temp_folder();
    let store = open(options(folder.path())).await;
    let sent = append_all(&store, &tenant("default"), 0..40).await;
    store.roll().await;
    until_settled(&store).await;
    close(store).await;
    std::fs::remove_dir_all(folder.path().join("journal/logs")).expect("removed");
    std::fs::remove_dir_all(folder.path().join("segments/logs")).expect("removed");
    let forget = "DELETE FROM journals WHERE journal = 'logs'";
    let url = format!("sqlite://{}", folder.path().join("catalog.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("opens");
    sqlx::query(forget).execute(&pool).await.expect("forgotten");
    pool.close().await;

    let store = open(options(folder.path())).await;
    check::answers(&store.snapshot(), &tenant("default"), &sent);
    append_lines(&store, 0..20).await;
    close(store).await;
    let store = open(options(folder.path())).await;
    check::answers(&store.snapshot(), &tenant("default"), &sent);
    assert_eq!(numbers(&store.snapshot(), &tenant("default")), Vec::from_iter(0..20));
    close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_journal_of_logs_costs_its_own_lines_only() {
    let folder = temp_folder();
    let in_head =
        StoreOptions { seal_bytes_max: u64::MAX, seal_age_max: Duration::from_secs(3600), ..options(folder.path()) };
    let store = open(in_head.clone()).await;
    let sent = append_all(&store, &tenant("default"), 0..30).await;
    append_lines(&store, 0..30).await;
    close(store).await;
    let journal: Vec<PathBuf> =
        files_below(folder.path()).into_iter().filter(|file| file.starts_with("journal/logs")).collect();
    let file = journal.iter().find(|file| file.extension().is_some_and(|of| of == "journal")).expect("one");
    let path = folder.path().join(file);
    let mut bytes = std::fs::read(&path).expect("readable");
    // In the second frame's payload.
    let at = bytes.windows(7).position(|part| part == b"line 13").expect("there");
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let store = open(in_head).await;
    check::answers(&store.snapshot(), &tenant("default"), &sent);
    let left = numbers(&store.snapshot(), &tenant("default"));
    assert_eq!(left, Vec::from_iter((0..10).chain(20..30)));
    let tally = store.snapshot().ledger().logs[&tenant("default")].clone();
    assert_eq!((tally.accepted, tally.kept, tally.damaged), (30, 20, 10));
    close(store).await;
}

/// Cuts the power at every moment of appending, rolling and sealing lines and spans in turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_lose_no_line() {
    let folder = temp_folder();
    let recorder = Recorder::new(folder.path()).expect("recorder");
    recorder.follow(&["catalog.sqlite-wal", "catalog.sqlite"]);
    let disk = Disk::recording(recorder.clone());
    let options = StoreOptions { seal_bytes_max: u64::MAX, ..options(folder.path()) };
    let store = StillStore::open_with(options.clone(), disk, clock()).await;
    let mut acknowledged: Vec<(usize, u64)> = vec![(recorder.moment(), 0)];
    for step in 0..4u64 {
        for half in [0, 5] {
            let numbers: Vec<u64> = (step * 10 + half..step * 10 + half + 5).collect();
            store.shared.logs.append(batch(&tenant("default"), &numbers)).await.expect("appended");
            acknowledged.push((recorder.moment(), numbers[4] + 1));
            store.append(&tenant("default"), [step * 2 + half / 5]).await;
        }
        store.shared.logs.journal.roll().await;
        if step % 2 == 1 {
            let shared = store.shared.clone();
            let sealed = tokio::task::spawn_blocking(move || {
                let files = run::next_run::<LineRows>(&shared).expect("closed files");
                sealer::seal(&shared, &files).expect("sealed").files
            });
            assert!(sealed.await.expect("no panic") > 0);
        }
    }
    store.close().await;
    for rule in [Unsynced::Kept, Unsynced::Lost] {
        for moment in recorder.cuts() {
            let after = temp_folder();
            recorder.materialise(moment, rule, after.path()).expect("materialise");
            let sent_max = acknowledged.last().expect("some").1;
            let acked = acknowledged.iter().filter(|(made, _)| *made <= moment).map(|(_, to)| *to).max().unwrap_or(0);
            let options = StoreOptions { path: after.path().to_owned(), ..options.clone() };
            let shared = open::open(Disk::default(), options, None, clock()).await.expect("opens");
            let found = numbers(&Snapshot::of(shared.views.current()), &tenant("default"));
            assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "a line twice after {moment}, {rule:?}");
            assert!(found.len() as u64 >= acked, "{} of {acked} after {moment}, {rule:?}", found.len());
            assert!(found.iter().all(|n| *n < sent_max));
            let ledger = Snapshot::of(shared.views.current()).ledger();
            let tally = ledger.logs.get(&tenant("default")).cloned().unwrap_or_default();
            let counted = (tally.accepted, tally.kept, tally.damaged);
            assert_eq!(counted, (found.len() as u64, found.len() as u64, 0), "after {moment}, {rule:?}");
            shared.catalog.close().await;
        }
    }
}
