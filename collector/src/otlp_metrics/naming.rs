//! Names: what Prometheus calls an OTLP metric, its unit and its attributes.
//!
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>, and what Prometheus' translation does where that
//! leaves room.

use super::config::MetricsConfig;

/// UCUM's units as Prometheus writes them.
const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

/// Behind a slash.
const PER_UNITS: &[(&str, &str)] =
    &[("s", "second"), ("m", "minute"), ("h", "hour"), ("d", "day"), ("w", "week"), ("mo", "month"), ("y", "year")];

/// What a name depends on beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedKind {
    /// A sum that never goes down.
    Counter,
    Gauge,
    Other,
}

/// The metric's name.
pub(super) fn metric_name(name: &str, unit: &str, kind: NamedKind, config: &MetricsConfig) -> String {
    let strategy = config.translation_strategy;
    match (strategy.keeps_utf8(), strategy.adds_suffixes()) {
        (true, false) => name.to_owned(),
        (true, true) => with_suffixes(name, unit, kind),
        (false, false) => {
            let is_valid = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '_';
            let parts: Vec<&str> = name.split(|c| !is_valid(c)).filter(|part| !part.is_empty()).collect();
            not_a_digit_first(parts.join("_"))
        }
        (false, true) => normalised(name, unit, kind),
    }
}

/// The unit in words: `bytes_per_second`.
pub(super) fn unit_name(unit: &str) -> String {
    let (main, per) = unit_words(unit);
    let (main, per) = (cleaned(&main), cleaned(&per));
    match (main.is_empty(), per.is_empty()) {
        (_, true) => main,
        (true, false) => per,
        (false, false) => format!("{main}_{per}"),
    }
}

fn normalised(name: &str, unit: &str, kind: NamedKind) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut tokens: Vec<String> =
        name.split(|c| !is_token(c)).filter(|token| !token.is_empty()).map(str::to_owned).collect();
    let (main, per) = unit_words(unit);
    let (main, per) = (cleaned(&main), cleaned(&per));
    let per = per.strip_prefix("per_").unwrap_or(&per);
    let has_main = tokens.iter().any(|token| *token == main);
    let has_per = tokens.iter().any(|token| token == per);
    if !main.is_empty() && !has_main {
        tokens.push(main.trim_end_matches('_').to_owned());
    }
    if !per.is_empty() && !has_per {
        tokens.push("per".into());
        tokens.push(per.to_owned());
    }
    let ending = match kind {
        NamedKind::Counter => "total",
        NamedKind::Gauge if unit == "1" => "ratio",
        _ => "",
    };
    if !ending.is_empty() {
        tokens.retain(|token| token != ending);
        tokens.push(ending.into());
    }
    not_a_digit_first(tokens.join("_"))
}

fn with_suffixes(name: &str, unit: &str, kind: NamedKind) -> String {
    let mut name = name.to_owned();
    let mut endings: Vec<String> = Vec::new();
    if unit == "1" && kind == NamedKind::Gauge {
        name = without_ending(&name, "ratio");
        endings.push("ratio".into());
    }
    if kind == NamedKind::Counter {
        name = without_ending(&name, "total");
        endings.push("total".into());
    }
    let (main, per) = unit_words(unit);
    if !per.is_empty() {
        name = without_ending(&name, &per);
        endings.push(per);
    }
    if !main.is_empty() && !name.ends_with(&main) {
        name = format!("{name}_{main}");
    }
    for ending in endings.into_iter().rev() {
        name = format!("{name}_{ending}");
    }
    name
}

/// Without the ending and the character before it.
fn without_ending(name: &str, ending: &str) -> String {
    match name.strip_suffix(ending) {
        Some(rest) if rest.chars().count() > 1 => {
            let mut chars = rest.chars();
            chars.next_back();
            chars.as_str().to_owned()
        }
        _ => name.to_owned(),
    }
}

/// A unit before and behind the slash; what stands in braces is a remark.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let word = |text: &str, table: &[(&str, &str)]| {
        let text = text.trim();
        if text.is_empty() || text.contains(['{', '}']) {
            return String::new();
        }
        table.iter().find(|(unit, _)| *unit == text).map_or(text, |(_, word)| *word).to_owned()
    };
    let per = word(per, PER_UNITS);
    (word(main, UNITS), if per.is_empty() { per } else { format!("per_{per}") })
}

/// Letters, digits and single underscores.
fn cleaned(unit: &str) -> String {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut out = String::with_capacity(unit.len());
    for c in unit.chars() {
        if is_valid(c) {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.trim_start_matches('_').to_owned()
}

fn not_a_digit_first(name: String) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// An attribute's name as a label.
pub(super) fn label_name(name: &str, config: &MetricsConfig) -> String {
    if name.is_empty() || config.translation_strategy.keeps_utf8() {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if config.label_name_preserve_multiple_underscores || !out.ends_with('_') {
            out.push('_');
        }
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("key_{out}");
    }
    if config.label_name_underscore_sanitization && out.starts_with('_') && !out.starts_with("__") {
        return format!("key{out}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::config::TranslationStrategy, *};

    fn named(strategy: TranslationStrategy, name: &str, unit: &str, kind: NamedKind) -> String {
        metric_name(name, unit, kind, &MetricsConfig { translation_strategy: strategy, ..MetricsConfig::default() })
    }

    #[test]
    fn names_with_suffixes() {
        use NamedKind::{Counter, Gauge, Other};
        for (name, unit, kind, expected) in [
            ("system.cpu.time", "s", Counter, "system_cpu_time_seconds_total"),
            ("http.server.request.duration", "s", Other, "http_server_request_duration_seconds"),
            ("system.io", "By/s", Gauge, "system_io_bytes_per_second"),
            ("requests", "{request}", Counter, "requests_total"),
            ("requests.total", "1", Counter, "requests_total"),
            ("cpu.utilization", "1", Gauge, "cpu_utilization_ratio"),
            ("memory_bytes", "By", Gauge, "memory_bytes"),
            ("_a__b", "", Gauge, "a_b"),
            ("2xx", "", Gauge, "_2xx"),
            ("broken.speed", "km/h", Gauge, "broken_speed_km_per_hour"),
            ("a.b", "widgets", Gauge, "a_b_widgets"),
        ] {
            assert_eq!(named(TranslationStrategy::UnderscoreEscapingWithSuffixes, name, unit, kind), expected);
        }
    }

    #[test]
    fn the_other_strategies() {
        let kind = NamedKind::Counter;
        let rows = [
            (TranslationStrategy::NoUTF8EscapingWithSuffixes, "system.cpu.time_seconds_total"),
            (TranslationStrategy::UnderscoreEscapingWithoutSuffixes, "system_cpu_time"),
            (TranslationStrategy::NoTranslation, "system.cpu.time"),
        ];
        for (strategy, expected) in rows {
            assert_eq!(named(strategy, "system.cpu.time", "s", kind), expected);
        }
        let with = TranslationStrategy::NoUTF8EscapingWithSuffixes;
        assert_eq!(named(with, "a_total", "By/s", kind), "a_bytes_per_second_total");
        assert_eq!(named(TranslationStrategy::UnderscoreEscapingWithoutSuffixes, "a__b..c", "s", kind), "a__b_c");
    }

    #[test]
    fn labels_and_units() {
        let config = MetricsConfig::default();
        for (name, expected) in [
            ("http.method", "http_method"),
            ("1st", "key_1st"),
            ("_a", "key_a"),
            ("__a", "__a"),
            ("a..b", "a__b"),
            ("é", "key_"),
        ] {
            assert_eq!(label_name(name, &config), expected);
        }
        let one = MetricsConfig { label_name_preserve_multiple_underscores: false, ..MetricsConfig::default() };
        assert_eq!(label_name("a..b", &one), "a_b");
        assert_eq!(
            (unit_name("By/s"), unit_name("{x}"), unit_name("1")),
            ("bytes_per_second".into(), String::new(), String::new())
        );
    }
}
