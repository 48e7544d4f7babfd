//! `/federate`: the newest sample of the series that selectors match, in the text format, for another Prometheus to scrape.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use weir_proto::metrics::{Labels, METRIC_NAME, is_stale};

use super::{limits, params};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    promql::{
        format::{label_name, shortest},
        source::{Metrics, Samples, SourceError},
    },
};

/// The text format's.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; escaping=allow-utf-8; charset=utf-8";

/// The label that tells targets apart: empty where there is none, so that who scrapes does not put its own there.
const INSTANCE: &str = "instance";

/// `/prometheus/federate`.
pub(in crate::http) fn federate(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let now_ms = (call.now_ns / 1_000_000) as i64;
    let from_ms = now_ms - limits::options(call)?.lookback_ms;
    let metrics = view.metrics(&call.tenant);
    let mut newest = BTreeMap::new();
    for matchers in params::match_sets(call)? {
        add_newest(&*metrics, &matchers, (from_ms, now_ms), &mut newest)?;
    }
    let mut text = String::new();
    let mut family: Option<&str> = None;
    for (labels, (time_ms, value)) in &newest {
        let name = labels.metric_name();
        if name.is_empty() {
            continue;
        }
        let before = text.len();
        let written = if family == Some(name) { Ok(()) } else { head(&mut text, name) };
        family = Some(name);
        written.and_then(|()| line(&mut text, labels, *time_ms, *value)).expect("a string takes it");
        let line_bytes = (text.len() - before) as u64;
        if !call.has_room(line_bytes) {
            return Err(Failure::Execution("the answer is larger than query.answer_bytes_max".into()));
        }
    }
    Ok(Answer::text(CONTENT_TYPE, text))
}

/// The newest float of each series that is not ended.
fn add_newest(
    metrics: &dyn Metrics,
    matchers: &[weir_proto::metrics::LabelMatcher],
    (from_ms, to_ms): (i64, i64),
    into: &mut BTreeMap<Labels, (i64, f64)>,
) -> Result<(), SourceError> {
    let mut samples = Samples::default();
    for series in metrics.select(matchers, from_ms, to_ms)? {
        samples.clear();
        series.read(from_ms, to_ms, &mut samples)?;
        let (Some(&time_ms), Some(&value)) = (samples.times.last(), samples.values.last()) else { continue };
        // The text format has no native histograms.
        let is_histogram = samples.histograms.last().is_some_and(|histogram| histogram.time_ms > time_ms);
        if !is_stale(value) && !is_histogram {
            into.insert(series.labels().clone(), (time_ms, value));
        }
    }
    Ok(())
}

/// Whether a metric's name has to stand between quotes.
fn is_odd(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_digit())
        || name.contains(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':')
}

fn head(text: &mut String, name: &str) -> fmt::Result {
    let quote = if is_odd(name) { "\"" } else { "" };
    writeln!(text, "# TYPE {quote}{}{quote} untyped", Escaped(name))
}

fn line(text: &mut String, labels: &Labels, time_ms: i64, value: f64) -> fmt::Result {
    let name = labels.metric_name();
    let mut comma = "";
    if is_odd(name) {
        write!(text, "{{\"{}\"", Escaped(name))?;
        comma = ",";
    } else {
        write!(text, "{name}{{")?;
    }
    let others = labels.iter().filter(|(label, _)| *label != METRIC_NAME);
    let instance = labels.get(INSTANCE).is_none().then_some((INSTANCE, ""));
    for (label, value) in others.chain(instance) {
        write!(text, "{comma}{}=\"{}\"", label_name(label), Escaped(value))?;
        comma = ",";
    }
    writeln!(text, "}} {} {time_ms}", shortest(value))
}

/// A value between quotes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        http::fixtures::{Held, call},
        promql::script,
    };

    #[test]
    fn the_newest_samples_are_shown() {
        let samples = "load 10s
  up{job=\"b\\\\\"} 1 2 3 1000000
  up{instance=\"x\"} 1 2 3 4
  gone 1 2 stale
  {\"http.requests\",job=\"c\"} 1 _ _ NaN
";
        let held = Held { metrics: Arc::new(script::loaded(samples)), ..Held::default() };
        let asked = [("match[]", "{__name__=~\".+\"}")];
        let call = Call { now_ns: 40_000_000_000, ..call(&[], &asked) };
        let answer = federate(&call, &held).expect("an answer");
        assert_eq!(
            String::from_utf8(answer.body).expect("UTF-8"),
            "# TYPE \"http.requests\" untyped\n\
             {\"http.requests\",job=\"c\",instance=\"\"} NaN 30000\n\
             # TYPE up untyped\n\
             up{instance=\"x\"} 4 30000\n\
             up{job=\"b\\\\\",instance=\"\"} 1e+06 30000\n"
        );
        let nothing = super::federate(&Call { query: Vec::new(), ..call }, &held).expect("an answer");
        assert!(nothing.body.is_empty());
    }
}
