//! `approx_percentile(x, q)`, also as `approx_percentile_cont`, and `p50(x)`, `p90(x)`, `p95(x)`, `p99(x)`: percentiles with a relative
//! error of at most 1/256.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array},
        compute::cast,
        datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type},
    },
    common::{ScalarValue, exec_err, plan_err},
    error::Result,
    logical_expr::{
        Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, TypeSignature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
        utils::AggregateOrderSensitivity,
    },
    physical_plan::expressions::Literal,
};

use super::histogram::Histogram;

/// The functions for percentiles.
pub(super) fn functions() -> Vec<Arc<dyn AggregateUDFImpl>> {
    let fixed = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];
    let mut functions: Vec<Arc<dyn AggregateUDFImpl>> = vec![Arc::new(Percentile::new("approx_percentile", None))];
    functions.extend(fixed.map(|(name, quantile)| Arc::new(Percentile::new(name, Some(quantile))) as Arc<_>));
    functions
}

/// A percentile of numbers.
#[derive(Debug)]
struct Percentile {
    name: &'static str,
    /// The share; the second argument when there is none.
    quantile: Option<f64>,
    signature: Signature,
    aliases: Vec<String>,
}

impl PartialEq for Percentile {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Percentile {}

impl std::hash::Hash for Percentile {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Percentile {
    fn new(name: &'static str, quantile: Option<f64>) -> Self {
        let signature = Signature::new(TypeSignature::UserDefined, Volatility::Immutable);
        let aliases = if quantile.is_none() { vec!["approx_percentile_cont".to_owned()] } else { Vec::new() };
        Self { name, quantile, signature, aliases }
    }

    fn quantile(&self, args: &AccumulatorArgs<'_>) -> Result<f64> {
        let quantile = match self.quantile {
            Some(quantile) => quantile,
            None => {
                let literal = args.exprs.get(1).and_then(|expr| expr.downcast_ref::<Literal>());
                match literal.map(|literal| literal.value().cast_to(&DataType::Float64)).transpose()? {
                    Some(ScalarValue::Float64(Some(quantile))) => quantile,
                    _ => return plan_err!("the share of {} is a number, not an expression", self.name),
                }
            }
        };
        if !(0.0..=1.0).contains(&quantile) {
            return plan_err!("the share of {} is between 0 and 1", self.name);
        }
        // ORDER BY x DESC counts from the other end.
        let is_descending = args.order_bys.first().is_some_and(|order| order.options.descending);
        Ok(if is_descending { 1.0 - quantile } else { quantile })
    }
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let wanted = if self.quantile.is_some() { 1 } else { 2 };
        // approx_percentile_cont may have a third one, the size of what it keeps. Here that is fixed.
        let is_legacy = self.quantile.is_none() && arguments.len() == 3;
        if arguments.len() != wanted && !is_legacy {
            return plan_err!("{} takes {wanted} arguments", self.name);
        }
        // A text is read by then as `attr_num` reads it.
        if !arguments[0].is_numeric() && !arguments[0].is_string() && !arguments[0].is_null() {
            return plan_err!("{} is of numbers, not {}", self.name, arguments[0]);
        }
        let first = if arguments[0] == DataType::Int64 { DataType::Int64 } else { DataType::Float64 };
        let rest =
            arguments[1..].iter().enumerate().map(|(at, _)| if at == 0 { DataType::Float64 } else { DataType::Int64 });
        Ok(std::iter::once(first).chain(rest).collect())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One { quantile: self.quantile(&args)?, histogram: Histogram::default() }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[histogram]", args.name), DataType::Binary, false))])
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups { quantile: self.quantile(&args)?, histograms: Vec::new() }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn supports_within_group_clause(&self) -> bool {
        self.quantile.is_none()
    }
}

/// Calls `add` with the position and value of each number that is there and passes the filter.
fn for_each_number(values: &ArrayRef, filter: Option<&BooleanArray>, mut add: impl FnMut(usize, f64)) -> Result<()> {
    let passes = |at: usize| filter.is_none_or(|filter| filter.is_valid(at) && filter.value(at));
    if let Some(whole) = values.as_primitive_opt::<Int64Type>() {
        if whole.null_count() == 0 && filter.is_none() {
            whole.values().iter().enumerate().for_each(|(at, &value)| add(at, value as f64));
            return Ok(());
        }
        for at in (0..whole.len()).filter(|&at| whole.is_valid(at) && passes(at)) {
            add(at, whole.value(at) as f64);
        }
        return Ok(());
    }
    let doubles = cast(values, &DataType::Float64)?;
    let doubles = doubles.as_primitive::<Float64Type>();
    for at in (0..doubles.len()).filter(|&at| doubles.is_valid(at) && passes(at)) {
        add(at, doubles.value(at));
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Histogram> {
    match Histogram::read(bytes) {
        Some(histogram) => Ok(histogram),
        None => exec_err!("not the state of a percentile"),
    }
}

/// Without groups.
#[derive(Debug)]
struct One {
    quantile: f64,
    histogram: Histogram,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each_number(&values[0], None, |_, number| self.histogram.add(number))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.histogram.quantile(self.quantile)))
    }

    fn size(&self) -> usize {
        self.histogram.memory_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.histogram.write()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states[0].as_binary::<i32>().iter().flatten() {
            self.histogram.merge(&read(state)?);
        }
        Ok(())
    }
}

/// One histogram a group.
struct Groups {
    quantile: f64,
    histograms: Vec<Histogram>,
}

impl Groups {
    fn take(&mut self, emit: EmitTo) -> Vec<Histogram> {
        emit.take_needed(&mut self.histograms)
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_count: usize,
    ) -> Result<()> {
        self.histograms.resize_with(groups_count.max(self.histograms.len()), Histogram::default);
        for_each_number(&values[0], filter, |at, number| self.histograms[groups[at]].add(number))
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let quantile = self.quantile;
        let found = self.take(emit).into_iter().map(|histogram| histogram.quantile(quantile));
        Ok(Arc::new(Float64Array::from_iter(found)))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.take(emit).into_iter().map(|histogram| histogram.write());
        Ok(vec![Arc::new(BinaryArray::from_iter_values(states))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], groups_count: usize) -> Result<()> {
        self.histograms.resize_with(groups_count.max(self.histograms.len()), Histogram::default);
        let states = states[0].as_binary::<i32>();
        for (at, &group) in groups.iter().enumerate() {
            if states.is_valid(at) {
                self.histograms[group].merge(&read(states.value(at))?);
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut states = vec![Vec::new(); values[0].len()];
        for_each_number(&values[0], filter, |at, number| {
            let mut histogram = Histogram::default();
            histogram.add(number);
            states[at] = histogram.write();
        })?;
        Ok(vec![Arc::new(BinaryArray::from_iter_values(states))])
    }

    fn size(&self) -> usize {
        self.histograms.iter().map(Histogram::memory_bytes).sum()
    }
}
