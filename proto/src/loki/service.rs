//! Which of a stream's labels names its service, as Loki looks for `service_name`.

/// Loki's own label for it, which goes before all others.
pub(super) const SERVICE_NAME: &[u8] = b"service_name";

/// What Loki looks at by default, in this order.
pub const SERVICE_LABELS: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// The service of streams whose labels tell none.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

/// The service of a stream with these labels; `None` when it is not looked for, or the stream says it in OTLP's own words.
pub(super) fn discovered<'l>(
    labels: impl Iterator<Item = (&'l [u8], &'l [u8])> + Clone,
    service_labels: &[String],
) -> Option<&'l [u8]> {
    if service_labels.is_empty() || labels.clone().any(|(name, _)| name == b"service.name") {
        return None;
    }
    let value_of = |wanted: &[u8]| {
        let mut labels = labels.clone();
        labels.find(|(name, value)| *name == wanted && !value.is_empty()).map(|(_, value)| value)
    };
    let found = value_of(SERVICE_NAME).or_else(|| service_labels.iter().find_map(|name| value_of(name.as_bytes())));
    Some(found.unwrap_or(UNKNOWN_SERVICE.as_bytes()))
}
