//! Views beside what prost decodes.

use prost::Message;

use super::{
    Checks, DataKind, ExponentialPoint, HistogramPoint, Limits, NumberPoint, NumberValue, SummaryPoint, Temporality,
    canonical, in_words, scan,
};
use crate::otlp::{
    ScanError, ValueView,
    messages::{
        collector::metrics::v1::ExportMetricsServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
        metrics::v1::{
            Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
            Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
            exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
            summary_data_point::ValueAtQuantile,
        },
    },
};

const LIMITS: Limits = Limits { depth_max: 64, attributes_max: 100, span_bytes_max: 1 << 20 };

fn request(metrics: Vec<Metric>) -> Vec<u8> {
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn metric(data: Data) -> Metric {
    Metric { name: "m".into(), unit: "s".into(), data: Some(data), ..Metric::default() }
}

fn attribute(value: Value) -> KeyValue {
    KeyValue { key: "k".into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[test]
fn every_kind_of_point() {
    let number = NumberDataPoint {
        attributes: vec![attribute(Value::IntValue(7))],
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        value: Some(number_data_point::Value::AsInt(-3)),
        exemplars: vec![Exemplar {
            time_unix_nano: 5,
            value: Some(exemplar::Value::AsDouble(0.5)),
            trace_id: vec![1; 16],
            ..Exemplar::default()
        }],
        flags: 1,
    };
    let histogram = HistogramDataPoint {
        count: 3,
        sum: Some(4.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![1.5],
        ..HistogramDataPoint::default()
    };
    let exponential = ExponentialHistogramDataPoint {
        count: 9,
        scale: -2,
        zero_count: 1,
        positive: Some(Buckets { offset: -5, bucket_counts: vec![1, 300] }),
        zero_threshold: 0.25,
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = SummaryDataPoint {
        count: 2,
        sum: 3.0,
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 1.0 }],
        ..SummaryDataPoint::default()
    };
    let payload = request(vec![
        metric(Data::Sum(Sum { data_points: vec![number], aggregation_temporality: 2, is_monotonic: true })),
        metric(Data::Gauge(Gauge { data_points: vec![NumberDataPoint::default()] })),
        metric(Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: 1 })),
        metric(Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![exponential],
            aggregation_temporality: 0,
        })),
        metric(Data::Summary(Summary { data_points: vec![summary] })),
    ]);
    let mut kinds = Vec::new();
    scan(&payload, Checks::Admission(LIMITS), |scanned| {
        let metric = scanned.metric;
        assert_eq!((metric.name, metric.unit, metric.points_len(), scanned.fault), (&b"m"[..], &b"s"[..], 1, None));
        let message = metric.points().next().expect("a point");
        kinds.push((metric.kind, metric.temporality));
        match metric.kind {
            DataKind::Sum => {
                let (point, fault) = NumberPoint::read(message, LIMITS).expect("well formed");
                assert_eq!((point.start_ns(), point.time_ns(), point.is_empty(), fault), (1, 2, true, None));
                assert_eq!((point.value, metric.is_monotonic), (Some(NumberValue::Int(-3)), true));
                assert_eq!(point.attributes().len(), 1);
                let exemplar = point.exemplars().next().expect("one");
                assert_eq!((exemplar.time_ns, exemplar.trace_id), (5, &[1; 16][..]));
                assert_eq!(exemplar.value.map(NumberValue::as_f64), Some(0.5));
            }
            DataKind::Gauge => {
                assert_eq!(NumberPoint::read(message, LIMITS).expect("well formed").0.value, None);
            }
            DataKind::Histogram => {
                let (point, _) = HistogramPoint::read(message, LIMITS).expect("well formed");
                assert_eq!((point.count, point.sum), (3, Some(4.5)));
                assert_eq!((point.bucket_counts, point.bounds), (vec![1, 2], vec![1.5]));
            }
            DataKind::Exponential => {
                let (point, _) = ExponentialPoint::read(message, LIMITS).expect("well formed");
                assert_eq!((point.scale, point.zero_count, point.zero_threshold, point.sum), (-2, 1, 0.25, None));
                assert_eq!(point.positive, (-5, vec![1, 300]));
            }
            DataKind::Summary => {
                let (point, _) = SummaryPoint::read(message, LIMITS).expect("well formed");
                assert_eq!((point.count, point.sum, point.quantiles), (2, 3.0, vec![(0.5, 1.0)]));
            }
            DataKind::Nothing => panic!("no kind"),
        }
    })
    .expect("well formed");
    assert_eq!(kinds[0], (DataKind::Sum, Temporality::Cumulative));
    assert_eq!(kinds[2].1, Temporality::Delta);
    assert_eq!(kinds[3].1, Temporality::Unspecified);
    for end in 0..payload.len() {
        let read = scan(&payload[..end], Checks::Admission(LIMITS), |scanned| {
            for message in scanned.metric.points() {
                let _ = NumberPoint::read(message, LIMITS);
                let _ = HistogramPoint::read(message, LIMITS);
                let _ = ExponentialPoint::read(message, LIMITS);
                let _ = SummaryPoint::read(message, LIMITS);
            }
        });
        assert_eq!(read.is_ok(), ExportMetricsServiceRequest::decode(&payload[..end]).is_ok(), "{end}");
    }
}

#[test]
fn a_metric_twice_over_is_merged() {
    let mut two = metric(Data::Gauge(Gauge { data_points: vec![NumberDataPoint::default()] })).encode_to_vec();
    two.extend(metric(Data::Gauge(Gauge { data_points: vec![NumberDataPoint::default()] })).encode_to_vec());
    let mut scope = vec![0x12, two.len() as u8];
    scope.extend(&two);
    let mut resource = vec![0x12, scope.len() as u8];
    resource.extend(&scope);
    let mut payload = vec![0x0a, resource.len() as u8];
    payload.extend(&resource);
    assert_eq!(scan(&payload, Checks::Admission(LIMITS), |_| ()), Err(ScanError::NotCanonical));
    let payload = canonical(&payload).expect("well formed");
    let mut points = 0;
    scan(&payload, Checks::Admission(LIMITS), |scanned| points += scanned.metric.points_len()).expect("canonical");
    assert_eq!(points, 2);
}

#[test]
fn values_as_the_collector_writes_them() {
    for (value, expected) in [
        (ValueView::Double(1.0), "1"),
        (ValueView::Double(1e21), "1e+21"),
        (ValueView::Double(1e-7), "1e-7"),
        (ValueView::Double(0.25), "0.25"),
        (ValueView::Bool(true), "true"),
        (ValueView::Bytes(b"foob"), "Zm9vYg=="),
        (ValueView::Str("é".as_bytes()), "é"),
        (ValueView::Empty, ""),
    ] {
        assert_eq!(in_words(value), expected);
    }
}
