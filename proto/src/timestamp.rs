//! Times as people and machines write them (ISO 8601, RFC 3339), in Unix ns.

use crate::time::SECOND_NS;

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar; `None` for a day that there is not.
pub fn days_since_epoch(year: i64, month: u32, day: u32) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    // Years begin in March, so that the day that some years have more comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn days_of(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The year of a moment.
pub fn year_of(time_ns: u64) -> i64 {
    let days = (time_ns / SECOND_NS / 86_400) as i64;
    let guess = 1970 + days / 366;
    (guess..)
        .take_while(|year| days_since_epoch(*year, 1, 1).is_some_and(|first| first <= days))
        .last()
        .unwrap_or(guess)
}

/// A time of day, and how far after UTC it is counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeOfDay {
    /// Since midnight, ns; a leap second is the one before it.
    pub since_midnight_ns: u64,
    /// Seconds east of UTC.
    pub offset_s: i64,
}

/// Unix ns of a day and a time; `None` before 1970 and beyond what 64 bits hold.
pub fn unix_ns(days: i64, time: TimeOfDay) -> Option<u64> {
    let seconds = i128::from(days) * 86_400 - i128::from(time.offset_s);
    u64::try_from(seconds * i128::from(SECOND_NS) + i128::from(time.since_midnight_ns)).ok()
}

/// `2026-11-29`, `2026-11-29T08:00:00.5Z`, `2026-11-29 08:00:00,123+01:00`: a day, then perhaps a time with a fraction of up to nine digits
/// that count, and perhaps an offset; without one it is UTC. `None` for anything else, and for what is before 1970.
pub fn parse_iso(text: &[u8]) -> Option<u64> {
    let mut cursor = Digits { text, at: 0 };
    let year = i64::from(cursor.number(4)?);
    cursor.take(b"-")?;
    let month = cursor.number(2)?;
    cursor.take(b"-")?;
    let day = cursor.number(2)?;
    let days = days_since_epoch(year, month, day)?;
    if cursor.is_at_end() {
        return unix_ns(days, TimeOfDay::default());
    }
    cursor.take(b"Tt ")?;
    let time = cursor.time_of_day()?;
    if cursor.is_at_end() { unix_ns(days, time) } else { None }
}

/// Seconds east of UTC of an offset as `+02:00` or `-0530`.
pub fn parse_offset(text: &[u8]) -> Option<i64> {
    let mut cursor = Digits { text, at: 0 };
    let is_signed = matches!(cursor.peek(), Some(b'+' | b'-'));
    let offset_s = cursor.offset_s()?;
    (is_signed && cursor.is_at_end()).then_some(offset_s)
}

/// Reads digits at a position.
pub(crate) struct Digits<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) at: usize,
}

impl Digits<'_> {
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Exactly so many digits.
    pub(crate) fn number(&mut self, digits: usize) -> Option<u32> {
        let part = self.text.get(self.at..self.at + digits)?;
        let mut number = 0;
        for byte in part {
            number = number * 10 + char::from(*byte).to_digit(10)?;
        }
        self.at += digits;
        Some(number)
    }

    /// One of these bytes.
    pub(crate) fn take(&mut self, any_of: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| any_of.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    /// `08:00`, `08:00:00`, `08:00:00.123456789`, with an offset behind it.
    pub(crate) fn time_of_day(&mut self) -> Option<TimeOfDay> {
        let hour = self.number(2)?;
        self.take(b":")?;
        let minute = self.number(2)?;
        let second = if self.take(b":").is_some() { self.number(2)? } else { 0 };
        if hour > 24 || minute > 59 || second > 60 || (hour == 24 && minute + second > 0) {
            return None;
        }
        let seconds = u64::from(hour * 3600 + minute * 60 + second.min(59));
        let fraction_ns = if self.take(b".,").is_some() { self.fraction_ns()? } else { 0 };
        let offset_s = self.offset_s()?;
        Some(TimeOfDay { since_midnight_ns: seconds * SECOND_NS + fraction_ns, offset_s })
    }

    fn fraction_ns(&mut self) -> Option<u64> {
        let len = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len == 0 {
            return None;
        }
        let digits = &self.text[self.at..self.at + len];
        self.at += len;
        Some((0..9).fold(0, |ns, place| ns * 10 + digits.get(place).map_or(0, |digit| u64::from(digit - b'0'))))
    }

    fn offset_s(&mut self) -> Option<i64> {
        if self.take(b"Zz").is_some() {
            return Some(0);
        }
        let Some(sign) = self.take(b"+-") else { return Some(0) };
        let hours = self.number(2)?;
        let minutes = match self.take(b":") {
            Some(_) => self.number(2)?,
            None => self.number(2).unwrap_or(0),
        };
        let seconds = i64::from(hours * 3600 + minutes * 60);
        (hours < 24 && minutes < 60).then_some(if sign == b'-' { -seconds } else { seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        assert_eq!(days_since_epoch(1970, 1, 1), Some(0));
        assert_eq!(days_since_epoch(2000, 2, 29), Some(11_016));
        assert_eq!(days_since_epoch(2026, 11, 29), Some(20_786));
        assert_eq!(days_since_epoch(1969, 12, 31), Some(-1));
        for (year, month, day) in
            [(2023, 2, 29), (2100, 2, 29), (2023, 13, 1), (2023, 0, 1), (2023, 4, 31), (2023, 1, 0)]
        {
            assert_eq!(days_since_epoch(year, month, day), None, "{year}-{month}-{day}");
        }
        for (days, year) in [(0, 1970), (364, 1970), (365, 1971), (20_786, 2026), (20_818, 2026), (20_819, 2027)] {
            assert_eq!(year_of(days * 86_400 * SECOND_NS), year, "{days}");
        }
    }

    #[test]
    fn iso_times_are_read_in_their_usual_forms() {
        const SECOND: u64 = 1_700_000_000 * SECOND_NS;
        let rows = [
            ("2023-11-14T22:13:20Z", Some(SECOND)),
            ("2023-11-14 22:13:20", Some(SECOND)),
            ("2023-11-14t22:13:20.5z", Some(SECOND + 500_000_000)),
            ("2023-11-14T22:13:20,123456789123Z", Some(SECOND + 123_456_789)),
            ("2023-11-15T00:13:20+02:00", Some(SECOND)),
            ("2023-11-14T17:13:20-0500", Some(SECOND)),
            ("2023-11-14T17:13:20-05", Some(SECOND)),
            ("2023-11-14T22:13Z", Some(SECOND - 20 * SECOND_NS)),
            ("1970-01-01", Some(0)),
            ("1969-12-31T23:59:59Z", None),
            ("2023-11-14T25:00:00Z", None),
            ("2023-11-14T22:13:20.Z", None),
            ("2023-11-14T22:13:20Zx", None),
            ("2023-11-14T", None),
            ("14/Nov/2023", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_iso(text.as_bytes()), expected, "{text}");
        }
    }
}
