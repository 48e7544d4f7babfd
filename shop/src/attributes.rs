//! The attributes, events and links of a span, as OpenTelemetry's instrumentations write them (semantic conventions 1.3x).

use crate::rng::Rng;
use crate::{
    journey::{Role, SpanPlan},
    services::SERVICES,
    wire::{Kind, Value, Writer},
};

/// Field numbers of opentelemetry.proto.trace.v1.Span.
mod field {
    pub(crate) const NAME: u32 = 5;
    pub(crate) const KIND: u32 = 6;
    pub(crate) const ATTRIBUTES: u32 = 9;
    pub(crate) const EVENTS: u32 = 11;
    pub(crate) const LINKS: u32 = 13;
    pub(crate) const STATUS: u32 = 15;
    pub(crate) const FLAGS: u32 = 16;
}

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_1) AppleWebKit/605.1.15 Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "ShopApp/7.31.0 (Android 15)",
    "kube-probe/1.33",
];

const FAILURES: [(&str, &str); 5] = [
    ("DeadlineExceeded", "context deadline exceeded after 2s"),
    ("ConnectionReset", "connection reset by peer while reading response headers"),
    ("java.lang.IllegalStateException", "card was declined: insufficient funds"),
    ("ValidationError", "quantity must be between 1 and 99"),
    ("OutOfStock", "no warehouse has the requested quantity"),
];

/// Name and kind, which come before the times on the wire.
pub(crate) fn name_and_kind(plan: &SpanPlan, out: &mut Writer) {
    let (name, kind) = match plan.role {
        Role::HttpServer(method, route) => (format!("{method} {route}"), 2),
        Role::HttpClient(_, method, _) => (method.to_string(), 3),
        Role::RpcServer(service, method) => (format!("{service}/{method}"), 2),
        Role::RpcClient(_, service, method) => (format!("{service}/{method}"), 3),
        Role::Sql(operation, table, _) => (format!("{operation} {table}"), 3),
        Role::Cache(command) => (command.to_string(), 3),
        Role::Publish(topic) => (format!("send {topic}"), 4),
        Role::Consume(topic) => (format!("process {topic}"), 5),
        Role::Work(name) => (name.to_string(), 1),
    };
    out.bytes_field(field::NAME, name.as_bytes());
    out.varint_field(field::KIND, kind);
}

/// Everything after the times: attributes, events, links, status, flags.
pub(crate) fn rest(rng: &mut Rng, plan: &SpanPlan, out: &mut Writer) {
    let mut sink = Attributes { out, rng };
    match plan.role {
        Role::HttpServer(method, route) => sink.http_server(method, route, plan.failed),
        Role::HttpClient(callee, method, route) => sink.http_client(callee, method, route, plan.failed),
        Role::RpcServer(service, method) => sink.rpc(None, service, method, plan.failed),
        Role::RpcClient(callee, service, method) => sink.rpc(Some(callee), service, method, plan.failed),
        Role::Sql(operation, table, statement) => sink.sql(operation, table, statement),
        Role::Cache(command) => sink.cache(command),
        Role::Publish(topic) => sink.messaging(topic, "send"),
        Role::Consume(topic) => sink.messaging(topic, "process"),
        Role::Work(name) => sink.work(name),
    }
    let failure = plan.failed.then(|| plan.blame.unwrap_or_else(|| *rng.pick(&FAILURES)));
    if let Some((error, _)) = failure {
        out.attribute(field::ATTRIBUTES, "error.type", Value::Text(error));
    }
    events(rng, plan, failure, out);
    if matches!(plan.role, Role::Consume(_)) || rng.percent(1) {
        let mut link = Writer::default();
        link.patched_field(1, Kind::LinkedTrace);
        link.patched_field(2, Kind::LinkedSpan);
        link.attribute(4, "messaging.batch.message_count", Value::Int(rng.below(8) as i64 + 1));
        out.message_field(field::LINKS, &link);
    }
    if let Some((_, message)) = failure {
        let mut status = Writer::default();
        status.bytes_field(2, message.as_bytes());
        status.varint_field(3, 2);
        out.message_field(field::STATUS, &status);
    }
    out.fixed32_field(field::FLAGS, 0x101);
}

/// An attribute that is a number more often than a text, so that its texts have no column of their own: `north` on a tenth of the
/// spans, a user on some.
pub(crate) fn lane(rng: &mut Rng, out: &mut Writer) {
    match rng.below(100) {
        0..10 => out.attribute(field::ATTRIBUTES, "app.lane", Value::Text("north")),
        10..12 => out.attribute(field::ATTRIBUTES, "app.lane", Value::Patched("u-", Kind::User, "")),
        12..30 => out.attribute(field::ATTRIBUTES, "app.lane", Value::Int(rng.below(1000) as i64)),
        _ => {}
    }
}

fn events(rng: &mut Rng, plan: &SpanPlan, failure: Option<(&str, &str)>, out: &mut Writer) {
    if let Some((error, message)) = failure {
        let mut event = Writer::default();
        event.time_field(1, plan.start_ns + plan.duration_ns / 10 * 9);
        event.bytes_field(2, b"exception");
        event.attribute(3, "exception.type", Value::Text(error));
        event.attribute(3, "exception.message", Value::Text(message));
        let line = rng.below(900) + 20;
        let stack = format!(
            "{error}: {message}\n  at handle (/app/src/{}.x:{line})\n  at serve (/app/src/server.x:88)",
            line % 17
        );
        event.attribute(3, "exception.stacktrace", Value::Text(&stack));
        out.message_field(field::EVENTS, &event);
    } else if rng.percent(3) {
        let mut event = Writer::default();
        event.time_field(1, plan.start_ns + plan.duration_ns / 2);
        event.bytes_field(2, b"cache miss");
        event.attribute(3, "app.cache.shard", Value::Int(rng.below(16) as i64));
        out.message_field(field::EVENTS, &event);
    }
}

struct Attributes<'a> {
    out: &'a mut Writer,
    rng: &'a mut Rng,
}

impl Attributes<'_> {
    fn put(&mut self, key: &str, value: Value<'_>) {
        self.out.attribute(field::ATTRIBUTES, key, value);
    }

    fn text(&mut self, key: &str, value: &str) {
        self.put(key, Value::Text(value));
    }

    fn int(&mut self, key: &str, value: i64) {
        self.put(key, Value::Int(value));
    }

    /// An address within the cluster.
    fn peer(&mut self) {
        let address = format!("10.{}.{}.{}", self.rng.below(4), self.rng.below(40), self.rng.below(250) + 1);
        self.text("network.peer.address", &address);
    }

    /// A path whose `{id}` changes from copy to copy.
    fn path(&mut self, key: &str, before: &str, route: &str) {
        let Some((head, tail)) = route.split_once("{id}") else {
            let query = format!("{before}{route}");
            return self.put(key, Value::Patched(&format!("{query}?u="), Kind::User, ""));
        };
        let kind = match head {
            "/api/orders/" => Kind::Order,
            "/api/users/" | "/api/cart/" => Kind::User,
            _ => Kind::Product,
        };
        self.put(key, Value::Patched(&format!("{before}{head}"), kind, tail));
    }

    fn status(&mut self, failed: bool) {
        let code = match (failed, self.rng.below(20)) {
            (true, 0..12) => 500,
            (true, 12..16) => 503,
            (true, _) => 504,
            (false, 0) => 404,
            (false, 1) => 302,
            (false, 2) => 201,
            (false, _) => 200,
        };
        self.int("http.response.status_code", code);
    }

    fn http_server(&mut self, method: &str, route: &str, failed: bool) {
        self.text("http.request.method", method);
        self.text("http.route", route);
        self.path("url.path", "", route);
        self.text("url.scheme", "https");
        self.status(failed);
        self.text("server.address", "shop.example.com");
        let client = format!(
            "{}.{}.{}.{}",
            self.rng.below(200) + 20,
            self.rng.below(256),
            self.rng.below(256),
            self.rng.below(256)
        );
        self.text("client.address", &client);
        let agent = *self.rng.pick(&AGENTS);
        self.text("user_agent.original", agent);
        let version = if self.rng.percent(80) { "2" } else { "1.1" };
        self.text("network.protocol.version", version);
        self.put("enduser.id", Value::Patched("u-", Kind::User, ""));
        self.put("http.response.body.size", Value::Changing(Kind::Count));
    }

    fn http_client(&mut self, callee: usize, method: &str, route: &str, failed: bool) {
        let host = format!("{}.{}.svc", SERVICES[callee].name, SERVICES[callee].namespace);
        self.text("http.request.method", method);
        self.path("url.full", &format!("http://{host}:8080"), route);
        self.status(failed);
        self.text("server.address", &host);
        self.int("server.port", 8080);
        self.text("network.protocol.version", "1.1");
        self.peer();
        self.put("http.response.body.size", Value::Changing(Kind::Count));
    }

    fn rpc(&mut self, callee: Option<usize>, service: &str, method: &str, failed: bool) {
        self.text("rpc.system", "grpc");
        self.text("rpc.service", service);
        self.text("rpc.method", method);
        let code = if failed { self.rng.below(3) as i64 * 6 + 2 } else { 0 };
        self.int("rpc.grpc.status_code", code);
        match callee {
            Some(callee) => {
                self.text("server.address", &format!("{}.{}.svc", SERVICES[callee].name, SERVICES[callee].namespace))
            }
            None => self.text("server.address", "0.0.0.0"),
        }
        self.int("server.port", 9000);
        self.peer();
        let port = self.rng.below(28_000) as i64 + 32_000;
        self.int("network.peer.port", port);
        self.put("enduser.id", Value::Patched("u-", Kind::User, ""));
        if self.rng.percent(50) {
            self.put("app.product.id", Value::Patched("P", Kind::Product, ""));
        }
    }

    fn sql(&mut self, operation: &str, table: &str, statement: &str) {
        self.text("db.system.name", "postgresql");
        self.text("db.namespace", "shop");
        self.text("db.operation.name", operation);
        self.text("db.collection.name", table);
        self.text("db.query.text", statement);
        let replica = format!("pg-{}.data.svc", self.rng.below(4));
        self.text("server.address", &replica);
        self.int("server.port", 5432);
        self.peer();
        let rows = self.rng.log_normal(4.0, 1.2) as i64;
        self.int("db.response.returned_rows", rows);
        let thread = self.rng.below(64) as i64 + 1;
        self.int("thread.id", thread);
    }

    fn cache(&mut self, command: &str) {
        self.text("db.system.name", "redis");
        self.text("db.operation.name", command);
        self.put("db.query.text", Value::Patched(&format!("{command} session:u-"), Kind::User, ""));
        self.int("db.namespace.index", 0);
        let node = format!("redis-{}.data.svc", self.rng.below(6));
        self.text("server.address", &node);
        self.int("server.port", 6379);
        self.peer();
        let hit = self.rng.percent(85);
        self.put("app.cache.hit", Value::Bool(hit));
    }

    fn messaging(&mut self, topic: &str, operation: &str) {
        self.text("messaging.system", "kafka");
        self.text("messaging.destination.name", topic);
        self.text("messaging.operation.name", operation);
        self.put("messaging.message.id", Value::Patched("m-", Kind::Message, ""));
        self.put("messaging.kafka.offset", Value::Changing(Kind::Count));
        let partition = self.rng.below(24).to_string();
        self.text("messaging.destination.partition.id", &partition);
        self.text("messaging.client.id", "shop-events");
        let size = self.rng.log_normal(700.0, 0.5) as i64;
        self.int("messaging.message.body.size", size);
        self.put("app.order.id", Value::Patched("o-", Kind::Order, ""));
    }

    fn work(&mut self, name: &str) {
        self.text("code.function.name", &name.replace(' ', "_"));
        let line = self.rng.below(400) as i64;
        self.int("code.line.number", line);
        let thread = self.rng.below(64) as i64 + 1;
        self.int("thread.id", thread);
        self.text("thread.name", &format!("worker-{thread}"));
        self.put("enduser.id", Value::Patched("u-", Kind::User, ""));
        self.put("app.order.id", Value::Patched("o-", Kind::Order, ""));
        self.put("app.order.total", Value::Changing(Kind::Money));
        let items = self.rng.below(9) as i64 + 1;
        self.int("app.order.items", items);
    }
}
