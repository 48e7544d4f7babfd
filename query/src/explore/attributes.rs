//! Which attributes spans have, and their frequent values: counted over a sample of the newest.

use std::{collections::HashMap, fmt, time::Instant};

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int32Type, Int64Type},
};
use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use weir_store::{Place, ScanColumn};

use super::{
    durations::Durations,
    parallel,
    plan::{KINDS, Plan, STATUSES},
    red::Scans,
    texts::Texts,
};

/// Keys that are counted.
const KEYS_MAX: usize = 20_000;
/// Values of one key that are told apart.
const VALUES_MAX: usize = 2_000;
/// Values of all keys.
const VALUES_ALL_MAX: usize = 400_000;
/// Bytes of all values.
const VALUE_BYTES_MAX: usize = 32 << 20;

/// An attribute's value, as far as values are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Value {
    Bool(bool),
    /// As JSON writes it.
    Number(String),
    Text(String),
    /// A list, a map, or none.
    Other,
}

/// What was counted of a key.
#[derive(Debug, Default)]
pub(crate) struct KeyCounts {
    /// It is a field of the span, not an attribute.
    pub(crate) is_field: bool,
    pub(crate) spans: u64,
    pub(crate) weight: f64,
    /// Spans and what they stand for.
    pub(crate) values: HashMap<Value, (u64, f64)>,
    /// Some values are not told apart.
    pub(crate) is_cut: bool,
}

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct AttributeCounts {
    pub(crate) spans: u64,
    /// What these stand for.
    pub(crate) weight: f64,
    pub(crate) weighted: bool,
    pub(crate) keys: HashMap<String, KeyCounts>,
    pub(crate) keys_left_out: u64,
    value_bytes: usize,
    value_count: usize,
    pub(crate) is_late: bool,
    pub(crate) is_damaged: bool,
    /// There are more spans than were counted.
    pub(crate) is_sample: bool,
    /// What those with an error stand for.
    pub(crate) errors: f64,
    /// Of all of them, in one step.
    pub(crate) durations: Durations,
}

const WANTED: [ScanColumn; 8] = [
    ScanColumn::AdjustedCount,
    ScanColumn::Service,
    ScanColumn::Name,
    ScanColumn::Kind,
    ScanColumn::StatusCode,
    ScanColumn::Attributes(Place::Span),
    ScanColumn::Attributes(Place::Resource),
    ScanColumn::Duration,
];

/// Rows of a part that is read at a time.
const PART_ROWS: u32 = 8192;
/// Parts over which a sample is spread, at least, where there are so many.
const PARTS_MIN: usize = 32;

/// Counts the attributes of spans that fulfil the plan, and do not fulfil all of `without` ([`Plan::by_rows`]): of `spans_max`, spread evenly over what
/// there is.
pub(crate) fn count(
    plan: &Plan,
    without: Option<&Plan>,
    spans_max: usize,
    scan: Scans<'_>,
    deadline: Instant,
) -> AttributeCounts {
    let mut counts = AttributeCounts::default();
    let mut wanted = WANTED.to_vec();
    wanted.extend(without.iter().flat_map(|without| without.columns()));
    let batches = scan(plan.request(&wanted)).split(PART_ROWS);
    let parts = batches.parts_rows_max().len();
    let of_part = spans_max.div_ceil(parts.clamp(1, PARTS_MIN));
    let passing = |batch: &RecordBatch| {
        let mut passing = plan.passing(batch, wanted.len());
        if let Some(without) = without {
            let passing = passing.get_or_insert_with(|| vec![true; batch.num_rows()]);
            match without.passing(batch, WANTED.len()) {
                Some(excluded) => passing.iter_mut().zip(excluded).for_each(|(passes, is)| *passes &= !is),
                None => passing.fill(false),
            }
        }
        passing
    };
    let order: Vec<usize> = spread(parts).collect();
    let mut rest = order.as_slice();
    while !rest.is_empty() {
        let mut left = spans_max.saturating_sub(counts.spans as usize);
        if left == 0 {
            counts.is_sample = true;
            break;
        }
        if Instant::now() >= deadline {
            counts.is_late = true;
            break;
        }
        // Counted together, added one after the other: the sample does not depend on who is first.
        let mut some = Vec::new();
        while some.len() < parallel::threads(rest.len()) && left > 0 {
            let most = left.min(of_part);
            some.push((rest[some.len()], most));
            left -= most;
        }
        rest = &rest[some.len()..];
        let counted = parallel::each(&some, |&(part, most)| {
            let mut counts = AttributeCounts::default();
            batches.read_in_pieces(part, &mut |batch, pieces| {
                let most = most.div_ceil(pieces).min(most - counts.spans as usize);
                counts.add(batch, passing(batch).as_deref(), most);
            });
            counts
        });
        counted.into_iter().for_each(|of_part| counts.merge(of_part));
    }
    counts.is_damaged = batches.is_partial();
    counts
}

/// All parts, neighbours in the order far from each other.
fn spread(parts: usize) -> impl Iterator<Item = usize> {
    let greatest_common_divisor = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    // About the golden ratio.
    let step = (parts * 618 / 1000..=parts.max(1)).find(|&step| greatest_common_divisor(step, parts) == 1);
    let step = step.unwrap_or(1);
    (0..parts).map(move |at| at * step % parts)
}

impl AttributeCounts {
    fn add(&mut self, batch: &RecordBatch, passing: Option<&[bool]>, spans_max: usize) {
        let weights = batch.column(0).as_primitive::<Float64Type>();
        let fields = [("service", 1), ("operation", 2)].map(|(key, at)| (key, Texts::of(batch.column(at).as_ref())));
        let kinds = batch.column(3).as_primitive::<Int32Type>().values();
        let statuses = batch.column(4).as_primitive::<Int32Type>().values();
        let durations = batch.column(7).as_primitive::<Int64Type>().values();
        let places = [5, 6].map(|at| Texts::of(batch.column(at).as_ref()));
        // Resources repeat: what a text holds is read once.
        let mut known: [HashMap<u32, Vec<(String, Value)>>; 2] = [HashMap::new(), HashMap::new()];
        let passes = |row: &usize| passing.is_none_or(|passing| passing[*row]);
        let all = (0..batch.num_rows()).filter(passes).count();
        self.is_sample |= all > spans_max;
        // Evenly over the batch, not the first ones.
        let every = all.div_ceil(spans_max.max(1)).max(1);
        for row in (0..batch.num_rows()).filter(passes).step_by(every).take(spans_max) {
            let weight = if weights.is_null(row) { 1.0 } else { weights.value(row) };
            self.spans += 1;
            self.weight += weight;
            self.weighted |= weight != 1.0;
            self.errors += if statuses[row] == 2 { weight } else { 0.0 };
            self.durations.add(0, durations[row].max(0) as u64, weight);
            for (key, texts) in &fields {
                self.field(key, texts.text(row).unwrap_or_default(), weight);
            }
            let named = |names: &[&'static str], code: i32| {
                usize::try_from(code).ok().and_then(|code| names.get(code).copied()).unwrap_or("unspecified")
            };
            self.field("kind", named(&KINDS, kinds[row]), weight);
            self.field("status", named(&STATUSES, statuses[row]), weight);
            let mut own: Vec<String> = Vec::new();
            for (place, (texts, known)) in places.iter().zip(&mut known).enumerate() {
                let Some(code) = texts.code(row) else { continue };
                if known.len() > 4096 {
                    known.clear();
                }
                let entries = known.entry(code).or_insert_with(|| entries(texts.of_code(code)));
                for (key, value) in entries.iter() {
                    // The span's value goes before the resource's.
                    if place == 1 && own.contains(key) {
                        continue;
                    }
                    self.value(key, value, weight);
                }
                if place == 0 {
                    own = entries.iter().map(|(key, _)| key.clone()).collect();
                }
            }
        }
    }

    fn field(&mut self, key: &str, text: &str, weight: f64) {
        self.value(key, &Value::Text(text.to_owned()), weight);
        if let Some(counts) = self.keys.get_mut(key) {
            counts.is_field = true;
        }
    }

    /// Adds what was counted of other spans. Where there is no room for all values, the frequent ones go first.
    fn merge(&mut self, other: Self) {
        self.spans += other.spans;
        self.weight += other.weight;
        self.weighted |= other.weighted;
        self.errors += other.errors;
        self.is_sample |= other.is_sample;
        self.keys_left_out += other.keys_left_out;
        self.durations.merge(other.durations);
        let mut keys: Vec<(String, KeyCounts)> = other.keys.into_iter().collect();
        keys.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (key, of_key) in keys {
            let Some(counts) = self.key(&key, of_key.spans) else { continue };
            counts.is_field |= of_key.is_field;
            counts.is_cut |= of_key.is_cut;
            counts.spans += of_key.spans;
            counts.weight += of_key.weight;
            let mut values: Vec<(Value, (u64, f64))> = of_key.values.into_iter().collect();
            values.sort_unstable_by(|(a, of_a), (b, of_b)| of_b.0.cmp(&of_a.0).then_with(|| a.cmp(b)));
            for (value, count) in values {
                self.count(&key, &value, count);
            }
        }
    }

    fn value(&mut self, key: &str, value: &Value, weight: f64) {
        let Some(counts) = self.key(key, 1) else { return };
        counts.spans += 1;
        counts.weight += weight;
        self.count(key, value, (1, weight));
    }

    /// A key's counts, unless there are too many keys: then it is left out so many times.
    fn key(&mut self, key: &str, spans: u64) -> Option<&mut KeyCounts> {
        if !self.keys.contains_key(key) {
            if self.keys.len() >= KEYS_MAX {
                self.keys_left_out += spans;
                return None;
            }
            self.keys.insert(key.to_owned(), KeyCounts::default());
        }
        self.keys.get_mut(key)
    }

    /// Counts a value of a key that is there.
    fn count(&mut self, key: &str, value: &Value, (spans, weight): (u64, f64)) {
        let Some(counts) = self.keys.get_mut(key) else { return };
        if let Some(count) = counts.values.get_mut(value) {
            *count = (count.0 + spans, count.1 + weight);
            return;
        }
        let bytes = match value {
            Value::Text(text) | Value::Number(text) => text.len(),
            _ => 0,
        };
        let is_full = self.value_count >= VALUES_ALL_MAX || self.value_bytes + bytes > VALUE_BYTES_MAX;
        if is_full || counts.values.len() >= VALUES_MAX {
            counts.is_cut = true;
            return;
        }
        self.value_bytes += bytes;
        self.value_count += 1;
        counts.values.insert(value.clone(), (spans, weight));
    }
}

/// Bytes of a text by which values are told apart.
const TEXT_BYTES_MAX: usize = 1024;

/// The attributes in JSON text as the store writes it.
pub(crate) fn entries(json: &str) -> Vec<(String, Value)> {
    struct Entries;
    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(key) = map.next_key::<String>()? {
                entries.push((key, map.next_value::<Value>()?));
            }
            Ok(entries)
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_map(Entries).unwrap_or_default()
}

impl<'de> serde::Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Number(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::Number(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Number(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value[..value.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What two threads counted is what one would have.
    #[test]
    fn counts_are_merged_as_if_all_had_been_added_to_one() {
        let rows: Vec<(String, f64)> = (0..3 * VALUES_MAX / 2).map(|n| (format!("v{}", n % VALUES_MAX), 1.0)).collect();
        let add = |counts: &mut AttributeCounts, rows: &[(String, f64)]| {
            for (text, weight) in rows {
                counts.spans += 1;
                counts.value("key", &Value::Text(text.clone()), *weight);
            }
        };
        let (mut one, mut first, mut second) = Default::default();
        add(&mut one, &rows);
        add(&mut first, &rows[..1000]);
        add(&mut second, &rows[1000..]);
        first.merge(second);
        assert_eq!(first.spans, one.spans);
        let (merged, added) = (&first.keys["key"], &one.keys["key"]);
        assert_eq!((merged.spans, merged.weight, &merged.values), (added.spans, added.weight, &added.values));
        assert!(!merged.is_cut);
        let mut third = AttributeCounts::default();
        add(&mut third, &[("more".into(), 1.0)]);
        first.merge(third);
        assert!(first.keys["key"].is_cut, "one value more than are told apart");
    }
}
