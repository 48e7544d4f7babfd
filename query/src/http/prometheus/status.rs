//! What clients ask before they ask anything else.

use serde_json::json;
use weir_store::AppendError;

use crate::http::answer::{Answer, Failure, TEXT};

/// The version of Prometheus whose API and language this is: clients choose by it what they send.
const SPEAKS: &str = "3.14.0";

fn success(data: &serde_json::Value) -> Result<Answer, Failure> {
    Answer::json(&json!({"status": "success", "data": data}), false)
}

/// `/prometheus/api/v1/status/buildinfo`.
pub(in crate::http) fn buildinfo() -> Result<Answer, Failure> {
    let weir = concat!("weir-", env!("CARGO_PKG_VERSION"));
    success(&json!({
        "version": SPEAKS,
        "revision": weir,
        "branch": "weir",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// `/prometheus/api/v1/status/flags`.
pub(in crate::http) fn flags() -> Result<Answer, Failure> {
    success(&json!({}))
}

/// `/prometheus/-/healthy`.
pub(in crate::http) fn healthy() -> Result<Answer, Failure> {
    Ok(Answer::text(TEXT, "Weir is healthy.\n".into()))
}

/// `/prometheus/-/ready`.
pub(in crate::http) fn ready(readiness: Result<(), AppendError>) -> Result<Answer, Failure> {
    match readiness {
        Ok(()) => Ok(Answer::text(TEXT, "Weir is ready.\n".into())),
        Err(reason) => Err(Failure::NotReady(reason.to_string())),
    }
}
