//! Lines of an answer, under the streams that they belong to.

use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer, ser::SerializeTuple};

use crate::logql::engine::Entry;

/// Labels by name.
pub(in crate::http) type Labels = BTreeMap<String, String>;

/// A stream with its lines.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Stream {
    stream: Labels,
    values: Vec<Line>,
}

/// A line.
#[derive(Debug)]
struct Line {
    time_ns: u64,
    text: String,
    /// What it has beside its stream's labels, where that is asked for.
    beside: Option<Beside>,
}

/// What a line has beside its stream's labels.
#[derive(Debug, Default, Serialize)]
struct Beside {
    #[serde(rename = "structuredMetadata", skip_serializing_if = "Labels::is_empty")]
    metadata: Labels,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    parsed: Labels,
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(2 + usize::from(self.beside.is_some()))?;
        tuple.serialize_element(&self.time_ns.to_string())?;
        tuple.serialize_element(&self.text)?;
        if let Some(beside) = &self.beside {
            tuple.serialize_element(beside)?;
        }
        tuple.end()
    }
}

/// Groups entries by their labels: by those of the stream when `categorizes`, else by all. Streams come as their first lines do.
/// Entries of a stream that lie nearer than `interval_ns` to the one before are left out.
pub(in crate::http) fn streams(entries: Vec<Entry>, categorizes: bool, interval_ns: u64) -> Vec<Stream> {
    let mut numbers: HashMap<Labels, usize> = HashMap::new();
    let mut streams: Vec<Stream> = Vec::new();
    for entry in entries {
        let mut labels: Labels = entry.stream.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let beside = if categorizes {
            Some(Beside { metadata: entry.metadata.into_iter().collect(), parsed: entry.parsed.into_iter().collect() })
        } else {
            labels.extend(entry.metadata);
            labels.extend(entry.parsed);
            None
        };
        let number = *numbers.entry(labels).or_insert_with_key(|labels| {
            streams.push(Stream { stream: labels.clone(), values: Vec::new() });
            streams.len() - 1
        });
        let values = &mut streams[number].values;
        let is_near = values.last().is_some_and(|last| last.time_ns.abs_diff(entry.time_ns) < interval_ns);
        if !is_near {
            values.push(Line { time_ns: entry.time_ns, text: entry.text, beside });
        }
    }
    streams
}

impl Stream {
    /// How many lines.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}
