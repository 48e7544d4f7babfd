//! Decides line by line what a frame of the logs' journal holds.

use bytes::Bytes;
use weir_proto::{
    Signal, TenantId,
    otlp::{
        Checks, ScanError,
        logs::{IdFinder, Implied, ScannedLine, scan},
    },
};
use weir_store::{LogsBatch, RejectReason, head::LineSummaries, journal::Checksummed};

use super::{AdmissionError, AdmissionRules, Admitted, Judged, TimeWindow, with_usable};

/// Lines of usual length have about this size.
const LINE_BYTES_USUAL: usize = 300;

/// Judges each line of `payload`, an encoded ExportLogsServiceRequest that arrived at `now_ns`.
///
/// Fields given twice are merged, so that the journal holds payloads that are read in one pass only. Attributes beyond the limit are left out and
/// counted. A line whose ids are none, or whose time nobody knows, is kept: what it says is worth more than what it belongs to.
///
/// What only Weir itself may write ([`Implied`]) is taken out.
pub fn admit_lines(
    tenant: TenantId,
    payload: Bytes,
    now_ns: u64,
    rules: &AdmissionRules,
) -> Result<Admitted<LineSummaries>, AdmissionError> {
    admit_written(tenant, payload, now_ns, rules, false)
}

/// The same of a payload that Weir itself has written: attributes may be implied.
pub(crate) fn admit_own_lines(
    tenant: TenantId,
    payload: Bytes,
    now_ns: u64,
    rules: &AdmissionRules,
) -> Result<Admitted<LineSummaries>, AdmissionError> {
    admit_written(tenant, payload, now_ns, rules, true)
}

fn admit_written(
    tenant: TenantId,
    payload: Bytes,
    now_ns: u64,
    rules: &AdmissionRules,
    is_own: bool,
) -> Result<Admitted<LineSummaries>, AdmissionError> {
    let arrived = Checksummed::of(payload.clone());
    let check_payload = |payload: &[u8]| check_payload(payload, now_ns, rules, is_own);
    let (payload, judged) = with_usable(Signal::Logs, payload, rules, check_payload)?;
    let (judged, partial) = judged.within_bounds(Signal::Logs, rules)?;
    let is_unchanged = payload.as_ptr() == arrived.as_ptr() && payload.len() == arrived.len();
    let batch = LogsBatch {
        tenant,
        payload: if is_unchanged { arrived } else { payload.into() },
        received_at_ns: now_ns,
        items: judged.items,
        rejected: judged.rejected,
        summaries: judged.summaries,
        generation: 0,
        head_dropped: 0,
        cursors: Default::default(),
    };
    Ok(Admitted { batch, partial })
}

fn check_payload(
    payload: &[u8],
    now_ns: u64,
    rules: &AdmissionRules,
    is_own: bool,
) -> Result<Judged<LineSummaries>, ScanError> {
    let window = TimeWindow::around(now_ns, rules);
    let mut judged = Judged::new(LineSummaries::with_capacity(payload.len() / LINE_BYTES_USUAL + 1));
    let mut ids = IdFinder::new(&rules.line_ids);
    let mut is_strange = false;
    scan(payload, Checks::Admission(rules.limits), |scanned| {
        judged.items += 1;
        is_strange |= scanned.line.implied != Implied::None;
        match fault(scanned, now_ns, window) {
            None => judged.summaries.push_of(scanned.ordinal, now_ns, &scanned.line, ids.ids(&scanned.line)),
            Some(reason) => judged.reject(scanned.ordinal, reason),
        }
    })?;
    // Copied, it is without the field that only the journal's own lines have.
    judged.has_surplus |= is_strange && !is_own;
    Ok(judged)
}

fn fault(scanned: &ScannedLine<'_>, now_ns: u64, window: TimeWindow) -> Option<RejectReason> {
    match scanned.fault {
        Some(fault) => Some(fault.into()),
        None => window.fault(scanned.line.time_or(now_ns)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prost::Message;
    use weir_proto::otlp::{
        Limits,
        logs::{IMPLIED_FIELD, IdNames},
        messages::{
            collector::logs::v1::ExportLogsServiceRequest,
            common::v1::{AnyValue, KeyValue, any_value::Value},
            logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        },
        wire::Writer,
    };

    use super::*;
    use crate::processors::Processing;

    const NOW_NS: u64 = 1_700_000_000_000_000_000;
    const SECOND_NS: u64 = 1_000_000_000;

    fn admitted(lines: Vec<LogRecord>) -> Admitted<LineSummaries> {
        let rules = AdmissionRules {
            limits: Limits { depth_max: 4, attributes_max: 3, span_bytes_max: 1000 },
            accept_past: Some(Duration::from_secs(3600)),
            accept_future: Some(Duration::from_secs(60)),
            processing: Processing::NONE,
            line_ids: IdNames::USUAL,
        };
        let scope_logs = vec![ScopeLogs { log_records: lines, ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        let payload = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
        admit_lines(TenantId::default(), payload.into(), NOW_NS, &rules).expect("well formed")
    }

    fn reasons(lines: Vec<LogRecord>) -> Vec<(u32, RejectReason)> {
        let Admitted { batch, partial } = admitted(lines);
        assert_eq!(partial.map_or(0, |partial| partial.rejected), batch.rejected.len() as u32);
        assert_eq!(batch.summaries.len() + batch.rejected.len(), batch.items as usize);
        batch.rejected.into_iter().map(|rejection| (rejection.ordinal, rejection.reason)).collect()
    }

    #[test]
    fn a_line_is_kept_whatever_it_belongs_to() {
        let odd = |trace_id: &[u8], span_id: &[u8]| LogRecord {
            time_unix_nano: NOW_NS,
            trace_id: trace_id.to_vec(),
            span_id: span_id.to_vec(),
            ..LogRecord::default()
        };
        let lines = vec![odd(&[], &[]), odd(&[1; 16], &[1; 8]), odd(&[1; 15], &[1; 9]), odd(&[0; 16], &[0; 8])];
        assert_eq!(reasons(lines), []);
        // Nobody knows when, or only who collected it does.
        let untimed = |observed_time_unix_nano| LogRecord { observed_time_unix_nano, ..LogRecord::default() };
        assert_eq!(reasons(vec![untimed(0), untimed(NOW_NS - SECOND_NS)]), []);
    }

    #[test]
    fn what_is_rejected_is_rejected_alone() {
        let at = |time_unix_nano| LogRecord { time_unix_nano, ..LogRecord::default() };
        let attribute = KeyValue {
            key: "k".into(),
            value: Some(AnyValue { value: Some(Value::BoolValue(true)) }),
            ..KeyValue::default()
        };
        let lines = vec![
            at(NOW_NS),
            at(NOW_NS - 3601 * SECOND_NS),
            at(NOW_NS + 61 * SECOND_NS),
            LogRecord { observed_time_unix_nano: NOW_NS - 3601 * SECOND_NS, ..LogRecord::default() },
            LogRecord { attributes: vec![attribute; 4], ..at(NOW_NS) },
            LogRecord { severity_text: "x".repeat(1000), ..at(NOW_NS) },
            at(NOW_NS),
        ];
        let partial = admitted(lines.clone()).partial.expect("some are rejected");
        let message = "rejected log records: too_large 1, too_old 2 (older than storage.accept.past, 1h), too_new 1 \
                       (further ahead than storage.accept.future, 1m)";
        assert_eq!(partial.message, message);
        let expected = [
            (1, RejectReason::TooOld),
            (2, RejectReason::TooNew),
            (3, RejectReason::TooOld),
            (5, RejectReason::TooLarge),
        ];
        assert_eq!(reasons(lines.clone()), expected);
        let payload = admitted(lines).batch.payload;
        let kept = ExportLogsServiceRequest::decode(&payload[..]).expect("well formed");
        let cut = &kept.resource_logs[0].scope_logs[0].log_records[4];
        assert_eq!((cut.attributes.len(), cut.dropped_attributes_count), (3, 1), "the first ones stay");
    }

    fn any_time() -> AdmissionRules {
        AdmissionRules {
            limits: Limits { depth_max: 4, attributes_max: 3, span_bytes_max: 1000 },
            accept_past: None,
            accept_future: None,
            processing: Processing::NONE,
            line_ids: IdNames::USUAL,
        }
    }

    #[test]
    fn a_field_that_only_the_journal_knows_is_left_out_of_requests_of_any_size() {
        for lines in [1, 20_000] {
            let body = AnyValue { value: Some(Value::StringValue(r#"{"a": 1, "b": "two"}"#.into())) };
            let record = LogRecord { time_unix_nano: NOW_NS, body: Some(body), ..LogRecord::default() }.encode_to_vec();
            let mut out = Writer::with_capacity(0);
            let (resource_logs, scope_logs) = (out.begin(1, 4), out.begin(2, 4));
            for _ in 0..lines {
                let line = out.begin(2, 2);
                out.append(&record);
                out.varint(IMPLIED_FIELD, 1);
                out.bytes(2000, b"nobody knows");
                out.end(line);
            }
            out.end(scope_logs);
            out.end(resource_logs);
            let payload = Bytes::from(out.into_bytes());
            assert!(lines == 1 || payload.len() > 1 << 20);
            let admitted = admit_lines(TenantId::default(), payload, NOW_NS, &any_time()).expect("taken");
            assert_eq!((admitted.batch.items, admitted.batch.rejected.len()), (lines, 0));
            let mut kept = 0;
            scan(&admitted.batch.payload, Checks::Journalled, |scanned| {
                assert_eq!(scanned.line.implied, Implied::None);
                kept += 1;
            })
            .expect("well formed");
            assert_eq!(kept, lines);
        }
    }

    #[test]
    fn what_is_no_request_is_refused_by_its_name() {
        let rules = any_time();
        let refused = admit_lines(TenantId::default(), Bytes::from_static(&[0x0a]), NOW_NS, &rules);
        let message = refused.expect_err("cut off").to_string();
        assert_eq!(message, "not an ExportLogsServiceRequest: truncated at byte 1");
    }
}
