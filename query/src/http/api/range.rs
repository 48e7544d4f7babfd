//! `from` and `to`: the time range of Weir's own endpoints, as they are read, and as answers repeat them.

use std::ops::RangeInclusive;

use serde::Serialize;
use weir_proto::duration;

use crate::http::{answer::Failure, call::Call, moment};

/// How an answer says which range it understood: RFC 3339, null where the range is open.
#[derive(Debug, Serialize)]
pub(super) struct Understood {
    start: Option<String>,
    end: Option<String>,
}

impl Understood {
    /// What is between the bounds.
    pub(super) fn of(start_ns: &RangeInclusive<u64>) -> Self {
        let (from_ns, to_ns) = (*start_ns.start(), *start_ns.end());
        Self {
            start: (from_ns > 0).then(|| moment::written(from_ns)),
            end: (to_ns < u64::MAX).then(|| moment::written(to_ns)),
        }
    }
}

/// Reads `from` and `to` (or `start` and `end`), both bounds inclusive, in Unix ns: Unix time in s, ms, µs or ns, RFC 3339, or a time before now like
/// `-15m`. Left out, `to` is the end of time and `from` lies `back_ns` before it, or before now if that is earlier.
pub(super) fn range(call: &Call, back_ns: u64) -> Result<RangeInclusive<u64>, Failure> {
    let to_ns = moment(call, ["to", "end"])?.unwrap_or(u64::MAX);
    let from_ns = moment(call, ["from", "start"])?.unwrap_or_else(|| to_ns.min(call.now_ns).saturating_sub(back_ns));
    if from_ns > to_ns {
        let (from, to) = (moment::written(from_ns), moment::written(to_ns));
        return Err(Failure::BadRequest(format!("parameter 'from' ({from}) must not be after 'to' ({to})")));
    }
    Ok(from_ns..=to_ns)
}

/// The same of two other parameters; open where they are left out.
pub(super) fn range_named(call: &Call, [from, to]: [&str; 2]) -> Result<RangeInclusive<u64>, Failure> {
    let (from_ns, to_ns) = (moment(call, [from, from])?.unwrap_or(0), moment(call, [to, to])?.unwrap_or(u64::MAX));
    if from_ns > to_ns {
        return Err(Failure::BadRequest(format!("parameter '{from}' must not be after '{to}'")));
    }
    Ok(from_ns..=to_ns)
}

fn moment(call: &Call, names: [&str; 2]) -> Result<Option<u64>, Failure> {
    let Some((name, text)) = names.into_iter().find_map(|name| Some((name, call.first(name)?))) else {
        return Ok(None);
    };
    // An address that was not encoded turns a `+` into a blank.
    let relative = text.strip_prefix("now").unwrap_or_else(|| if text.starts_with('-') { text } else { "" });
    if text == "now" {
        return Ok(Some(call.now_ns));
    }
    if let Some(sign) = relative.chars().next().filter(|sign| matches!(sign, '-' | '+' | ' ')) {
        let distance = duration::parse(&relative[1..])
            .map_err(|error| Failure::BadRequest(format!("parameter '{name}': {error}")))?;
        let ns = u64::try_from(distance.as_nanos()).unwrap_or(u64::MAX);
        let back = sign == '-';
        return Ok(Some(if back { call.now_ns.saturating_sub(ns) } else { call.now_ns.saturating_add(ns) }));
    }
    let unreadable = || {
        Failure::BadRequest(format!(
            "parameter '{name}' is no time: write Unix seconds, ms, µs or ns, RFC 3339 like 2024-02-29T12:00:00Z, or a time before now like -15m"
        ))
    };
    moment::unix(text).or_else(|| moment::rfc3339(text)).map(Some).ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures::call;

    fn read(query: &[(&str, &str)], back_ns: u64) -> Option<RangeInclusive<u64>> {
        // It is 1000 s past the epoch.
        range(&call(&[], query), back_ns).ok()
    }

    #[test]
    fn every_form_and_what_is_left_out() {
        let seconds = |from: u64, to: u64| Some(from * 1_000_000_000..=to * 1_000_000_000);
        assert_eq!(read(&[("from", "5"), ("to", "9")], 0), seconds(5, 9));
        assert_eq!(read(&[("start", "5"), ("end", "9")], 0), seconds(5, 9));
        assert_eq!(
            read(&[("from", "1700000000000"), ("to", "1700000001000000000")], 0),
            seconds(1_700_000_000, 1_700_000_001)
        );
        assert_eq!(read(&[("from", "1970-01-01T00:00:05Z"), ("to", "1970-01-01T01:00:09+01:00")], 0), seconds(5, 9));
        assert_eq!(read(&[("from", "-15m"), ("to", "-1s")], 0), seconds(100, 999));
        assert_eq!(read(&[("from", "now-15m"), ("to", "now")], 0), seconds(100, 1000));
        assert_eq!(read(&[("to", "now 1s")], 0), seconds(1000, 1001));
        assert_eq!(read(&[("to", "now+1s")], 0), seconds(1000, 1001));
        assert_eq!(read(&[], u64::MAX), Some(0..=u64::MAX));
        assert_eq!(read(&[], 1_000), Some(999_999_999_000..=u64::MAX));
        assert_eq!(read(&[("to", "500")], 100_000_000_000), seconds(400, 500));
        assert_eq!(read(&[("from", "-2000s")], 0), Some(0..=u64::MAX));
        for bad in [
            &[("from", "9"), ("to", "5")][..],
            &[("from", "x")],
            &[("to", "-")],
            &[("to", "nowhere")],
            &[("to", "1.5.1")],
        ] {
            assert_eq!(read(bad, 0), None, "{bad:?}");
        }
    }

    #[test]
    fn what_was_understood_is_said() {
        let said = |range| serde_json::to_string(&Understood::of(&range)).expect("writes");
        assert_eq!(said(0..=u64::MAX), r#"{"start":null,"end":null}"#);
        assert_eq!(
            said(1..=1_700_000_000_000_000_000),
            r#"{"start":"1970-01-01T00:00:00.000000001Z","end":"2023-11-14T22:13:20Z"}"#
        );
    }
}
