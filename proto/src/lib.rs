//! The words everyone speaks: OTLP wire views, ids, tenants, time. No I/O.

pub mod ids;
pub mod otlp;
pub mod tenant;
pub mod time;

pub use ids::{SpanId, TraceId};
pub use tenant::TenantId;
