//! Bodies of requests: read up to a limit, and passed over beyond it.

use axum::body::Body;
use futures_util::StreamExt;

use super::answer::Failure;

/// Passed over of a body that is too large: a client that still writes when its connection is closed may never read the answer.
const PASSED_OVER_BYTES_MAX: usize = 16 << 20;

/// The whole of a body.
pub(super) async fn whole(body: Body, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut pieces = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut passed_over = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Failure::BadRequest(format!("the body broke off: {error}")))?;
        if passed_over == 0 && bytes.len() + piece.len() <= bytes_max {
            bytes.extend_from_slice(&piece);
            continue;
        }
        passed_over += piece.len();
        if passed_over > PASSED_OVER_BYTES_MAX {
            break;
        }
    }
    if passed_over > 0 { Err(Failure::BodyTooLarge(bytes_max)) } else { Ok(bytes) }
}

/// Nothing of a body that is refused.
pub(super) async fn pass_over(body: Body) {
    // Refused already: whatever comes of it.
    let _ = whole(body, 0).await;
}
