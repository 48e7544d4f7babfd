//! What requests to Loki's API ask for: times, steps, limits.

use std::time::Instant;

use parking_lot::Mutex;
use weir_proto::decimal::scaled;

use crate::{
    http::{allowance::Holding, answer::Failure, call::Call, moment},
    logql::{
        ast::{Expr, LogExpr},
        engine::{Direction, HoldsLines, Limits, LineRoom, NoRoom},
        parse, parse_log, units,
    },
};

const SECOND_NS: u64 = 1_000_000_000;
const HOUR_NS: u64 = 3_600 * SECOND_NS;
/// Points that a range has when nobody says its step.
const DEFAULT_POINTS: u64 = 250;
/// Lines when nobody says how many.
const DEFAULT_LIMIT: usize = 100;

/// Unix ns: numbers with a dot or of ten digits at most are seconds, others ns; or RFC 3339.
fn time_ns(name: &str, text: &str) -> Result<u64, Failure> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let found = match is_number {
        // Before 1970 there is nothing.
        true if text.starts_with('-') => Some(0),
        true if text.contains('.') => {
            scaled(text, u128::from(SECOND_NS)).map(|ns| u64::try_from(ns).unwrap_or(u64::MAX))
        }
        true => text.parse::<u64>().ok().map(|n| if text.len() <= 10 { n.saturating_mul(SECOND_NS) } else { n }),
        false => match text.parse::<f64>() {
            // 1.7e9 is a number of seconds, too.
            Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Some((seconds * 1e9) as u64),
            _ => moment::rfc3339(text),
        },
    };
    found.ok_or_else(|| Failure::BadRequest(format!("could not parse '{name}' parameter: {text:?} is no time")))
}

/// ns of a step or a period: a number of seconds, or a duration.
fn period_ns(name: &str, text: &str) -> Result<i64, Failure> {
    let found = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds.abs() < 9e9 => Some((seconds * 1e9).round() as i64),
        Ok(_) => None,
        Err(_) => units::duration_ns(text),
    };
    found.ok_or_else(|| Failure::BadRequest(format!("cannot parse {text:?} of parameter '{name}' to a valid duration")))
}

/// A time span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
}

impl Span {
    /// `start`, `end`, `since`; as long as `default_ns` when nobody says when it starts.
    pub(super) fn of(call: &Call, default_ns: u64) -> Result<Self, Failure> {
        let end_ns = call.first("end").map_or(Ok(call.now_ns), |text| time_ns("end", text))?;
        let since_ns = match call.first("since") {
            Some(text) => u64::try_from(period_ns("since", text)?).unwrap_or(0),
            None => default_ns,
        };
        let start_ns = match call.first("start") {
            Some(text) => time_ns("start", text)?,
            None => end_ns.min(call.now_ns).saturating_sub(since_ns),
        };
        if end_ns < start_ns {
            let words = "end timestamp must not be before or equal to start time";
            return Err(Failure::BadRequest(words.into()));
        }
        Ok(Self { start_ns, end_ns })
    }

    /// As long as an hour.
    pub(super) fn of_query(call: &Call) -> Result<Self, Failure> {
        Self::of(call, HOUR_NS)
    }

    /// As long as six hours, for what is listed.
    pub(super) fn of_list(call: &Call) -> Result<Self, Failure> {
        Self::of(call, 6 * HOUR_NS)
    }
}

/// `time`, else now.
pub(super) fn instant_ns(call: &Call) -> Result<u64, Failure> {
    call.first("time").map_or(Ok(call.now_ns), |text| time_ns("time", text))
}

/// `step`; as many seconds as make 250 points when nobody says it, one at least.
pub(super) fn step_ns(call: &Call, span: Span) -> Result<i64, Failure> {
    let Some(text) = call.first("step") else {
        let seconds = (span.end_ns - span.start_ns) / SECOND_NS / DEFAULT_POINTS;
        return Ok((seconds.max(1) * SECOND_NS) as i64);
    };
    match period_ns("step", text)? {
        step_ns if step_ns > 0 => Ok(step_ns),
        _ => {
            let words = "zero or negative query resolution step widths are not accepted. Try a positive integer";
            Err(Failure::BadRequest(words.into()))
        }
    }
}

/// `interval`: entries of a stream lie so far apart at least, ns.
pub(super) fn interval_ns(call: &Call) -> Result<u64, Failure> {
    match call.first("interval") {
        None => Ok(0),
        Some(text) => {
            u64::try_from(period_ns("interval", text)?).map_err(|_| Failure::BadRequest("interval must be >= 0".into()))
        }
    }
}

/// `limit`; one that is too large is refused.
pub(in crate::http) fn limit(call: &Call) -> Result<usize, Failure> {
    let Some(text) = call.first("limit") else {
        return Ok(DEFAULT_LIMIT.min(call.logql.lines_max.get()));
    };
    let limit: i64 =
        text.parse().map_err(|_| Failure::BadRequest(format!("parameter 'limit' is no whole number: {text:?}")))?;
    if limit <= 0 {
        return Err(Failure::BadRequest("limit must be a positive value".into()));
    }
    let lines_max = call.logql.lines_max.get();
    match usize::try_from(limit).ok().filter(|limit| *limit <= lines_max) {
        Some(limit) => Ok(limit),
        None => Err(Failure::BadRequest(format!(
            "max entries limit per query exceeded, limit > query.logql.lines_max ({limit} > {lines_max})"
        ))),
    }
}

/// `direction`, in any case.
pub(super) fn direction(call: &Call) -> Result<Direction, Failure> {
    match call.first("direction") {
        None => Ok(Direction::Backward),
        Some(text) if text.eq_ignore_ascii_case("backward") => Ok(Direction::Backward),
        Some(text) if text.eq_ignore_ascii_case("forward") => Ok(Direction::Forward),
        Some(text) => Err(Failure::BadRequest(format!("invalid direction '{text}'"))),
    }
}

/// `query`, read.
pub(super) fn expr(call: &Call) -> Result<Expr, Failure> {
    Ok(parse(text(call, call.first("query").unwrap_or_default())?)?)
}

/// `query`, a log query.
pub(in crate::http) fn log_query(call: &Call) -> Result<LogExpr, Failure> {
    Ok(parse_log(text(call, call.first("query").unwrap_or_default())?)?)
}

/// `start`, where somebody says it.
pub(in crate::http) fn start_ns(call: &Call) -> Result<Option<u64>, Failure> {
    call.first("start").map(|text| time_ns("start", text)).transpose()
}

/// A selector, when there is one; `{}` and nothing select everything.
pub(super) fn selector(call: &Call, text: Option<&str>) -> Result<Option<LogExpr>, Failure> {
    match text.map(str::trim) {
        None | Some("" | "{}") => Ok(None),
        Some(selector) => Ok(Some(parse_log(self::text(call, selector)?)?)),
    }
}

fn text<'t>(call: &Call, text: &'t str) -> Result<&'t str, Failure> {
    let bytes_max = call.logql.text_bytes_max.get();
    if text.len() > bytes_max {
        let words = format!("the query is longer than {bytes_max} bytes (query.logql.text_bytes_max)");
        return Err(Failure::BadRequest(words));
    }
    Ok(text)
}

/// What the query may take.
pub(in crate::http) fn limits(call: &Call) -> Limits {
    let config = &call.logql;
    Limits {
        series_max: config.series_max.get(),
        steps_max: config.points_max.get(),
        samples_max: config.samples_max.get(),
        threads: config.threads_max.get(),
        now_ns: call.now_ns,
        deadline: call.deadline,
        room: LineRoom::of(HeldLines(Mutex::new(call.allowance.rows()))),
    }
}

/// What answers may hold, for the lines of a query.
struct HeldLines(Mutex<Holding>);

impl HoldsLines for HeldLines {
    fn take(&self, bytes: u64) -> Result<(), NoRoom> {
        let mut holding = self.0.lock();
        match holding.take(bytes) {
            true => Ok(()),
            false if holding.has_own_room(bytes) => Err(NoRoom::Others),
            false => Err(NoRoom::Own),
        }
    }

    fn give_back(&self, bytes: u64) {
        self.0.lock().give_back(bytes);
    }
}

/// An error when there is no time left.
pub(super) fn check_time(call: &Call) -> Result<(), Failure> {
    if Instant::now() >= call.deadline { Err(Failure::TimedOut) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures::call;

    #[test]
    fn times_of_every_shape() {
        for (text, ns) in [
            ("1700000000", 1_700_000_000_000_000_000),
            ("4", 4_000_000_000),
            ("1700000000000000000", 1_700_000_000_000_000_000),
            ("4000000000000", 4_000_000_000_000),
            ("1700000000.25", 1_700_000_000_250_000_000),
            ("1.7e9", 1_700_000_000_000_000_000),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
            ("2023-11-14T22:13:20.5+00:00", 1_700_000_000_500_000_000),
            ("-5", 0),
        ] {
            assert_eq!(time_ns("start", text).ok(), Some(ns), "{text}");
        }
        for text in ["", "x", "NaN", "yesterday", "99999999999999999999"] {
            assert!(time_ns("start", text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_and_steps_have_defaults() {
        let now = 1_000_000_000_000;
        let span =
            |query: &[(&str, &str)]| Span::of_query(&call(&[], query)).map(|span| (span.start_ns, span.end_ns)).ok();
        assert_eq!(span(&[]), Some((0, now)));
        assert_eq!(span(&[("since", "5m")]), Some((now - 300_000_000_000, now)));
        assert_eq!(span(&[("start", "10"), ("end", "20")]), Some((10_000_000_000, 20_000_000_000)));
        assert_eq!(span(&[("start", "20"), ("end", "10")]), None);
        let of = |start_ns: u64, end_ns: u64| Span { start_ns, end_ns };
        assert_eq!(step_ns(&call(&[], &[]), of(0, 100 * SECOND_NS)).ok(), Some(1_000_000_000));
        assert_eq!(step_ns(&call(&[], &[]), of(0, 3600 * SECOND_NS)).ok(), Some(14_000_000_000));
        assert_eq!(step_ns(&call(&[], &[("step", "500ms")]), of(0, 1)).ok(), Some(500_000_000));
        assert_eq!(step_ns(&call(&[], &[("step", "1.5")]), of(0, 1)).ok(), Some(1_500_000_000));
        for bad in ["0", "-1", "x", "1x"] {
            assert!(step_ns(&call(&[], &[("step", bad)]), of(0, 1)).is_err(), "{bad}");
        }
        assert_eq!(limit(&call(&[], &[])).ok(), Some(100));
        assert_eq!(limit(&call(&[], &[("limit", "5000")])).ok(), Some(5000));
        for bad in ["0", "-1", "5001", "x"] {
            assert!(limit(&call(&[], &[("limit", bad)])).is_err(), "{bad}");
        }
        assert_eq!(direction(&call(&[], &[("direction", "FORWARD")])).ok(), Some(Direction::Forward));
        assert!(direction(&call(&[], &[("direction", "up")])).is_err());
    }
}
