//! What the log says of a file's rows, so that readers leave files out.

use serde_json::{Map, Value, json};

use super::calendar;

/// Characters of a text that are kept; Spark keeps as many.
const TEXT_CHARACTERS: usize = 32;

/// The greatest character: what comes after a text that was cut is less than it.
const GREATEST: char = '\u{10ffff}';

/// A bound of a column's values.
#[derive(Clone, Debug, PartialEq)]
pub enum Statistic {
    /// Of a long or an integer.
    Long(i64),
    /// Of a text. It may be long: it is cut.
    Text(String),
    /// Of a timestamp, in µs.
    TimestampMicros(i64),
    /// Of a double.
    Double(f64),
    /// Of a boolean.
    Boolean(bool),
}

/// What is known of a column in one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnStatistics {
    /// No value is less.
    pub min: Option<Statistic>,
    /// No value is greater.
    pub max: Option<Statistic>,
    /// Rows without a value.
    pub nulls: Option<u64>,
}

/// What is known of a file's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileStatistics {
    /// How many there are.
    pub rows: u64,
    /// Of columns, by name.
    pub columns: Vec<(String, ColumnStatistics)>,
}

impl FileStatistics {
    /// The log's `stats`.
    pub fn to_json(&self) -> String {
        let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
        for (name, column) in &self.columns {
            let bounds = (column.min.as_ref().and_then(lower), column.max.as_ref().and_then(upper));
            // One alone is allowed, but some readers want both or none.
            if let (Some(min), Some(max)) = bounds {
                least.insert(name.clone(), min);
                greatest.insert(name.clone(), max);
            }
            if let Some(count) = column.nulls {
                nulls.insert(name.clone(), json!(count));
            }
        }
        json!({"numRecords": self.rows, "minValues": least, "maxValues": greatest, "nullCount": nulls}).to_string()
    }
}

/// A bound below: texts are cut, instants go down to the millisecond.
fn lower(value: &Statistic) -> Option<Value> {
    Some(match value {
        Statistic::Text(text) => json!(text.chars().take(TEXT_CHARACTERS).collect::<String>()),
        Statistic::TimestampMicros(micros) => json!(calendar::text(micros.div_euclid(1000))?),
        other => exact(other)?,
    })
}

/// A bound above: a text that is cut gets a greater end, instants go up to the millisecond. Readers differ in whether
/// they allow for instants that were cut; this way none has to.
fn upper(value: &Statistic) -> Option<Value> {
    Some(match value {
        Statistic::Text(text) => {
            let mut rest = text.chars();
            let mut cut: String = rest.by_ref().take(TEXT_CHARACTERS).collect();
            match rest.next() {
                None => {}
                Some(GREATEST) => return None,
                Some(_) => cut.push(GREATEST),
            }
            json!(cut)
        }
        Statistic::TimestampMicros(micros) => {
            json!(calendar::text(micros.div_euclid(1000) + i64::from(micros % 1000 != 0))?)
        }
        other => exact(other)?,
    })
}

fn exact(value: &Statistic) -> Option<Value> {
    match value {
        Statistic::Long(value) => Some(json!(value)),
        Statistic::Boolean(value) => Some(json!(value)),
        // JSON has no infinity and no NaN.
        Statistic::Double(value) => value.is_finite().then(|| json!(value)),
        Statistic::Text(_) | Statistic::TimestampMicros(_) => None,
    }
}

/// The rows of a `stats` text.
pub(super) fn rows(stats: &str) -> Option<u64> {
    serde_json::from_str::<Value>(stats).ok()?.get("numRecords")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(min: Statistic, max: Statistic) -> ColumnStatistics {
        ColumnStatistics { min: Some(min), max: Some(max), nulls: Some(0) }
    }

    #[test]
    fn bounds_that_are_cut_are_bounds_still() {
        let long = "x".repeat(40);
        let end = format!("{}{GREATEST}{GREATEST}", "x".repeat(32));
        let statistics = FileStatistics {
            rows: 3,
            columns: vec![
                ("id".to_owned(), column(Statistic::Long(i64::MIN), Statistic::Long(i64::MAX))),
                ("text".to_owned(), column(Statistic::Text(long.clone()), Statistic::Text(long))),
                ("end".to_owned(), column(Statistic::Text(String::new()), Statistic::Text(end))),
                ("time".to_owned(), column(Statistic::TimestampMicros(-1), Statistic::TimestampMicros(1001))),
                ("nan".to_owned(), column(Statistic::Double(0.0), Statistic::Double(f64::NAN))),
            ],
        };
        let written: Value = serde_json::from_str(&statistics.to_json()).expect("JSON");
        let x = "x".repeat(32);
        let expected = json!({
            "numRecords": 3,
            "minValues": {"id": i64::MIN, "text": x, "time": "1969-12-31T23:59:59.999Z"},
            "maxValues": {"id": i64::MAX, "text": format!("{x}{GREATEST}"), "time": "1970-01-01T00:00:00.002Z"},
            "nullCount": {"id": 0, "text": 0, "end": 0, "time": 0, "nan": 0},
        });
        assert_eq!(written, expected);
        assert_eq!(rows(&statistics.to_json()), Some(3));
    }
}
