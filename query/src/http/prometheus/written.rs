//! Values as Prometheus' API writes them: numbers in strings, times in seconds.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq, SerializeTuple},
};
use weir_proto::{
    metrics::{Histogram, Labels},
    remote_write::histogram_message,
};

use crate::promql::{
    format,
    histogram::{self, Bucket},
    value::{Point, Stretch, Value},
};

/// A query's answer.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) value: Value,
    /// Whether histograms of a matrix come with their message of remote write, which has all of them.
    pub(super) is_exact: bool,
}

/// A label set as an object.
#[derive(Debug)]
pub(super) struct Metric(pub(super) Labels);

/// A number in a string.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text(pub(super) f64);

/// A time, in seconds, of Unix ms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub(super) i64);

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        labels(&self.0, serializer)
    }
}

fn labels<S: Serializer>(labels: &Labels, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in labels.iter() {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        if size == 0.0 || (1e-6..1e21).contains(&size) {
            return write!(f, "{}", self.0);
        }
        f.write_str(&format::api(self.0))
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1_000 == 0 {
            serializer.serialize_i64(self.0 / 1_000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1e3)
        }
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            // Not as the values of series: never with an exponent.
            Value::Scalar { time_ms, value } => (Seconds(*time_ms), format::plain(*value)).serialize(serializer),
            Value::Text { time_ms, bytes } => (Seconds(*time_ms), String::from_utf8_lossy(bytes)).serialize(serializer),
            Value::Vector(vector) => {
                serializer.collect_seq(vector.iter().map(|(labels, time, point)| Sample { labels, time: *time, point }))
            }
            Value::Matrix(matrix) => serializer.collect_seq(matrix.iter().map(|line| Line(line, self.is_exact))),
        }
    }
}

/// `{"metric":{…},"value":[…]}`
struct Sample<'a> {
    labels: &'a Labels,
    time: i64,
    point: &'a Point,
}

impl Serialize for Sample<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("metric", &Named(self.labels))?;
        match self.point {
            Point::Float(value) => map.serialize_entry("value", &(Seconds(self.time), Text(*value)))?,
            Point::Histogram(histogram) => {
                map.serialize_entry("histogram", &(Seconds(self.time), Buckets { histogram, exact_at_ms: None }))?;
            }
        }
        map.end()
    }
}

struct Named<'a>(&'a Labels);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        labels(self.0, serializer)
    }
}

/// `{"metric":{…},"values":[…],"histograms":[…]}`
struct Line<'a>(&'a Stretch, bool);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("metric", &Named(&self.0.labels))?;
        if !self.0.floats.is_empty() {
            map.serialize_entry("values", &Floats(&self.0.floats))?;
        }
        if !self.0.histograms.is_empty() {
            let written: Vec<_> = self
                .0
                .histograms
                .iter()
                .map(|(time, histogram)| {
                    let exact_at_ms = self.1.then_some(*time);
                    (Seconds(*time), Buckets { histogram, exact_at_ms })
                })
                .collect();
            map.serialize_entry("histograms", &written)?;
        }
        map.end()
    }
}

struct Floats<'a>(&'a [(i64, f64)]);

impl Serialize for Floats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for &(time, value) in self.0 {
            list.serialize_element(&(Seconds(time), Text(value)))?;
        }
        list.end()
    }
}

/// `{"count":"…","sum":"…","buckets":[[kind,"lower","upper","count"],…]}`, and `exact` where it is asked for.
struct Buckets<'a> {
    histogram: &'a Histogram,
    /// Its time in its message.
    exact_at_ms: Option<i64>,
}

impl Serialize for Buckets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("count", &Text(self.histogram.count))?;
        map.serialize_entry("sum", &Text(self.histogram.sum))?;
        let is_custom = histogram::is_custom(self.histogram);
        let buckets: Vec<_> = histogram::all_buckets(self.histogram)
            .into_iter()
            .filter(|bucket| bucket.count != 0.0)
            .map(|bucket| OneBucket { bucket, is_custom })
            .collect();
        if !buckets.is_empty() {
            map.serialize_entry("buckets", &buckets)?;
        }
        if let Some(time_ms) = self.exact_at_ms {
            map.serialize_entry("exact", &BASE64_STANDARD.encode(histogram_message(self.histogram, time_ms)))?;
        }
        map.end()
    }
}

struct OneBucket {
    bucket: Bucket,
    is_custom: bool,
}

impl OneBucket {
    /// 0: open on the left, 1: on the right, 2: on both sides, 3: closed on both.
    fn kind(&self) -> u8 {
        let Bucket { lower, upper, .. } = self.bucket;
        if self.is_custom {
            return if lower == f64::NEG_INFINITY { 3 } else { 0 };
        }
        match (lower < 0.0, upper > 0.0) {
            (true, true) => 3,
            (true, false) => 1,
            _ if lower == 0.0 && upper == 0.0 => 3,
            _ => 0,
        }
    }
}

impl Serialize for OneBucket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(4)?;
        tuple.serialize_element(&self.kind())?;
        tuple.serialize_element(&Text(self.bucket.lower))?;
        tuple.serialize_element(&Text(self.bucket.upper))?;
        tuple.serialize_element(&Text(self.bucket.count))?;
        tuple.end()
    }
}
