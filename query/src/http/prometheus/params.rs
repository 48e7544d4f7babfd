//! The parameters of requests, with the errors that Prometheus gives.

use weir_proto::metrics::LabelMatcher;

use crate::{
    http::{answer::Failure, call::Call, moment},
    promql::syntax::{self, ast::Node, duration, number::parse_float, quote::quoted, regex},
};

/// A parameter is not good.
pub(super) fn invalid(name: &str, error: &str) -> Failure {
    Failure::BadRequest(format!("invalid parameter \"{name}\": {error}"))
}

/// A parameter, empty when it is not there.
fn text<'c>(call: &'c Call, name: &str) -> &'c str {
    call.first(name).unwrap_or_default()
}

/// Unix ms of Unix seconds or RFC 3339.
pub(super) fn time(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_float(text).filter(|seconds| seconds.is_finite()) {
        // Rounded as Prometheus rounds.
        let whole = seconds.trunc();
        let ms = ((seconds - whole) * 1e3).round() as i64;
        return Ok((whole as i64).saturating_mul(1_000).saturating_add(ms));
    }
    // The edges of what Go's times can be.
    match text {
        "-292273086-05-16T16:47:06Z" => return Ok(TIME_MIN),
        "292277025-08-18T07:12:54.999999999Z" => return Ok(TIME_MAX),
        _ => {}
    }
    let ns = moment::rfc3339(text).filter(|_| text.len() > 10);
    ns.map(|ns| (ns / 1_000_000) as i64).ok_or_else(|| format!("cannot parse {} to a valid timestamp", quoted(text)))
}

/// Times that no sample is before or after.
pub(super) const TIME_MIN: i64 = i64::MIN / 4;
pub(super) const TIME_MAX: i64 = i64::MAX / 4;

/// A time that has to be there.
pub(super) fn required_time(call: &Call, name: &str) -> Result<i64, Failure> {
    time(text(call, name)).map_err(|error| invalid(name, &error))
}

/// A time that may be there.
pub(super) fn optional_time(call: &Call, name: &str, default: i64) -> Result<i64, Failure> {
    let refused = |error: String| invalid(name, &format!("invalid time value for '{name}': {error}"));
    call.first(name).map_or(Ok(default), |text| time(text).map_err(refused))
}

/// Milliseconds of seconds, or of a duration like `5m`.
pub(super) fn length(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_float(text) {
        let ns = seconds * 1e9;
        if !(ns > i64::MIN as f64 && ns < i64::MAX as f64) {
            return Err(format!("cannot parse {} to a valid duration. It overflows int64", quoted(text)));
        }
        return Ok((ns / 1e6) as i64);
    }
    duration::parse(text).map_err(|_| format!("cannot parse {} to a valid duration", quoted(text)))
}

/// A length of time that may be there.
pub(super) fn optional_length(call: &Call, name: &str) -> Result<Option<i64>, Failure> {
    call.first(name).map(|text| length(text).map_err(|error| invalid(name, &error))).transpose()
}

/// `limit`: how many to answer with; `None` means all.
pub(super) fn limit(call: &Call, name: &str) -> Result<Option<usize>, Failure> {
    let Some(text) = call.first(name) else { return Ok(None) };
    let limit: i64 =
        text.parse().map_err(|_| invalid(name, &format!("strconv.Atoi: parsing {}: invalid syntax", quoted(text))))?;
    let limit = usize::try_from(limit).map_err(|_| invalid(name, "limit must be non-negative"))?;
    Ok((limit > 0).then_some(limit))
}

/// A limit of `metadata`, where 0 means none at all and everything below means all.
pub(super) fn metadata_limit(call: &Call, name: &str) -> Result<Option<usize>, Failure> {
    let Some(text) = call.first(name) else { return Ok(None) };
    let limit: i64 = text.parse().map_err(|_| Failure::BadRequest(format!("{name} must be a number")))?;
    Ok(usize::try_from(limit).ok())
}

/// What the parser says of selectors that fit everything; the API has words of its own.
const FITS_EVERYTHING: &str = "vector selector must contain at least one non-empty matcher";

/// `match[]`: sets of matchers, as storage takes them; or what is wrong with one.
pub(super) fn match_sets(call: &Call) -> Result<Vec<Vec<LabelMatcher>>, Failure> {
    call.all("match[]").map(|text| match_set(text).map_err(Failure::BadRequest)).collect()
}

/// The matchers of one `match[]`.
pub(super) fn match_set(text: &str) -> Result<Vec<LabelMatcher>, String> {
    let expr = syntax::parse_selector(text).map_err(|error| match error.to_string() {
        error if error.ends_with(FITS_EVERYTHING) => "match[] must contain at least one non-empty matcher".to_owned(),
        error => error,
    })?;
    match &expr.node {
        Node::Selector(selector) => regex::translated(&selector.matchers),
        _ => Err("a selector is expected".to_owned()),
    }
}

/// A label's name as it is, where it was written with `U__` and `_` before each odd letter's number.
pub(super) fn unescaped(name: &str) -> String {
    let Some(rest) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut out = String::with_capacity(rest.len());
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        if letter != '_' {
            out.push(letter);
            continue;
        }
        let after = letters.as_str();
        if let Some(after) = after.strip_prefix('_') {
            out.push('_');
            letters = after.chars();
            continue;
        }
        let digits = after.find('_').map(|end| &after[..end]);
        let code = digits.filter(|digits| digits.len() <= 6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match (digits, code.and_then(char::from_u32)) {
            (Some(digits), Some(letter)) => {
                out.push(letter);
                letters = after[digits.len() + 1..].chars();
            }
            // It was no escaped name.
            _ => return name.to_owned(),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lengths_and_names_are_read() {
        assert_eq!(time("1435781451.781"), Ok(1_435_781_451_781));
        assert_eq!(time("2015-07-01T20:10:51.781Z"), Ok(1_435_781_451_781));
        assert_eq!(time("-1"), Ok(-1_000));
        assert_eq!(time("1795932430.0005"), Ok(1_795_932_430_000));
        assert_eq!(time("1e300"), Ok(i64::MAX));
        assert_eq!(time("x"), Err("cannot parse \"x\" to a valid timestamp".to_owned()));
        assert_eq!(length("1.5"), Ok(1_500));
        assert_eq!(length("5m"), Ok(300_000));
        assert_eq!(length("1e300"), Err("cannot parse \"1e300\" to a valid duration. It overflows int64".to_owned()));
        assert_eq!(unescaped("U__http_2e_status__code"), "http.status_code");
        assert_eq!(unescaped("U__a_zz_"), "U__a_zz_");
        assert_eq!(unescaped("job"), "job");
    }
}
