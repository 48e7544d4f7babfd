//! The same of logs: what prost reads of a request, the scan shows; what the one refuses, so does the other.

use proptest::{collection::vec, prelude::*};
use prost::Message;
use weir_proto::otlp::{
    json::transcode_logs,
    logs::{Checks, ItemFault, ScanError, ScannedLine, canonical, scan, scan_chosen},
    messages::{
        collector::logs::v1::ExportLogsServiceRequest,
        common::v1::InstrumentationScope,
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        resource::v1::Resource,
    },
};

use crate::{
    GENEROUS,
    expected::{service, simplify, simplify_value},
    generated::{any_values, attributes, bytes, resources, scopes, text},
    json,
    scrambled::{Kind, Random, scrambled_as},
};

/// A line and what surrounds it, as prost's types.
#[derive(Debug)]
struct Row {
    ordinals: (u32, u32, u32),
    resource: Resource,
    scope: InstrumentationScope,
    texts: [String; 3],
    line: LogRecord,
}

impl Row {
    /// To be compared bit by bit, as NaN is not equal to itself.
    fn encoded(&self) -> (String, Vec<u8>, Vec<u8>, Vec<u8>) {
        let Self { ordinals, resource, scope, texts, line } = self;
        let places = format!("{ordinals:?} {texts:?}");
        (places, resource.encode_to_vec(), scope.encode_to_vec(), line.encode_to_vec())
    }
}

fn lines() -> impl Strategy<Value = LogRecord> {
    let numbers = (any::<u64>(), any::<u64>(), any::<i32>(), any::<u32>(), any::<u32>());
    let texts = (text(), text());
    (numbers, texts, prop::option::of(any_values()), attributes(), (bytes(), bytes())).prop_map(
        |(numbers, texts, body, attributes, ids)| LogRecord {
            time_unix_nano: numbers.0,
            observed_time_unix_nano: numbers.1,
            severity_number: numbers.2,
            severity_text: texts.0,
            body,
            attributes,
            dropped_attributes_count: numbers.3,
            flags: numbers.4,
            trace_id: ids.0,
            span_id: ids.1,
            event_name: texts.1,
        },
    )
}

fn requests() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope_logs = (prop::option::of(scopes()), vec(lines(), 0..4), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource_logs = (prop::option::of(resources()), vec(scope_logs, 0..4), text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(resource_logs, 0..4).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

fn expected_rows(request: ExportLogsServiceRequest) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut scope_ordinal = 0;
    for (resource_ordinal, resource_logs) in (0..).zip(request.resource_logs) {
        let mut resource = resource_logs.resource.unwrap_or_default();
        resource.entity_refs.clear();
        let service = service(&resource);
        simplify(&mut resource.attributes);
        for scope_logs in resource_logs.scope_logs {
            let mut scope = scope_logs.scope.unwrap_or_default();
            simplify(&mut scope.attributes);
            for mut line in scope_logs.log_records {
                simplify(&mut line.attributes);
                line.body.iter_mut().for_each(simplify_value);
                // An empty body is as good as none.
                line.body = line.body.filter(|body| body.value.is_some());
                let texts = [service.clone(), resource_logs.schema_url.clone(), scope_logs.schema_url.clone()];
                let ordinals = (rows.len() as u32, resource_ordinal, scope_ordinal);
                rows.push(Row { ordinals, resource: resource.clone(), scope: scope.clone(), texts, line });
            }
            scope_ordinal += 1;
        }
    }
    rows
}

fn row(payload: &[u8], scanned: &ScannedLine<'_>) -> Row {
    let position = scanned.line.position as usize;
    assert_eq!(&payload[position..position + scanned.line.bytes.len()], scanned.line.bytes);
    let texts = [scanned.resource.service, scanned.resource.schema_url, scanned.scope.schema_url];
    Row {
        ordinals: (scanned.ordinal, scanned.resource_ordinal, scanned.scope_ordinal),
        resource: scanned.resource.to_message(),
        scope: scanned.scope.to_message(),
        texts: texts.map(|text| String::from_utf8_lossy(text).into_owned()),
        line: scanned.line.to_message(),
    }
}

fn viewed_rows(payload: &[u8], checks: Checks) -> Result<Vec<Row>, ScanError> {
    let mut rows = Vec::new();
    scan(payload, checks, |scanned| rows.push(row(payload, scanned)))?;
    Ok(rows)
}

fn chosen_rows(payload: &[u8], ordinals: &[u32]) -> Result<Vec<Row>, ScanError> {
    let mut rows = Vec::new();
    scan_chosen(payload, ordinals.iter().copied(), |scanned| rows.push(row(payload, scanned)))?;
    Ok(rows)
}

fn assert_same_rows(viewed: &[Row], expected: &[Row]) {
    assert_eq!(viewed.len(), expected.len());
    for (viewed, expected) in viewed.iter().zip(expected) {
        assert!(viewed.encoded() == expected.encoded(), "\nviewed   {viewed:?}\nexpected {expected:?}");
    }
}

fn assert_same(payload: &[u8], request: &ExportLogsServiceRequest) {
    for checks in [Checks::Admission(GENEROUS), Checks::Journalled] {
        let viewed = viewed_rows(payload, checks).expect("a canonical payload");
        assert_same_rows(&viewed, &expected_rows(request.clone()));
    }
}

/// Prost and the scan agree on any bytes.
fn assert_agreement(payload: &[u8]) {
    let (mut faults, mut utf8_faults) = (0, 0);
    let scanned = scan(payload, Checks::Admission(GENEROUS), |line| {
        faults += usize::from(line.fault.is_some());
        utf8_faults += usize::from(line.fault == Some(ItemFault::InvalidUtf8));
    });
    match (ExportLogsServiceRequest::decode(payload), scanned) {
        (Ok(request), Ok(())) => {
            assert_eq!(faults, 0);
            assert_same(payload, &request);
        }
        (Ok(request), Err(ScanError::NotCanonical)) => {
            assert_same(&canonical(payload).expect("what prost decodes"), &request);
        }
        (Err(_), Err(ScanError::NotCanonical)) => {
            canonical(payload).expect_err("what prost refuses");
        }
        (Err(_), Err(ScanError::Wire(_))) => {}
        (Err(error), Ok(())) => {
            assert!(error.to_string().contains("UTF-8"), "the scan accepts what prost refuses: {error}");
            assert_eq!(faults, utf8_faults);
        }
        (Ok(_), Err(error)) => panic!("the scan refuses what prost accepts: {error}"),
    }
}

fn without_non_finite(request: &mut ExportLogsServiceRequest) {
    for resource_logs in &mut request.resource_logs {
        resource_logs.resource.iter_mut().for_each(|resource| json::attributes(&mut resource.attributes));
        for scope_logs in &mut resource_logs.scope_logs {
            scope_logs.scope.iter_mut().for_each(|scope| json::attributes(&mut scope.attributes));
            for line in &mut scope_logs.log_records {
                json::attributes(&mut line.attributes);
                line.body.iter_mut().for_each(json::any_value);
            }
        }
    }
}

fn assert_transcoded(json: &str, request: &ExportLogsServiceRequest) {
    let payload = transcode_logs(json.as_bytes(), json::LIMITS).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert!(payload.len() <= json.len(), "protobuf is the shorter one");
    assert_eq!(&ExportLogsServiceRequest::decode(&*payload).expect("protobuf"), request, "{json}");
    scan(&payload, Checks::Admission(GENEROUS), |line| assert_eq!(line.fault, None)).expect("canonical");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scrambled_lines_look_the_same(request in requests(), seed: u64) {
        assert_same(&request.encode_to_vec(), &request);
        let payload = scrambled_as(&request.encode_to_vec(), Kind::LogsRequest, &mut Random(seed));
        ExportLogsServiceRequest::decode(&payload[..]).expect("scrambling keeps it protobuf");
        assert_agreement(&payload);
    }

    #[test]
    fn damaged_lines_meet_the_same_answer(request in requests(), seed: u64, damages in 1_usize..4) {
        let mut random = Random(seed);
        let mut payload = request.encode_to_vec();
        for _ in 0..damages {
            if !payload.is_empty() {
                let at = random.below(payload.len());
                match random.below(3) {
                    0 => payload[at] = random.next() as u8,
                    1 => payload[at] ^= 1 << random.below(8),
                    _ => drop(payload.remove(at)),
                }
            }
        }
        assert_agreement(&payload);
        // Bytes that never passed admission must not hurt either.
        let _ = viewed_rows(&payload, Checks::Journalled).map(|rows| rows.len());
        let _ = chosen_rows(&payload, &[0, 2, 5]).map(|rows| rows.len());
    }

    #[test]
    fn truncated_lines_meet_the_same_answer(request in requests(), end: prop::sample::Index) {
        let payload = request.encode_to_vec();
        assert_agreement(&payload[..end.index(payload.len() + 1)]);
    }

    #[test]
    fn chosen_lines_look_as_in_the_whole_scan(request in requests(), seed: u64, one_in in 1_usize..8) {
        let mut random = Random(seed);
        let payload = request.encode_to_vec();
        let mut wanted = viewed_rows(&payload, Checks::Journalled).expect("canonical");
        wanted.retain(|_| random.below(one_in) == 0);
        let ordinals: Vec<u32> = wanted.iter().map(|row| row.ordinals.0).collect();
        assert_same_rows(&chosen_rows(&payload, &ordinals).expect("canonical"), &wanted);
    }

    #[test]
    fn json_means_the_same_however_it_is_written(mut request in requests(), seed: u64) {
        without_non_finite(&mut request);
        let value = serde_json::to_value(&request).expect("serializable");
        assert_transcoded(&value.to_string(), &request);
        let mut rewritten = String::new();
        json::rewrite(&value, "", &mut Random(seed), &mut rewritten);
        assert_transcoded(&rewritten, &request);
    }
}
