//! A trace as `/api/v1/trace/{id}` shows it: what of it the truth is compared with.

use anyhow::{Context, bail};
use http::StatusCode;
use serde::Deserialize;
use weir_proto::TraceId;

use crate::query::Query;

/// A span.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownSpan {
    pub(super) span_id: String,
    pub(super) name: String,
    #[serde(default)]
    trace_state: String,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    status: Status,
    state: String,
    adjusted_count: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: serde_json::Value,
}

#[derive(Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    resource_spans: Vec<OfResource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfResource {
    scope_spans: Vec<OfScope>,
}

#[derive(Debug, Deserialize)]
struct OfScope {
    spans: Vec<ShownSpan>,
}

impl ShownSpan {
    /// How many arrived spans it stands for.
    pub(super) fn weight(&self) -> f64 {
        self.adjusted_count.unwrap_or(1.0)
    }

    pub(super) fn failed(&self) -> bool {
        self.status.code == 2
    }

    pub(super) fn is_kept(&self) -> bool {
        self.state == "kept"
    }

    /// Who kept it.
    pub(super) fn policy(&self) -> &str {
        let policy = self.attributes.iter().find(|attribute| attribute.key == "weir.sampling.policy");
        policy.and_then(|policy| policy.value["stringValue"].as_str()).unwrap_or_default()
    }

    /// Whether `ot=th` says the same as the adjusted count
    /// (<https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>): 1 / (1 - th / 2^56), th cut to some digits.
    pub(super) fn threshold_agrees(&self) -> bool {
        let of_ot = self.trace_state.split(',').find_map(|entry| entry.trim().strip_prefix("ot="));
        let threshold = of_ot.and_then(|ot| ot.split(';').find_map(|part| part.strip_prefix("th:")));
        let Some(threshold) = threshold else { return self.weight() == 1.0 };
        let Ok(rejected) = u64::from_str_radix(&format!("{threshold:0<14}"), 16) else { return false };
        let weight = 1.0 / (1.0 - rejected as f64 / (1_u64 << 56) as f64);
        (weight / self.weight() - 1.0).abs() < 1e-3
    }
}

/// A trace's spans; none when it is not there.
pub(super) async fn shown(query: &Query, id: TraceId, raw: bool) -> anyhow::Result<Vec<ShownSpan>> {
    let path = format!("/api/v1/trace/{id}{}", if raw { "?raw=true" } else { "" });
    let (status, body) = query.json(&path).await?;
    match status {
        StatusCode::NOT_FOUND => Ok(Vec::new()),
        StatusCode::OK => {
            let shown: Shown = serde_json::from_value(body).with_context(|| format!("trace {id}"))?;
            Ok(shown.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect())
        }
        other => bail!("trace {id}: {other}: {body}"),
    }
}
