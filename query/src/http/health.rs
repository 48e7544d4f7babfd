//! `/healthz` and `/readyz`: whether the process lives, and whether it would take data now.

use weir_store::AppendError;

use super::answer::{Answer, Failure, TEXT};

/// Alive: it answers.
pub(super) fn alive() -> Result<Answer, Failure> {
    Ok(Answer::text(TEXT, "ok\n".into()))
}

/// Ready when the store takes data; queries are answered even when it does not.
pub(super) fn ready(readiness: Result<(), AppendError>) -> Result<Answer, Failure> {
    match readiness {
        Ok(()) => Ok(Answer::text(TEXT, "ready\n".into())),
        Err(reason) => Err(Failure::NotReady(reason.to_string())),
    }
}
