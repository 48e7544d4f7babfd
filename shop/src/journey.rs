//! Walks a journey and lays out the spans of one trace: who calls whom, when, and on which pod.

use crate::rng::Rng;
use crate::services::{Action, JOURNEYS, SERVICES, Step};

/// One span of a trace, before it is encoded.
#[derive(Debug, Clone)]
pub(crate) struct SpanPlan {
    pub(crate) service: usize,
    pub(crate) role: Role,
    /// Index in the trace.
    pub(crate) parent: Option<usize>,
    /// From the trace's start.
    pub(crate) start_ns: u32,
    pub(crate) duration_ns: u32,
    pub(crate) failed: bool,
    /// Of what, when a story says so: the exception's type and message.
    pub(crate) blame: Option<(&'static str, &'static str)>,
}

/// What the span shows of an action.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    /// HTTP server: method, route.
    HttpServer(&'static str, &'static str),
    /// HTTP client: callee, method, route.
    HttpClient(usize, &'static str, &'static str),
    /// gRPC server: service, method.
    RpcServer(&'static str, &'static str),
    /// gRPC client: callee, service, method.
    RpcClient(usize, &'static str, &'static str),
    /// Database: operation, table, statement.
    Sql(&'static str, &'static str, &'static str),
    /// Cache command.
    Cache(&'static str),
    /// Producer: topic.
    Publish(&'static str),
    /// Consumer: topic.
    Consume(&'static str),
    /// Inside a service.
    Work(&'static str),
}

/// The spans of a new trace, the root first, parents before children. Of a thousand steps so many fail.
pub(crate) fn trace(rng: &mut Rng, failed_per_mille: u64) -> Vec<SpanPlan> {
    let mut spans = Vec::new();
    let weight: u64 = JOURNEYS.iter().map(|(weight, _)| weight).sum();
    let mut at = rng.below(weight);
    for (weight, step) in JOURNEYS {
        if at < *weight {
            walk(rng, failed_per_mille, step, 0, None, 0, &mut spans);
            break;
        }
        at -= weight;
    }
    spans
}

/// Adds a step's spans; returns when it ends.
fn walk(
    rng: &mut Rng,
    failed_per_mille: u64,
    step: &Step,
    service: usize,
    parent: Option<usize>,
    start_ns: u32,
    spans: &mut Vec<SpanPlan>,
) -> u32 {
    let own_ns = rng.log_normal(f64::from(step.median_us) * 300.0, 0.7).min(2e8) as u32 + 1_000;
    let (outer, callee) = match step.action {
        Action::Enter(method, route) => (Role::HttpServer(method, route), None),
        Action::Http(callee, method, route) => {
            (Role::HttpClient(callee, method, route), Some((callee, Role::HttpServer(method, route))))
        }
        Action::Rpc(callee, name, method) => {
            (Role::RpcClient(callee, name, method), Some((callee, Role::RpcServer(name, method))))
        }
        Action::Publish(topic, callee) => (Role::Publish(topic), Some((callee, Role::Consume(topic)))),
        Action::Sql(operation, table, statement) => (Role::Sql(operation, table, statement), None),
        Action::Cache(command) => (Role::Cache(command), None),
        Action::Work(name) => (Role::Work(name), None),
    };
    let failed = rng.below(1000) < failed_per_mille;
    let index =
        push(spans, SpanPlan { service, role: outer, parent, start_ns, duration_ns: own_ns, failed, blame: None });
    let (inner_service, inner, mut now_ns) = match callee {
        None => (service, index, start_ns + own_ns / 4),
        Some((callee, role)) => {
            let start_ns = start_ns + own_ns / 8;
            let plan = SpanPlan {
                service: callee,
                role,
                parent: Some(index),
                start_ns,
                duration_ns: own_ns / 2,
                failed: failed && rng.percent(70),
                blame: None,
            };
            (callee, push(spans, plan), start_ns + own_ns / 8)
        }
    };
    for next in step.inside {
        for _ in 0..next.times_max {
            if rng.percent(next.percent) {
                now_ns = walk(rng, failed_per_mille, next, inner_service, Some(inner), now_ns + 2_000, spans);
            }
        }
    }
    let inner_end_ns = now_ns + own_ns / 4;
    spans[inner].duration_ns = inner_end_ns - spans[inner].start_ns;
    if inner == index {
        return inner_end_ns;
    }
    if matches!(step.action, Action::Publish(..)) {
        // The producer does not wait for its consumer.
        return start_ns + own_ns;
    }
    let end_ns = inner_end_ns + own_ns / 8;
    spans[index].duration_ns = end_ns - start_ns;
    end_ns
}

fn push(spans: &mut Vec<SpanPlan>, plan: SpanPlan) -> usize {
    debug_assert!(plan.service < SERVICES.len(), "journeys name services that exist");
    spans.push(plan);
    spans.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_as_large_and_as_broken_as_production_s() {
        let mut rng = Rng::new(1);
        let traces: Vec<_> = (0..20_000).map(|_| trace(&mut rng, 50)).collect();
        let spans: usize = traces.iter().map(Vec::len).sum();
        let mean = spans as f64 / traces.len() as f64;
        assert!((7.0..9.0).contains(&mean), "{mean}");
        let longest = traces.iter().map(Vec::len).max();
        assert!((25..60).contains(&longest.expect("traces")), "{longest:?}");
        assert!(traces.iter().any(|trace| trace.len() == 1));
        let failed = traces.iter().flatten().filter(|span| span.failed).count() as f64 / spans as f64;
        assert!((0.04..0.06).contains(&failed), "{failed}");
        for span in traces.iter().flat_map(|trace| trace.iter().enumerate()) {
            assert!(span.1.parent.is_none_or(|parent| parent < span.0), "parents come first");
        }
    }
}
