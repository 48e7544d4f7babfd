//! Moments as people and programs write them, and as answers write them: RFC 3339 and Unix time.

use weir_proto::{decimal::scaled, time::SECOND_NS};

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAY: i64 = 719_468;

/// Days of 400 years.
const ERA_DAYS: i64 = 146_097;

/// Unix ns of an RFC 3339 time (<https://www.rfc-editor.org/rfc/rfc3339>), cut to what an answer can hold: 1970 to 2554. A blank may stand for the
/// `T`, and for the `+` of the offset, which an address that was not encoded turns into one. A date alone is its first moment in UTC.
pub(super) fn rfc3339(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let date = text.get(..10)?;
    let (year, month, day) = (number(date.get(..4)?)?, number(date.get(5..7)?)?, number(date.get(8..10)?)?);
    if bytes[4] != b'-' || bytes[7] != b'-' || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day)
    {
        return None;
    }
    let midnight_s = (day_number(year, month, day) - EPOCH_DAY) * 86_400;
    let Some(clock) = text.get(10..).filter(|rest| !rest.is_empty()) else { return Some(whole_ns(midnight_s, 0)) };
    if !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    let clock = &clock[1..];
    let (hour, minute, second) = (number(clock.get(..2)?)?, number(clock.get(3..5)?)?, number(clock.get(6..8)?)?);
    let colons = clock.as_bytes()[2] == b':' && clock.as_bytes()[5] == b':';
    // 60 is a leap second: the next one, as Unix time has it.
    if !colons || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = clock.get(8..)?;
    let mut fraction_ns = 0;
    if let Some(digits) = rest.strip_prefix('.') {
        let len = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        (len > 0).then_some(())?;
        fraction_ns = scaled(&format!("0.{}", &digits[..len]), u128::from(SECOND_NS))? as u32;
        rest = &digits[len..];
    }
    let second_of_day = hour * 3600 + minute * 60 + second;
    Some(whole_ns(midnight_s + second_of_day - offset_s(rest)?, fraction_ns))
}

/// Seconds that a zone is before UTC.
fn offset_s(zone: &str) -> Option<i64> {
    if zone == "Z" || zone == "z" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' | b' ' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(zone.get(1..3)?)?, number(zone.get(4..6)?)?);
    let is_whole = zone.len() == 6 && zone.as_bytes()[3] == b':' && hours <= 23 && minutes <= 59;
    is_whole.then_some(sign * (hours * 3600 + minutes * 60))
}

/// Unix ns of a number in seconds, ms, µs or ns: by its size, which tells them apart from 1973 to 5138. A fraction is of seconds.
pub(super) fn unix(text: &str) -> Option<u64> {
    if text.contains('.') {
        return scaled(text, u128::from(SECOND_NS)).map(|ns| u64::try_from(ns).unwrap_or(u64::MAX));
    }
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    let number: u64 = text.parse().ok()?;
    let unit_ns = match number {
        0..100_000_000_000 => SECOND_NS,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    Some(number.saturating_mul(unit_ns))
}

/// RFC 3339 in UTC, with as many digits as there are of the second.
pub(crate) fn written(ns: u64) -> String {
    let (seconds, fraction_ns) = (ns / SECOND_NS, ns % SECOND_NS);
    let (year, month, day) = date((seconds / 86_400) as i64 + EPOCH_DAY);
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = format!(".{fraction_ns:09}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

fn whole_ns(seconds: i64, fraction_ns: u32) -> u64 {
    let ns = i128::from(seconds) * i128::from(SECOND_NS) + i128::from(fraction_ns);
    u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
}

/// Digits only.
fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 0000-03-01. Years begin in March here: then the leap day is a year's last.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    // March to July have 153 days, as have the five months after them.
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
}

/// Year, month and day of a day that [`day_number`] numbers.
fn date(day: i64) -> (i64, i64, i64) {
    let (era, day_of_era) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = (month_from_march + 2) % 12 + 1;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_shape() {
        let second = SECOND_NS;
        for (text, ns) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-11-14T22:13:20Z", 1_700_000_000 * second),
            ("2023-11-14t22:13:20z", 1_700_000_000 * second),
            ("2023-11-14 22:13:20.5Z", 1_700_000_000 * second + 500_000_000),
            ("2023-11-14T22:13:20.123456789123Z", 1_700_000_000 * second + 123_456_789),
            ("2023-11-15T00:13:20+02:00", 1_700_000_000 * second),
            ("2023-11-15T00:13:20 02:00", 1_700_000_000 * second),
            ("2023-11-14T16:43:20-05:30", 1_700_000_000 * second),
            ("2024-02-29", 1_709_164_800 * second),
            ("2016-12-31T23:59:60Z", 1_483_228_800 * second),
            ("1969-12-31T23:59:59Z", 0),
            ("0001-01-01T00:00:00Z", 0),
            ("9999-12-31T23:59:59Z", u64::MAX),
        ] {
            assert_eq!(rfc3339(text), Some(ns), "{text}");
        }
        for text in [
            "",
            "2023",
            "2023-11-14T",
            "2023-11-14T22:13",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20+2",
            "2023-11-14T22:13:20Zx",
            "2023-13-14T22:13:20Z",
            "2023-02-29T22:13:20Z",
            "2023-11-14T24:00:00Z",
            "2023-11-14X22:13:20Z",
            "2023-11-1éT22:13:20Z",
            "+023-11-14T22:13:20Z",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_says_its_unit_by_its_size() {
        let moment = 1_700_000_000 * SECOND_NS;
        for text in ["1700000000", "1700000000000", "1700000000000000", "1700000000000000000", "1700000000.0"] {
            assert_eq!(unix(text), Some(moment), "{text}");
        }
        assert_eq!(unix("1700000000.25"), Some(moment + 250_000_000));
        assert_eq!(unix("0"), Some(0));
        assert_eq!(unix("18446744073709551615"), Some(u64::MAX));
        assert_eq!(unix("99999999999999.5"), Some(u64::MAX));
        for text in ["", "-1", "+1", "1e9", "x", ".", "18446744073709551616"] {
            assert_eq!(unix(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(written(0), "1970-01-01T00:00:00Z");
        assert_eq!(written(1_709_164_800 * SECOND_NS + 50), "2024-02-29T00:00:00.00000005Z");
        assert_eq!(written(u64::MAX), "2554-07-21T23:34:33.709551615Z");
        // A day and an odd second apart, over two leap centuries.
        for step in 0..213_000 {
            let ns = step * 86_399 * SECOND_NS + step;
            assert_eq!(rfc3339(&written(ns)), Some(ns), "{}", written(ns));
        }
    }
}
