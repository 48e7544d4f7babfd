//! Who is on the other side of a connection, and whose data he may touch: asked once, the same for every port.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, Request, request::Parts};
use weir_proto::TenantId;

/// The other end of a connection; each of its requests has it among its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Where it comes from.
    pub address: SocketAddr,
}

/// What is known of whoever sent a request.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// What it says of itself.
    pub headers: &'a HeaderMap,
    /// Its end of the connection; `None` for a request that came by none.
    pub peer: Option<Peer>,
}

impl<'a> Caller<'a> {
    /// Who sent this request.
    pub fn of(request: &'a Parts) -> Self {
        Self { headers: &request.headers, peer: request.extensions.get().copied() }
    }

    /// The same, of a request in one piece.
    pub fn of_request<B>(request: &'a Request<B>) -> Self {
        Self { headers: request.headers(), peer: request.extensions().get().copied() }
    }
}

/// Names the tenant behind a caller.
pub type Authenticate = Arc<dyn Fn(&Caller<'_>) -> Result<TenantId, Unauthenticated> + Send + Sync>;

/// The credential is missing or wrong: 401 / UNAUTHENTICATED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("missing or unknown credential")]
pub struct Unauthenticated;
