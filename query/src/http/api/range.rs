//! `from` and `to`: the time range of Weir's own endpoints.

use std::ops::RangeInclusive;

use weir_proto::duration;

use crate::http::{answer::Failure, call::Call};

/// Reads `from` and `to`, both bounds inclusive, in Unix ns. Each is Unix ns, or a time before now like `-15m`. Left out, `to` is the end of time and
/// `from` lies `back_ns` before it, or before now if that is earlier.
pub(super) fn range(call: &Call, back_ns: u64) -> Result<RangeInclusive<u64>, Failure> {
    let to_ns = moment(call, "to")?.unwrap_or(u64::MAX);
    let from_ns = moment(call, "from")?.unwrap_or_else(|| to_ns.min(call.now_ns).saturating_sub(back_ns));
    if from_ns > to_ns {
        return Err(Failure::BadRequest("parameter 'from' must not be after 'to'".into()));
    }
    Ok(from_ns..=to_ns)
}

fn moment(call: &Call, name: &str) -> Result<Option<u64>, Failure> {
    let Some(text) = call.first(name) else { return Ok(None) };
    if let Some(back) = text.strip_prefix('-') {
        let back =
            duration::parse(back).map_err(|error| Failure::BadRequest(format!("parameter '{name}': {error}")))?;
        let back_ns = u64::try_from(back.as_nanos()).unwrap_or(u64::MAX);
        return Ok(Some(call.now_ns.saturating_sub(back_ns)));
    }
    let unreadable = || {
        Failure::BadRequest(format!("parameter '{name}' is neither Unix nanoseconds nor a time before now like -15m"))
    };
    text.parse().map(Some).map_err(|_| unreadable())
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
    fn both_forms_and_what_is_left_out() {
        assert_eq!(read(&[("from", "5"), ("to", "9")], 0), Some(5..=9));
        assert_eq!(read(&[("from", "-15m"), ("to", "-1s")], 0), Some(100_000_000_000..=999_000_000_000));
        assert_eq!(read(&[], u64::MAX), Some(0..=u64::MAX));
        assert_eq!(read(&[], 1_000), Some(999_999_999_000..=u64::MAX));
        assert_eq!(read(&[("to", "500")], 100), Some(400..=500));
        assert_eq!(read(&[("from", "-2000s")], 0), Some(0..=u64::MAX));
        for bad in [&[("from", "9"), ("to", "5")][..], &[("from", "x")], &[("to", "-")], &[("to", "1.5")]] {
            assert_eq!(read(bad, 0), None, "{bad:?}");
        }
    }
}
