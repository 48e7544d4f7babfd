//! Spans and a data source for tests.

use std::{sync::Arc, time::Instant};

use datafusion::{
    arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray},
    catalog::TableProvider,
    datasource::MemTable,
};
use weir_proto::{
    SpanId, TenantId, TraceId,
    otlp::messages::{
        common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
        resource::v1::Resource,
        trace::v1::Span,
    },
};
use weir_store::{
    AppendError, Ledger, LineRecord, Operation, Operations, ReadError, Room, ScanRequest, SeriesStatistics, SpanRecord,
    SpanState, StoreStatus, TraceLines, TraceRows,
    sampling::{RememberedVerdict, SamplingStatus},
};

use super::{
    allowance::Allowance,
    call::Call,
    laid_traces::LaidTraces,
    loki::LogqlConfig,
    view::{OpensViews, View},
};
use crate::{
    batches::{Batches, held::HeldBatches},
    logql::{
        LogqlError,
        ast::Matcher,
        engine::{Bounds, Lines, Parts, Selection},
        labels::StreamLabels,
        pipeline::Record,
    },
    promql::{script::Loaded, source::Metrics},
    sql::{
        stop::Stop,
        table::{Tables, as_of_table},
    },
};

/// The trace all of [`record`]'s spans belong to.
pub(crate) const TRACE: TraceId = TraceId([0xab; 16]);

/// A span of `service` with an id that ends in `id`; starts at `start_us`, lasts 10 µs.
pub(crate) fn record(service: &str, id: u8, start_us: u64) -> SpanRecord {
    SpanRecord {
        span: Span {
            trace_id: TRACE.0.to_vec(),
            span_id: vec![0, 0, 0, 0, 0, 0, 0, id],
            name: format!("op-{id}"),
            start_time_unix_nano: start_us * 1000,
            end_time_unix_nano: (start_us + 10) * 1000,
            ..Span::default()
        },
        resource: Arc::new(Resource { attributes: vec![string("service.name", service)], ..Resource::default() }),
        scope: Arc::new(InstrumentationScope::default()),
        state: SpanState::Kept,
        adjusted_count: 1.0,
    }
}

/// The id of [`record`]'s span, on the wire.
pub(crate) fn span_id(id: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, 0, 0, 0, id]
}

pub(crate) fn string(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

pub(crate) fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A call with these path and query parameters.
pub(in crate::http) fn call(path: &[(&str, &str)], query: &[(&str, &str)]) -> Call {
    let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    let allowance = Allowance::new(64 << 20, 1 << 30);
    Call {
        tenant: TenantId::default(),
        path: owned(path),
        query: owned(query),
        deadline: std::time::Instant::now() + std::time::Duration::from_secs(60),
        now_ns: 1_000_000_000_000,
        traces_max: 1500,
        spans_max: 1000,
        logql: LogqlConfig::default(),
        categorizes_labels: false,
        promql: super::PromqlConfig::default(),
        trace_rows_max: 10_000,
        client: None,
        allowance: allowance.clone(),
        rows: allowance.rows().into(),
        laid_traces: LaidTraces::new(16 << 20),
        about: Arc::default(),
        missing: Default::default(),
    }
}

/// A table like `spans`, with a row for each service.
pub(crate) fn table(services: Vec<&str>) -> Arc<dyn TableProvider> {
    let rows = services.len() as i64;
    let batch = RecordBatch::try_from_iter([
        ("service", Arc::new(StringArray::from(services)) as ArrayRef),
        ("start_time", Arc::new(TimestampNanosecondArray::from_iter_values(0..rows))),
        ("duration_ns", Arc::new(Int64Array::from_iter_values(0..rows))),
    ])
    .expect("columns of one length");
    let schema = as_of_table(&batch.schema());
    let batch = batch.with_schema(Arc::clone(&schema)).expect("the same types");
    Arc::new(MemTable::try_new(schema, vec![vec![batch]]).expect("one schema"))
}

/// A little store: answers with what it holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    pub(crate) rows: Vec<SpanRecord>,
    pub(crate) lines: Vec<LineRecord>,
    /// What scans see, if not these rows.
    pub(crate) scanned: Option<Vec<SpanRecord>>,
    /// Something cannot be read by scans.
    pub(crate) scans_are_partial: bool,
    pub(crate) operations: Vec<Operation>,
    pub(crate) ledger: Ledger,
    pub(crate) sampling: SamplingStatus,
    pub(crate) verdicts: Vec<(TraceId, RememberedVerdict)>,
    pub(crate) unready: Option<AppendError>,
    pub(crate) metrics: Arc<Loaded>,
    /// Panics when operations are read.
    pub(crate) breaks: bool,
    /// More of each trace cannot be read.
    pub(crate) is_damaged: bool,
    /// Met twice while operations are read: at the start, and before the answer.
    pub(crate) meets: Option<Arc<std::sync::Barrier>>,
}

impl OpensViews for Held {
    fn view(&self) -> Box<dyn View> {
        Box::new(self.clone())
    }

    fn tables(&self, _: TenantId, _: Option<u64>, _: &Arc<Stop>) -> Tables {
        let names: Vec<_> = self.operations.iter().map(|operation| operation.service.as_str()).collect();
        vec![("spans", table(names))]
    }

    fn readiness(&self) -> Result<(), AppendError> {
        self.unready.clone().map_or(Ok(()), Err)
    }

    fn sampling_status(&self) -> SamplingStatus {
        self.sampling.clone()
    }

    fn verdict(&self, _: &TenantId, trace: TraceId) -> Option<RememberedVerdict> {
        let verdict = self.verdicts.iter().find(|(id, _)| *id == trace);
        verdict.map(|(_, verdict)| verdict.clone())
    }

    fn store_status(&self, _: &TenantId) -> Option<StoreStatus> {
        None
    }
}

impl View for Held {
    fn trace(&self, _: &TenantId, id: TraceId, rows_max: usize, room: Room<'_>) -> Result<TraceRows, ReadError> {
        let rows: Vec<_> = self.rows.iter().filter(|row| row.span.trace_id == id.0).take(rows_max).cloned().collect();
        let mut found = TraceRows { rows, is_damaged: self.is_damaged, is_cut: false };
        let all = found.rows.len();
        let fitting = found.rows.iter().take_while(|row| room(row.memory_bytes())).count();
        found.rows.truncate(fitting);
        found.is_cut = fitting < all;
        Ok(found)
    }

    fn span(&self, _: &TenantId, id: TraceId, span: SpanId, _: Room<'_>) -> Result<TraceRows, ReadError> {
        let is_it = |row: &&SpanRecord| row.span.trace_id == id.0 && row.span.span_id == span.0;
        let rows = self.rows.iter().filter(is_it).cloned().collect();
        Ok(TraceRows { rows, is_damaged: self.is_damaged, is_cut: false })
    }

    fn lines(
        &self,
        _: &TenantId,
        id: TraceId,
        span: Option<SpanId>,
        rows_max: usize,
        room: Room<'_>,
    ) -> Result<TraceLines, ReadError> {
        let is_it = |row: &&LineRecord| row.line.trace_id == id.0 && span.is_none_or(|span| row.line.span_id == span.0);
        let mut rows: Vec<_> = self.lines.iter().filter(is_it).take(rows_max).cloned().collect();
        let all = rows.len();
        let fitting = rows.iter().take_while(|row| room(row.memory_bytes())).count();
        rows.truncate(fitting);
        Ok(TraceLines { rows, is_damaged: self.is_damaged, is_cut: fitting < all })
    }

    fn scan(&self, _: &TenantId, request: ScanRequest) -> Box<dyn Batches> {
        let rows = self.scanned.as_ref().unwrap_or(&self.rows);
        let mut batches = HeldBatches::of(rows, &request);
        batches.is_partial = self.scans_are_partial;
        Box::new(batches)
    }

    fn operations(&self, _: &TenantId, _: Instant) -> Result<Operations, ReadError> {
        assert!(!self.breaks, "on purpose");
        if let Some(meets) = &self.meets {
            meets.wait();
            meets.wait();
        }
        let mut found = Operations { is_damaged: self.is_damaged, ..Operations::default() };
        self.operations.iter().for_each(|operation| found.add(operation));
        Ok(found)
    }

    fn log_lines(&self, _: &Call) -> Box<dyn Lines> {
        Box::new(NoLines)
    }

    fn streams(
        &self,
        _: &Call,
        _: &[Matcher],
        _: (u64, u64),
        _: &mut dyn FnMut(&StreamLabels) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        Ok(())
    }

    fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    fn series_statistics(&self, _: &TenantId, limit: usize) -> SeriesStatistics {
        let ranked = vec![("up".to_owned(), 2), ("hist".to_owned(), 1)];
        let series_by_metric = ranked.into_iter().take(limit).collect();
        SeriesStatistics { series: 3, series_by_metric, ..SeriesStatistics::default() }
    }

    fn metrics<'a>(&'a self, _: &'a TenantId) -> Box<dyn Metrics + 'a> {
        Box::new(&*self.metrics)
    }
}

/// LogQL has nothing to read.
struct NoLines;

impl Lines for NoLines {
    fn parts<'a>(&'a self, _: &Selection<'_>) -> Result<Box<dyn Parts + 'a>, LogqlError> {
        Ok(Box::new(Self))
    }
}

impl Parts for NoLines {
    fn len(&self) -> usize {
        0
    }

    fn time_ns(&self, _: usize) -> (u64, u64) {
        (0, 0)
    }

    fn read(
        &self,
        _: usize,
        _: &Bounds<'_>,
        _: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        Ok(())
    }

    fn is_partial(&self) -> bool {
        false
    }
}
