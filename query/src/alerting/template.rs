//! Texts of alerts: labels and values put in.

use weir_proto::metrics::Labels;

use super::{group::Vector, rules::Query};
use crate::promql::value::Point;

/// What a text may name.
pub(crate) struct TemplateData<'a> {
    pub(crate) labels: &'a Labels,
    pub(crate) value: &'a Point,
    pub(crate) external_labels: &'a [(String, String)],
    pub(crate) external_url: &'a str,
    pub(crate) at_ms: i64,
}

pub(crate) fn expand(
    text: &str,
    data: &TemplateData<'_>,
    _ask: &mut dyn FnMut(&Query) -> Result<Vector, String>,
) -> Result<String, String> {
    let _ = (data.external_labels, data.external_url, data.at_ms);
    let mut out = text.to_owned();
    for (name, value) in data.labels.iter() {
        out = out.replace(&format!("{{{{ $labels.{name} }}}}"), value);
    }
    if let Point::Float(value) = data.value {
        out = out.replace("{{ $value }}", &value.to_string());
    }
    Ok(out)
}
