//! JSON bodies: their fields and the texts in them are found alike in the head, in segments and in merged ones.

use std::time::Duration;

use prost::Message;
use weir_proto::{
    json::{FieldLimits, FieldValue, field},
    otlp::{
        Checks,
        logs::{IdNames, scan},
        messages::{
            collector::logs::v1::ExportLogsServiceRequest,
            common::v1::{AnyValue, any_value::Value},
            logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        },
    },
};

use super::{
    lines::scanned,
    spans::{self, tenant},
    *,
};
use crate::{
    ask::{
        filter::{AttributeCondition, AttributeTest, ScanFilter},
        request::{AttributeForm, ScanColumn},
        span::Place,
    },
    head::LineSummaries,
    lane::lane::LogsBatch,
    snapshot::asked::Snapshot,
};

const KEYS: [&str; 9] = ["n", "ms", "user.id", "ok", "list", "mix", "late", "id", "none"];

/// Line `n`: most are JSON, and not all of the same kind; a field may be an integer in one segment and something else in the next.
fn body(n: u64) -> String {
    let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match n % 10 {
        7 => format!("plain text {n} with id={id:016x}"),
        8 => format!(r#"{{"n":{n},"broken":"#),
        9 => format!(r#"{{"n":{n},"n":"again {n}","ms":{n}.50,"mix":{},"\u006cate":"escaped"}}"#, n % 7),
        _ => {
            let mix = if n < 150 { (n % 7).to_string() } else { format!("{}.25", n % 3) };
            let late = if n < 200 { String::new() } else { format!(r#","late":"{}""#, n % 4) };
            format!(
                r#"{{"n":{n},"ms":{}.5,"user":{{"id":{}}},"ok":{},"list":[{}, "ü"],"mix":{mix},"id":"{id:016x}-東京"{late}}}"#,
                n % 40,
                n % 5,
                n.is_multiple_of(2),
                n % 3,
            )
        }
    }
}

fn batch(numbers: std::ops::Range<u64>) -> LogsBatch {
    let line = |n: u64| LogRecord {
        time_unix_nano: spans::start_ns(n),
        body: Some(AnyValue { value: Some(Value::StringValue(body(n))) }),
        ..LogRecord::default()
    };
    let items = numbers.clone().count() as u32;
    let scope_logs = vec![ScopeLogs { log_records: numbers.map(line).collect(), ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    let payload = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
    let received_at_ns = clock().now_ns();
    let mut summaries = LineSummaries::default();
    scan(&payload, Checks::Journalled, |line| {
        summaries.push(line.ordinal, received_at_ns, &line.line, &IdNames::USUAL);
    })
    .expect("canonical");
    LogsBatch {
        tenant: tenant("default"),
        payload: payload.into(),
        received_at_ns,
        items,
        rejected: Vec::new(),
        summaries,
        generation: 0,
        head_dropped: 0,
        cursors: Default::default(),
    }
}

/// A field as text, read from the body alone.
fn text(n: u64, key: &str) -> Option<String> {
    let body = body(n);
    Some(match field(body.as_bytes(), key.as_bytes(), FieldLimits::default())? {
        FieldValue::Text(text) => String::from_utf8(text.into_owned()).expect("UTF-8"),
        FieldValue::Number(text) | FieldValue::Json(text) => String::from_utf8_lossy(text).into_owned(),
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::Null => return None,
    })
}

/// What the bodies alone say of the first lines: each with its text and its fields.
struct Oracle(Vec<(String, Vec<Option<String>>)>);

impl Oracle {
    fn of(lines: u64) -> Self {
        Self((0..lines).map(|n| (body(n), KEYS.iter().map(|key| text(n, key)).collect())).collect())
    }

    fn rows(&self, fits: impl Fn(&str, &[Option<String>]) -> bool) -> Vec<String> {
        let row = |(body, texts): &(String, Vec<Option<String>>)| {
            let texts = texts.iter().map(|text| text.as_deref().unwrap_or("-"));
            [body.as_str()].into_iter().chain(texts).collect::<Vec<_>>().join("|")
        };
        let mut rows: Vec<String> = self.0.iter().filter(|(body, texts)| fits(body, texts)).map(row).collect();
        rows.sort();
        rows
    }
}

fn found(snapshot: &Snapshot, filter: ScanFilter) -> Vec<String> {
    let own = |key: &&str| ScanColumn::Attribute { place: Place::Span, key: (*key).into(), form: AttributeForm::Text };
    let columns = [ScanColumn::Body].into_iter().chain(KEYS.iter().map(own)).collect();
    scanned(snapshot, &tenant("default"), columns, filter)
}

/// Every question, asked of the bodies and of the store.
fn check(snapshot: &Snapshot, lines: u64, place: &str) {
    let oracle = Oracle::of(lines);
    assert_eq!(found(snapshot, ScanFilter::default()), oracle.rows(|_, _| true), "{place}");
    for (number, key) in KEYS.into_iter().enumerate() {
        let values = [text(3, key), text(9, key), text(lines - 1, key)];
        let tests = values.into_iter().flatten().map(|value| AttributeTest::TextIn(vec![value]));
        for test in tests.chain([AttributeTest::Present, AttributeTest::NumberIn(2.0..=9.0), AttributeTest::Is(true)]) {
            let passes = |text: &String| match &test {
                AttributeTest::Present => true,
                AttributeTest::TextIn(texts) => texts.contains(text),
                AttributeTest::NumberIn(bounds) => text.parse().is_ok_and(|number: f64| bounds.contains(&number)),
                AttributeTest::Is(wanted) => *text == wanted.to_string(),
            };
            let attributes = vec![AttributeCondition { place: Place::Any, key: key.into(), test: test.clone() }];
            let rows = oracle.rows(|_, texts| texts[number].as_ref().is_some_and(passes));
            let filter = ScanFilter { attributes, ..ScanFilter::default() };
            assert_eq!(found(snapshot, filter), rows, "{place}: {key} {test:?}");
        }
    }
    let whole = body(13);
    let id = &text(13, "id").expect("it has one")[..16];
    let parts = ["plain", "\"ms\":", "東京", "京\"", "nowhere", "Plain", "", r#""ok":true,"list":[1"#, "-", &whole];
    for needle in parts.into_iter().chain([id, &id[1..15]]) {
        let filter = ScanFilter { body_contains: vec![needle.into(), "n".into()], ..ScanFilter::default() };
        let rows = oracle.rows(|body, _| body.contains(needle) && body.contains('n'));
        assert_eq!(found(snapshot, filter), rows, "{place}: {needle}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_of_bodies_are_found_wherever_they_lie() {
    let folder = temp_folder();
    let in_head =
        StoreOptions { seal_bytes_max: u64::MAX, seal_age_max: Duration::from_secs(3600), ..options(folder.path()) };
    let store = open(in_head).await;
    store.append_logs(batch(0..120)).await.expect("appended");
    check(&store.snapshot(), 120, "head");
    // Its folder is free only then.
    store.shutdown().await;
    drop(store);
    let store = open(options(folder.path())).await;
    store.roll().await;
    until_settled(&store).await;
    check(&store.snapshot(), 120, "sealed");
    for from in [120, 700, 760, 820, 1500] {
        let to = match from {
            120 => 700,
            820 => 1500,
            from => from + 60,
        };
        store.append_logs(batch(from..to)).await.expect("appended");
        store.roll().await;
        until_settled(&store).await;
        check(&store.snapshot(), to, "sealed and merged");
    }
    let view = store.0.shared.views.current();
    assert!(view.segments(Signal::Logs).values().flatten().any(|segment| segment.id().generation > 0));
    store.shutdown().await;
}
