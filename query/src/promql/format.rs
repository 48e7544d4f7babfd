//! Numbers and label sets as Go and Prometheus write them.

use weir_proto::metrics::Labels;

use super::syntax::quote::quoted;

/// `strconv.FormatFloat(value, 'f', -1, 64)`: all digits, no exponent.
pub(crate) fn plain(value: f64) -> String {
    special(value).map_or_else(|| format!("{value}"), str::to_owned)
}

/// As the HTTP API writes values: without an exponent unless very small or large.
pub(crate) fn api(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && size.is_finite() && !(1e-6..1e21).contains(&size) {
        return scientific(value);
    }
    plain(value)
}

/// `%g` and `%v`: an exponent from 10^6 up and below 10^-4.
pub(crate) fn shortest(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-4..1e6).contains(&size) { plain(value) } else { scientific(value) }
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

/// `strconv.FormatFloat(value, 'e', -1, 64)`: always an exponent.
pub(crate) fn with_exponent(value: f64) -> String {
    special(value).map_or_else(|| scientific(value), str::to_owned)
}

/// `1e+06`
fn scientific(value: f64) -> String {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').expect("written with an exponent");
    let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |digits| ("-", digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// All labels in braces, the metric's name among them.
pub(crate) fn labels(labels: &Labels) -> String {
    let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{}={}", label_name(name), quoted(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// A label's name, in quotes where it needs them.
pub(crate) fn label_name(name: &str) -> String {
    let is_plain = !name.is_empty()
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain { name.to_owned() } else { quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_does() {
        for (value, text) in [
            (1e6, "1000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-07"),
            (0.1, "0.1"),
            (-0.0, "-0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
            (123456789.25, "123456789.25"),
        ] {
            assert_eq!(api(value), text);
        }
        assert_eq!(shortest(1e6), "1e+06");
        assert_eq!(shortest(1_234_567.0), "1.234567e+06");
        assert_eq!(shortest(123_456.0), "123456");
        assert_eq!(shortest(0.00001), "1e-05");
    }
}
