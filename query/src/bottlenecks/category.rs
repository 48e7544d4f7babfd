//! What a span spends its time on, by OpenTelemetry's semantic conventions.
//!
//! The first rule that fits:
//!
//! 1. `db.system.name` (or `db.system`): *cache* when it names one of [`CACHES`], else *database*.
//! 2. `messaging.system`: *own* when the operation is to process or deliver, or the span is a consumer's and names no operation; else *queue*.
//! 3. A producer: *queue*. A client (HTTP, RPC, whatever): *external*. What is left of it on the critical path is network, or a callee without spans.
//! 4. Anything else: *own*.
//!
//! What a call does inside the caller's service (connecting, a driver over HTTP) counts as the call: a span that is *own* or
//! *external*, neither server nor consumer, takes its parent's category within one service, unless that is *own*.

use serde::Serialize;
use weir_proto::otlp::messages::{
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind},
};

/// Systems that are caches first, as `db.system.name` writes them.
const CACHES: [&str; 9] =
    ["redis", "memcached", "valkey", "keydb", "dragonfly", "hazelcast", "infinispan", "ehcache", "aws.elasticache"];

/// Where time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Category {
    /// Work of the services themselves.
    Own,
    /// A database.
    Database,
    /// A call to another service, as far as that service shows no spans of its own.
    External,
    /// A message broker: sending, receiving.
    Queue,
    /// A cache.
    Cache,
}

impl Category {
    /// In the order of their discriminants.
    pub(crate) const ALL: [Self; 5] = [Self::Own, Self::Database, Self::External, Self::Queue, Self::Cache];

    /// Of a system that `db.system.name` names.
    pub(crate) fn of_system(system: &str) -> Self {
        let is_cache = CACHES.iter().any(|cache| cache.eq_ignore_ascii_case(system));
        if is_cache { Self::Cache } else { Self::Database }
    }

    /// A span's, by itself.
    pub(super) fn of(span: &Span) -> Self {
        let (mut database, mut messaging, mut operation) = (None, false, None);
        for attribute in &span.attributes {
            let Some(Value::StringValue(text)) = attribute.value.as_ref().and_then(|value| value.value.as_ref()) else {
                continue;
            };
            match attribute.key.as_str() {
                "db.system.name" => database = Some(text),
                "db.system" => database = database.or(Some(text)),
                "messaging.system" => messaging = true,
                "messaging.operation.type" => operation = Some(text.as_str()),
                "messaging.operation" => operation = operation.or(Some(text)),
                _ => {}
            }
        }
        if let Some(system) = database {
            return Self::of_system(system);
        }
        let kind = SpanKind::try_from(span.kind).unwrap_or_default();
        if messaging {
            return match operation {
                Some("process" | "deliver") => Self::Own,
                None if kind == SpanKind::Consumer => Self::Own,
                _ => Self::Queue,
            };
        }
        match kind {
            SpanKind::Producer => Self::Queue,
            SpanKind::Client => Self::External,
            _ => Self::Own,
        }
    }

    /// A span's below a parent of the same service.
    pub(super) fn below(self, parent: Self, span: &Span) -> Self {
        let serves = [SpanKind::Server as i32, SpanKind::Consumer as i32].contains(&span.kind);
        let undecided = matches!(self, Self::Own | Self::External);
        if undecided && !serves && parent != Self::Own { parent } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawn::rows;

    #[track_caller]
    fn check(span: &str, expected: Category) {
        let row = &rows(&format!("span 0..1 {span}"))[0];
        assert_eq!(Category::of(&row.span), expected, "{span}");
    }

    #[test]
    fn conventions_old_and_new() {
        check("", Category::Own);
        check("server http.request.method=GET", Category::Own);
        check("client http.request.method=GET", Category::External);
        check("client rpc.system=grpc", Category::External);
        check("client db.system.name=postgresql", Category::Database);
        check("client db.system=mysql", Category::Database);
        check("db.system=sqlite", Category::Database);
        check("client db.system=redis", Category::Cache);
        check("client db.system=other db.system.name=Memcached", Category::Cache);
        check("producer", Category::Queue);
        check("client messaging.system=kafka messaging.operation.type=send", Category::Queue);
        check("consumer messaging.system=kafka messaging.operation=receive", Category::Queue);
        check("consumer messaging.system=kafka messaging.operation.type=process", Category::Own);
        check("consumer messaging.system=kafka", Category::Own);
        check("consumer", Category::Own);
    }

    #[test]
    fn a_calls_insides_are_the_call() {
        let row = |kind: &str| rows(&format!("span 0..1 {kind}")).remove(0).span;
        let below = |kind: &str, parent| Category::of(&row(kind)).below(parent, &row(kind));
        assert_eq!(below("internal", Category::Database), Category::Database);
        assert_eq!(below("client", Category::Database), Category::Database);
        assert_eq!(below("client", Category::Own), Category::External);
        assert_eq!(below("server", Category::External), Category::Own);
        assert_eq!(below("client db.system=redis", Category::External), Category::Cache);
    }
}
