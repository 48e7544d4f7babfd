//! The words everyone speaks: OTLP wire views, ids, tenants, time, durations. No I/O.

pub mod decimal;
pub mod duration;
pub mod elasticsearch;
pub mod endpoint;
pub mod exposition;
pub mod go_regex;
pub mod ids;
pub mod json;
pub mod loki;
pub mod metrics;
pub mod nearest;
pub mod otlp;
pub mod relabel;
pub mod remote_write;
pub mod signal;
pub mod size;
pub mod splunk_hec;
pub mod syslog;
pub mod tenant;
pub mod time;
pub mod timestamp;
pub mod tracestate;
pub mod yaml;
pub mod zipkin;

pub use ids::{SpanId, TraceId};
pub use signal::Signal;
pub use tenant::TenantId;
