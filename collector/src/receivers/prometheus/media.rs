//! How a body is to be read, by its content type.

use weir_proto::exposition::TextFormat;

use super::config::ScrapeProtocol;

/// As Prometheus 3 decides it: what is known is taken, anything else is read as `fallback` says, and without one the scrape fails.
pub(super) fn format(content_type: Option<&str>, fallback: Option<ScrapeProtocol>) -> Result<TextFormat, String> {
    let written = content_type.unwrap_or_default();
    // One semicolon behind the last parameter is none too many.
    let mut parts = written.trim_end().strip_suffix(';').unwrap_or(written).split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_parameter =
        |part: &str| part.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
    match media.as_str() {
        // Of a type with half a parameter nobody knows what it is.
        _ if !parts.all(is_parameter) => {}
        "text/plain" => return Ok(TextFormat::Prometheus),
        "application/openmetrics-text" => return Ok(TextFormat::OpenMetrics),
        _ => {}
    }
    match fallback {
        Some(ScrapeProtocol::OpenMetricsText1_0_0 | ScrapeProtocol::OpenMetricsText0_0_1) => {
            Ok(TextFormat::OpenMetrics)
        }
        Some(ScrapeProtocol::PrometheusText1_0_0 | ScrapeProtocol::PrometheusText0_0_4) => Ok(TextFormat::Prometheus),
        Some(ScrapeProtocol::PrometheusProto) => Err("protobuf is not read yet".into()),
        None if written.is_empty() => Err("non-compliant scrape target sending blank Content-Type and no \
                                           fallback_scrape_protocol specified for target"
            .into()),
        None => Err(format!(
            "received unsupported Content-Type {written:?} and no fallback_scrape_protocol specified for target"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_parameter_is_none() {
        for known in ["text/plain", "TEXT/PLAIN;", "text/plain; version=0.0.4", "text/plain; charset=latin1 ; "] {
            assert_eq!(format(Some(known), None), Ok(TextFormat::Prometheus), "{known}");
        }
        for unknown in ["text/plain;;", "text/plain; charset", "text/plain; =x", "text/html", "text"] {
            assert!(format(Some(unknown), None).is_err(), "{unknown}");
            let fallback = Some(ScrapeProtocol::OpenMetricsText1_0_0);
            assert_eq!(format(Some(unknown), fallback), Ok(TextFormat::OpenMetrics), "{unknown}");
        }
    }
}
