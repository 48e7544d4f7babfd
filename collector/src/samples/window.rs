//! Which times are taken: `storage.accept`.

use std::time::Duration;

use weir_store::RejectReason;

/// How far from the time of receipt samples are taken; `None` is any distance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcceptWindow {
    /// Back.
    pub past: Option<Duration>,
    /// Ahead.
    pub future: Option<Duration>,
}

/// The times that are taken.
#[derive(Debug, Clone, Copy)]
pub struct AcceptTimes {
    first_ms: i64,
    last_ms: i64,
    window: AcceptWindow,
}

impl AcceptWindow {
    /// Around a moment, Unix ms.
    pub fn around(self, now_ms: i64) -> AcceptTimes {
        let ms = |period: Option<Duration>| {
            period.map_or(i64::MAX, |period| i64::try_from(period.as_millis()).unwrap_or(i64::MAX))
        };
        let (past_ms, future_ms) = (ms(self.past), ms(self.future));
        let first_ms = if past_ms == i64::MAX { i64::MIN } else { now_ms.saturating_sub(past_ms) };
        AcceptTimes { first_ms, last_ms: now_ms.saturating_add(future_ms), window: self }
    }

    /// What a time is that is not taken, with the key that says so and its value: `older than storage.accept.past, 24h`.
    pub(crate) fn in_words(self, reason: RejectReason) -> Option<String> {
        let (words, key, period) = match reason {
            RejectReason::TooOld => ("older", "past", self.past),
            RejectReason::TooNew => ("further ahead", "future", self.future),
            _ => return None,
        };
        Some(format!("{words} than storage.accept.{key}, {}", period_in_words(period?)))
    }
}

impl AcceptTimes {
    /// Whether a sample may lie there.
    pub fn check(self, time_ms: i64) -> Result<(), RejectReason> {
        if time_ms < self.first_ms {
            return Err(RejectReason::TooOld);
        }
        if time_ms > self.last_ms {
            return Err(RejectReason::TooNew);
        }
        Ok(())
    }

    /// Why not, for people.
    pub(crate) fn in_words(self, reason: RejectReason) -> Option<String> {
        self.window.in_words(reason)
    }
}

/// `1m30s`, as Prometheus writes durations.
pub(crate) fn period_in_words(period: Duration) -> String {
    let mut left_ms = period.as_millis();
    if left_ms == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    for (unit, unit_ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if left_ms >= unit_ms {
            out += &format!("{}{unit}", left_ms / unit_ms);
            left_ms %= unit_ms;
        }
    }
    out
}
