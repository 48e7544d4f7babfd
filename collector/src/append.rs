//! Where receivers hand over what they admitted, and who they ask whose it is.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use weir_proto::TenantId;
use weir_store::{AppendError, TracesBatch};

/// Appends a batch; completes once it is durable and visible. In production `Store::append_traces`.
pub type Append = Arc<dyn Fn(TracesBatch) -> BoxFuture<'static, Result<(), AppendError>> + Send + Sync>;

/// Names the tenant behind a request's headers. The default says `default` to everyone.
pub type Authenticate = Arc<dyn Fn(&http::HeaderMap) -> Result<TenantId, Unauthenticated> + Send + Sync>;

/// The credential is missing or wrong: 401 / UNAUTHENTICATED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("missing or unknown credential")]
pub struct Unauthenticated;
