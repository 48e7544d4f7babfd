//! Answers of a whole stretch of time, as the HTTP APIs of Prometheus and Loki send them.

use std::collections::HashMap;

use serde_json::Value as Json;
use weir_proto::metrics::Labels;

use crate::promql::syntax::number::parse_float;

/// What a query gave at many times.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Each with its own labels.
    pub series: Vec<Series>,
}

/// A series and its values, by time in Unix ms.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// With the metric's name, where it has one.
    pub labels: Labels,
    /// In order.
    pub points: Vec<(i64, f64)>,
}

/// The answer that stands in `data.result` of a body; histograms are left out.
pub fn of_matrix(body: &[u8]) -> Result<Answer, String> {
    let body: Json = serde_json::from_slice(body).map_err(|error| format!("no answer: {error}"))?;
    if body["status"] != "success" {
        return Err(body["error"].as_str().unwrap_or("the answer says nothing").to_owned());
    }
    let Some(result) = body["data"]["result"].as_array() else { return Err("the answer has no result".to_owned()) };
    let mut answer = Answer::default();
    for one in result {
        let labels = one["metric"].as_object().into_iter().flatten();
        let labels = labels.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
        let labels = Labels::new(labels).map_err(|error| error.to_string())?;
        let mut points = Vec::new();
        for point in one["values"].as_array().into_iter().flatten() {
            let time = point[0].as_f64().ok_or("a value has no time")?;
            let value = point[1].as_str().and_then(parse_float).ok_or("a value is no number")?;
            points.push(((time * 1e3).round() as i64, value));
        }
        answer.series.push(Series { labels, points });
    }
    Ok(answer)
}

impl Answer {
    /// Adds the answer of the time behind it.
    pub fn extend(&mut self, later: Self) {
        let known = self.series.iter().enumerate().map(|(at, series)| (series.labels.clone(), at));
        let known: HashMap<Labels, usize> = known.collect();
        for series in later.series {
            match known.get(&series.labels) {
                Some(at) => self.series[*at].points.extend(series.points),
                None => self.series.push(series),
            }
        }
    }
}
