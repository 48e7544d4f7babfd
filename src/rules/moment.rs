//! Times as the command line has them: `now`, `-7d`, Unix seconds, RFC 3339.

use weir_query::alerting::replay;

/// Unix ms of a time.
pub(crate) fn read(text: &str, now_ms: i64) -> Result<i64, String> {
    if text == "now" {
        return Ok(now_ms);
    }
    if let Some(back) = text.strip_prefix('-') {
        let back = weir_proto::duration::parse(back).map_err(|error| error.to_string())?;
        return Ok(now_ms - back.as_millis() as i64);
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok((seconds * 1e3) as i64);
    }
    replay::moment_ms(text)
        .ok_or_else(|| format!("`{text}` is no time; write it as -7d, now, 2026-01-31T12:00:00Z or Unix seconds"))
}

/// In RFC 3339, UTC.
pub(crate) fn shown(ms: i64) -> String {
    replay::moment_text(ms)
}

/// `1d 2h`, the two largest units.
pub(crate) fn length(ms: i64) -> String {
    let seconds = ms / 1000;
    let units = [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let parts: Vec<String> = units
        .iter()
        .skip_while(|(_, count)| *count == 0)
        .take(2)
        .filter(|(_, count)| *count > 0)
        .map(|(unit, count)| format!("{count}{unit}"))
        .collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now_ms = 1_700_000_000_000;
        for (text, expected) in [
            ("now", Ok(now_ms)),
            ("-1h", Ok(now_ms - 3_600_000)),
            ("-7d", Ok(now_ms - 604_800_000)),
            ("1600000000", Ok(1_600_000_000_000)),
            ("2023-11-14T22:13:20Z", Ok(now_ms)),
        ] {
            assert_eq!(read(text, now_ms), expected, "{text}");
        }
        assert!(read("yesterday", now_ms).is_err());
        assert_eq!(shown(now_ms), "2023-11-14T22:13:20Z");
        assert_eq!(length(93_784_000), "1d 2h");
        assert_eq!(length(61_000), "1m 1s");
    }
}
