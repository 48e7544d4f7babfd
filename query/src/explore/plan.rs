//! What the store can decide of conditions, and what is left to be decided of each row.

use std::{collections::HashSet, ops::RangeInclusive};

use arrow_array::{
    Array, FixedSizeBinaryArray, RecordBatch, StringArray,
    cast::AsArray,
    types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type},
};
use regex::Regex;
use weir_proto::{SpanId, TraceId, duration};
use weir_store::{
    AttributeCondition, AttributeForm, AttributeTest, Place, ScanColumn, ScanFilter, ScanRequest,
    sampling::POLICY_ATTRIBUTE,
};

use super::condition::{BadCondition, Condition, Side, Test};

/// Names of OTLP's SpanKinds, by number.
pub(crate) const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/// Names of OTLP's StatusCodes, by number.
pub(crate) const STATUSES: [&str; 3] = ["unset", "ok", "error"];

/// Conditions, ready for a scan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// What the store decides.
    pub(crate) filter: ScanFilter,
    /// What is decided here, each with the columns that it looks at.
    rest: Vec<RowTest>,
    /// Whether entries are asked for, or others, by a condition.
    pub(crate) asks_for_entries: bool,
}

#[derive(Debug, Clone)]
enum RowTest {
    /// The text of a column.
    Text(ScanColumn, TextTest),
    /// Server, consumer or without a parent; or none of that.
    Entry(bool),
    /// A parent's id is there, or not.
    HasParent(bool),
    /// One of the ids is this, or none of them.
    Id(ScanColumn, SpanId, bool),
    /// A number of OTLP's is one of these.
    Code(ScanColumn, Vec<i32>),
    /// The start, Unix ns.
    Start(RangeInclusive<u64>),
    /// The duration in ns.
    Duration(RangeInclusive<u64>),
    /// An attribute is a number within these bounds, in IEEE 754's total order.
    Number(ScanColumn, RangeInclusive<f64>),
    /// An attribute is this boolean.
    Bool(ScanColumn, bool),
    /// One of these traces.
    Trace(Vec<TraceId>),
}

#[derive(Debug, Clone)]
enum TextTest {
    Missing,
    Present,
    In(Vec<String>),
    NotEqual(String),
    Fits(Regex),
    FitsNot(Regex),
}

impl TextTest {
    fn passes(&self, text: &str) -> bool {
        match self {
            Self::Missing => false,
            Self::Present => true,
            Self::In(texts) => texts.iter().any(|one| one == text),
            Self::NotEqual(other) => text != other,
            Self::Fits(pattern) => pattern.is_match(text),
            Self::FitsNot(pattern) => !pattern.is_match(text),
        }
    }

    fn passes_null(&self) -> bool {
        !matches!(self, Self::Fits(_) | Self::Present | Self::In(_))
    }
}

impl Plan {
    /// Of all conditions.
    pub(crate) fn of(conditions: &[Condition]) -> Result<Self, BadCondition> {
        let mut plan = Self::default();
        for condition in conditions {
            plan.add(condition)?;
        }
        Ok(plan)
    }

    /// Of what the store decides alone.
    pub(crate) fn of_filter(filter: ScanFilter) -> Self {
        Self { filter, ..Self::default() }
    }

    /// Whether no row that the store reads is left to be decided here.
    pub(crate) fn is_decided_by_store(&self) -> bool {
        self.rest.is_empty()
    }

    /// Of this service only.
    pub(crate) fn of_service(&mut self, service: &str) {
        one_of(&mut self.filter.services, &[service.to_owned()]);
    }

    /// Of these services only.
    pub(crate) fn of_services(&mut self, services: &[String]) {
        one_of(&mut self.filter.services, services);
    }

    /// Of this operation only.
    pub(crate) fn of_operation(&mut self, name: &str) {
        one_of(&mut self.filter.names, &[name.to_owned()]);
    }

    /// Spans that something enters a service by, only.
    pub(crate) fn of_entries(&mut self) {
        self.rest.push(RowTest::Entry(true));
    }

    /// The same with nothing left to the store: for telling, of rows that were read, which of them fulfil it.
    pub(crate) fn by_rows(self) -> Self {
        // Nobody asks for tags by conditions; the last ones are of lines only.
        let ScanFilter {
            trace_ids,
            services,
            names,
            kinds,
            status_codes,
            start_ns,
            duration_ns,
            attributes,
            tags: _,
            body_contains: _,
            body_any: _,
            body_any_case: _,
            body_lacks: _,
            resources: _,
            fields: _,
            beside: _,
        } = self.filter;
        let mut rest = self.rest;
        let one_of = |column, texts| RowTest::Text(column, TextTest::In(texts));
        rest.extend(trace_ids.map(RowTest::Trace));
        rest.extend(services.map(|texts| one_of(ScanColumn::Service, texts)));
        rest.extend(names.map(|texts| one_of(ScanColumn::Name, texts)));
        rest.extend(kinds.map(|codes| RowTest::Code(ScanColumn::Kind, codes)));
        rest.extend(status_codes.map(|codes| RowTest::Code(ScanColumn::StatusCode, codes)));
        if start_ns != (0..=u64::MAX) {
            rest.push(RowTest::Start(start_ns));
        }
        if duration_ns != (0..=u64::MAX) {
            rest.push(RowTest::Duration(duration_ns));
        }
        for AttributeCondition { place, key, test } in attributes {
            let column = |form| ScanColumn::Attribute { place, key: key.clone(), form };
            rest.push(match test {
                AttributeTest::Present => RowTest::Text(column(AttributeForm::Text), TextTest::Present),
                AttributeTest::TextIn(texts) => RowTest::Text(column(AttributeForm::Text), TextTest::In(texts)),
                AttributeTest::NumberIn(bounds) => RowTest::Number(column(AttributeForm::Number), bounds),
                AttributeTest::Is(is) => RowTest::Bool(column(AttributeForm::Bool), is),
            });
        }
        Self { filter: ScanFilter::default(), rest, asks_for_entries: self.asks_for_entries }
    }

    /// What [`Self::passing`] looks at.
    pub(crate) fn columns(&self) -> Vec<ScanColumn> {
        self.rest.iter().flat_map(RowTest::columns).collect()
    }

    /// Adds what another asks.
    pub(crate) fn add_all(&mut self, other: &Self) {
        let others = &other.filter;
        let narrow =
            |a: &RangeInclusive<u64>, b: &RangeInclusive<u64>| *a.start().max(b.start())..=*a.end().min(b.end());
        let mine = &mut self.filter;
        if let Some(wanted) = &others.trace_ids {
            one_of(&mut mine.trace_ids, wanted);
        }
        for (mine, wanted) in [(&mut mine.services, &others.services), (&mut mine.names, &others.names)] {
            if let Some(wanted) = wanted {
                one_of(mine, wanted);
            }
        }
        for (mine, wanted) in [(&mut mine.kinds, &others.kinds), (&mut mine.status_codes, &others.status_codes)] {
            if let Some(wanted) = wanted {
                one_of(mine, wanted);
            }
        }
        mine.start_ns = narrow(&mine.start_ns, &others.start_ns);
        mine.duration_ns = narrow(&mine.duration_ns, &others.duration_ns);
        mine.attributes.extend(others.attributes.iter().cloned());
        self.rest.extend(other.rest.iter().cloned());
    }

    /// A scan for `wanted` columns, which come first; [`Self::passing`] needs the others.
    pub(crate) fn request(&self, wanted: &[ScanColumn]) -> ScanRequest {
        let mut columns = wanted.to_vec();
        columns.extend(self.rest.iter().flat_map(RowTest::columns));
        ScanRequest { columns, filter: self.filter.clone() }
    }

    /// Which rows of a batch of such a scan fulfil everything; `None` when all do. `wanted` columns come first.
    pub(crate) fn passing(&self, batch: &RecordBatch, wanted: usize) -> Option<Vec<bool>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut passing = vec![true; batch.num_rows()];
        let mut at = wanted;
        for test in &self.rest {
            test.narrow(batch, at, &mut passing);
            at += test.columns().len();
        }
        Some(passing)
    }

    fn add(&mut self, condition: &Condition) -> Result<(), BadCondition> {
        let bad = |message: &str| BadCondition::new(condition.position, format!("'{}': {message}", condition.key));
        match condition.key.as_str() {
            "service" => self.text(ScanColumn::Service, &condition.test).map_err(bad),
            "operation" | "name" => self.text(ScanColumn::Name, &condition.test).map_err(bad),
            "state" => self.state(&condition.test).map_err(bad),
            "kind" => {
                let codes = named(&KINDS, &condition.test).map_err(|message| bad(&message))?;
                one_of(&mut self.filter.kinds, &codes);
                Ok(())
            }
            "status" => {
                let codes = named(&STATUSES, &condition.test).map_err(|message| bad(&message))?;
                one_of(&mut self.filter.status_codes, &codes);
                Ok(())
            }
            "error" => {
                let codes = if flag(&condition.test).map_err(bad)? { vec![2] } else { vec![0, 1] };
                one_of(&mut self.filter.status_codes, &codes);
                Ok(())
            }
            "entry" => {
                self.asks_for_entries = true;
                self.rest.push(RowTest::Entry(flag(&condition.test).map_err(bad)?));
                Ok(())
            }
            "duration" => self.duration(&condition.test).map_err(bad),
            "trace" => self.trace(&condition.test).map_err(bad),
            "span" => self.id(ScanColumn::SpanId, &condition.test).map_err(bad),
            "parent" => self.id(ScanColumn::ParentSpanId, &condition.test).map_err(bad),
            "policy" => self.attribute(POLICY_ATTRIBUTE, &condition.test).map_err(bad),
            key => self.attribute(key, &condition.test).map_err(bad),
        }
    }

    /// A column that every span has.
    fn text(&mut self, column: ScanColumn, test: &Test) -> Result<(), &'static str> {
        let rest = match test {
            Test::Equal(text) if column == ScanColumn::Service => {
                one_of(&mut self.filter.services, std::slice::from_ref(text));
                return Ok(());
            }
            Test::Equal(text) => {
                one_of(&mut self.filter.names, std::slice::from_ref(text));
                return Ok(());
            }
            Test::Exists => return Ok(()),
            Test::Missing => TextTest::Missing,
            Test::NotEqual(text) => TextTest::NotEqual(text.clone()),
            Test::Fits(pattern) => TextTest::Fits(pattern.clone()),
            Test::FitsNot(pattern) => TextTest::FitsNot(pattern.clone()),
            Test::Compare(..) => return Err("a text cannot be compared with < or >"),
        };
        self.rest.push(RowTest::Text(column, rest));
        Ok(())
    }

    fn state(&mut self, test: &Test) -> Result<(), &'static str> {
        const SAID: &str = "is 'pending' or 'kept'";
        let (text, is) = match test {
            Test::Equal(text) => (text.as_str(), true),
            Test::NotEqual(text) => (text.as_str(), false),
            _ => return Err(SAID),
        };
        let other = match (text, is) {
            ("pending", true) | ("kept", false) => "kept",
            ("kept", true) | ("pending", false) => "pending",
            _ => return Err(SAID),
        };
        self.rest.push(RowTest::Text(ScanColumn::State, TextTest::NotEqual(other.into())));
        Ok(())
    }

    fn duration(&mut self, test: &Test) -> Result<(), &'static str> {
        let (side, text) = match test {
            Test::Compare(side, text) => (Some(*side), text),
            Test::Equal(text) => (None, text),
            _ => return Err("is compared with >, >=, <, <= or ="),
        };
        let parsed = duration::parse(text).map_err(|_| "is written like 300ms or 1.5s")?;
        let ns = u64::try_from(parsed.as_nanos()).unwrap_or(u64::MAX);
        let bounds = match side {
            None => ns..=ns,
            Some(Side::Above) => ns.saturating_add(1)..=u64::MAX,
            Some(Side::AtLeast) => ns..=u64::MAX,
            Some(Side::Below) if ns == 0 => {
                // Nothing is below 0.
                self.filter.trace_ids = Some(Vec::new());
                return Ok(());
            }
            Some(Side::Below) => 0..=ns - 1,
            Some(Side::AtMost) => 0..=ns,
        };
        let held = &self.filter.duration_ns;
        self.filter.duration_ns = *held.start().max(bounds.start())..=*held.end().min(bounds.end());
        Ok(())
    }

    fn trace(&mut self, test: &Test) -> Result<(), &'static str> {
        let Test::Equal(text) = test else { return Err("is an id, with =") };
        let id: TraceId = text.parse().map_err(|_| "is no trace id")?;
        one_of(&mut self.filter.trace_ids, &[id]);
        Ok(())
    }

    fn id(&mut self, column: ScanColumn, test: &Test) -> Result<(), &'static str> {
        let (text, is) = match test {
            Test::Exists | Test::Missing if column == ScanColumn::ParentSpanId => {
                self.rest.push(RowTest::HasParent(matches!(test, Test::Exists)));
                return Ok(());
            }
            Test::Equal(text) => (text, true),
            Test::NotEqual(text) => (text, false),
            _ => return Err("is an id, with = or !="),
        };
        let id: SpanId = text.parse().map_err(|_| "is no span id")?;
        self.rest.push(RowTest::Id(column, id, is));
        Ok(())
    }

    fn attribute(&mut self, key: &str, test: &Test) -> Result<(), &'static str> {
        let (decided, rest) = match test {
            Test::Exists => (Some(AttributeTest::Present), None),
            Test::Equal(text) => (Some(AttributeTest::TextIn(vec![text.clone()])), None),
            Test::Compare(side, text) => (Some(AttributeTest::NumberIn(numbers(*side, text)?)), None),
            Test::Fits(pattern) => (Some(AttributeTest::Present), Some(TextTest::Fits(pattern.clone()))),
            Test::Missing => (None, Some(TextTest::Missing)),
            Test::NotEqual(text) => (None, Some(TextTest::NotEqual(text.clone()))),
            Test::FitsNot(pattern) => (None, Some(TextTest::FitsNot(pattern.clone()))),
        };
        if let Some(test) = decided {
            self.filter.attributes.push(AttributeCondition { place: Place::Any, key: key.to_owned(), test });
        }
        if let Some(test) = rest {
            self.rest.push(RowTest::Text(attribute_column(key), test));
        }
        Ok(())
    }
}

/// An attribute of the span or else of its resource, as text.
pub(crate) fn attribute_column(key: &str) -> ScanColumn {
    ScanColumn::Attribute { place: Place::Any, key: key.to_owned(), form: AttributeForm::Text }
}

/// Whether something enters a service by such a span, parents aside.
pub(crate) fn is_entry_kind(kind: i32) -> bool {
    // Server and consumer.
    matches!(kind, 2 | 5)
}

/// Narrows what is allowed to what is wanted as well.
fn one_of<T: Clone + PartialEq>(allowed: &mut Option<Vec<T>>, wanted: &[T]) {
    match allowed {
        Some(allowed) => allowed.retain(|one| wanted.contains(one)),
        None => *allowed = Some(wanted.to_vec()),
    }
}

/// The numbers of the names that pass.
fn named(names: &[&str], test: &Test) -> Result<Vec<i32>, String> {
    let (text, is) = match test {
        Test::Equal(text) => (text, true),
        Test::NotEqual(text) => (text, false),
        _ => return Err(format!("is one of {}", names.join(", "))),
    };
    if !names.contains(&text.as_str()) {
        return Err(format!("is one of {}", names.join(", ")));
    }
    Ok((0..).zip(names).filter(|(_, name)| (*name == text) == is).map(|(number, _)| number).collect())
}

fn flag(test: &Test) -> Result<bool, &'static str> {
    match test {
        Test::Equal(text) if text == "true" => Ok(true),
        Test::Equal(text) if text == "false" => Ok(false),
        Test::NotEqual(text) if text == "true" => Ok(false),
        Test::NotEqual(text) if text == "false" => Ok(true),
        Test::Exists => Ok(true),
        Test::Missing => Ok(false),
        _ => Err("is true or false"),
    }
}

/// In the order of [`AttributeTest::NumberIn`], where -0 is below 0.
fn numbers(side: Side, text: &str) -> Result<RangeInclusive<f64>, &'static str> {
    let number: f64 = text.parse().map_err(|_| "can be compared with a number only")?;
    let (low, high) = if number == 0.0 { (-0.0, 0.0) } else { (number, number) };
    Ok(match side {
        Side::Above => high.next_up()..=f64::INFINITY,
        Side::AtLeast => low..=f64::INFINITY,
        Side::Below => f64::NEG_INFINITY..=low.next_down(),
        Side::AtMost => f64::NEG_INFINITY..=high,
    })
}

impl RowTest {
    fn columns(&self) -> Vec<ScanColumn> {
        match self {
            Self::Text(column, _) | Self::Id(column, ..) => vec![column.clone()],
            Self::Entry(_) => vec![ScanColumn::Kind, ScanColumn::ParentSpanId],
            Self::HasParent(_) => vec![ScanColumn::ParentSpanId],
            Self::Code(column, _) | Self::Number(column, _) | Self::Bool(column, _) => vec![column.clone()],
            Self::Start(_) => vec![ScanColumn::StartTime],
            Self::Duration(_) => vec![ScanColumn::Duration],
            Self::Trace(_) => vec![ScanColumn::TraceId],
        }
    }

    /// Takes out the rows that do not pass; its columns begin at `at`.
    fn narrow(&self, batch: &RecordBatch, at: usize, passing: &mut [bool]) {
        let column = batch.column(at).as_ref();
        let mut keep = |passes: &dyn Fn(usize) -> bool| {
            passing.iter_mut().enumerate().for_each(|(row, passing)| *passing = *passing && passes(row));
        };
        match self {
            Self::Code(_, wanted) => {
                let codes = column.as_primitive::<Int32Type>().values();
                keep(&|row| wanted.contains(&codes[row]));
            }
            Self::Start(bounds) => {
                let starts = column.as_primitive::<TimestampNanosecondType>().values();
                keep(&|row| bounds.contains(&(starts[row].max(0) as u64)));
            }
            Self::Duration(bounds) => {
                let durations = column.as_primitive::<Int64Type>().values();
                keep(&|row| bounds.contains(&(durations[row].max(0) as u64)));
            }
            Self::Number(_, bounds) => {
                let numbers = column.as_primitive::<Float64Type>();
                let within =
                    |number: f64| bounds.start().total_cmp(&number).is_le() && number.total_cmp(bounds.end()).is_le();
                keep(&|row| numbers.is_valid(row) && within(numbers.value(row)));
            }
            Self::Bool(_, wanted) => {
                let bools = column.as_boolean();
                keep(&|row| bools.is_valid(row) && bools.value(row) == *wanted);
            }
            Self::Trace(wanted) => {
                let ids: &FixedSizeBinaryArray = column.as_fixed_size_binary();
                keep(&|row| wanted.iter().any(|id| ids.value(row) == id.0));
            }
            Self::Text(_, test) => {
                let texts = column.as_dictionary::<UInt32Type>();
                let values: &StringArray = texts.values().as_string();
                let of_code: Vec<bool> = values.iter().map(|text| text.is_some_and(|text| test.passes(text))).collect();
                let codes = texts.keys();
                keep(&|row| if codes.is_null(row) { test.passes_null() } else { of_code[codes.value(row) as usize] });
            }
            Self::Entry(wanted) => {
                let kinds = column.as_primitive::<Int32Type>().values();
                let parents = batch.column(at + 1);
                keep(&|row| (is_entry_kind(kinds[row]) || parents.is_null(row)) == *wanted);
            }
            Self::HasParent(wanted) => {
                keep(&|row| column.is_valid(row) == *wanted);
            }
            Self::Id(_, id, wanted) => {
                let ids: &FixedSizeBinaryArray = column.as_fixed_size_binary();
                keep(&|row| (ids.is_valid(row) && ids.value(row) == id.0) == *wanted);
            }
        }
    }
}

/// Fields and keys that conditions look at: what says nothing new about the spans they chose.
pub(crate) fn asked_keys(conditions: &[Condition]) -> HashSet<String> {
    conditions.iter().map(|condition| condition.key.clone()).collect()
}
