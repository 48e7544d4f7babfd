//! What is answered without data: `format_query`, and what the server is.

use serde_json::json;

use super::params;
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    logql::pretty,
};

/// The release of Loki whose API this is: clients decide by it what they may ask.
const API_LEVEL: &str = "3.4.0";

/// The query as people like to read it.
pub(in crate::http) fn format_query(call: &Call, _: &dyn View) -> Result<Answer, Failure> {
    let expr = params::expr(call)?;
    Answer::json(&json!({"status": "success", "data": pretty(&expr)}), false)
}

/// Version and revision.
pub(in crate::http) fn build_info() -> Result<Answer, Failure> {
    let info = json!({
        "version": API_LEVEL,
        "revision": format!("weir-{}", env!("CARGO_PKG_VERSION")),
        "branch": "", "buildUser": "", "buildDate": "", "goVersion": "",
    });
    Answer::json(&info, false)
}

/// What Grafana's Logs Drilldown may ask.
pub(in crate::http) fn drilldown_limits(call: &Call, _: &dyn View) -> Result<Answer, Failure> {
    let config = &call.logql;
    let limits = json!({
        "limits": {
            "discover_log_levels": config.discover_log_levels,
            "max_entries_limit_per_query": config.lines_max,
            "max_query_series": config.series_max,
            "volume_enabled": true,
        },
        "pattern_ingester_enabled": true,
        "version": API_LEVEL,
    });
    Answer::json(&limits, false)
}
