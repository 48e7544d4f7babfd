//! A signal's own way from what was admitted to the view: its journal, its head files, its refusal; and what all lanes share.

pub(crate) mod errors;
pub(crate) mod folder;
#[expect(clippy::module_inception, reason = "the lane itself")]
pub(crate) mod lane;
pub(crate) mod metrics;
pub(crate) mod outcomes;
pub(crate) mod publish;
pub(crate) mod shared;
pub(crate) mod spare_builder;
