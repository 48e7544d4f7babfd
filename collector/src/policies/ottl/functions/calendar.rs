//! Parts of a time, in UTC as the Collector takes them.

use super::{Arguments, Call, Value};

const DAY_NS: i64 = 86_400_000_000_000;

/// Nanoseconds from the year 1, from which Go rounds times, to 1970.
const YEAR_ONE_NS: i128 = 62_135_596_800_000_000_000;

pub(super) fn nanosecond<'v>([time, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(&time, |ns| ns.rem_euclid(1_000_000_000))
}

pub(super) fn second<'v>([time, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(&time, |ns| ns.div_euclid(1_000_000_000).rem_euclid(60))
}

pub(super) fn minute<'v>([time, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(&time, |ns| ns.div_euclid(60_000_000_000).rem_euclid(60))
}

pub(super) fn hour<'v>([time, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(&time, |ns| ns.div_euclid(3_600_000_000_000).rem_euclid(24))
}

/// Sunday is 0.
pub(super) fn weekday<'v>([time, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(&time, |ns| (ns.div_euclid(DAY_NS) + 4).rem_euclid(7))
}

pub(super) fn day<'v>([time, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(&time, |ns| date(ns).2)
}

pub(super) fn month<'v>([time, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(&time, |ns| date(ns).1)
}

pub(super) fn year<'v>([time, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(&time, |ns| date(ns).0)
}

/// A time from Unix seconds, and nanoseconds where they are given.
pub(super) fn unix<'v>([seconds, nanoseconds, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match (seconds, nanoseconds) {
        (Value::Int(seconds), Value::Nil) => Value::Int(seconds.saturating_mul(1_000_000_000)),
        (Value::Int(seconds), Value::Int(ns)) => Value::Int(seconds.saturating_mul(1_000_000_000).saturating_add(ns)),
        _ => Value::Fault,
    }
}

/// The last multiple of a duration up to a time.
pub(super) fn truncate_time<'v>([time, duration, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match (time, duration) {
        (Value::Int(ns), Value::Int(duration)) if duration > 0 => {
            let beyond = (i128::from(ns) + YEAR_ONE_NS).rem_euclid(i128::from(duration));
            i64::try_from(i128::from(ns) - beyond).map_or(Value::Fault, Value::Int)
        }
        (Value::Int(ns), Value::Int(_)) => Value::Int(ns),
        _ => Value::Fault,
    }
}

fn part<'v>(time: &Value<'_>, of: impl Fn(i64) -> i64) -> Value<'v> {
    match time {
        Value::Int(ns) => Value::Int(of(*ns)),
        _ => Value::Fault,
    }
}

/// Year, month and day, after Howard Hinnant's `civil_from_days`.
fn date(ns: i64) -> (i64, i64, i64) {
    let days = ns.div_euclid(DAY_NS) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}
