//! Parts of dates, in the Gregorian calendar and UTC.

use std::fmt::Write as _;

/// A time and the date it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Date {
    /// Since 1970-01-01.
    days: i64,
    second_of_day: i64,
    year: i64,
    month: i64,
    day: i64,
}

const DAY_S: i64 = 86_400;

/// Seconds from the year in which Go begins to count to 1970.
const GO_EPOCH_S: i128 = 9_223_371_966_579_724_800;

impl Date {
    /// Of a Unix time in whole seconds.
    pub(crate) fn of(unix_s: i64) -> Self {
        // Go counts seconds without sign from a year before all others: what lies before that comes after the last one.
        let unix_s = i128::from(unix_s);
        let unix_s = if unix_s < -GO_EPOCH_S { unix_s + (1 << 64) } else { unix_s };
        let second_of_day = unix_s.rem_euclid(i128::from(DAY_S)) as i64;
        let days = unix_s.div_euclid(i128::from(DAY_S)) as i64;
        // Years that begin in March have their leap day at the end (Hinnant, "chrono-compatible low-level date algorithms").
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { days, second_of_day, year, month, day }
    }

    /// Of a float, whose fraction is cut off.
    pub(crate) fn of_float(unix_s: f64) -> Self {
        // What has no whole number of 64 bits is the lowest one, as where Go runs on x86-64.
        let is_within = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&unix_s);
        Self::of(if is_within { unix_s as i64 } else { i64::MIN })
    }

    fn is_leap(self) -> bool {
        (self.year % 4 == 0 && self.year % 100 != 0) || self.year % 400 == 0
    }

    pub(super) fn year(self) -> f64 {
        self.year as f64
    }

    pub(super) fn month(self) -> f64 {
        self.month as f64
    }

    pub(super) fn day_of_month(self) -> f64 {
        self.day as f64
    }

    /// 0 is Sunday.
    pub(super) fn day_of_week(self) -> f64 {
        (self.days + 4).rem_euclid(7) as f64
    }

    pub(super) fn day_of_year(self) -> f64 {
        const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let leap_day = i64::from(self.month > 2 && self.is_leap());
        (BEFORE[(self.month - 1) as usize] + self.day + leap_day) as f64
    }

    pub(super) fn days_in_month(self) -> f64 {
        match self.month {
            2 => 28.0 + f64::from(u8::from(self.is_leap())),
            4 | 6 | 9 | 11 => 30.0,
            _ => 31.0,
        }
    }

    pub(super) fn hour(self) -> f64 {
        (self.second_of_day / 3_600) as f64
    }

    pub(super) fn minute(self) -> f64 {
        (self.second_of_day / 60 % 60) as f64
    }
}

/// `2006-01-02T15:04:05.999Z`, the fraction without zeros at its end.
pub(crate) fn rfc3339(unix_ms: i64) -> String {
    let date = Date::of(unix_ms.div_euclid(1_000));
    let second = date.second_of_day;
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year,
        date.month,
        date.day,
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
    let fraction = unix_ms.rem_euclid(1_000);
    if fraction != 0 {
        let _ = write!(text, ".{fraction:03}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_their_parts() {
        let date = Date::of(1_483_191_420);
        assert_eq!((date.year, date.month, date.day), (2016, 12, 31));
        assert_eq!((date.day_of_year(), date.hour(), date.minute(), date.day_of_week()), (366.0, 13.0, 37.0, 6.0));
        let before = Date::of(-1);
        assert_eq!((before.year, before.month, before.day, before.hour()), (1969, 12, 31, 23.0));
        assert_eq!(Date::of(951_782_400).day_of_year(), 60.0);
        assert_eq!(rfc3339(1_136_239_445_120), "2006-01-02T22:04:05.12Z");
    }
}
