//! OTLP: zero-copy views over its bytes, its JSON form, and the generated messages for everything that is not hot.
//!
//! A payload of any signal has resources, in them scopes, in them items. [`traces`] and [`logs`] have the items; what they share is
//! beside them. Views borrow from the payload and allocate nothing. Strings are bytes: a scan checks UTF-8 once at admission
//! ([`Checks::Admission`]); readers of journalled payloads trust the frame's checksum ([`Checks::Journalled`]).

mod admission;
mod attributes;
mod checks;
mod chosen;
pub mod json;
mod key_set;
pub mod logs;
mod message;
pub mod metrics;
mod resource;
mod scan;
pub mod traces;
mod trim;
mod views;
pub mod wire;

pub use attributes::{AttributeView, Attributes, RawAttribute, ValueView, array_values, key_values};
pub use checks::{Checks, ItemFault, Limits, ScanError};
pub use key_set::KeySet;
pub use resource::UNKNOWN_SERVICE;
pub use trim::with_attributes_max;
pub use views::{ResourceView, ScopeView};

/// The messages that prost generates, for views of a few items, JSON and tests.
pub mod messages {
    pub use opentelemetry_proto::tonic::{collector, common, logs, metrics, resource, trace};
}
