//! Scans: the same rows from the head, from segments, from merged ones and from any mixture, and only what fits.

use arrow_array::{Array, RecordBatch, cast::AsArray, types::*};
use arrow_schema::DataType;
use proptest::prelude::*;
use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};

use super::{spans::tenant, *};
use crate::{
    ask::{
        filter::{AttributeCondition, AttributeTest, ScanFilter},
        request::{AttributeForm, ReadBounds, ScanColumn, ScanRequest},
        span::Place,
    },
    scan::Scan,
    snapshot::asked::Snapshot,
};

const T0: u64 = 1_760_000_000_000_000_000;

/// A span, by a few small numbers.
#[derive(Debug, Clone)]
struct Draft {
    trace: u8,
    service: u8,
    name: u8,
    kind: i32,
    status: i32,
    start: u16,
    duration: i16,
    attributes: Vec<(u8, u8)>,
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let attributes = proptest::collection::btree_map(0u8..8, 0u8..6, 0..5);
    let draft = (0u8..12, 0u8..3, 0u8..4, 0..6i32, 0..3i32, 0u16..500, -20i16..300, attributes);
    let draft = draft.prop_map(|(trace, service, name, kind, status, start, duration, attributes)| Draft {
        trace,
        service,
        name,
        kind,
        status,
        start,
        duration,
        attributes: attributes.into_iter().collect(),
    });
    proptest::collection::vec(draft, 1..120)
}

/// The attribute `key` as `value` says: every type, well-known keys (columns of their own at once), rare ones and mixed ones.
fn attribute(key: u8, value: u8) -> KeyValue {
    let n = i64::from(value);
    let (name, value) = match key {
        0 => ("http.route".to_owned(), Value::StringValue(format!("/r\"{value}\\"))),
        1 => ("server.port".to_owned(), Value::IntValue(n)),
        2 => (
            "mixed".to_owned(),
            if value.is_multiple_of(2) { Value::IntValue(n) } else { Value::StringValue(format!("{n}")) },
        ),
        3 => ("ratio".to_owned(), Value::DoubleValue(if value == 5 { f64::INFINITY } else { n as f64 / 2.0 })),
        4 => ("error.type".to_owned(), Value::BoolValue(value.is_multiple_of(2))),
        5 => (
            "list".to_owned(),
            Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(Value::IntValue(n)) }] }),
        ),
        6 => (format!("rare.{value}"), Value::StringValue("ä".into())),
        _ => ("bytes".to_owned(), Value::BytesValue(vec![value])),
    };
    KeyValue { key: name, value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn text_of(value: &AnyValue) -> String {
    match value.value.as_ref().expect("set") {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(int) => int.to_string(),
        Value::BoolValue(value) => value.to_string(),
        Value::DoubleValue(double) if double.is_infinite() => "Infinity".to_owned(),
        Value::DoubleValue(double) => format!("{double:?}"),
        Value::ArrayValue(array) => format!("[{}]", text_of(&array.values[0])),
        Value::BytesValue(bytes) => {
            format!("{{\"$bytes\":\"{}\"}}", ["AA==", "AQ==", "Ag==", "Aw==", "BA==", "BQ=="][usize::from(bytes[0])])
        }
        other => unreachable!("{other:?}"),
    }
}

impl Draft {
    fn trace_id(&self) -> [u8; 16] {
        [self.trace + 1; 16]
    }

    fn start_ns(&self) -> u64 {
        T0 + u64::from(self.start)
    }

    fn end_ns(&self) -> u64 {
        self.start_ns().wrapping_add_signed(i64::from(self.duration))
    }

    fn duration_ns(&self) -> u64 {
        self.duration.max(0) as u64
    }

    fn service(&self) -> String {
        format!("service-{}", self.service)
    }

    fn resource(&self) -> Vec<KeyValue> {
        let text = |key: &str, value: String| KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(Value::StringValue(value)) }),
            ..Default::default()
        };
        vec![text("service.name", self.service()), text("zone", format!("zone-{}", self.service % 2))]
    }

    fn attributes(&self) -> Vec<KeyValue> {
        self.attributes.iter().map(|&(key, value)| attribute(key, value)).collect()
    }

    fn value(&self, key: &str) -> Option<AnyValue> {
        self.attributes().into_iter().find(|entry| entry.key == key)?.value
    }

    /// The row that a scan of [`columns`] has to show for it.
    fn row(&self, number: usize) -> Vec<String> {
        let text = |key: &str| self.value(key).map_or("NULL".into(), |value| text_of(&value));
        let number_of = |key: &str| match self.value(key).and_then(|value| value.value) {
            Some(Value::IntValue(int)) => format!("{:?}", int as f64),
            Some(Value::DoubleValue(double)) => format!("{double:?}"),
            Some(Value::StringValue(text)) => text.parse::<f64>().map_or("NULL".into(), |number| format!("{number:?}")),
            _ => "NULL".into(),
        };
        let bool_of = |key: &str| match self.value(key).and_then(|value| value.value) {
            Some(Value::BoolValue(value)) => value.to_string(),
            _ => "NULL".into(),
        };
        let mut all: Vec<(String, String)> = self
            .attributes()
            .iter()
            .map(|entry| {
                let value = entry.value.as_ref().expect("set");
                let json = match &value.value {
                    Some(Value::StringValue(text)) => {
                        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
                    }
                    Some(Value::DoubleValue(double)) if double.is_infinite() => "{\"$double\":\"Infinity\"}".into(),
                    _ => text_of(value),
                };
                (format!("\"{}\"", entry.key), json)
            })
            .collect();
        all.sort();
        let all: Vec<String> = all.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
        let all = if all.is_empty() { "NULL".into() } else { format!("{{{}}}", all.join(",")) };
        vec![
            format!("{:02x?}", self.trace_id()),
            format!("{:02x?}", (number as u64 + 1).to_be_bytes()),
            if number.is_multiple_of(3) { "NULL".into() } else { format!("{:02x?}", (number as u64).to_be_bytes()) },
            self.service(),
            format!("name {}", self.name),
            self.kind.to_string(),
            self.start_ns().to_string(),
            self.end_ns().to_string(),
            self.duration_ns().to_string(),
            self.status.to_string(),
            if self.status == 2 { "failed".into() } else { "NULL".into() },
            "scope".into(),
            "kept".into(),
            "1.0".into(),
            text("http.route"),
            text("server.port"),
            text("mixed"),
            text("ratio"),
            text("error.type"),
            text("list"),
            text("rare.3"),
            text("bytes"),
            number_of("mixed"),
            number_of("ratio"),
            bool_of("error.type"),
            format!("zone-{}", self.service % 2),
            all,
            format!("{{\"service.name\":\"{}\",\"zone\":\"zone-{}\"}}", self.service(), self.service % 2),
        ]
    }
}

fn columns() -> Vec<ScanColumn> {
    use ScanColumn::*;
    let typed = |key: &str, form| Attribute { place: Place::Span, key: key.into(), form };
    let mut columns = vec![
        TraceId,
        SpanId,
        ParentSpanId,
        Service,
        Name,
        Kind,
        StartTime,
        EndTime,
        Duration,
        StatusCode,
        StatusMessage,
        ScopeName,
        State,
        AdjustedCount,
    ];
    let keys = ["http.route", "server.port", "mixed", "ratio", "error.type", "list", "rare.3", "bytes"];
    columns.extend(keys.map(ScanColumn::attribute));
    columns.push(typed("mixed", AttributeForm::Number));
    columns.push(typed("ratio", AttributeForm::Number));
    columns.push(typed("error.type", AttributeForm::Bool));
    columns.push(ScanColumn::resource("zone"));
    columns.push(Attributes(Place::Span));
    columns.push(Attributes(Place::Resource));
    columns
}

fn request_of(drafts: &[Draft], first: usize) -> ExportTraceServiceRequest {
    let resource_spans = drafts.iter().enumerate().map(|(at, draft)| {
        let number = (first + at) as u64;
        let span = Span {
            trace_id: draft.trace_id().to_vec(),
            span_id: (number + 1).to_be_bytes().to_vec(),
            parent_span_id: if number.is_multiple_of(3) { vec![] } else { number.to_be_bytes().to_vec() },
            name: format!("name {}", draft.name),
            kind: draft.kind,
            start_time_unix_nano: draft.start_ns(),
            end_time_unix_nano: draft.end_ns(),
            attributes: draft.attributes(),
            status: (draft.status != 0).then(|| Status {
                code: draft.status,
                message: if draft.status == 2 { "failed".into() } else { String::new() },
            }),
            ..Default::default()
        };
        let scope = InstrumentationScope { name: "scope".into(), ..Default::default() };
        ResourceSpans {
            resource: Some(Resource { attributes: draft.resource(), ..Default::default() }),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans: vec![span], ..Default::default() }],
            ..Default::default()
        }
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
}

/// Filters of every kind, and what they mean.
type Fits = Box<dyn Fn(&Draft) -> bool>;
fn filters() -> Vec<(ScanFilter, Fits)> {
    let any = ScanFilter::default;
    let with = |key: &str, test: AttributeTest| ScanFilter {
        attributes: vec![AttributeCondition { place: Place::Span, key: key.into(), test }],
        ..any()
    };
    let text = |texts: &[&str]| AttributeTest::TextIn(texts.iter().map(|&text| text.to_owned()).collect());
    let has_text = |key: &'static str, wanted: &'static str| -> Fits {
        Box::new(move |draft| draft.value(key).is_some_and(|value| text_of(&value) == wanted))
    };
    vec![
        (any(), Box::new(|_| true)),
        (
            ScanFilter { services: Some(vec!["service-1".into(), "none".into()]), ..any() },
            Box::new(|draft| draft.service == 1),
        ),
        (
            ScanFilter { names: Some(vec!["name 2".into()]), kinds: Some(vec![2, 3]), ..any() },
            Box::new(|draft| draft.name == 2 && (2..4).contains(&draft.kind)),
        ),
        (ScanFilter { status_codes: Some(vec![2]), ..any() }, Box::new(|draft| draft.status == 2)),
        (ScanFilter { start_ns: T0 + 100..=T0 + 200, ..any() }, Box::new(|draft| (100..=200).contains(&draft.start))),
        (ScanFilter { duration_ns: 0..=0, ..any() }, Box::new(|draft| draft.duration <= 0)),
        (
            ScanFilter { trace_ids: Some(vec![weir_proto::TraceId([3; 16]), weir_proto::TraceId([99; 16])]), ..any() },
            Box::new(|draft| draft.trace == 2),
        ),
        (with("http.route", text(&["/r\"1\\"])), has_text("http.route", "/r\"1\\")),
        (with("server.port", text(&["3"])), has_text("server.port", "3")),
        (with("mixed", text(&["3", "x"])), has_text("mixed", "3")),
        (with("mixed", text(&["2"])), has_text("mixed", "2")),
        (with("ratio", text(&["1.0"])), has_text("ratio", "1.0")),
        (with("ratio", text(&["1"])), Box::new(|_| false)),
        (with("ratio", text(&["Infinity"])), has_text("ratio", "Infinity")),
        (with("error.type", text(&["true"])), has_text("error.type", "true")),
        (with("list", text(&["[4]"])), has_text("list", "[4]")),
        (with("rare.3", text(&["ä"])), has_text("rare.3", "ä")),
        (with("rare.3", text(&["b"])), Box::new(|_| false)),
        (with("never", text(&["b"])), Box::new(|_| false)),
        (with("bytes", AttributeTest::Present), Box::new(|draft| draft.value("bytes").is_some())),
        (with("error.type", AttributeTest::Is(true)), has_text("error.type", "true")),
        (
            with("mixed", AttributeTest::NumberIn(2.0..=f64::INFINITY)),
            Box::new(|draft| {
                draft.value("mixed").is_some_and(|value| text_of(&value).parse::<f64>().expect("a number") >= 2.0)
            }),
        ),
        (
            ScanFilter {
                attributes: vec![AttributeCondition {
                    place: Place::Resource,
                    key: "zone".into(),
                    test: text(&["zone-1"]),
                }],
                ..any()
            },
            Box::new(|draft| draft.service % 2 == 1),
        ),
    ]
}

fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |array: &dyn Array, row: usize| {
        if array.is_null(row) {
            return "NULL".to_owned();
        }
        match array.data_type() {
            DataType::FixedSizeBinary(_) => format!("{:02x?}", array.as_fixed_size_binary().value(row)),
            DataType::Timestamp(..) => array.as_primitive::<TimestampNanosecondType>().value(row).to_string(),
            DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
            DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
            DataType::Float64 => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
            DataType::Boolean => array.as_boolean().value(row).to_string(),
            _ => {
                let texts = array.as_dictionary::<UInt32Type>();
                texts.values().as_string::<i32>().value(texts.keys().value(row) as usize).to_owned()
            }
        }
    };
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|array| cell(array, row)).collect()).collect()
}

fn read_all(scan: &Scan) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = scan.parts().iter().flat_map(|part| cells(&scan.read(part))).collect();
    rows.sort();
    rows
}

/// Every filter finds exactly the rows that it should.
fn check(snapshot: &Snapshot, drafts: &[Draft]) {
    for (filter, fits) in filters() {
        let request = ScanRequest { columns: columns(), filter };
        let scan = snapshot.scan(&tenant("t"), request);
        let mut expected: Vec<Vec<String>> = drafts
            .iter()
            .enumerate()
            .filter(|(_, draft)| fits(draft))
            .map(|(number, draft)| draft.row(number))
            .collect();
        expected.sort();
        assert_eq!(read_all(&scan), expected, "{:?}", scan.request().filter);
        assert!(!scan.is_partial());
        for part in scan.parts() {
            let (min, max) = part.start_ns();
            let rows = cells(&scan.read(part));
            assert!(rows.len() as u64 <= part.rows_max());
            assert!(rows.iter().all(|row| (min..=max).contains(&row[6].parse().expect("a number"))));
            let middle = min.midpoint(max);
            let newer = rows.iter().filter(|row| row[6].parse::<u64>().expect("a number") >= middle).count();
            assert_eq!(
                scan.read_within(part, &ReadBounds { start_min_ns: middle, ..Default::default() }).num_rows(),
                newer
            );
        }
        assert!(scan.parts().is_sorted_by_key(|part| std::cmp::Reverse(part.start_ns().1)));
    }
    newest_rows_come_first(snapshot, drafts);
    let scan = snapshot.scan(&tenant("t"), ScanRequest { columns: columns(), filter: ScanFilter::default() });
    let split = scan.split(5);
    assert!(split.parts().iter().all(|part| part.rows_max() <= 7));
    assert_eq!(read_all(&split), read_all(&scan));
    // Without columns there is still a count.
    let scan = snapshot.scan(&tenant("t"), ScanRequest { columns: vec![], filter: ScanFilter::default() });
    assert_eq!(scan.parts().iter().map(|part| scan.read(part).num_rows()).sum::<usize>(), drafts.len());
    assert!(snapshot.scan(&tenant("other"), scan.request().clone()).parts().is_empty());
}

/// Asked for the newest few, each part shows at least those, and not much more.
fn newest_rows_come_first(snapshot: &Snapshot, drafts: &[Draft]) {
    let filter = ScanFilter { services: Some(vec!["service-0".into()]), ..Default::default() };
    let columns = vec![ScanColumn::StartTime, ScanColumn::attribute("http.route")];
    let scan = snapshot.scan(&tenant("t"), ScanRequest { columns, filter });
    let bounds = ReadBounds { newest: Some(3), ..Default::default() };
    let mut starts: Vec<u64> = Vec::new();
    for part in scan.parts() {
        let batch = scan.read_within(part, &bounds);
        starts.extend(
            batch.column(0).as_primitive::<TimestampNanosecondType>().values().iter().map(|&start| start as u64),
        );
        assert!(
            scan.read_within(part, &ReadBounds { rows_max: Some(0), ..Default::default() }).num_rows() == 0
                || part.is_head()
        );
    }
    let mut expected: Vec<u64> =
        drafts.iter().filter(|draft| draft.service == 0).map(|draft| draft.start_ns()).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    expected.truncate(3);
    starts.sort_unstable_by(|a, b| b.cmp(a));
    starts.truncate(3);
    assert_eq!(starts, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn head_segments_and_mixtures_show_the_same_rows(drafts in drafts(), cuts in proptest::collection::vec(1usize..40, 1..6)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runs");
        runtime.block_on(async {
            let folder = temp_folder();
            let store = StillStore::open(folder.path()).await;
            let mut sent = 0;
            let mut rounds = cuts.iter().cycle();
            let mut seals = 0;
            while sent < drafts.len() {
                let end = (sent + rounds.next().expect("endless")).min(drafts.len());
                for from in (sent..end).step_by(7) {
                    let batch = &drafts[from..(from + 7).min(end)];
                    store.append_batch(spans::batch_of(&tenant("t"), &request_of(batch, from), vec![], T0)).await;
                }
                sent = end;
                store.roll().await;
                // About half of the runs are sealed as they come.
                if sent % 2 == 0 {
                    seals += usize::from(store.seal().await);
                }
            }
            check(&store.snapshot(), &drafts);
            while store.seal().await {
                seals += 1;
            }
            prop_assert!(seals > 0);
            check(&store.snapshot(), &drafts);
            while store.merge().await {}
            check(&store.snapshot(), &drafts);
            Ok(())
        })?;
    }
}

/// A store with three segments of a hundred spans each: 0 to 99, 100 to 199 …
async fn three_segments(folder: &Path) -> StillStore {
    let options = StoreOptions { journal_file_bytes_max: 1 << 20, ..options(folder) };
    let store = StillStore::open_with(options, Disk::default(), clock()).await;
    for round in 0..3u64 {
        for from in (0..100).step_by(10) {
            store.append(&tenant("t"), round * 100 + from..round * 100 + from + 10).await;
        }
        store.roll().await;
        assert!(store.seal().await);
    }
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pruned_is_not_read() {
    let folder = temp_folder();
    let store = three_segments(folder.path()).await;
    let snapshot = store.snapshot();
    let of_filter =
        |filter: ScanFilter| snapshot.scan(&tenant("t"), ScanRequest { columns: vec![ScanColumn::SpanId], filter });
    let all = of_filter(ScanFilter::default());
    assert_eq!((all.pruned().segments, all.parts().len()), (3, 3));
    let reads = |scan: &Scan| {
        let rows: usize = scan.parts().iter().map(|part| scan.read(part).num_rows()).sum();
        (scan.counts().row_groups(), rows)
    };
    let scan = of_filter(ScanFilter { start_ns: spans::start_ns(120)..=spans::start_ns(150), ..Default::default() });
    assert_eq!(scan.pruned().segments_by_time, 2);
    assert_eq!(reads(&scan), (1, 31));
    let scan = of_filter(ScanFilter { services: Some(vec!["nobody".into()]), ..Default::default() });
    assert_eq!((scan.pruned().segments_by_operation, reads(&scan)), (3, (0, 0)));
    let scan = of_filter(ScanFilter { trace_ids: Some(vec![spans::trace_of(205)]), ..Default::default() });
    assert_eq!((scan.pruned().segments_by_trace_index, reads(&scan)), (2, (1, 5)));
    assert!(scan.parts()[0].rows_max() < 20);
    let seldom = |key: &str, test| ScanFilter {
        attributes: vec![AttributeCondition { place: Place::Span, key: key.into(), test }],
        ..Default::default()
    };
    let scan = of_filter(seldom("seldom.150", AttributeTest::Is(true)));
    assert_eq!((scan.pruned().segments_by_attribute, reads(&scan)), (2, (1, 1)));
    let scan = of_filter(seldom("n", AttributeTest::TextIn(vec!["17".into()])));
    assert_eq!((scan.pruned().row_groups_by_statistics, reads(&scan)), (2, (1, 1)));
    assert_eq!(scan.pruned().to_string(), "segments=3/3, row_groups=1/3 (pruned by statistics: 2), head_frames=0/0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_segment_hurts_only_itself() {
    let folder = temp_folder();
    let store = three_segments(folder.path()).await;
    let snapshot = store.snapshot();
    let request = ScanRequest { columns: vec![ScanColumn::Name, ScanColumn::Service], filter: ScanFilter::default() };
    let scan = snapshot.scan(&tenant("t"), request.clone());
    let broken = snapshot.segments(&tenant("t"))[1].path().join("spans.parquet");
    let mut bytes = std::fs::read(&broken).expect("there");
    let middle = bytes.len() / 3;
    bytes[8..middle].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&broken, &bytes).expect("written");
    let rows: usize = scan.parts().iter().map(|part| scan.read(part).num_rows()).sum();
    assert_eq!((rows, scan.is_partial(), scan.counts().damaged()), (200, true, 1));
    std::fs::remove_file(&broken).expect("removed");
    let scan = snapshot.scan(&tenant("t"), request);
    assert_eq!((scan.pruned().segments_damaged, scan.parts().len(), scan.is_partial()), (1, 2, true));
}
