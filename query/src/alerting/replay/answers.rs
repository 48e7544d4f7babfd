//! Answers of a whole stretch of time, as the HTTP APIs of Prometheus and Loki send them, or SQL a time after the other.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value as Json;
use weir_proto::{
    metrics::{Histogram, Labels},
    remote_write::read_histogram,
};

use crate::{
    alerting::rows,
    promql::{syntax::number::parse_float, value::Point},
};

/// What a query gave at many times.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Each with its own labels.
    pub series: Vec<Series>,
    /// What it was computed without, because it could not be read: a sentence for each.
    pub missing: Vec<String>,
}

/// A series and its values, by time in Unix ms.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// With the metric's name, where it has one.
    pub labels: Labels,
    /// In order.
    pub points: Vec<(i64, Sample)>,
}

/// A value of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

impl Sample {
    /// Of a point of the engine.
    pub(super) fn of(point: Point) -> Self {
        match point {
            Point::Float(value) => Self::Float(value),
            Point::Histogram(histogram) => Self::Histogram(histogram),
        }
    }

    /// For the engine.
    pub(super) fn point(&self) -> Point {
        match self {
            Self::Float(value) => Point::Float(*value),
            Self::Histogram(histogram) => Point::Histogram(Arc::clone(histogram)),
        }
    }
}

/// What warnings that are about the query itself begin with.
const OF_QUERY: &str = "PromQL ";

/// The answer that stands in `data.result` of a body. Histograms have to come with their messages: `histograms=exact`.
pub fn of_matrix(body: &[u8]) -> Result<Answer, String> {
    let body: Json = serde_json::from_slice(body).map_err(|error| format!("no answer: {error}"))?;
    if body["status"] != "success" {
        return Err(body["error"].as_str().unwrap_or("the answer says nothing").to_owned());
    }
    let Some(result) = body["data"]["result"].as_array() else { return Err("the answer has no result".to_owned()) };
    let warnings = body["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let missing = warnings.filter(|warning| !warning.starts_with(OF_QUERY)).map(str::to_owned).collect();
    let mut answer = Answer { series: Vec::with_capacity(result.len()), missing };
    for one in result {
        let labels = one["metric"].as_object().into_iter().flatten();
        let labels = labels.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
        let labels = Labels::new(labels).map_err(|error| error.to_string())?;
        let mut points = Vec::new();
        for point in one["values"].as_array().into_iter().flatten() {
            let time = point[0].as_f64().ok_or("a value has no time")?;
            let value = point[1].as_str().and_then(parse_float).ok_or("a value is no number")?;
            points.push(((time * 1e3).round() as i64, Sample::Float(value)));
        }
        let histograms = one["histograms"].as_array().map(Vec::as_slice).unwrap_or_default();
        for point in histograms {
            let exact = point[1]["exact"].as_str().ok_or("a histogram comes without its message")?;
            let message = BASE64_STANDARD.decode(exact).map_err(|error| error.to_string())?;
            let (time_ms, histogram) = read_histogram(&message).map_err(|error| error.to_string())?;
            points.push((time_ms, Sample::Histogram(Arc::from(histogram))));
        }
        if !histograms.is_empty() {
            points.sort_by_key(|(time_ms, _)| *time_ms);
        }
        answer.series.push(Series { labels, points });
    }
    Ok(answer)
}

/// What SQL answered of one time, Unix ms: rows with a column `value`, the other columns as labels.
///
/// # Errors
///
/// The answer is an error, is not whole, has no such column, or two rows with the same labels.
pub fn of_rows(body: &[u8], time_ms: i64) -> Result<Answer, String> {
    let error = || serde_json::from_slice::<Json>(body).ok()?["error"]["message"].as_str().map(str::to_owned);
    if let Some(error) = error() {
        return Err(error);
    }
    let mut answer = Answer::default();
    let mut seen = HashSet::new();
    for (labels, point) in rows::vector(body, true)? {
        if !seen.insert(labels.clone()) {
            return Err(format!("two rows have the same labels: {labels}"));
        }
        answer.series.push(Series { labels, points: vec![(time_ms, Sample::of(point))] });
    }
    Ok(answer)
}

/// Answers of a stretch, put together one after the other.
#[derive(Debug, Default)]
pub struct AnswerSoFar {
    answer: Answer,
    /// Where the series with these labels is.
    places: HashMap<Labels, usize>,
}

impl AnswerSoFar {
    /// Adds the answer of the time behind those before.
    pub fn add(&mut self, later: Answer) {
        let Answer { series: known, missing } = &mut self.answer;
        for series in later.series {
            match self.places.get(&series.labels) {
                Some(&at) => known[at].points.extend(series.points),
                None => {
                    self.places.insert(series.labels.clone(), known.len());
                    known.push(series);
                }
            }
        }
        for what in later.missing {
            if !missing.contains(&what) {
                missing.push(what);
            }
        }
    }

    /// All of it.
    pub fn answer(self) -> Answer {
        self.answer
    }
}
