//! Days and seconds of the proleptic Gregorian calendar, and the years that logs leave out.

use super::zone::Zone;

const DAY_SECONDS: i64 = 86_400;

/// A time that is further ahead than this in the current year was in the last one.
const AHEAD_MAX_SECONDS: i64 = 7 * DAY_SECONDS;

/// A time as it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::operators) struct Moment {
    /// `None`: this year, or the last one.
    pub(in crate::operators) year: Option<i64>,
    pub(in crate::operators) month: u8,
    pub(in crate::operators) day: u8,
    pub(in crate::operators) hour: u8,
    pub(in crate::operators) minute: u8,
    pub(in crate::operators) second: u8,
    pub(in crate::operators) nanos: u32,
    /// Seconds east of Greenwich; `None`: as the location says.
    pub(in crate::operators) offset_seconds: Option<i32>,
}

impl Moment {
    /// Unix ns; `None` for a day or an hour that is none.
    pub(in crate::operators) fn unix_ns(&self, zone: &Zone, now_ns: u64) -> Option<i128> {
        let seconds = match self.year {
            Some(year) => self.unix_seconds(year, zone)?,
            None => {
                let now = (now_ns / 1_000_000_000) as i64;
                let (year, ..) = civil(now.div_euclid(DAY_SECONDS));
                match self.unix_seconds(year, zone) {
                    Some(seconds) if seconds <= now + AHEAD_MAX_SECONDS => seconds,
                    // The 29th of February may be of last year, too.
                    _ => self.unix_seconds(year - 1, zone)?,
                }
            }
        };
        Some(i128::from(seconds) * 1_000_000_000 + i128::from(self.nanos))
    }

    fn unix_seconds(&self, year: i64, zone: &Zone) -> Option<i64> {
        let days_in_month = match self.month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        // A leap second is the last one again.
        if !(1..=days_in_month).contains(&self.day) || self.hour > 23 || self.minute > 59 || self.second > 60 {
            return None;
        }
        let of_day = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second.min(59));
        let local = days(year, self.month, self.day) * DAY_SECONDS + of_day;
        let offset = self.offset_seconds.unwrap_or_else(|| zone.offset_of_local(local));
        Some(local - i64::from(offset))
    }
}

/// Days since 1970-01-01 (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms).
pub(super) fn days(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The other way: year, month, day.
pub(super) fn civil(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u8, day as u8)
}
