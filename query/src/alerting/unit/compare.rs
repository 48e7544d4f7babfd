//! What is expected and what is there, as promtool compares and shows it.

use weir_proto::metrics::Labels;

use super::{ExpectedAlert, ExpectedSample, histogram, report::Style};
use crate::{
    alerting::group::ALERT_NAME,
    promql::{
        format,
        script::{Sequence, described},
        syntax::{self, ast::Node, quote::quoted},
        value::Point,
    },
};

/// An alert: its labels and annotations, both by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShownAlert {
    pub(super) labels: Vec<(String, String)>,
    pub(super) annotations: Vec<(String, String)>,
}

impl ShownAlert {
    /// The test says only what the rule adds: the name is added here.
    pub(super) fn expected(alert: &ExpectedAlert, name: &str) -> Self {
        let is_other = |pair: &&(String, String)| pair.0 != ALERT_NAME;
        let mut labels: Vec<_> = alert.labels.iter().filter(is_other).cloned().collect();
        labels.push((ALERT_NAME.to_owned(), name.to_owned()));
        labels.sort();
        let mut annotations = alert.annotations.clone();
        annotations.sort();
        Self { labels, annotations }
    }

    fn lines(&self) -> [String; 2] {
        [format!("Labels:{}", shown(&self.labels)), format!("Annotations:{}", shown(&self.annotations))]
    }
}

fn shown(pairs: &[(String, String)]) -> String {
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{}={}", format::label_name(name), quoted(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// What is wrong with the alerts, if anything is; both are sorted.
pub(super) fn alerts(mut expected: Vec<ShownAlert>, mut found: Vec<ShownAlert>, style: Style) -> Option<String> {
    expected.sort();
    found.sort();
    if expected == found {
        return None;
    }
    let words = match style {
        Style::Lists => format!("\n        exp:{}, \n        got:{}", list(&expected), list(&found)),
        Style::Differences => format!("\n        diff:{}", differences(&expected, &found)),
    };
    Some(words)
}

fn list(alerts: &[ShownAlert]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let mut out = String::from("[");
    for (number, alert) in alerts.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        let [labels, annotations] = alert.lines();
        out.push_str(&format!("{comma}\n            {number}:\n              {labels}\n              {annotations}"));
    }
    out.push_str("\n            ]");
    out
}

/// Line by line: what is missing, what is too much, and what both have of a pair that differs only in part.
fn differences(expected: &[ShownAlert], found: &[ShownAlert]) -> String {
    let missing: Vec<_> = expected.iter().filter(|alert| !found.contains(alert)).collect();
    let mut surplus: Vec<_> = found.iter().filter(|alert| !expected.contains(alert)).collect();
    let mut out = String::new();
    let mut line = |sign: char, text: String| out.push_str(&format!("\n          {sign} {text}"));
    for alert in missing {
        // The one that is most like it.
        let like = |other: &ShownAlert| {
            let all = |alert: &ShownAlert| [alert.labels.clone(), alert.annotations.clone()].concat();
            let others = all(other);
            all(alert).iter().filter(|pair| others.contains(pair)).count()
        };
        let nearest = (0..surplus.len()).max_by_key(|at| like(surplus[*at]));
        let Some(nearest) = nearest.filter(|at| like(surplus[*at]) > 0) else {
            alert.lines().into_iter().for_each(|text| line('-', text));
            continue;
        };
        let other = surplus.remove(nearest);
        let parts = [("label", &alert.labels, &other.labels), ("annotation", &alert.annotations, &other.annotations)];
        for (what, wanted, there) in parts {
            for pair in wanted.iter().filter(|pair| there.contains(pair)) {
                line(' ', format!("{what} {}: {}", pair.0, quoted(&pair.1)));
            }
            for pair in wanted.iter().filter(|pair| !there.contains(pair)) {
                line('-', format!("{what} {}: {}", pair.0, quoted(&pair.1)));
            }
            for pair in there.iter().filter(|pair| !wanted.contains(pair)) {
                line('+', format!("{what} {}: {}", pair.0, quoted(&pair.1)));
            }
        }
    }
    for alert in surplus {
        alert.lines().into_iter().for_each(|text| line('+', text));
    }
    out
}

/// A sample: its labels, its value, and the text of its histogram, empty for a float.
#[derive(Debug, Clone)]
struct ShownSample {
    labels: Labels,
    value: f64,
    histogram: String,
}

/// What is wrong with the samples, if anything is; an error when the expected ones cannot be read.
pub(super) fn samples(
    expected: &[ExpectedSample],
    found: Vec<(Labels, Point)>,
    is_fuzzy: bool,
    style: Style,
) -> Result<Option<String>, String> {
    let mut wanted = Vec::with_capacity(expected.len());
    for sample in expected {
        wanted.push(read(sample).map_err(|error| format!("labels {}: {error}", quoted(&sample.labels)))?);
    }
    let shown = |(labels, point): (Labels, Point)| match point {
        Point::Float(value) => ShownSample { labels, value, histogram: String::new() },
        Point::Histogram(value) => ShownSample { labels, value: 0.0, histogram: histogram::text(&value) },
    };
    let mut found: Vec<ShownSample> = found.into_iter().map(shown).collect();
    wanted.sort_by(|one, other| one.labels.cmp(&other.labels));
    found.sort_by(|one, other| one.labels.cmp(&other.labels));
    let is_same = |one: &ShownSample, other: &ShownSample| {
        one.labels == other.labels
            && one.histogram == other.histogram
            && (one.value == other.value
                || is_fuzzy && (one.value.next_down() == other.value || one.value.next_up() == other.value))
    };
    if wanted.len() == found.len() && wanted.iter().zip(&found).all(|(one, other)| is_same(one, other)) {
        return Ok(None);
    }
    if style == Style::Lists {
        return Ok(Some(format!("\n        exp: {}\n        got: {}", all(&wanted), all(&found))));
    }
    let mut out = String::from("\n        diff:");
    for sample in &wanted {
        let sign = if found.iter().any(|other| is_same(sample, other)) { ' ' } else { '-' };
        out.push_str(&format!("\n          {sign} {}", sample.text()));
    }
    for sample in found.iter().filter(|sample| !wanted.iter().any(|other| is_same(other, sample))) {
        out.push_str(&format!("\n          + {}", sample.text()));
    }
    Ok(Some(out))
}

fn read(sample: &ExpectedSample) -> Result<ShownSample, String> {
    let labels = labels_of(&sample.labels)?;
    if sample.histogram.is_empty() {
        return Ok(ShownSample { labels, value: sample.value, histogram: String::new() });
    }
    let one = described(&format!("{{}} {}", sample.histogram))?;
    match &one.values[..] {
        [Sequence::Histogram { histogram: value, .. }] => {
            Ok(ShownSample { labels, value: 0.0, histogram: histogram::text(value) })
        }
        [_] => Err(format!("expected histogram, got {}", sample.histogram)),
        values => Err(format!("expected 1 value, got {}", values.len())),
    }
}

/// A series as a selector writes it; nothing is one without labels.
fn labels_of(text: &str) -> Result<Labels, String> {
    if text.trim().is_empty() || text.replace(char::is_whitespace, "") == "{}" {
        return Ok(Labels::default());
    }
    let expr = syntax::parse_selector(text).map_err(|error| error.to_string())?;
    let Node::Selector(selector) = &expr.node else { return Err("no series".to_owned()) };
    let pairs = selector.matchers.iter().map(|matcher| (matcher.name.as_str(), matcher.value.as_str()));
    Labels::new(pairs).map_err(|error| error.to_string())
}

fn all(samples: &[ShownSample]) -> String {
    if samples.is_empty() {
        return "nil".to_owned();
    }
    samples.iter().map(ShownSample::text).collect::<Vec<_>>().join(", ")
}

impl ShownSample {
    fn text(&self) -> String {
        let value = if self.histogram.is_empty() { exponential(self.value) } else { self.histogram.clone() };
        format!("{} {value}", format::labels(&self.labels))
    }
}

/// `1.5E+00`
fn exponential(value: f64) -> String {
    if !value.is_finite() {
        return format::shortest(value);
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').expect("written with an exponent");
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}E{sign}{digits:0>2}")
}
