//! Durations and sizes as people write them.

/// ns of Go's `time.ParseDuration`, with days, weeks and years as Prometheus has them: `1h30m`, `1.5h`, `-5s`, `1d`.
pub(crate) fn duration_ns(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum_ns = 0f64;
    let mut whole_ns: i128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(number);
        if digits.is_empty() || digits == "." {
            return None;
        }
        let unit = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let unit_ns: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 604_800_000_000_000,
            "y" => 31_536_000_000_000_000,
            _ => return None,
        };
        match digits.parse::<i64>() {
            Ok(whole) => whole_ns += i128::from(whole) * i128::from(unit_ns),
            Err(_) => sum_ns += digits.parse::<f64>().ok()? * unit_ns as f64,
        }
        rest = behind;
    }
    let ns = i64::try_from(whole_ns + sum_ns.round() as i128).ok()?;
    Some(if negative { -ns } else { ns })
}

/// A number of bytes: `42MB`, `1.5 KiB`, `20B`, `3k`. Units of 1000 and, with an `i`, of 1024; letters of any case.
pub(crate) fn bytes(text: &str) -> Option<f64> {
    let text = text.trim();
    let number = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let (digits, unit) = text.split_at(number);
    let unit = unit.trim().to_ascii_lowercase();
    let value: f64 = digits.replace(',', "").parse().ok()?;
    let power = |letter: &str| "kmgtpe".find(letter).map(|at| at as i32 + 1);
    let factor = match unit.as_str() {
        "" | "b" => 1.0,
        unit => {
            let letters = unit.strip_suffix('b').unwrap_or(unit);
            let (letter, base) = match letters.strip_suffix('i') {
                Some(letter) => (letter, 1024f64),
                None => (letters, 1000f64),
            };
            if letter.len() != 1 {
                return None;
            }
            base.powi(power(letter)?)
        }
    };
    Some((value * factor).trunc())
}

/// ns as `1h30m`, the shortest that [`duration_ns`] reads back.
pub(crate) fn written_duration(ns: i64) -> String {
    if ns == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    if ns < 0 {
        out.push('-');
    }
    let mut left = ns.unsigned_abs();
    for (unit, unit_ns) in [
        ("d", 86_400_000_000_000u64),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ] {
        if left >= unit_ns {
            out.push_str(&format!("{}{unit}", left / unit_ns));
            left %= unit_ns;
        }
    }
    out
}

/// A number as JSON answers have it: no exponent where it is not needed, `NaN`, `+Inf`, `-Inf`.
pub(crate) fn written_number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    // Go's %v and strconv's 'f': digits as short as they read back, never an exponent.
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ns) in [
            ("5m", Some(300_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("250ms", Some(250_000_000)),
            ("1d", Some(86_400_000_000_000)),
            ("-2s", Some(-2_000_000_000)),
            ("0", Some(0)),
            ("5minutes", None),
            ("", None),
            ("s", None),
            ("5", None),
        ] {
            assert_eq!(duration_ns(text), ns, "{text}");
        }
        assert_eq!(written_duration(5_400_000_000_000), "1h30m");
    }

    #[test]
    fn sizes() {
        for (text, size) in [
            ("42MB", Some(42e6)),
            ("1.5KiB", Some(1536.0)),
            ("5 MiB", Some(5.0 * 1048576.0)),
            ("20B", Some(20.0)),
            ("3k", Some(3000.0)),
            ("1G", Some(1e9)),
            ("7", Some(7.0)),
            ("x", None),
            ("5 XB", None),
        ] {
            assert_eq!(bytes(text), size, "{text}");
        }
    }
}
