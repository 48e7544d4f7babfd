//! OTLP requests of the targets' samples: a target is a resource, a family's series are points of one metric.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::{
        AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
    },
    resource::v1::Resource,
};
use prost::Message;

use super::node::Node;

/// A request for each target of a round at a time in Unix ms, with its number of samples.
pub fn bodies(targets: u64, (round, time_ms): (u64, i64)) -> Vec<(Vec<u8>, u64)> {
    let node = Node::default();
    (0..targets).map(|target| (body(&node, target, (round, time_ms)), node.series() as u64)).collect()
}

fn body(node: &Node, target: u64, (round, time_ms): (u64, i64)) -> Vec<u8> {
    let time_unix_nano = time_ms as u64 * 1_000_000;
    let mut metrics: Vec<Metric> = Vec::new();
    for line in 0..node.series() {
        let labels = node.labels(line);
        let name = labels.iter().find(|(name, _)| name == "__name__").map(|(_, value)| value.as_str());
        let name = name.unwrap_or_default();
        let attributes = labels.iter().filter(|(name, _)| name != "__name__");
        let point = NumberDataPoint {
            attributes: attributes.map(|(name, value)| attribute(name, value)).collect(),
            time_unix_nano,
            value: Some(number_data_point::Value::AsDouble(node.value(target, line, round))),
            ..NumberDataPoint::default()
        };
        if let Some(Metric { data: Some(metric::Data::Sum(sum)), .. }) =
            metrics.last_mut().filter(|metric| metric.name == name)
        {
            sum.data_points.push(point);
            continue;
        }
        let sum = Sum {
            data_points: vec![point],
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: false,
        };
        metrics.push(Metric { name: name.to_owned(), data: Some(metric::Data::Sum(sum)), ..Metric::default() });
    }
    let instance = format!("node-{target:04}:9100");
    let resource = Resource {
        attributes: vec![attribute("service.name", "node"), attribute("service.instance.id", &instance)],
        ..Resource::default()
    };
    let scope = ScopeMetrics { metrics, ..ScopeMetrics::default() };
    let of_resource =
        ResourceMetrics { resource: Some(resource), scope_metrics: vec![scope], ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![of_resource] }.encode_to_vec()
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}
