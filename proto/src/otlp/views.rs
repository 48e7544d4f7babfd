//! What surrounds items: their scope and their resource.

use super::Attributes;

/// A resource.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResourceView<'a> {
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// `service.name` when it is a non-empty string, else `unknown_service` as the specification says.
    pub service: &'a [u8],
    /// Attributes the SDK dropped.
    pub dropped_attributes_count: u32,
    /// ResourceSpans.schema_url.
    pub schema_url: &'a [u8],
    /// The encoded Resource message.
    pub bytes: &'a [u8],
}

/// An instrumentation scope.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScopeView<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its version.
    pub version: &'a [u8],
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// Attributes the SDK dropped.
    pub dropped_attributes_count: u32,
    /// ScopeSpans.schema_url.
    pub schema_url: &'a [u8],
    /// The encoded InstrumentationScope message.
    pub bytes: &'a [u8],
}
