//! Log lines as services write them: JSON of 391 bytes on average, in each form in which they are sent.

use std::fmt::Write;

use prost::Message;
use weir_proto::otlp::messages::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};

use crate::rng::{Rng, mix};

/// Services of the fleet; each has four pods.
const SERVICES: [&str; 12] = [
    "cart",
    "checkout",
    "catalog",
    "payment",
    "shipping",
    "email",
    "ads",
    "currency",
    "frontend",
    "quote",
    "recommend",
    "search",
];

const LEVELS: [(&str, u64); 4] = [("info", 80), ("debug", 12), ("warn", 5), ("error", 3)];

/// What is done, with the logger that says so.
const MESSAGES: [(&str, &str); 10] = [
    ("order placed and handed over to fulfilment", "app.orders.OrderService"),
    ("cache miss, value loaded from the database", "app.cache.LoadingCache"),
    ("request completed", "app.http.AccessLog"),
    ("payment authorised by the provider", "app.payment.ProviderClient"),
    ("user session refreshed", "app.auth.SessionStore"),
    ("retrying after a timeout of the upstream service", "app.http.RetryPolicy"),
    ("item added to the basket", "app.cart.BasketService"),
    ("slow query, an index may be missing", "app.db.QueryLog"),
    ("message consumed and acknowledged", "app.queue.Consumer"),
    ("connection pool exhausted, waiting for a free one", "app.db.Pool"),
];

const PATHS: [&str; 6] =
    ["/api/v1/orders", "/api/v1/basket", "/api/v1/products", "/api/v1/session", "/healthz", "/api/v1/search"];

/// Lines by number: the same seed makes the same ones.
#[derive(Debug, Clone, Copy)]
pub struct Lines {
    seed: u64,
}

/// What a batch is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineForm {
    /// OTLP protobuf; the line is the body.
    Otlp,
    /// OTLP protobuf; a record of 304 bytes has a text and eight attributes that say the same.
    OtlpText,
    /// Loki's push in JSON.
    LokiJson,
    /// Loki's push in protobuf, before snappy.
    LokiProtobuf,
    /// Elasticsearch's bulk request; the line is the document.
    Bulk,
    /// Splunk's events; the line is the event.
    Hec,
    /// RFC 5424, a message a line of the stream; the line is its text.
    Syslog,
}

impl LineForm {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Otlp, Self::OtlpText, Self::LokiJson, Self::LokiProtobuf, Self::Bulk, Self::Hec, Self::Syslog];

    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Otlp => "OTLP, JSON body",
            Self::OtlpText => "OTLP, text body and 8 attributes",
            Self::LokiJson => "Loki JSON",
            Self::LokiProtobuf => "Loki protobuf",
            Self::Bulk => "Elasticsearch bulk",
            Self::Hec => "Splunk HEC",
            Self::Syslog => "syslog",
        }
    }
}

impl Lines {
    /// The lines of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The service of a batch: a sender has one.
    fn service(self, batch: u64) -> (&'static str, u64) {
        let bits = mix(self.seed ^ batch.wrapping_mul(0x51_7c_c1));
        (SERVICES[(bits % 12) as usize], bits / 12 % 4)
    }

    /// Appends line `number`, which was written then.
    pub fn write(self, number: u64, batch: u64, time_ns: u64, out: &mut String) {
        let mut rng = Rng::new(self.seed ^ mix(number));
        let (service, pod) = self.service(batch);
        let mut share = rng.below(100);
        let level = LEVELS.iter().find(|(_, percent)| {
            let is_it = share < *percent;
            share = share.saturating_sub(*percent);
            is_it
        });
        let (level, _) = level.unwrap_or(&LEVELS[0]);
        let (message, logger) = rng.pick(&MESSAGES);
        // Some ten lines of a trace.
        // Zeros are no id.
        let trace = mix(self.seed ^ (number / 10)).max(1);
        let (seconds, millis) = (time_ns / 1_000_000_000 % 86_400, time_ns / 1_000_000 % 1000);
        let status = if *level == "error" { 500 + rng.below(4) } else { 200 + rng.below(2) * 4 };
        let _ = write!(
            out,
            "{{\"ts\":\"2026-11-20T{:02}:{:02}:{:02}.{millis:03}Z\",\"level\":\"{level}\",\"service\":\"{service}\",\"pod\":\"{service}-{pod}\",\
             \"logger\":\"{logger}\",\"msg\":\"{message}\",\"trace_id\":\"{:016x}{trace:016x}\",\"span_id\":\"{:016x}\",\
             \"request_id\":\"{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}\",\
             \"user\":{{\"id\":{},\"plan\":\"{}\"}},\"http\":{{\"path\":\"{}\",\"status\":{status}}},\"ms\":{:.2},\"bytes\":{}}}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            mix(trace),
            rng.bits(),
            rng.bits() as u32,
            rng.bits() as u16,
            rng.below(1 << 12),
            rng.below(1 << 12),
            rng.below(1 << 48),
            rng.below(50_000),
            rng.pick(&["free", "pro", "team"]),
            rng.pick(&PATHS),
            rng.log_normal(12.0, 1.2),
            rng.below(90_000),
        );
    }

    /// A batch of lines in a form: the bytes to be sent, and how many of them are the lines themselves.
    pub fn batch(self, batch: u64, lines: u64, base_ns: u64, form: LineForm) -> (Vec<u8>, u64) {
        let (service, pod) = self.service(batch);
        let mut raw = 0;
        let texts: Vec<(u64, String)> = (0..lines)
            .map(|at| {
                let (number, time_ns) = (batch * lines + at, base_ns + at * 1000);
                let mut text = String::with_capacity(400);
                self.write(number, batch, time_ns, &mut text);
                raw += text.len() as u64;
                (time_ns, text)
            })
            .collect();
        let labels = [("app", service.to_owned()), ("pod", format!("{service}-{pod}")), ("env", "prod".to_owned())];
        let payload = match form {
            LineForm::Otlp => otlp(&labels, texts),
            LineForm::OtlpText => {
                let (payload, bytes) = otlp_texts(&labels, &texts);
                raw = bytes;
                payload
            }
            LineForm::LokiJson => loki_json(&labels, &texts),
            LineForm::LokiProtobuf => loki_protobuf(&labels, &texts),
            LineForm::Bulk => {
                joined(&texts, |_, line| format!("{{\"create\":{{\"_index\":\"{service}\"}}}}\n{line}\n"))
            }
            LineForm::Hec => joined(&texts, |time_ns, line| {
                let (seconds, ms) = (time_ns / 1_000_000_000, time_ns / 1_000_000 % 1000);
                format!(
                    "{{\"time\":{seconds}.{ms:03},\"host\":\"{service}-{pod}\",\"sourcetype\":\"_json\",\"event\":{line}}}"
                )
            }),
            LineForm::Syslog => joined(&texts, |time_ns, line| {
                let seconds = time_ns / 1_000_000_000 % 86_400;
                let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
                format!(
                    "<14>1 2026-11-20T{hours:02}:{minutes:02}:{seconds:02}.123Z {service}-{pod} {service} 1 - - {line}\n"
                )
            }),
        };
        (payload, raw)
    }
}

fn joined(texts: &[(u64, String)], one: impl Fn(u64, &str) -> String) -> Vec<u8> {
    texts.iter().map(|(time_ns, line)| one(*time_ns, line)).collect::<String>().into()
}

fn text(value: String) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(value)) })
}

fn pair(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

fn otlp(labels: &[(&str, String)], texts: Vec<(u64, String)>) -> Vec<u8> {
    let records = texts
        .into_iter()
        .map(|(time_unix_nano, line)| LogRecord { time_unix_nano, body: text(line), ..LogRecord::default() })
        .collect();
    request(labels, records)
}

/// The records, and the bytes of them alone.
fn otlp_texts(labels: &[(&str, String)], texts: &[(u64, String)]) -> (Vec<u8>, u64) {
    let records: Vec<LogRecord> = texts.iter().map(|(time_ns, line)| text_record(*time_ns, line)).collect();
    let bytes = records.iter().map(|record| record.encoded_len() as u64).sum();
    (request(labels, records), bytes)
}

/// What a JSON line says as a text, attributes, severity and ids.
fn text_record(time_unix_nano: u64, line: &str) -> LogRecord {
    let line: serde_json::Value = serde_json::from_str(line).expect("lines are JSON");
    let value = |path: &str| {
        let value = line.pointer(path)?;
        Some(AnyValue {
            value: Some(match value {
                serde_json::Value::Number(number) => match number.as_i64() {
                    Some(int) => Value::IntValue(int),
                    None => Value::DoubleValue(number.as_f64()?),
                },
                value => Value::StringValue(value.as_str()?.to_owned()),
            }),
        })
    };
    let word = |path: &str| line.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default();
    let id = |path: &str| -> Vec<u8> {
        let digits = word(path).as_bytes().chunks_exact(2);
        digits.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    };
    let attributes = [
        ("logger", "/logger"),
        ("request.id", "/request_id"),
        ("user.id", "/user/id"),
        ("user.plan", "/user/plan"),
        ("http.path", "/http/path"),
        ("http.status", "/http/status"),
        ("ms", "/ms"),
        ("bytes", "/bytes"),
    ];
    LogRecord {
        time_unix_nano,
        severity_text: word("/level").to_owned(),
        severity_number: if word("/level") == "error" { 17 } else { 9 },
        body: text(format!("{}: {} after {} ms", word("/service"), word("/msg"), line["ms"])),
        attributes: attributes.map(|(key, path)| pair(key, value(path))).to_vec(),
        trace_id: id("/trace_id"),
        span_id: id("/span_id"),
        ..LogRecord::default()
    }
}

fn request(labels: &[(&str, String)], log_records: Vec<LogRecord>) -> Vec<u8> {
    let mut attributes: Vec<KeyValue> = labels.iter().map(|(key, value)| pair(key, text(value.clone()))).collect();
    attributes.push(pair("service.name", text(labels[0].1.clone())));
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn loki_json(labels: &[(&str, String)], texts: &[(u64, String)]) -> Vec<u8> {
    let stream: serde_json::Map<String, serde_json::Value> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), value.as_str().into())).collect();
    let values: Vec<_> = texts.iter().map(|(time_ns, line)| serde_json::json!([time_ns.to_string(), line])).collect();
    serde_json::json!({"streams": [{"stream": stream, "values": values}]}).to_string().into()
}

fn loki_protobuf(labels: &[(&str, String)], texts: &[(u64, String)]) -> Vec<u8> {
    use prost::encoding::{bytes, uint64};
    let written: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    let mut stream = Vec::new();
    bytes::encode(1, &format!("{{{}}}", written.join(", ")).into_bytes(), &mut stream);
    for (time_ns, line) in texts {
        let (mut time, mut entry) = (Vec::new(), Vec::new());
        uint64::encode(1, &(time_ns / 1_000_000_000), &mut time);
        uint64::encode(2, &(time_ns % 1_000_000_000), &mut time);
        bytes::encode(1, &time, &mut entry);
        bytes::encode(2, &line.clone().into_bytes(), &mut entry);
        bytes::encode(2, &entry, &mut stream);
    }
    let mut push = Vec::new();
    bytes::encode(1, &stream, &mut push);
    push
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_length_and_are_json() {
        let (mut bytes, lines) = (0, 2000);
        for number in 0..lines {
            let mut line = String::new();
            Lines::new(7).write(number, number / 100, 1_790_000_000_000_000_000 + number, &mut line);
            serde_json::from_str::<serde_json::Value>(&line).expect("JSON");
            bytes += line.len() as u64;
        }
        assert!((386..=396).contains(&(bytes / lines)), "{} B a line", bytes / lines);
    }
}
