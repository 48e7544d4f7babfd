//! Traffic of a web shop, as varied as production's: for sizes and speeds, and as plain input.

use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event},
};

/// Small and seeded: the same numbers everywhere.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Few often, many rarely.
    fn skewed(&mut self, limit: u64) -> u64 {
        let unit = self.unit();
        (unit * unit * unit * limit as f64) as u64
    }

    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let (u, v) = (self.unit().max(1e-12), self.unit());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        median * (sigma * normal).exp()
    }

    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// An attribute.
pub(super) fn kv(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    kv(key, Value::StringValue(value.into()))
}

pub(super) fn int(key: &str, value: i64) -> KeyValue {
    kv(key, Value::IntValue(value))
}

const SERVICES: usize = 20;
const SPANS_PER_TRACE: usize = 8;

/// Makes traces and cuts the spans of each service into batches.
pub(crate) struct Shop {
    random: Random,
    now_ns: u64,
    waiting: Vec<Vec<Span>>,
}

impl Shop {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random(seed), now_ns: 1_760_000_000_000_000_000, waiting: vec![Vec::new(); SERVICES] }
    }

    /// The next batch of one service's spans.
    pub(crate) fn batch(&mut self, spans: usize) -> ExportTraceServiceRequest {
        loop {
            if let Some(service) = self.waiting.iter().position(|waiting| waiting.len() >= spans) {
                let rest = self.waiting[service].split_off(spans);
                let spans = std::mem::replace(&mut self.waiting[service], rest);
                return request(service, spans);
            }
            self.trace();
        }
    }

    fn trace(&mut self) {
        let random = &mut self.random;
        self.now_ns += random.below(40_000);
        let trace_id = random.bytes(16);
        let user = random.skewed(200_000);
        let root_service = random.skewed(SERVICES as u64) as usize;
        let mut parents: Vec<(Vec<u8>, u64, u64)> = Vec::new();
        let spans = SPANS_PER_TRACE / 2 + random.below(SPANS_PER_TRACE as u64) as usize;
        for index in 0..spans {
            let service = if index == 0 { root_service } else { random.below(SERVICES as u64) as usize };
            let parent = (index > 0).then(|| parents[random.below(parents.len() as u64) as usize].clone());
            let (parent_id, start, limit) = parent.unwrap_or((Vec::new(), self.now_ns, 3_000_000_000));
            let start = start + random.below(limit / 4 + 1);
            let duration = (random.log_normal(8e6, 1.2) as u64).min(60_000_000_000);
            let span_id = random.bytes(8);
            parents.push((span_id.clone(), start, duration));
            let mut span = Span {
                trace_id: trace_id.clone(),
                span_id,
                parent_span_id: parent_id,
                start_time_unix_nano: start,
                end_time_unix_nano: start + duration,
                flags: 0x101,
                ..Default::default()
            };
            describe(random, &mut span, service, user);
            self.waiting[service].push(span);
        }
    }
}

fn describe(random: &mut Random, span: &mut Span, service: usize, user: u64) {
    let is_error = random.below(20) == 0;
    let operation = random.skewed(12);
    match random.below(4) {
        0 | 1 => {
            let method = ["GET", "GET", "POST", "PUT"][operation as usize % 4];
            let route = format!("/api/v1/{}/{{id}}/step{operation}", ["cart", "orders", "users", "items"][service % 4]);
            let id = random.below(5_000_000);
            span.name = format!("{method} {route}");
            span.kind = 2;
            let status = if is_error { 500 } else { [200, 200, 200, 201, 204, 304, 404][random.skewed(7) as usize] };
            span.attributes = vec![
                text("http.request.method", method),
                text("url.path", route.replace("{id}", &id.to_string())),
                text("url.scheme", "https"),
                text("http.route", route),
                int("http.response.status_code", status),
                text("server.address", format!("svc-{service}.shop.internal")),
                int("server.port", 8080),
                text("client.address", format!("10.{}.{}.{}", random.below(4), random.below(256), random.below(256))),
                text("user_agent.original", format!("Mozilla/5.0 (X11; Linux x86_64) Shop/{}", random.skewed(60))),
                text("user.id", format!("user-{user}")),
                text("network.protocol.version", "1.1"),
            ];
        }
        2 => {
            let table = ["orders", "users", "items", "carts", "payments"][operation as usize % 5];
            span.name = format!("SELECT shop.{table}");
            span.kind = 3;
            span.attributes = vec![
                text("db.system.name", "postgresql"),
                text("db.namespace", "shop"),
                text("db.collection.name", table),
                text("db.operation.name", "SELECT"),
                text(
                    "db.query.text",
                    format!("SELECT * FROM {table} WHERE tenant = $1 AND status = $2 AND kind = {operation} LIMIT 50"),
                ),
                text("server.address", format!("pg-{}.shop.internal", random.below(6))),
                int("server.port", 5432),
                int("db.response.returned_rows", random.skewed(500) as i64),
            ];
        }
        _ => {
            span.name = format!("process step{operation}");
            span.kind = 1;
            span.attributes = vec![
                text("order.id", format!("ord_{:012x}", random.below(1 << 44))),
                text("user.id", format!("user-{user}")),
                int("order.items", random.skewed(20) as i64),
                kv("order.total", Value::DoubleValue(random.below(100_000) as f64 / 100.0)),
                kv("order.express", Value::BoolValue(random.below(5) == 0)),
                text("thread.name", format!("worker-{}", random.below(32))),
                int("thread.id", random.below(32) as i64),
                text("code.function.name", format!("shop.steps.Step{operation}.run")),
            ];
        }
    }
    if random.below(300) == 0 {
        span.attributes.push(text("feature.flag", format!("flag-{}", random.below(9))));
    }
    if is_error {
        span.status = Some(Status { code: 2, message: "deadline exceeded".into() });
        span.events = vec![Event {
            time_unix_nano: span.end_time_unix_nano - 1,
            name: "exception".into(),
            attributes: vec![
                text("exception.type", "TimeoutError"),
                text("exception.message", format!("no answer in {} ms", random.below(3000))),
            ],
            dropped_attributes_count: 0,
        }];
    }
}

fn request(service: usize, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![
            text("service.name", format!("svc-{service}")),
            text("service.version", "1.4.2"),
            text("service.instance.id", format!("b7c1-{service}")),
            text("deployment.environment.name", "production"),
            text("host.name", format!("node-{}", service % 7)),
            text("k8s.pod.name", format!("svc-{service}-7d9f-x2x")),
            text("telemetry.sdk.language", "rust"),
            int("process.pid", 4000 + service as i64),
        ],
        ..Default::default()
    };
    let scope =
        InstrumentationScope { name: "shop.instrumentation".into(), version: "0.3.1".into(), ..Default::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }],
            ..Default::default()
        }],
    }
}
