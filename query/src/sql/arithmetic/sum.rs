//! `sum` and `avg` that never wrap around: integers are added up in 128 bits, and the sum of integers is a decimal.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, PrimitiveArray},
        compute::{cast, nullif},
        datatypes::{DataType, Decimal128Type, FieldRef, Float64Type, Int64Type, UInt64Type},
    },
    common::{ScalarValue, exec_err, not_impl_err, plan_err},
    error::Result,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
        utils::AggregateOrderSensitivity,
    },
};

/// An integer among those that are added up; 20 digits are those of the largest.
const WHOLE: DataType = DataType::Decimal128(20, 0);

/// Their sum, as DataFusion gives it for [`WHOLE`]: of 10 billion times the largest.
const SUM: DataType = DataType::Decimal128(30, 0);

/// Digits of a decimal above which a sum of two may be beyond 128 bits.
const DIGITS_MAX: u8 = 28;

/// `sum` or `avg` as DataFusion has it, but exact where it is of integers or of durations.
pub(super) fn whole(inner: Arc<AggregateUDF>) -> AggregateUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    AggregateUDF::new_from_impl(Whole { is_sum: inner.name() == "sum", inner, signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Whole {
    inner: Arc<AggregateUDF>,
    is_sum: bool,
    signature: Signature,
}

impl Whole {
    /// The type in which values of `input` are added up, where that is another.
    fn added_as(&self, input: &DataType) -> Option<DataType> {
        match input {
            DataType::Int64 | DataType::UInt64 if self.is_sum => Some(WHOLE),
            DataType::Duration(_) => Some(if self.is_sum { WHOLE } else { DataType::Float64 }),
            _ => None,
        }
    }

    /// An accumulator of values that are given and shown as other types than it takes and gives.
    fn converted(
        &self,
        arguments: AccumulatorArgs,
        make: impl FnOnce(&AggregateUDF, AccumulatorArgs) -> Result<Box<dyn Accumulator>>,
    ) -> Result<Box<dyn Accumulator>> {
        let Some(added_as) = self.added_as(arguments.expr_fields[0].data_type()) else {
            return make(&self.inner, arguments);
        };
        let result = arguments.return_field.data_type().clone();
        let given = [field_as(&arguments.expr_fields[0], &added_as)];
        let return_field = self.inner.return_field(&given)?;
        let inner = make(&self.inner, AccumulatorArgs { return_field, expr_fields: &given, ..arguments })?;
        Ok(Box::new(Converted { inner, added_as, result }))
    }
}

impl AggregateUDFImpl for Whole {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let takes = if self.is_sum { "(number), (duration) or (interval)" } else { "(number) or (duration)" };
        let [given] = arguments else {
            let given: Vec<_> = arguments.iter().map(ToString::to_string).collect();
            return plan_err!("{} takes {takes}, not ({})", self.name(), given.join(", "));
        };
        Ok(vec![match given {
            of if of.is_signed_integer() && self.is_sum => DataType::Int64,
            of if of.is_unsigned_integer() && self.is_sum => DataType::UInt64,
            of if of.is_integer() || of.is_floating() => DataType::Float64,
            DataType::Null => {
                if self.is_sum {
                    DataType::Int64
                } else {
                    DataType::Float64
                }
            }
            // Read by then as `attr_num` reads it.
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Float64,
            DataType::Decimal128(digits, scale) if self.is_sum && *digits > DIGITS_MAX => {
                DataType::Decimal256(*digits, *scale)
            }
            DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Duration(_) => given.clone(),
            DataType::Interval(_) if self.is_sum => given.clone(),
            other => return plan_err!("{} takes {takes}, not ({other})", self.name()),
        }])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match (&arguments[0], self.added_as(&arguments[0])) {
            (of @ DataType::Duration(_), _) => Ok(of.clone()),
            (_, Some(_)) => Ok(SUM),
            _ => self.inner.return_type(arguments),
        }
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.converted(arguments, |inner, arguments| inner.accumulator(arguments))
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct {
            return not_impl_err!("{}(DISTINCT …) over a window that slides is not supported", self.name());
        }
        self.converted(arguments, |inner, arguments| inner.create_sliding_accumulator(arguments))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let Some(added_as) = self.added_as(arguments.input_fields[0].data_type()) else {
            return self.inner.state_fields(arguments);
        };
        let given = [field_as(&arguments.input_fields[0], &added_as)];
        let return_field = self.inner.return_field(&given)?;
        self.inner.state_fields(StateFieldsArgs { input_fields: &given, return_field, ..arguments })
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        match self.added_as(arguments.expr_fields[0].data_type()) {
            Some(_) => self.is_sum && !arguments.is_distinct,
            None => self.inner.groups_accumulator_supported(arguments),
        }
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match self.added_as(arguments.expr_fields[0].data_type()) {
            Some(_) => {
                let result = arguments.return_field.data_type().clone();
                Ok(Box::new(Sums { sums: Vec::new(), any: Vec::new(), result }))
            }
            None => self.inner.create_groups_accumulator(arguments),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn field_as(field: &FieldRef, data_type: &DataType) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(data_type.clone()))
}

/// By way of an integer where one of both is a duration.
fn converted(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if values.data_type() == to {
        return Ok(Arc::clone(values));
    }
    let is_duration = |of: &DataType| matches!(of, DataType::Duration(_));
    if !is_duration(values.data_type()) && !is_duration(to) {
        return Ok(cast(values, to)?);
    }
    if values.data_type() == &DataType::Float64 {
        // A mean lies within what it is the mean of, but a float may be rounded beyond it.
        let whole: PrimitiveArray<Int64Type> = values.as_primitive::<Float64Type>().unary(|mean| mean as i64);
        return Ok(cast(&whole, to)?);
    }
    let whole = cast(values, &DataType::Int64)?;
    if whole.null_count() > values.null_count() {
        return exec_err!("a sum of durations is beyond 292 years: write sum(CAST(… AS BIGINT))");
    }
    Ok(cast(&whole, to)?)
}

/// Adds up in one type what is given and shown in others.
#[derive(Debug)]
struct Converted {
    inner: Box<dyn Accumulator>,
    added_as: DataType,
    result: DataType,
}

impl Accumulator for Converted {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&[converted(&values[0], &self.added_as)?])
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&[converted(&values[0], &self.added_as)?])
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&converted(&sum, &self.result)?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }
}

/// One sum a group.
struct Sums {
    sums: Vec<i128>,
    /// Whether a group has a value: the sum of none is null.
    any: Vec<bool>,
    result: DataType,
}

impl Sums {
    fn grow(&mut self, groups_count: usize) {
        self.sums.resize(groups_count.max(self.sums.len()), 0);
        self.any.resize(self.sums.len(), false);
    }

    fn add<T: ArrowPrimitiveType>(
        &mut self,
        values: &PrimitiveArray<T>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
    ) where
        T::Native: Into<i128>,
    {
        let is_in = |at: usize| filter.is_none_or(|filter| filter.is_valid(at) && filter.value(at));
        for (at, (&group, &value)) in groups.iter().zip(values.values()).enumerate() {
            if values.is_valid(at) && is_in(at) {
                // 2^64 values of 64 bits each fit.
                self.sums[group] += value.into();
                self.any[group] = true;
            }
        }
    }

    fn take(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let (sums, any) = (emit.take_needed(&mut self.sums), emit.take_needed(&mut self.any));
        let sums = sums.into_iter().zip(any).map(|(sum, any)| any.then_some(sum));
        let sums = Decimal128Array::from_iter(sums).with_data_type(SUM);
        Ok(Arc::new(sums))
    }
}

impl GroupsAccumulator for Sums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        groups_count: usize,
    ) -> Result<()> {
        self.grow(groups_count);
        match values[0].data_type() {
            DataType::UInt64 => self.add(values[0].as_primitive::<UInt64Type>(), groups, filter),
            _ => self.add(converted(&values[0], &DataType::Int64)?.as_primitive::<Int64Type>(), groups, filter),
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        converted(&self.take(emit)?, &self.result)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(emit)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], groups_count: usize) -> Result<()> {
        self.grow(groups_count);
        self.add(states[0].as_primitive::<Decimal128Type>(), groups, None);
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut states = converted(&converted(&values[0], &WHOLE)?, &SUM)?;
        if let Some(filter) = filter {
            let is_out = filter.iter().map(|is_in| Some(is_in != Some(true))).collect::<BooleanArray>();
            states = nullif(&states, &is_out)?;
        }
        Ok(vec![states])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.any.capacity()
    }
}
